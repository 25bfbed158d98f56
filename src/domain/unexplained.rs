//! The part of running totals that no booking and no refund of its own explains.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::attempt::Attempt;
use super::due::utc_date;
use super::event::{Booking, Item};
use super::record::{Record, Seen};
use super::stamp::Stamped;
use super::total::Unconfirmed;

/// Adds to the bookings that stand what the totals have above them.
///
/// An item with a total's own id is the same booking, and the newer of both stands. What ended after a total was in it.
pub(super) fn add_items(seen: &Seen, booked: &mut Vec<Item>) {
    let totals = &seen.totals.items;
    let is_newer = |id: &str, at: Timestamp| {
        seen.items.get(id).is_some_and(|item| item.value.booking != Booking::Open && item.stamp.at >= at)
    };
    let mut counted = counted_items(seen);
    let mut totals: Vec<_> = totals.iter().filter(|(id, total)| !is_newer(id, total.stamp.at)).collect();
    totals.sort_by_key(|(id, total)| (total.stamp.at, *id));
    for (id, total) in totals {
        let explained = counted.min(total.value);
        let (rest, date) = (total.value - explained, utc_date(total.stamp.at));
        counted -= explained;
        match booked.iter_mut().find(|item| item.id == *id).filter(|_| rest > Decimal::ZERO) {
            Some(item) => (item.amount, item.date) = (item.amount + rest, date),
            None if rest > Decimal::ZERO => {
                booked.push(Item { id: id.clone(), amount: rest, booking: Booking::Booked, date, description: None })
            }
            None => {}
        }
    }
}

/// The sum of the bookings that the totals of items may include.
fn counted_items(seen: &Seen) -> Decimal {
    let newest = newest(&seen.totals.items);
    let is_in = |item: &&Stamped<Item>| match item.value.booking {
        Booking::Booked => true,
        Booking::Open => false,
        Booking::Reversed => newest.is_some_and(|at| item.stamp.at > at),
    };
    // An item with the id of a total is not a part of it.
    let others = seen.items.iter().filter(|(id, item)| {
        let own = seen.totals.items.get(*id);
        own.is_none_or(|total| item.value.booking == Booking::Booked && item.stamp.at < total.stamp.at)
    });
    others.map(|(_, item)| item).filter(is_in).map(|item| item.value.amount).sum()
}

/// What the totals of refunds have above the refunds that are known. `paid` stands for a refund of unknown amount.
///
/// A refund that failed after a total was in it; so is one that is under way. A PSP tells of a failure and of the total without it
/// in one second.
pub(super) fn further_refunds(record: &Record, seen: &Seen, paid: Decimal) -> Decimal {
    let totals = &seen.totals.refunds;
    let Some(newest) = newest(totals) else { return Decimal::ZERO };
    let is_in = |ended: Option<Timestamp>| ended.is_none_or(|at| at > newest);
    let confirmed = record.refunds.values().copied().sum::<Decimal>();
    let unconfirmed = record.unconfirmed.values().filter(|refund| is_in(refund.ended)).map(|refund| refund.amount);
    let unregistered = seen.refunds.iter().filter(|refund| !refund.gives_nothing_back() && is_in(ended(refund)));
    let amount = |refund: &Attempt| match &refund.refunded {
        Some(amount) => amount.value,
        None if refund.stands() => paid,
        None => Decimal::ZERO,
    };
    let counted = confirmed + unconfirmed.sum::<Decimal>() + unregistered.map(amount).sum::<Decimal>();
    (totals.values().map(|total| total.value).sum::<Decimal>() - counted).max(Decimal::ZERO)
}

/// What is known of a registered refund that is not confirmed, if events have named its amount.
pub(super) fn unconfirmed(refund: &Record) -> Option<Unconfirmed> {
    let attempts = || refund.seen.attempts.iter().filter(|attempt| !attempt.gives_nothing_back());
    let amount: Decimal = attempts().filter_map(|attempt| Some(attempt.refunded.as_ref()?.value)).sum();
    let under_way = attempts().any(|attempt| ended(attempt).is_none());
    let ended = attempts().filter_map(ended).max().filter(|_| !under_way);
    (amount > Decimal::ZERO).then_some(Unconfirmed { amount, ended })
}

/// When a refund failed or was cancelled.
pub(super) fn ended(refund: &Attempt) -> Option<Timestamp> {
    refund.state().filter(|fact| fact.value.status.has_ended()).map(|fact| fact.stamp.at)
}

