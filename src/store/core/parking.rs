//! The limits of parked events: past the number of its source, or past its age, an event becomes a dead letter.

use uuid::Uuid;

use super::set::rows::parked::ParkedRow;
use super::set::{Decided, WorkingSet};
use super::{later_outcomes, parked};

/// The reason of an event that waited for too long.
const NOT_IN_TIME: &str = "its record was not registered in time";
/// The end of the reason of an event that was one too many.
const CROWDED_OUT: &str = " wait for their records; this was the oldest";

/// Whether a dead letter with this reason was understood, and waited for its record in vain.
pub(in crate::store) fn is_in_vain(reason: &str) -> bool {
    reason == NOT_IN_TIME || reason.ends_with(CROWDED_OUT)
}

/// Turns the oldest events of a source into dead letters while more than `most` wait for their records. Returns the
/// number of these events.
pub(in crate::store) fn crowd_out(set: &WorkingSet, source: &str, most: u32) -> Decided<u32> {
    let excess = parked::waiting(set, source)?.saturating_sub(most.into());
    let excess = u32::try_from(excess.max(0)).unwrap_or(u32::MAX);
    if excess > 0 {
        let reason = format!("more than {most} events of {source}{CROWDED_OUT}");
        for row in parked::oldest(set, source, usize::try_from(excess).unwrap_or(usize::MAX))? {
            give_up(set, &row, &reason)?;
        }
    }
    Ok(excess)
}

/// Turns the events of these rows, which have waited for too long, into dead letters. Returns the notifications of these events.
pub(in crate::store) fn expire(set: &WorkingSet, rows: &[i64]) -> Decided<Vec<Uuid>> {
    let mut notifications = Vec::new();
    for row in rows {
        if let Some(row) = parked::find(set, *row)? {
            notifications.push(give_up(set, &row, NOT_IN_TIME)?);
        }
    }
    Ok(notifications)
}

/// Deletes a parked event, and makes its notification a dead letter.
fn give_up(set: &WorkingSet, row: &ParkedRow, reason: &str) -> Decided<Uuid> {
    parked::let_go(set, row)?;
    later_outcomes::waited_in_vain(set, row.notification, reason)?;
    Ok(row.notification)
}
