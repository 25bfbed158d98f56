//! `check`: the mistakes of a configuration, or the values in force and the warnings about them.

use std::path::Path;
use std::process::ExitCode;

use super::exit::EXIT_USAGE;
use super::output::{answer, say};
use super::serve;
use crate::clock::Clock;
use crate::{config, open_files};

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    match config::load(file, std::env::vars_os()) {
        Ok(config) => {
            let mut lines = vec![config::in_force(&config)];
            lines.extend(
                config::warnings(&config, Clock::start().now().wall)
                    .iter()
                    .map(|warning| format!("not safe: {warning}")),
            );
            lines.extend(config::renamed(&config.profiles).into_iter().map(|name| format!("renamed: {name}")));
            lines.extend(config::missing(&config).into_iter().map(|hint| format!("to add: {hint}")));
            // The limit of open files is that of this user. The service may have another limit, so a shortage is no
            // mistake of the configuration.
            match serve::options(config).room(open_files::most()) {
                Ok(room) => lines.extend(room.why.map(|why| format!("not safe: {why}"))),
                // `serve` refuses to start with this text.
                Err(why) => lines.push(why),
            }
            answer(lines.join("\n"), ExitCode::SUCCESS)
        }
        Err(errors) => {
            say(errors);
            ExitCode::from(EXIT_USAGE)
        }
    }
}
