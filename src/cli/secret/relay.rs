//! A rotation's dealings with the relay: the relay's clock and secrets before it, and whether the new secret is in force
//! after it.

use std::path::Path;

use jiff::Timestamp;

use super::super::exit::EXIT_UNAVAILABLE;
use super::super::exit::{EXIT_FAILED, EXIT_USAGE};
use super::super::output::say;
use super::super::reload::{notes, print_errors, said, say_waiting};
use super::said::{Failure, say_unsynced};
use crate::access::secrets::NamedSecret;
use crate::clock::Clock;
use crate::config::Rotation;
use crate::control::{self, Known, Outcome, Time, Unanswered};
use crate::domain::event::AHEAD_MAX;

/// Asks the relay for its time and secrets before anything is changed. The relay judges by its own clock when a secret ends,
/// so that clock sets the secrets' times. The secrets of all sources come only from a running relay.
///
/// # Errors
/// A relay that runs, or may run, cannot be asked; or this machine's clock is behind.
pub(super) fn ask(rotation: &Rotation) -> Result<Time, Failure> {
    let own = Clock::start().now().wall;
    match control::time(&rotation.store, say_waiting) {
        Ok(answer) => {
            let relays = answer.now;
            if own.duration_since(relays).abs() > AHEAD_MAX {
                say(format_args!(
                    "this command's clock is at {own}, the relay's at {relays}: the relay's clock counts"
                ));
            }
            Ok(answer)
        }
        Err(Unanswered::NotRunning(store)) => not_behind(own, &[&store, &rotation.file]).map(|()| alone(own)),
        // A relay does not start without the secrets file, so the file may come before the store.
        Err(Unanswered::NoStore(_)) if rotation.is_first() => Ok(alone(own)),
        Err(reason) => Err((EXIT_UNAVAILABLE, unasked(&reason, &rotation.store))),
    }
}

/// The message for an unasked relay. SIGHUP is not advised: it reloads, but a rotation still could not ask the relay.
fn unasked(reason: &Unanswered, store: &Path) -> String {
    match reason {
        Unanswered::NoSocket(_) => format!("{reason}; try again. If it has lost its socket, restart the relay"),
        _ => said(reason, store),
    }
}

const fn alone(now: Timestamp) -> Time {
    Time { now, secrets: None }
}

/// Checks that no secret of the relay is missing from all files. The reload would end such a secret at once and silently,
/// whatever the overlap. Nobody could write it back, because only the relay knows it.
///
/// # Errors
/// There is such a secret.
pub(super) fn loses_none(rotation: &Rotation, known: &[Known], now: Timestamp) -> Result<(), String> {
    let in_files: Vec<_> = rotation.names().collect();
    let lost = known.iter().filter(|one| !one.of_environment && one.expires_at.is_none_or(|end| end > now));
    let lost: Vec<_> = lost.map(|one| one.name.as_str()).filter(|name| !in_files.contains(name)).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let file = rotation.file.display();
    Err(format!(
        "the relay verifies with {lost:?}, and neither {file} nor the configuration has it any more: it would end at once, without \
         the overlap. Put the file or the setting back; or, if it is to end at once, say --overlap 0"
    ))
}

/// Checks that the clock is not behind the files' own times. Such a clock would end the old secrets before their time.
fn not_behind(now: Timestamp, written: &[&Path]) -> Result<(), Failure> {
    let latest = written.iter().filter_map(|path| Some((written_at(path)?, path))).max();
    match latest {
        Some((at, path)) if at.duration_since(now) > AHEAD_MAX => {
            let path = path.display();
            let reason = format!(
                "this command's clock is at {now}, but {path} was written at {at}: set the clock right; if it is right, \
                 `touch` that file"
            );
            Err((EXIT_FAILED, reason))
        }
        _ => Ok(()),
    }
}

fn written_at(path: &Path) -> Option<Timestamp> {
    path.metadata().ok()?.modified().ok()?.try_into().ok()
}

/// An exit code, its message, and further notes.
pub(super) type TakenUp = (u8, String, Vec<String>);

/// Has the relay take up the file. If the relay refuses the file, or reads another one, everything is put back as it was.
pub(super) fn take_up(rotation: &Rotation, source: &str, new: &NamedSecret) -> Result<TakenUp, Failure> {
    let outcome = match control::reload(&rotation.store, say_waiting) {
        Ok(outcome) => outcome,
        // A relay reads the file when it starts, or once more at the end of a start that has begun.
        Err(reason @ Unanswered::NotRunning(_)) => {
            return Ok((0, format!("{reason} now: the next one takes it up"), Vec::new()));
        }
        Err(Unanswered::NoStore(store)) => return Ok((0, without_store(&store, &rotation.store), Vec::new())),
        Err(reason @ (Unanswered::Failed { .. } | Unanswered::NoSocket(_))) => {
            let said = format!("it may not be in force yet: {reason}. Have the relay reload: SIGHUP does");
            return Ok((EXIT_UNAVAILABLE, said, Vec::new()));
        }
    };
    if !outcome.errors.is_empty() {
        print_errors(&outcome);
        return undone(rotation);
    }
    // A copy of the configuration names the same store, but has its own secrets file beside it.
    if let Some(difference) = differs(&outcome, source, new) {
        let store = rotation.store.display();
        say(format_args!("the relay on {store} reads another configuration: {difference}"));
        return undone(rotation);
    }
    Ok((0, "the relay has taken it up".to_owned(), notes(&outcome).collect()))
}

/// The reason why the secret in force is not this one. For a relay of an earlier version, without fingerprints, names
/// decide.
fn differs(outcome: &Outcome, source: &str, new: &NamedSecret) -> Option<String> {
    let name = &new.name;
    if !outcome.secrets.get(source).is_some_and(|names| names.contains(name)) {
        return Some(format!("there {source} has no secret {name:?}"));
    }
    let is_other = outcome.fingerprints.as_ref().is_some_and(|known| !known.has(source, new));
    is_other.then(|| format!("there {name:?} of {source} is another secret"))
}

/// The message where there is no store. Only if the setting (`configured`) is relative may a running relay have another
/// store.
fn without_store(store: &Path, configured: &Path) -> String {
    let elsewhere = if configured.is_relative() { ". A relay in another folder has not taken it up" } else { "" };
    let store = store.display();
    format!(
        "there is no store at {store} yet: the relay that starts next with this configuration takes it up{elsewhere}"
    )
}

fn undone(rotation: &Rotation) -> Result<TakenUp, Failure> {
    match rotation.undo() {
        Ok(written) => {
            say_unsynced(&written, rotation);
            Err((EXIT_USAGE, "nothing was changed".to_owned()))
        }
        Err(error) => {
            let file = rotation.file.display();
            let said = format!("the relay has not taken it up, and {file} could not be put back: {error}");
            Ok((EXIT_USAGE, said, Vec::new()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_has_lost_its_socket_is_to_be_restarted() {
        let store = Path::new("/relay.db");
        let said = unasked(&Unanswered::NoSocket(store.to_owned()), store);
        assert!(said.contains("restart the relay") && !said.contains("SIGHUP"), "{said}");
    }

    #[test]
    fn only_a_relative_store_may_be_another_one_elsewhere() {
        let said = |configured: &str| without_store(Path::new("/a/relay.db"), Path::new(configured));
        assert!(said("relay.db").contains("another folder"), "{}", said("relay.db"));
        assert!(!said("/a/relay.db").contains("another folder"), "{}", said("/a/relay.db"));
    }
}
