//! Commands beside `serve`.

mod commands;
mod profile_tools;
mod reread;
