//! `check`: is the configuration good, and what is in force?

use std::path::Path;
use std::process::ExitCode;

use super::{EXIT_USAGE, serve};
use crate::{config, open_files};

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    match config::load(file, std::env::vars_os()) {
        Ok(config) => {
            anstream::println!("{}", config::in_force(&config));
            for warning in &config.warnings {
                anstream::println!("not safe: {warning}");
            }
            for hint in config::missing(&config) {
                anstream::println!("to add: {hint}");
            }
            // The limit is that of whoever checks, which may not be that of the service: no mistake of the configuration.
            let room = serve::options(config).room(open_files::most());
            if let Some(why) = room.map_or_else(Some, |room| room.why) {
                anstream::println!("not safe: {why}");
            }
            ExitCode::SUCCESS
        }
        Err(errors) => {
            anstream::eprintln!("{errors}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}
