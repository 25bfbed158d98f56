//! `reload`: has the running relay read its configuration again.

use std::path::Path;
use std::process::ExitCode;

use super::exit::{EXIT_IO, EXIT_UNAVAILABLE, EXIT_USAGE};
use super::output::{print, say};
use crate::config;
use crate::control::{self, ANSWER_WITHIN, Outcome, Unanswered, Wait};

/// The command that starts the relay.
const START: &str = "`transform-relay serve`, with its --config FILE";

pub(super) fn run(file: Option<&Path>) -> ExitCode {
    let store = match config::store_path(file, std::env::vars_os()) {
        Ok(store) => store,
        Err(errors) => {
            say(errors);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match control::reload(&store, say_waiting) {
        Err(reason) => {
            say(match reason {
                Unanswered::NoSocket(_) => format!("{reason}; try again, or send it SIGHUP"),
                _ => said(&reason, &store),
            });
            ExitCode::from(EXIT_UNAVAILABLE)
        }
        Ok(outcome) if !outcome.errors.is_empty() => {
            print_errors(&outcome);
            ExitCode::from(EXIT_USAGE)
        }
        Ok(outcome) => {
            let printed = print("reloaded").and_then(|()| notes(&outcome).try_for_each(print));
            printed.map_or_else(
                |error| {
                    say(format_args!("the relay has reloaded, but the answer cannot be written to stdout: {error}"));
                    ExitCode::from(EXIT_IO)
                },
                |()| ExitCode::SUCCESS,
            )
        }
    }
}

/// Lines about the configuration that is now in force: keys that need a restart, and warnings.
pub(super) fn notes(outcome: &Outcome) -> impl Iterator<Item = String> {
    let keys = outcome.restart.iter().map(|key| format!("needs a restart: {key}"));
    let warnings = outcome.warnings.iter().map(|warning| format!("not safe: {warning}"));
    keys.chain(warnings)
}

/// Says that the command waits for the relay. A relay that starts, ends or hangs may not answer for long.
pub(super) fn say_waiting(store: &Path, wait: Wait) {
    let store = store.display();
    match wait {
        Wait::Socket => say(format_args!("the relay on {store} starts or ends: waiting until it can be asked")),
        Wait::Answer => say(format_args!(
            "the relay on {store} has not answered yet: waiting for {ANSWER_WITHIN:?} at most; look whether it is stopped or its \
             disk hangs"
        )),
    }
}

/// The reason why no relay can be asked, and the remedy.
pub(super) fn said(reason: &Unanswered, store: &Path) -> String {
    match reason {
        Unanswered::NoStore(_) if store.is_relative() => format!(
            "{reason}; store.path = {store:?} is relative, and starts at the folder that a relay or a command is started in: \
             run this in the relay's folder; or start the relay once (`serve`), which makes it"
        ),
        Unanswered::NoStore(_) => {
            format!("{reason}; run this where the relay's store is, or start the relay first: {START}")
        }
        Unanswered::NotRunning(_) => format!("{reason}; start it: {START}"),
        Unanswered::Failed { .. } | Unanswered::NoSocket(_) => reason.to_string(),
    }
}

/// The same of a request that earlier versions of the relay do not understand: they hang up without an answer.
pub(super) fn said_of_later(reason: &Unanswered, store: &Path) -> String {
    let said = said(reason, store);
    match reason {
        Unanswered::NoStore(_) | Unanswered::NotRunning(_) => said,
        Unanswered::Failed { .. } | Unanswered::NoSocket(_) => {
            format!("{said}; an earlier version of the relay cannot be asked for it: restart it with this version")
        }
    }
}

/// Says that the old configuration stays in force, and the mistakes of the new one.
pub(super) fn print_errors(outcome: &Outcome) {
    let errors = outcome.errors.join("\n");
    say(format_args!("not reloaded, the old configuration stays in force:\n{errors}"));
}
