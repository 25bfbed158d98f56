//! Outcomes of notifications whose messages wait for fetches.

use rusqlite::Connection;

use super::inbox::{self, Became};
use super::{fetches, parked};
use crate::store::{Kept, Outcome, Through};

/// Sets the outcome of a notification after one of its messages was fetched. It is the greatest outcome of all its messages,
/// once none of them waits any more. A hint that brought nothing new is deleted.
pub(super) fn through(
    connection: &Connection,
    kept: &Kept,
    fetched: Outcome,
    reason: Option<String>,
) -> rusqlite::Result<Through> {
    let waits = fetches::awaits(connection, kept.id)?;
    if kept.hint {
        return hint_through(connection, kept, waits, fetched, reason);
    }
    let (before, known) = inbox::through(connection, kept.id)?;
    let settled = Some(kept.outcome).filter(|outcome| *outcome != Outcome::Fetching);
    let mut through = [before, settled].into_iter().flatten().fold(fetched, Outcome::max);
    let parked = parked::holds(connection, kept.id)?;
    if through == Outcome::Parked && !parked {
        through = Outcome::Applied; // what was parked of it was released meanwhile
    }
    let outcome = match (waits, settled) {
        (true, None) => through.max(Outcome::Fetching),
        _ => through,
    };
    let became =
        Became { outcome, through: waits.then_some(through), reason: both(known, reason.clone()), tells_first: false };
    inbox::set(connection, kept.id, &became)?;
    Ok(Through { notification: kept.id, outcome: Some(outcome), reason })
}

fn hint_through(
    connection: &Connection,
    kept: &Kept,
    waits: bool,
    fetched: Outcome,
    reason: Option<String>,
) -> rusqlite::Result<Through> {
    let notification = kept.id;
    match fetched {
        Outcome::Parked | Outcome::Applied | Outcome::DeadLetter => {
            let became = Became { outcome: fetched, through: None, reason: reason.clone(), tells_first: false };
            inbox::set(connection, notification, &became)?;
            Ok(Through { notification, outcome: Some(fetched), reason })
        }
        _ if waits => Ok(Through { notification, outcome: Some(Outcome::Fetching), reason }),
        _ if kept.outcome == Outcome::Applied => Ok(Through { notification, outcome: Some(fetched), reason }),
        _ => drop_hint(connection, kept),
    }
}

/// Deletes a hint that brought nothing new, unless it still waits for a fetch.
pub(super) fn drop_hint(connection: &Connection, kept: &Kept) -> rusqlite::Result<Through> {
    let nothing = Through { notification: kept.id, outcome: None, reason: None };
    if fetches::awaits(connection, kept.id)? {
        return Ok(nothing);
    }
    parked::forget(connection, kept.id.into_bytes())?;
    inbox::delete(connection, kept.id)?;
    Ok(nothing)
}

/// Joins two reasons, up to a length: reasons must not grow for ever.
fn both(known: Option<String>, new: Option<String>) -> Option<String> {
    const LENGTH_MAX: usize = 2_000;
    match (known, new) {
        (Some(known), Some(new)) if known != new && known.len() < LENGTH_MAX => Some(format!("{known}; {new}")),
        (Some(known), _) => Some(known),
        (None, new) => new,
    }
}
