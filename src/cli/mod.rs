//! The commands, one file each.

mod backup;
mod bench;
mod check;
mod command;
mod demo;
mod exit;
mod findings;
mod import;
mod input;
mod notify;
mod output;
mod own_store;
mod profile;
mod reading;
mod relay_client;
mod reload;
mod repair;
mod reread;
mod restore;
mod secret;
mod serve;
mod soak;
mod stand_in;
mod tell;
mod variable;

pub use self::command::{Cli, run};
