//! The limits of parked events: past the number of its source, or past its age, an event becomes a dead letter.

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::{counts, later_outcomes, parked};

/// The reason of an event that waited for too long.
const NOT_IN_TIME: &str = "its record was not registered in time";
/// The end of the reason of an event that was one too many.
const CROWDED_OUT: &str = " wait for their records; this was the oldest";

/// Whether a dead letter with this reason was understood, and waited for its record in vain.
pub(super) fn is_in_vain(reason: &str) -> bool {
    reason == NOT_IN_TIME || reason.ends_with(CROWDED_OUT)
}

/// Turns the oldest events of a source into dead letters while more than `most` wait for their records. Returns the
/// number of these events.
pub(super) fn crowd_out(connection: &Connection, source: &str, most: u32) -> rusqlite::Result<u32> {
    let excess = counts::parked(connection, source)?.saturating_sub(most.into());
    let excess = u32::try_from(excess.max(0)).unwrap_or(u32::MAX);
    if excess > 0 {
        let reason = format!("more than {most} events of {source}{CROWDED_OUT}");
        for row in parked::oldest(connection, source, excess)? {
            give_up(connection, row, &reason)?;
        }
    }
    Ok(excess)
}

/// Turns events that have waited for their records since before `cutoff` into dead letters, up to `most`. Returns the
/// notifications of these events.
pub(super) fn expire(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<Vec<Uuid>> {
    let old = parked::waiting_since(connection, cutoff, most)?;
    old.into_iter().map(|row| give_up(connection, row, NOT_IN_TIME)).collect()
}

/// Deletes a parked event, and makes its notification a dead letter.
fn give_up(connection: &Connection, row: i64, reason: &str) -> rusqlite::Result<Uuid> {
    let notification = parked::let_go(connection, row)?;
    later_outcomes::waited_in_vain(connection, notification, reason)?;
    Ok(notification)
}
