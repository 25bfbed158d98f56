//! The commands, one file each.

mod backup;
mod check;
mod command;
mod demo;
mod exit;
mod output;
mod profile;
mod reload;
mod secret;
mod serve;
mod soak;
mod stand_in;

pub use self::command::{Cli, run};
