//! A family, moved together: a refund with its payment, and a capture with its preauthorization. A confirmed refund reduces
//! the amount that can still be refunded. A booked capture keeps its preauthorization Succeeded.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::contradiction::Contradiction;
use super::event::Event;
use super::ids::{Kind, TransformId};
use super::record::Record;
use super::status::Status;
use super::transition::{self, Layer, Transition};
use super::unexplained;
use super::view::{self, View};

/// The effect of an event on a record and on its parent.
#[derive(Debug)]
pub struct Moved {
    /// The effect on the record itself.
    pub transition: Transition,
    /// The record after the event.
    pub record: Record,
    /// The state of the record that Transform sees then.
    pub status: Status,
    /// The parent after the event, if it is registered.
    pub parent: Option<Record>,
    /// Whether Transform can see a difference in the parent.
    pub parent_changed: bool,
}

/// The parent of a record: the payment of a refund, or the preauthorization that a payment captures.
#[must_use]
pub const fn parent(record: &Record) -> Option<(Kind, &TransformId)> {
    let registered = &record.registered;
    match (record.key.kind, &registered.payment_id, &registered.preauth_id) {
        (Kind::Refund, Some(payment), _) => Some((Kind::Payment, payment)),
        (Kind::Payment, _, Some(preauth)) => Some((Kind::Preauth, preauth)),
        _ => None,
    }
}

/// Applies an event to a record and to its parent.
///
/// # Errors
/// A [`Contradiction`]; both records stay as they were.
pub fn apply(
    record: &Record,
    parent: Option<&Record>,
    (event, layer): (&Event, Layer),
    now: Timestamp,
) -> Result<Moved, Contradiction> {
    let (next, transition, status) = transition::apply(record, event, layer, now)?;
    let (parent, parent_changed) = parent.map(|parent| link(parent, &next, now)).unzip();
    Ok(Moved { transition, record: next, status, parent, parent_changed: parent_changed.unwrap_or(false) })
}

/// Notes in a parent the amount that its child has confirmed: a refund in its payment, a capture in its preauthorization. The
/// second value says whether the change is visible.
#[must_use]
pub fn link(parent: &Record, child: &Record, now: Timestamp) -> (Record, bool) {
    let mut next = linked(parent, child);
    let changed = View::of(&next) != View::of(parent);
    if changed {
        next.bump(now);
    }
    (next, changed)
}

/// The parent with the amount that its child has confirmed. No change is counted.
#[must_use]
pub fn linked(parent: &Record, child: &Record) -> Record {
    let mut next = parent.clone();
    let (amounts, amount) = match child.key.kind {
        Kind::Refund => (&mut next.refunds, view::confirmed_refund(child)),
        _ => (&mut next.captures, Some(view::paid(child)).filter(|paid| *paid > Decimal::ZERO)),
    };
    match amount {
        Some(amount) => amounts.insert(child.key.id.clone(), amount),
        None => amounts.remove(&child.key.id),
    };
    if child.key.kind == Kind::Refund {
        if view::is_cancellation(child) {
            next.cancelled_by.insert(child.key.id.clone());
        } else {
            next.cancelled_by.remove(&child.key.id);
        }
        match unexplained::unconfirmed(child).filter(|_| amount.is_none()) {
            Some(refund) => next.unconfirmed.insert(child.key.id.clone(), refund),
            None => next.unconfirmed.remove(&child.key.id),
        };
        if let Some(imported) = &mut next.registered.imported {
            // Until then the import knows more of it.
            let is_decided = amount.is_some() || View::of(child).status.has_ended();
            let ids = if is_decided { psp_ids(child) } else { BTreeSet::new() };
            imported.note_refund(&child.key.id, &ids);
        }
    }
    next
}

/// The PSP ids that a refund goes by.
fn psp_ids(refund: &Record) -> BTreeSet<&String> {
    let learned = refund.seen.attempts.iter().flat_map(|attempt| &attempt.ids).filter(|id| !id.is_empty());
    refund.registered.psp_id.iter().chain(learned).collect()
}
