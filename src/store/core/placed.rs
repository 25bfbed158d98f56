//! Placed events: events that name only an authorization, and were placed on its only capture. They are kept, to be placed
//! anew: once another capture is known, the capture gets an id of the PSP, or an id turns out to be a payment's own. Events that
//! could then mean any of several captures become dead letters.

use std::sync::Arc;

use uuid::Uuid;

use super::parked::Pending;
use super::records::{self, Stored};
use super::set::rows::placed::{Key, PlacedRow};
use super::set::{Decided, Readable, WorkingSet};
use crate::domain::event::Event;

/// Keeps an event that was placed on a record, unless it is kept already. It may have waited in silence before.
pub(in crate::store) fn note(set: &WorkingSet, record: i64, placed: &Pending) -> Decided<()> {
    let event = Event { companion: false, ..placed.event.clone() };
    let is_kept = |row: &Arc<PlacedRow>| {
        row.notification == placed.notification && row.event.sound().is_some_and(|kept| **kept == event)
    };
    if set.placed.rows(&Key::On(record))?.iter().any(is_kept) {
        return Ok(());
    }
    let row = set.next_row(|next| &mut next.placed)?;
    set.placed.put(PlacedRow {
        row,
        record,
        notification: placed.notification,
        source: placed.source.clone(),
        event: Readable::Sound(Arc::new(event)),
    });
    Ok(())
}

/// The events that were placed on a record, in the order in which they came.
pub(super) fn list(set: &WorkingSet, record: i64) -> Decided<Vec<Pending>> {
    let pending =
        |row: &Arc<PlacedRow>| Ok(Pending::of(row.notification, row.source.clone(), row.event.get()?.as_ref().clone()));
    set.placed.rows(&Key::On(record))?.iter().map(pending).collect()
}

/// The payments on which events of a notification were placed.
pub(super) fn payments_of(set: &WorkingSet, notification: Uuid) -> Decided<Vec<Stored>> {
    let mut rows: Vec<i64> = set.placed.rows(&Key::Of(notification))?.iter().map(|row| row.record).collect();
    rows.sort_unstable();
    rows.dedup();
    let mut payments = Vec::new();
    for row in rows {
        payments.extend(records::by_row(set, row)?);
    }
    Ok(payments)
}

/// Whether an event was placed on a record.
pub(super) fn is_on(set: &WorkingSet, record: i64) -> Decided<bool> {
    set.placed.is_any(&Key::On(record))
}

/// Deletes the events that were placed on a record.
pub(in crate::store) fn forget(set: &WorkingSet, record: i64) -> Decided<()> {
    set.placed.rows(&Key::On(record))?.iter().for_each(|row| set.placed.delete(&row.row));
    Ok(())
}

/// Takes out the events that were placed on a record, in the order in which they came.
pub(super) fn take_out(set: &WorkingSet, record: i64) -> Decided<Vec<Pending>> {
    let placed = list(set, record)?;
    forget(set, record)?;
    Ok(placed)
}
