//! Transitions: what one event does to one record. Pure, idempotent, independent of the order of arrival.

use jiff::Timestamp;

use super::bookings;
use super::contradiction::Contradiction;
use super::event::Event;
use super::ids::Kind;
use super::record::{Record, Seen};
use super::stamp::{self, Stamp, Stamped, Written};
use super::status::{Status, StatusFact};
use super::view::View;

/// The effect of an event on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Transform can see a difference and is to be told.
    Changed,
    /// Nothing new: this very event, or another with the same meaning, came before.
    Repeated,
    /// Newer facts have overtaken everything that the event says.
    Stale,
}

/// Applies an event to a record.
///
/// # Errors
/// [`Contradiction::Currency`] or [`Contradiction::TooMany`]; the record stays as it was.
pub fn apply(record: &Record, event: &Event, now: Timestamp) -> Result<(Record, Transition), Contradiction> {
    check_currency(record, event)?;
    let mut next = record.clone();
    let written = write_facts(&mut next.seen, record.key.kind, event)?;
    let transition = if View::of(&next) != View::of(record) {
        next.bump(now);
        Transition::Changed
    } else if written.iter().any(|one| *one != Written::Older) {
        Transition::Repeated
    } else {
        Transition::Stale
    };
    Ok((next, transition))
}

fn check_currency(record: &Record, event: &Event) -> Result<(), Contradiction> {
    match (event.currency, record.registered.currency) {
        (Some(event), Some(own)) if event != own && record.key.kind != Kind::Agreement => {
            Err(Contradiction::Currency { event: event.to_string(), record: own.to_string() })
        }
        _ => Ok(()),
    }
}

fn write_facts(seen: &mut Seen, kind: Kind, event: &Event) -> Result<Vec<Written>, Contradiction> {
    let facts = &event.facts;
    let said = event.status_of(kind);
    let stamp = event.stamp(status_rank(said, kind));
    let mut written = Vec::new();
    if let Some(status) = said {
        let fact = StatusFact { status, error: facts.error.clone(), since: event.at };
        written.push(stamp::write(&mut seen.status, &stamp, fact));
        if let Some(id) = event.psp_ids.first() {
            write_name(&mut seen.psp_id, event, status, id);
        }
    }
    written.extend(facts.authorized.map(|amount| stamp::write(&mut seen.authorized, &stamp, amount)));
    written.extend(facts.expires_at.map(|at| stamp::write(&mut seen.expires_at, &stamp, at)));
    written.extend(facts.refunded.map(|amount| stamp::write(&mut seen.refunded, &stamp, amount)));
    if !facts.bearer.is_empty() {
        written.push(stamp::write(&mut seen.bearer, &stamp, facts.bearer.clone()));
    }
    bookings::write(seen, event, kind, &mut written)?;
    Ok(written)
}

/// Keeps the first name of an object. The name from an attempt that did not fail comes before all others.
fn write_name(slot: &mut Option<Stamped<String>>, event: &Event, status: Status, name: &str) {
    let stamp = Stamp { at: event.at, rank: u8::from(status.has_ended()), tie: event.key.clone() };
    // The name itself is the last tie-break: the key does not contain it.
    let order = |stamp: &Stamp, name: &str| (stamp.rank, stamp.at, stamp.tie.clone(), name.to_owned());
    if slot.as_ref().is_none_or(|old| order(&stamp, name) < order(&old.stamp, &old.value)) {
        *slot = Some(Stamped { stamp, value: name.to_owned() });
    }
}

fn status_rank(status: Option<Status>, kind: Kind) -> u8 {
    status.map_or(0, |status| status.rank(kind))
}
