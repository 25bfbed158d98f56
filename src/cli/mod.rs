//! The commands, one file each.

mod backup;
mod check;
mod command;
mod demo;
mod exit;
mod findings;
mod output;
mod profile;
mod reading;
mod reload;
mod reread;
mod secret;
mod serve;
mod soak;

pub use self::command::{Cli, run};
