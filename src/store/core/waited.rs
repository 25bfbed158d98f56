//! Parked events that name a registered record and wait for another one. An event is looked at once it has waited for an hour;
//! an event of an agreement at once, if an event of a payment has named its id.

use super::findings::{self, FindingKept, FindingSeen, Named};
use super::parked::{self, Pending, ReleaseKey};
use super::set::rows::parked::ParkedRow;
use super::set::{Decided, WorkingSet};
use crate::domain::due::Moment;
use crate::domain::event::Event;
use crate::domain::ids::Kind;
use crate::store::{Finding, FindingKind};

/// Looks at an event of an agreement that has just been parked. Returns the findings that were not told today.
pub(super) fn at_once(set: &WorkingSet, now: Moment, row: i64, pending: &Pending) -> Decided<Vec<Finding>> {
    let Pending { source, event, .. } = pending;
    if event.kinds != [Kind::Agreement] {
        return Ok(Vec::new());
    }
    if !event.companion {
        let payment = by_companions(set, source, event)?;
        let (Some(payment), Some(row)) = (payment, parked::find(set, row)?) else { return Ok(Vec::new()) };
        return raise(set, now, &row, payment).map(Vec::from_iter);
    }
    let Some(payment) = payment_of(set, source, event)? else { return Ok(Vec::new()) };
    let mut told = Vec::new();
    for id in event.leading_ids() {
        for row in parked::waiting_by(set, source, &ReleaseKey::psp_id(Kind::Agreement, id), false)? {
            told.extend(raise(set, now, &row, payment.clone())?);
        }
    }
    Ok(told)
}

/// Looks at the events of these rows, which have waited for long. An event that cannot be read is none. Returns the findings that
/// were not told today.
pub(in crate::store) fn look(set: &WorkingSet, now: Moment, rows: &[i64]) -> Decided<Vec<Finding>> {
    let mut told = Vec::new();
    for row in rows {
        let Some(row) = parked::find(set, *row)? else { continue };
        let record = match row.event.sound() {
            Some(event) => record_of(set, &row.source, event)?,
            None => None,
        };
        match record {
            Some(record) => told.extend(raise(set, now, &row, record)?),
            None => parked::set_finding(set, &row, 0),
        }
    }
    Ok(told)
}

/// A registered record that a parked event names.
pub(in crate::store) fn record_of(set: &WorkingSet, source: &str, event: &Event) -> Decided<Option<Named>> {
    match findings::named(set, source, event.names())? {
        Some(record) => Ok(Some(record)),
        None if event.kinds == [Kind::Agreement] => by_companions(set, source, event),
        None => Ok(None),
    }
}

/// The registered payment whose own event has named one of the ids of an agreement.
fn by_companions(set: &WorkingSet, source: &str, event: &Event) -> Decided<Option<Named>> {
    for id in event.leading_ids() {
        for companion in parked::waiting_by(set, source, &ReleaseKey::psp_id(Kind::Agreement, id), true)? {
            if let Some(payment) = payment_of(set, source, companion.event.get()?)? {
                return Ok(Some(payment));
            }
        }
    }
    Ok(None)
}

fn payment_of(set: &WorkingSet, source: &str, event: &Event) -> Decided<Option<Named>> {
    findings::named(set, source, event.payment_ids.iter().map(String::as_str))
}

/// Raises the finding of a parked event, unless it has one. Returns it if it was not told today.
fn raise(set: &WorkingSet, now: Moment, row: &ParkedRow, record: Named) -> Decided<Option<Finding>> {
    if row.finding.is_some_and(|finding| finding > 0) {
        return Ok(None);
    }
    let sighting = FindingSeen {
        what: FindingKind::NoRecord,
        source: row.source.clone(),
        event_type: row.event.get()?.event_type.clone(),
        count: 1,
        notification: Some(row.notification),
        record: Some(record),
        missing: Some(missing(&row.keys)),
    };
    let FindingKept { row: finding, told } = findings::note(set, now, &sighting)?;
    parked::set_finding(set, row, finding);
    Ok(told)
}

/// The registration that is missing, by the keys that would release the event.
pub(in crate::store) fn missing(waits_for: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = waits_for.iter().take(SHOWN).map(String::as_str).collect();
    format!("a record to register: {}", shown.join(", "))
}