/// The time of the newest total.
fn newest(totals: &BTreeMap<String, Stamped<Decimal>>) -> Option<Timestamp> {
    totals.values().map(|total| total.stamp.at).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Event, Facts};
    use crate::domain::ids::{Kind, RecordKey};
    use crate::domain::record::Registered;
    use crate::domain::status::Status;
    use crate::domain::total::{Total, TotalOf};
    use crate::domain::transition::{Layer, apply};
    use crate::domain::view::{Detail, View};

    fn payment() -> Record {
        let key = RecordKey::new(Kind::Payment, "tx-1".parse().unwrap());
        let registered = Registered { requested_amount: Some(Decimal::ONE_HUNDRED), ..Registered::default() };
        Record::new(key, None, Timestamp::UNIX_EPOCH, registered)
    }

    fn event(kind: Kind, second: i64, facts: Facts) -> Event {
        let at = Timestamp::from_second(second * 86400).unwrap();
        Event { kinds: vec![kind], psp_ids: vec!["pi".into()], at, key: format!("{second}"), facts, ..Event::default() }
    }

    /// An event that states a total on that day.
    fn total(of: TotalOf, id: &str, amount: i64, day: i64) -> Event {
        let total = Total { of, id: id.into(), amount: amount.into() };
        event(Kind::Payment, day, Facts { totals: vec![total], ..Facts::default() })
    }

    fn item(id: &str, amount: i64, booking: Booking, day: i64) -> Event {
        let date = utc_date(Timestamp::from_second(day * 86400).unwrap());
        let item = Item { id: id.into(), amount: amount.into(), booking, date, description: None };
        event(Kind::Payment, day, Facts { items: vec![item], ..Facts::default() })
    }

    fn refund(id: &str, amount: i64, status: Status, day: i64) -> Event {
        let facts = Facts { refunded: Some(amount.into()), status: Some(status), ..Facts::default() };
        Event { psp_ids: vec![id.into()], payment_ids: vec!["pi".into()], ..event(Kind::Refund, day, facts) }
    }

    /// The bookings (id, amount, day), and the sum of refunds, after these events in any order.
    fn end(events: &[Event]) -> (Vec<(String, i64, i8)>, i64) {
        let told = |events: &mut dyn Iterator<Item = &Event>| {
            let told = |record: Record, event| apply(&record, event, Layer::Own, Timestamp::UNIX_EPOCH).unwrap().0;
            let Detail::Payment(detail) = View::of(&events.fold(payment(), told)).detail else { panic!() };
            let booked =
                detail.payments.iter().map(|item| (item.id.clone(), item.amount.try_into().unwrap(), item.date.day()));
            (booked.collect::<Vec<_>>(), detail.refunded.try_into().unwrap())
        };
        let end = told(&mut events.iter());
        assert_eq!(told(&mut events.iter().rev()), end);
        assert_eq!(told(&mut events.iter().chain(events)), end);
        end
    }

    fn items(events: &[Event]) -> Vec<(String, i64, i8)> {
        end(events).0
    }

    fn refunded(events: &[Event]) -> i64 {
        let paid = item("pi", 100, Booking::Booked, 0);
        end(&[&[paid], events].concat()).1
    }

    fn booked(all: &[(&str, i64, i8)]) -> Vec<(String, i64, i8)> {
        all.iter().map(|(id, amount, day)| ((*id).to_owned(), *amount, *day)).collect()
    }

    #[test]
    fn a_total_of_items_books_what_no_item_explains() {
        let sum = |amount, day| total(TotalOf::Items, "pi", amount, day);
        assert_eq!(items(&[sum(30, 1)]), booked(&[("pi", 30, 2)]));
        assert_eq!(items(&[sum(30, 1), sum(50, 2)]), booked(&[("pi", 50, 3)]));
        assert_eq!(items(&[sum(30, 1), sum(50, 1)]), booked(&[("pi", 50, 2)]), "of one time the greater one");
        assert_eq!(items(&[item("cap", 20, Booking::Booked, 1), sum(50, 2)]), booked(&[("cap", 20, 2), ("pi", 30, 3)]));
        assert_eq!(items(&[sum(50, 2), item("cap", 50, Booking::Booked, 3)]), booked(&[("cap", 50, 4)]));
        assert_eq!(items(&[sum(50, 2), item("cap", 0, Booking::Open, 3)]), booked(&[("pi", 50, 3)]));
    }

    #[test]
    fn an_item_with_the_id_of_a_total_is_the_same_booking() {
        let sum = |amount, day| total(TotalOf::Items, "pi", amount, day);
        let own = |amount, booking, day| item("pi", amount, booking, day);
        assert_eq!(items(&[own(100, Booking::Booked, 1), sum(100, 5)]), booked(&[("pi", 100, 2)]), "its day stays");
        assert_eq!(items(&[own(30, Booking::Booked, 1), sum(50, 5)]), booked(&[("pi", 50, 6)]));
        assert_eq!(items(&[sum(50, 1), own(30, Booking::Booked, 5)]), booked(&[("pi", 30, 6)]));
        assert_eq!(items(&[sum(50, 1), own(0, Booking::Reversed, 5)]), booked(&[]), "it failed after all");
        assert_eq!(items(&[own(0, Booking::Reversed, 1), sum(50, 5)]), booked(&[("pi", 50, 6)]), "a later try");
        assert_eq!(items(&[sum(50, 1), own(0, Booking::Open, 5)]), booked(&[("pi", 50, 2)]));
    }

    #[test]
    fn a_total_of_refunds_counts_what_no_refund_explains() {
        let sum = |amount, day| total(TotalOf::Refunds, "ch", amount, day);
        let of = |id, amount, status, day| refund(id, amount, status, day);
        assert_eq!(refunded(&[sum(30, 1)]), 30);
        assert_eq!(refunded(&[sum(30, 1), sum(10, 2)]), 10, "a refund failed");
        assert_eq!(refunded(&[sum(30, 1), of("re", 30, Status::Succeeded, 2)]), 30);
        assert_eq!(refunded(&[sum(50, 3), of("re", 30, Status::Succeeded, 2)]), 50);
        assert_eq!(refunded(&[sum(30, 1), of("re", 30, Status::Pending, 2)]), 0, "under way");
        assert_eq!(refunded(&[sum(30, 1), of("re", 30, Status::Failed, 2)]), 0, "it was in the total");
        assert_eq!(refunded(&[sum(30, 3), of("re", 30, Status::Failed, 2)]), 30, "it was not");
        let fallen = [sum(50, 1), of("re", 20, Status::Failed, 3), sum(30, 3)];
        assert_eq!(refunded(&fallen), 30, "the total of the second of the failure is without it");
        assert_eq!(refunded(&[sum(50, 3), total(TotalOf::Refunds, "ch-2", 20, 4)]), 70);
        assert_eq!(refunded(&[sum(150, 3)]), 100, "never more than was paid");
    }
}
