//! `reload`: has the running relay take up its configuration anew.

use std::path::Path;
use std::process::ExitCode;

use super::EXIT_USAGE;
use crate::config;
use crate::control::{self, Outcome};

/// No relay runs there, or it does not answer (EX_UNAVAILABLE).
pub(super) const EXIT_UNAVAILABLE: u8 = 69;

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    let store = match config::store_path(file, std::env::vars_os()) {
        Ok(store) => store,
        Err(errors) => {
            anstream::eprintln!("{errors}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match control::ask(&store) {
        Err(reason) => {
            anstream::eprintln!("{reason}");
            ExitCode::from(EXIT_UNAVAILABLE)
        }
        Ok(outcome) if !outcome.errors.is_empty() => {
            print_errors(&outcome);
            ExitCode::from(EXIT_USAGE)
        }
        Ok(outcome) => {
            anstream::println!("reloaded");
            for key in &outcome.restart {
                anstream::println!("needs a restart: {key}");
            }
            ExitCode::SUCCESS
        }
    }
}

/// Why the old configuration stays in force.
pub(super) fn print_errors(outcome: &Outcome) {
    anstream::eprintln!("not reloaded, the old configuration stays in force:\n{}", outcome.errors.join("\n"));
}
