//! What is left of imported bookings without an id of the PSP: the part that the bookings of events do not explain.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::attempt::Attempt;
use super::dispute::{BookedChargeback, Dispute};
use super::due::utc_date;
use super::event::{Booking, Item};
use super::imported::{self, Imported};
use super::record::{Record, Seen};
use super::unexplained;

/// Adds to the bookings that stand those without an id which they do not explain. A stated booking that no event has named
/// gives way where all of them are more than `asked`: the events name the same money by another of the PSP's ids.
pub(super) fn add_items(imported: &Imported, seen: &Seen, asked: Option<Decimal>, booked: &mut Vec<Item>) {
    let named = |id: &str| imported.payments.iter().find(|item| item.id.as_deref() == Some(id));
    let by_events =
        |item: &Item| item.amount - named(&item.id).map_or(Decimal::ZERO, |own| own.amount.min(item.amount));
    let explained = booked.iter().map(by_events).sum();
    let reversed =
        seen.items.iter().filter(|(id, item)| item.value.booking == Booking::Reversed && named(id).is_none());
    let undone = reversed.map(|(_, item)| Undone { date: item.value.date, amount: some(item.value.amount) });
    let unnamed = imported.payments.iter().filter(|item| item.id.is_none());
    let unnamed = unnamed.map(|item| Unnamed { date: Some(item.date), amount: item.amount, of: item });
    let left = left(unnamed.collect(), explained, undone.collect());
    booked.extend(left.into_iter().map(|Unnamed { amount, of, .. }| Item {
        id: String::new(),
        amount,
        booking: Booking::Booked,
        date: of.date,
        description: of.description.clone(),
    }));
    let stated: Decimal = imported.payments.iter().map(|item| item.amount).sum();
    let all: Decimal = booked.iter().map(|item| item.amount).sum();
    let mut too_much = asked.map_or(Decimal::ZERO, |asked| all - asked.max(stated));
    for item in booked.iter_mut().filter(|item| is_only_stated(seen, &item.id)) {
        let part = item.amount.min(too_much).max(Decimal::ZERO);
        (item.amount, too_much) = (item.amount - part, too_much - part);
    }
    booked.retain(|item| item.amount > Decimal::ZERO || !is_only_stated(seen, &item.id));
}

/// Adds to the chargebacks that stand, of a payment that received `paid`, those without an id which no event has ever explained.
pub(super) fn add_chargebacks(
    imported: &Imported,
    disputes: &BTreeMap<String, Dispute>,
    paid: Decimal,
    standing: &mut Vec<BookedChargeback>,
) {
    let own = |id: &str| imported.chargebacks.iter().find(|one| one.id.as_deref() == Some(id)).map(|one| one.amount);
    let gone = |(id, dispute): (&String, &Dispute)| {
        let stands = standing.iter().find(|one| one.id == *id).map_or(Decimal::ZERO, |one| one.amount);
        let gone = dispute.once_gone(paid).max(stands);
        gone - own(id).unwrap_or_default().min(gone)
    };
    let explained = disputes.iter().map(gone).sum();
    let others = disputes.iter().filter(|(id, dispute)| own(id).is_none() && !dispute.was_gone);
    let undone = others.filter_map(|(_, dispute)| {
        let back = dispute.back.as_ref().filter(|_| dispute.booking() == Booking::Reversed)?;
        Some(Undone { date: utc_date(back.at), amount: dispute.amount.as_ref().map(|amount| amount.value) })
    });
    let unnamed = imported.chargebacks.iter().filter(|one| one.id.is_none());
    let unnamed = unnamed.map(|one| Unnamed { date: Some(one.date), amount: one.amount, of: one });
    let left = left(unnamed.collect(), explained, undone.collect());
    standing.extend(left.into_iter().map(|Unnamed { amount, of, .. }| BookedChargeback {
        id: String::new(),
        amount,
        fee: of.fee,
        date: of.date,
        why: of.why.clone(),
    }));
}

