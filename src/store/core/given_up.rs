//! Deliveries that were given up: their return to those that are owed. Such a debt is never deleted.

use jiff::Timestamp;

use super::outbox;
use super::records;
use super::set::rows::outbox::OutboxRow;
use super::set::{Decided, WorkingSet};
use crate::domain::due::Moment;
use crate::store::Owed;

/// A row as that of a delivery that is given up. `awaits_host` says whether its host failed.
pub(super) fn marked(set: &WorkingSet, row: OutboxRow, at: Moment, awaits_host: bool) -> Decided<OutboxRow> {
    set.is_given_up()?;
    Ok(OutboxRow { dead_at: Some(at.steady), given_up_at: Some(at.wall), awaits_host: Some(awaits_host), ..row })
}

/// Whether any delivery may have been given up: nearly always none was, and no record needs to be looked at.
pub(super) fn is_any(set: &WorkingSet) -> Decided<bool> {
    set.is_any_given_up()
}

/// Whether a record's delivery was given up.
pub(super) fn is(set: &WorkingSet, record: i64) -> Decided<bool> {
    Ok(is_any(set)? && outbox::find(set, record)?.is_some_and(|row| row.is_dead()))
}

/// Makes deliveries owed and due now, as if nothing had failed. Leaves out those that are not given up any more.
pub(in crate::store) fn owe_again(set: &WorkingSet, rows: &[i64], now: Timestamp) -> Decided<Vec<Owed>> {
    let mut owed = Vec::new();
    for row in rows {
        let Some(given_up) = outbox::find(set, *row)?.filter(|row| row.is_dead()) else { continue };
        let Some(record) = records::row_of(set, *row)? else { continue };
        set.outbox.put(OutboxRow {
            due_at: now,
            attempts: 0,
            failing_since: None,
            not_before: None,
            dead_at: None,
            given_up_at: None,
            awaits_host: None,
            ..OutboxRow::clone(&given_up)
        });
        owed.push((record.key.clone(), now, record.payment.clone()));
    }
    Ok(outbox::refunds_first(owed))
}
