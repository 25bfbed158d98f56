//! `check`: is the configuration good, and what is in force?

use std::path::Path;
use std::process::ExitCode;

use super::EXIT_USAGE;
use crate::config;

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
            ExitCode::SUCCESS
        }
        Err(errors) => {
            anstream::eprintln!("{errors}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}
