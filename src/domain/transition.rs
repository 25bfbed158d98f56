//! Transitions: what one event does to one record. Pure, idempotent, independent of the order of arrival.

use jiff::Timestamp;

use super::attempt;
use super::bookings;
use super::contradiction::Contradiction;
use super::event::Event;
use super::ids::Kind;
use super::record::{Record, Seen};
use super::stamp::Written;
use super::statement;
use super::status::Status;
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

/// The part of a record that an event is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// [`Record::seen`].
    Own,
    /// [`Record::placed`]: the event only names the authorization that the payment captures.
    Placed,
}

/// Applies an event to a record. Returns the record after it, the effect, and the state that Transform sees then.
///
/// # Errors
/// [`Contradiction::Currency`] or [`Contradiction::TooMany`]; the record stays as it was.
pub fn apply(
    record: &Record,
    event: &Event,
    layer: Layer,
    now: Timestamp,
) -> Result<(Record, Transition, Status), Contradiction> {
    let mut next = record.clone();
    let written = write(&mut next, event, layer)?;
    let view = View::of(&next);
    let transition = if view != View::of(record) {
        next.bump(now);
        Transition::Changed
    } else if written.iter().any(|one| *one != Written::Older) {
        Transition::Repeated
    } else {
        Transition::Stale
    };
    Ok((next, transition, view.status))
}

/// Binds a record to the source of an event that it takes, if it is bound to none. Returns whether it was bound to none.
pub fn bind(record: &mut Record, source: &str, layer: Layer) -> bool {
    let was_free = record.source.is_none();
    record.source.get_or_insert_with(|| source.to_owned());
    record.bound_by_placed = layer == Layer::Placed && (was_free || record.bound_by_placed);
    was_free
}

/// Writes an event into a record, and counts no change.
///
/// # Errors
/// As [`apply`]; then the record may have a part of the event.
pub fn write(record: &mut Record, event: &Event, layer: Layer) -> Result<Vec<Written>, Contradiction> {
    check_currency(record, event)?;
    let seen = match layer {
        Layer::Own => &mut record.seen,
        Layer::Placed => &mut record.placed,
    };
    write_facts(seen, record.key.kind, event)
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
    let mut written = Vec::new();
    if event.is_of_customer() {
        attempt::write_customer(&mut seen.customers, event, kind, &mut written);
    } else if kind == Kind::Payment && event.is_refund() {
        attempt::write_refund(&mut seen.refunds, event, &mut written)?;
    } else {
        attempt::write(&mut seen.attempts, event, kind, &mut written)?;
        bookings::write(seen, event, kind, &mut written)?;
        if kind == Kind::Payment {
            statement::write(&mut seen.statements, event, &mut written)?;
        }
    }
    Ok(written)
}
