//! Commands beside `serve`.

mod commands;
mod import;
mod notify;
mod profile_tools;
mod repair;
mod reread;
mod stand_in;
mod tell;
