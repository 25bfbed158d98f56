//! Parked events that name a registered record and wait for another one. An event is looked at once it has waited for an hour;
//! an event of an agreement at once, if an event of a payment has named its id.

use jiff::Timestamp;
use rusqlite::Connection;

use super::findings::{self, FindingKept, FindingSeen, Named};
use super::parked::{self, Pending, ReleaseKey};
use crate::domain::due::Moment;
use crate::domain::event::Event;
use crate::domain::ids::Kind;
use crate::store::{Finding, FindingKind};

/// Looks at an event of an agreement that has just been parked. Returns the findings that were not told today.
pub(super) fn at_once(
    connection: &Connection,
    now: Moment,
    row: i64,
    pending: &Pending,
) -> rusqlite::Result<Vec<Finding>> {
    let Pending { source, event, .. } = pending;
    if event.kinds != [Kind::Agreement] {
        return Ok(Vec::new());
    }
    if !event.companion {
        let payment = by_companions(connection, source, event)?;
        return payment
            .map_or(Ok(Vec::new()), |payment| raise(connection, now, row, pending, payment).map(Vec::from_iter));
    }
    let Some(payment) = payment_of(connection, source, event)? else { return Ok(Vec::new()) };
    let mut told = Vec::new();
    for id in event.leading_ids() {
        for (row, other) in parked::waiting_by(connection, source, &ReleaseKey::psp_id(Kind::Agreement, id), false)? {
            told.extend(raise(connection, now, row, &other, payment.clone())?);
        }
    }
    Ok(told)
}

/// Looks at events that have waited since before `cutoff`, up to `most`. Returns the number of events, and the findings that
/// were not told today.
pub(super) fn look(
    connection: &Connection,
    now: Moment,
    cutoff: Timestamp,
    most: u32,
) -> rusqlite::Result<(usize, Vec<Finding>)> {
    let rows = parked::unlooked(connection, cutoff, most)?;
    let (looked, mut told) = (rows.len(), Vec::new());
    for (row, pending) in rows {
        let found = match &pending {
            Some(pending) => record_of(connection, &pending.source, &pending.event)?.map(|record| (pending, record)),
            None => None,
        };
        match found {
            Some((pending, record)) => told.extend(raise(connection, now, row, pending, record)?),
            None => parked::set_finding(connection, row, 0)?,
        }
    }
    Ok((looked, told))
}

/// A registered record that a parked event names.
pub(super) fn record_of(connection: &Connection, source: &str, event: &Event) -> rusqlite::Result<Option<Named>> {
    match findings::named(connection, source, event.names())? {
        Some(record) => Ok(Some(record)),
        None if event.kinds == [Kind::Agreement] => by_companions(connection, source, event),
        None => Ok(None),
    }
}

/// The registered payment whose own event has named one of the ids of an agreement.
fn by_companions(connection: &Connection, source: &str, event: &Event) -> rusqlite::Result<Option<Named>> {
    for id in event.leading_ids() {
        for (_, companion) in parked::waiting_by(connection, source, &ReleaseKey::psp_id(Kind::Agreement, id), true)? {
            if let Some(payment) = payment_of(connection, source, &companion.event)? {
                return Ok(Some(payment));
            }
        }
    }
    Ok(None)
}

fn payment_of(connection: &Connection, source: &str, event: &Event) -> rusqlite::Result<Option<Named>> {
    findings::named(connection, source, event.payment_ids.iter().map(String::as_str))
}

/// Raises the finding of a parked event, unless it has one. Returns it if it was not told today.
fn raise(
    connection: &Connection,
    now: Moment,
    row: i64,
    pending: &Pending,
    record: Named,
) -> rusqlite::Result<Option<Finding>> {
    if parked::finding(connection, row)?.is_some_and(|finding| finding > 0) {
        return Ok(None);
    }
    let Pending { notification, source, event } = pending;
    let sighting = FindingSeen {
        what: FindingKind::NoRecord,
        source: source.clone(),
        event_type: event.event_type.clone(),
        count: 1,
        notification: Some(*notification),
        record: Some(record),
        missing: Some(missing(&parked::waits_for(connection, row)?)),
    };
    let FindingKept { row: finding, told } = findings::note(connection, now, &sighting)?;
    parked::set_finding(connection, row, finding)?;
    Ok(told)
}

/// The registration that is missing, by the keys that would release the event.
pub(super) fn missing(waits_for: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = waits_for.iter().take(SHOWN).map(String::as_str).collect();
    format!("a record to register: {}", shown.join(", "))
}
