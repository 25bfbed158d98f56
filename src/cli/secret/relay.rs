//! What a rotation has to do with the relay: by whose clock it goes, and whether its secret is in force.

use std::path::Path;

use jiff::Timestamp;

use super::super::reload::{EXIT_UNAVAILABLE, print_errors, said, say_waiting};
use super::super::{EXIT_FAILED, EXIT_USAGE, say};
use super::{Failure, say_unsynced};
use crate::access::secrets::NamedSecret;
use crate::clock::Clock;
use crate::config::Rotation;
use crate::control::{self, Outcome, Unanswered};
use crate::domain::event::AHEAD_MAX;

/// The time by which the times of the secrets are set, before anything is changed: that of the relay, which judges by its
/// own clock when a secret ends.
///
/// # Errors
/// There is a relay that cannot be asked, or there may be one; or this machine's clock is behind.
pub(super) fn time(rotation: &Rotation) -> Result<Timestamp, Failure> {
    let own = Clock::start().now().wall;
    match control::time(&rotation.store, say_waiting) {
        Ok(relays) => {
            if own.duration_since(relays).abs() > AHEAD_MAX {
                say(format_args!(
                    "this command's clock is at {own}, the relay's at {relays}: the relay's clock counts"
                ));
            }
            Ok(relays)
        }
        Err(Unanswered::NotRunning(store)) => not_behind(own, &[&store, &rotation.file]).map(|()| own),
        // Without the file no relay starts, so it comes before the store.
        Err(Unanswered::NoStore(_)) if rotation.is_first() => Ok(own),
        Err(reason) => Err((EXIT_UNAVAILABLE, said(&reason, &rotation.store))),
    }
}

/// A clock that is behind what it wrote itself would end the old secrets before their time.
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

/// Has the relay take up what is in the file now: the exit code, and what is said of it. If it refuses or reads another
/// file, everything is as it was.
pub(super) fn take_up(rotation: &Rotation, source: &str, new: &NamedSecret) -> Result<(u8, String), Failure> {
    let outcome = match control::reload(&rotation.store, say_waiting) {
        Ok(outcome) => outcome,
        // It reads the file when it starts; or once more at the end of its start, if that has begun.
        Err(reason @ Unanswered::NotRunning(_)) => return Ok((0, format!("{reason} now, the next one takes it up"))),
        Err(Unanswered::NoStore(store)) => return Ok((0, without_store(&store))),
        Err(reason @ Unanswered::Failed { .. }) => {
            return Ok((
                EXIT_UNAVAILABLE,
                format!("whether it is in force is not known, since {reason}; have it reload"),
            ));
        }
    };
    if !outcome.errors.is_empty() {
        print_errors(&outcome);
        return undone(rotation);
    }
    // A copy of the configuration names the same store, but has secrets of its own beside it.
    if let Some(difference) = differs(&outcome, source, new) {
        let store = rotation.store.display();
        say(format_args!("the relay on {store} reads another configuration: {difference}"));
        return undone(rotation);
    }
    Ok((0, "the relay has taken it up".to_owned()))
}

/// Why the secret in force is not this one. A relay of an earlier version sends no fingerprints: its secrets go by their names.
fn differs(outcome: &Outcome, source: &str, new: &NamedSecret) -> Option<String> {
    let name = &new.name;
    if !outcome.secrets.get(source).is_some_and(|names| names.contains(name)) {
        return Some(format!("there {source} has no secret {name:?}"));
    }
    let is_other = outcome.fingerprints.as_ref().is_some_and(|known| !known.has(source, new));
    is_other.then(|| format!("there {name:?} of {source} is another secret"))
}

fn without_store(store: &Path) -> String {
    format!(
        "there is no store at {} yet: the relay that starts next with this configuration takes it up, and one that runs in \
         another folder has not",
        store.display()
    )
}

fn undone(rotation: &Rotation) -> Result<(u8, String), Failure> {
    match rotation.undo() {
        Ok(written) => {
            say_unsynced(&written, rotation);
            Err((EXIT_USAGE, "nothing was changed".to_owned()))
        }
        Err(error) => {
            let file = rotation.file.display();
            Ok((EXIT_USAGE, format!("the relay has not taken it up, and {file} could not be put back: {error}")))
        }
    }
}
