//! A family, moved together: a refund and its payment. A confirmed refund reduces the amount that can still be
//! refunded.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::contradiction::Contradiction;
use super::event::Event;
use super::ids::Kind;
use super::record::Record;
use super::status::Status;
use super::transition::{self, Transition};
use super::view::{self, View};

/// The effect of an event on a record and, if the record is a refund, on the payment it refunds.
#[derive(Debug)]
pub struct Moved {
    /// The effect on the record itself.
    pub transition: Transition,
    /// The record after the event.
    pub record: Record,
    /// The payment after the event, if the event concerns a refund and the payment is registered.
    pub payment: Option<Record>,
    /// Whether Transform can see a difference in the payment.
    pub payment_changed: bool,
    /// Whether more can be refunded than before: refunds that were refused as too large may fit now.
    pub headroom_rose: bool,
}

/// Applies an event to a record and, if it is a refund, to its payment.
///
/// # Errors
/// A [`Contradiction`]; both records stay as they were.
pub fn apply(record: &Record, payment: Option<&Record>, event: &Event, now: Timestamp) -> Result<Moved, Contradiction> {
    let (next, transition) = transition::apply(record, event, now)?;
    if record.key.kind != Kind::Refund {
        let headroom_rose = record.key.kind == Kind::Payment && view::paid(&next) > view::paid(record);
        return Ok(Moved { transition, record: next, payment: None, payment_changed: false, headroom_rose });
    }
    let before = view::confirmed_refund(record).unwrap_or_default();
    let after = view::confirmed_refund(&next).unwrap_or_default();
    let linked = payment.map(|payment| link(payment, &next, now));
    if let Some((payment, _)) = linked.as_ref().filter(|_| after > before) {
        check_headroom(payment)?;
    }
    let (payment, payment_changed) = linked.unzip();
    Ok(Moved {
        transition,
        record: next,
        payment,
        payment_changed: payment_changed.unwrap_or(false),
        headroom_rose: after < before,
    })
}

/// Notes in a payment the amount that one of its refunds has confirmed. The second value says whether the change is visible.
#[must_use]
pub fn link(payment: &Record, refund: &Record, now: Timestamp) -> (Record, bool) {
    let mut next = payment.clone();
    match view::confirmed_refund(refund) {
        Some(amount) => next.refunds.insert(refund.key.id.clone(), amount),
        None => next.refunds.remove(&refund.key.id),
    };
    let changed = View::of(&next) != View::of(payment);
    if changed {
        next.bump(now);
    }
    (next, changed)
}

/// Refuses an over-refunded payment. Only a payment whose full amount is confirmed can be one. Before that its own events
/// may simply be late, and the view holds the excess back ([`view::PaymentDetail::refunded`]).
fn check_headroom(payment: &Record) -> Result<(), Contradiction> {
    let paid = view::paid(payment);
    let refunded: Decimal = payment.refunds.values().copied().sum();
    if View::of(payment).status == Status::Succeeded && refunded > paid {
        return Err(Contradiction::OverRefunded { refunded, paid });
    }
    Ok(())
}