/// What is stated to have been given back without an id, above `known`, which is the sum of all other refunds. A refund that has
/// succeeded explains as much of it for good, also if it failed afterwards. Of unknown amount it was all that was `paid`.
pub(super) fn further_refunds(
    imported: &Imported,
    record: &Record,
    seen: &Seen,
    (known, paid): (Decimal, Decimal),
) -> Decimal {
    let stated = |refund: &Attempt| imported.counted_refunds().find(|(id, _)| refund.ids.contains(*id));
    let own = |refund: &Attempt| {
        let (_, own) = stated(refund).filter(|_| refund.stands())?;
        Some(refund.refunded.as_ref().map_or(own.amount, |amount| amount.value.min(own.amount)))
    };
    let own_registered = record.refunds.iter().map(|(id, amount)| imported.taken_over_by(id).min(*amount));
    let own: Decimal = seen.refunds.iter().filter_map(own).chain(own_registered).sum();
    let is_another = |refund: &&Attempt| stated(refund).is_none() && !refund.gives_nothing_back();
    let fallen = seen.refunds.iter().filter(is_another).filter(|refund| refund.was_given && !refund.stands());
    let fallen = fallen.map(|refund| refund.refunded.as_ref().map_or(paid, |amount| amount.value));
    let explained = known - own + fallen.sum::<Decimal>();
    let ended = |refund: &Attempt| Some((unexplained::ended(refund)?, refund.refunded.as_ref().map(|one| one.value)));
    let unregistered = seen.refunds.iter().filter(is_another).filter(|refund| !refund.was_given);
    let others = record.unconfirmed.iter().filter(|(id, _)| imported.taken_over_by(id).is_zero());
    let registered = others.filter_map(|(_, refund)| Some((refund.ended?, Some(refund.amount))));
    let undone = unregistered.filter_map(ended).chain(registered);
    let undone = undone.map(|(at, amount)| Undone { date: utc_date(at), amount });
    let unnamed = imported.refunds.iter().filter(|refund| refund.id.is_none());
    let unnamed = unnamed.map(|refund| Unnamed { date: refund.date, amount: refund.amount, of: () });
    left(unnamed.collect(), explained, undone.collect()).iter().map(|refund| refund.amount).sum()
}

/// Whether a booking of this id is only stated.
pub(super) fn is_only_stated(seen: &Seen, id: &str) -> bool {
    seen.items.get(id).is_some_and(imported::is_only_stated)
}

/// An amount, unless it is 0: such a one is unknown.
fn some(amount: Decimal) -> Option<Decimal> {
    Some(amount).filter(|amount| *amount > Decimal::ZERO)
}

/// A stated amount without an id.
struct Unnamed<T> {
    date: Option<Date>,
    amount: Decimal,
    of: T,
}

/// Money that came back, as an event says of a booking that nothing else is known of.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Undone {
    date: Date,
    amount: Option<Decimal>,
}

impl Undone {
    /// Whether it can be this amount that came back. What was refused on the very day of a booking was another attempt at it. Of an
    /// amount without a day nobody can say that.
    fn may_be<T>(&self, stated: &Unnamed<T>) -> bool {
        stated.amount > Decimal::ZERO && stated.date.is_some_and(|date| date < self.date)
    }
}

/// The amounts that are left when bookings of events explain this sum, and some are undone. The oldest are explained first. Of
/// those that may be undone it is the one of the same amount, else the oldest.
fn left<T>(mut stated: Vec<Unnamed<T>>, explained: Decimal, mut undone: Vec<Undone>) -> Vec<Unnamed<T>> {
    stated.sort_by_key(|one| one.date);
    undone.sort();
    for undone in undone {
        let same = stated.iter().position(|one| undone.may_be(one) && undone.amount == Some(one.amount));
        let Some(place) = same.or_else(|| stated.iter().position(|one| undone.may_be(one))) else { continue };
        if let Some(one) = stated.get_mut(place) {
            one.amount -= undone.amount.unwrap_or(one.amount).min(one.amount);
        }
    }
    let mut explained = explained.max(Decimal::ZERO);
    for one in &mut stated {
        let part = one.amount.min(explained);
        (one.amount, explained) = (one.amount - part, explained - part);
    }
    stated.retain(|one| one.amount > Decimal::ZERO);
    stated
}

#[cfg(test)]
mod tests;
