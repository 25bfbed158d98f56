//! `backup`: a consistent copy of the store, also while a relay runs on it.

use std::path::Path;
use std::process::ExitCode;

use super::{EXIT_IO, EXIT_USAGE};
use crate::config;
use crate::store::sqlite::backup;
use crate::telemetry;

pub(super) fn run(file: Option<&Path>, copy: &Path) -> ExitCode {
    telemetry::init();
    let config = match config::load(file, std::env::vars_os()) {
        Ok(config) => config,
        Err(errors) => {
            anstream::eprintln!("{errors}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match backup(&config.store.path, copy) {
        Ok(()) => {
            anstream::println!("{} is a copy of {}", copy.display(), config.store.path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            anstream::eprintln!("{error}");
            ExitCode::from(EXIT_IO)
        }
    }
}
