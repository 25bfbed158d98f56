//! `check`: the settings in force as TOML with the warnings about them, or all mistakes of a configuration; and the verdict.

use std::path::Path;
use std::process::ExitCode;

use super::exit::EXIT_USAGE;
use super::output::{answer, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::{config, open_files};

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    match config::load(file, std::env::vars_os()) {
        Ok(config) => answer(report(&config), ExitCode::SUCCESS),
        Err(errors) => {
            let mistakes = counted(errors.0.len(), "mistake");
            let place = config::place(file, std::env::vars_os());
            say(format_args!("{errors}\nrefused: {mistakes} in {place}"));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// The settings in force, the warnings, and the verdict. All but the settings are comments, so that the whole is TOML.
fn report(config: &Config) -> String {
    let (warnings, missing) = (warnings(config), config::missing(config));
    let sources = counted(config.options.sources.len(), "source");
    let mut verdict = format!("valid: {sources}, {}", counted(warnings.len(), "warning"));
    if !missing.is_empty() {
        verdict.push_str(&format!(", {} to add", counted(missing.len(), "setting")));
    }
    let missing = missing.into_iter().map(|hint| format!("to add: {hint}"));
    let comments = warnings.into_iter().chain(missing).chain([verdict]).map(|line| format!("# {line}"));
    format!("{}\n\n{}", config.in_force, comments.collect::<Vec<_>>().join("\n"))
}

fn warnings(config: &Config) -> Vec<String> {
    let now = Clock::start().now().wall;
    let mut warnings: Vec<_> =
        config::warnings(config, now).into_iter().map(|warning| format!("not safe: {warning}")).collect();
    warnings.extend(config::renamed(&config.profiles).into_iter().map(|name| format!("renamed: {name}")));
    // The limit of open files is that of this user. The service may have another limit, so a shortage is no mistake of the
    // configuration. With no room at all, `serve` refuses to start with the same text.
    let shortage = config.options.room(open_files::most()).map_or_else(Some, |room| room.why);
    warnings.extend(shortage.map(|why| format!("not safe: {why}")));
    warnings
}

/// A number of things.
fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}
