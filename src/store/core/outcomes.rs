//! Outcomes of notifications whose messages wait for fetches.

use super::inbox::{self, Became};
use super::set::rows::notification::NotificationRow;
use super::set::{Decided, Readable, WorkingSet};
use super::{fetches, parked};
use crate::store::{Outcome, Through};

/// Sets the outcome of a notification after one of its messages was fetched. It is the greatest outcome of all its messages,
/// once none of them waits any more. A hint that brought nothing new is deleted.
pub(in crate::store) fn through(
    set: &WorkingSet,
    kept: &NotificationRow,
    fetched: Outcome,
    reason: Option<String>,
) -> Decided<Through> {
    let waits = fetches::awaits(set, kept.id)?;
    if kept.hint {
        return hint_through(set, kept, waits, fetched, reason);
    }
    // Released events may have changed it since.
    let known = inbox::find(set, kept.id)?;
    let known = known.as_deref().unwrap_or(kept);
    let before = known.through.as_ref().map(Readable::get).transpose()?.copied();
    let settled = Some(*kept.outcome.get()?).filter(|outcome| *outcome != Outcome::Fetching);
    let mut through = [before, settled].into_iter().flatten().fold(fetched, Outcome::max);
    let parked = parked::holds(set, kept.id)?;
    if through == Outcome::Parked && !parked {
        through = Outcome::Applied; // what was parked of it was released meanwhile
    }
    let outcome = match (waits, settled) {
        (true, None) => through.max(Outcome::Fetching),
        _ => through,
    };
    let reasons = both(known.reason.clone(), reason.clone());
    let became = Became { outcome, through: waits.then_some(through), reason: reasons, tells_first: false };
    inbox::set(set, kept.id, &became)?;
    Ok(Through { notification: kept.id, outcome: Some(outcome), reason })
}

fn hint_through(
    set: &WorkingSet,
    kept: &NotificationRow,
    waits: bool,
    fetched: Outcome,
    reason: Option<String>,
) -> Decided<Through> {
    let notification = kept.id;
    match fetched {
        Outcome::Parked | Outcome::Applied | Outcome::DeadLetter => {
            let became = Became { outcome: fetched, through: None, reason: reason.clone(), tells_first: false };
            inbox::set(set, notification, &became)?;
            Ok(Through { notification, outcome: Some(fetched), reason })
        }
        _ if waits => Ok(Through { notification, outcome: Some(Outcome::Fetching), reason }),
        _ if *kept.outcome.get()? == Outcome::Applied => Ok(Through { notification, outcome: Some(fetched), reason }),
        _ => drop_hint(set, kept),
    }
}

/// Deletes a hint that brought nothing new, unless it still waits for a fetch.
pub(in crate::store) fn drop_hint(set: &WorkingSet, kept: &NotificationRow) -> Decided<Through> {
    let nothing = Through { notification: kept.id, outcome: None, reason: None };
    if fetches::awaits(set, kept.id)? {
        return Ok(nothing);
    }
    parked::forget(set, kept.id)?;
    inbox::delete(set, kept)?;
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
