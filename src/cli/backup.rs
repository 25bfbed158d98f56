//! `backup`: a consistent copy of the store, also while a relay runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinError;

use super::exit::{EXIT_IO, EXIT_USAGE};
use super::output::{say, tell};
use super::serve::runtime;
use crate::config;
use crate::store::{BackupError, Cancelled, backup};
use crate::telemetry;

/// The base of the exit code after a signal. The signal's number is added to it, as shells do.
const EXIT_SIGNAL: u8 = 128;

pub(super) fn run(file: Option<&Path>, copy: &Path) -> ExitCode {
    telemetry::init();
    let config = match config::load(file, std::env::vars_os()) {
        Ok(config) => config,
        Err(errors) => {
            say(errors);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let store = config.options.store.path;
    let done = runtime().and_then(|runtime| runtime.block_on(until_signal(store.clone(), copy.to_owned())));
    match done {
        Ok(Ended { done: Ok(()), .. }) => {
            tell(format_args!("{} is a copy of {}", copy.display(), store.display()));
            ExitCode::SUCCESS
        }
        Ok(Ended { done: Err(error), by }) => {
            say(&error);
            let signal = by.filter(|_| matches!(error, BackupError::Cancelled(_)));
            let number = signal.and_then(|signal| u8::try_from(signal.as_raw_value()).ok());
            ExitCode::from(number.map_or(EXIT_IO, |number| EXIT_SIGNAL.saturating_add(number)))
        }
        Err(error) => {
            say(format_args!("{error:#}"));
            ExitCode::from(EXIT_IO)
        }
    }
}

/// The end of a backup, and the signal that came before it.
struct Ended {
    done: Result<(), BackupError>,
    by: Option<SignalKind>,
}

/// Makes the copy. SIGTERM and SIGINT cancel it, so that no unfinished copy with payer data stays behind. A signal after
/// the copy is complete changes nothing. SIGHUP is left alone, for `nohup`.
async fn until_signal(store: PathBuf, copy: PathBuf) -> anyhow::Result<Ended> {
    let [interrupt, terminate] = [SignalKind::interrupt(), SignalKind::terminate()];
    let (mut interrupted, mut terminated) = (signal(interrupt)?, signal(terminate)?);
    let cancelled = Cancelled::default();
    let work = cancelled.clone();
    let mut work = tokio::task::spawn_blocking(move || backup(&store, &copy, &work));
    let by = tokio::select! {
        done = &mut work => return ended(done, None),
        _ = interrupted.recv() => interrupt,
        _ = terminated.recv() => terminate,
    };
    cancelled.cancel();
    ended(work.await, Some(by))
}

fn ended(done: Result<Result<(), BackupError>, JoinError>, by: Option<SignalKind>) -> anyhow::Result<Ended> {
    Ok(Ended { done: done?, by })
}
