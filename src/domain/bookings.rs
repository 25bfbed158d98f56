//! The bookings of a record, which are its items and chargebacks, and the limit of how many are kept.

use std::collections::BTreeMap;

use super::contradiction::{BOOKINGS_MAX, Contradiction};
use super::event::{Booking, Event};
use super::ids::Kind;
use super::record::Seen;
use super::stamp::{self, Stamp, Written};

/// Writes the bookings of an event. Bookings without money never displace those with money: any shopper can make refused
/// attempts without end.
///
/// # Errors
/// [`Contradiction::TooMany`]; some of the bookings may be written.
pub(super) fn write(
    seen: &mut Seen,
    event: &Event,
    kind: Kind,
    written: &mut Vec<Written>,
) -> Result<(), Contradiction> {
    let facts = &event.facts;
    let most = |before: usize| before.max(BOOKINGS_MAX);
    let (items, disputes) = (most(seen.items.len()), most(seen.disputes.len()));
    for item in &facts.items {
        let rank = facts.status.map_or(booking_rank(item.booking), |status| status.rank(kind));
        written.push(stamp::write_in(&mut seen.items, &item.id, &event.stamp(rank), item));
    }
    for chargeback in &facts.chargebacks {
        let dispute = seen.disputes.entry(chargeback.id.clone()).or_default();
        dispute.write(chargeback, &event.stamp(booking_rank(chargeback.booking)), written);
    }
    seen.totals.write(&facts.totals, &event.stamp(0), written)?;
    keep(&mut seen.items, items, "booked items", |item| {
        let empty = item.value.booking != Booking::Booked || item.value.amount.is_zero();
        empty.then_some((item.value.booking, Some(&item.stamp)))
    })?;
    // A chargeback without an amount is no booking without money: it takes all that was paid.
    keep(&mut seen.disputes, disputes, "booked chargebacks", |dispute| {
        let booking = dispute.booking();
        (booking != Booking::Booked).then(|| (booking, dispute.said.as_ref().map(|said| &said.stamp)))
    })
}

/// Forgets bookings without money until at most `most` bookings remain; `empty` returns the state and the stamp of such a
/// booking. Open ones go first, since the record is the same without them; then bookings of zero. The newest reversals stay,
/// because a reversal keeps out older news of its booking.
fn keep<T>(
    slots: &mut BTreeMap<String, T>,
    most: usize,
    what: &'static str,
    empty: impl Fn(&T) -> Option<(Booking, Option<&Stamp>)>,
) -> Result<(), Contradiction> {
    let too_many = slots.len().saturating_sub(most);
    if too_many == 0 {
        return Ok(());
    }
    let mut empty: Vec<_> = slots.iter().filter_map(|(id, slot)| Some((empty(slot)?, id))).collect();
    if empty.len() < too_many {
        return Err(Contradiction::TooMany { most: BOOKINGS_MAX, what });
    }
    empty.sort_unstable();
    let forgotten: Vec<_> = empty.into_iter().take(too_many).map(|(.., id)| id.clone()).collect();
    for id in forgotten {
        slots.remove(&id);
    }
    Ok(())
}

const fn booking_rank(booking: Booking) -> u8 {
    match booking {
        Booking::Open => 1,
        Booking::Booked => 2,
        Booking::Reversed => 3,
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use jiff::Timestamp;
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::event::{Chargeback, Facts, Item, Why};
    use crate::domain::ids::RecordKey;
    use crate::domain::record::{Record, Registered};
    use crate::domain::status::{ChargebackReason, Status};
    use crate::domain::transition::{Layer, apply};
    use crate::domain::view::{View, paid};

    const FULL: usize = BOOKINGS_MAX;

    fn payment() -> Record {
        let key = RecordKey::new(Kind::Payment, "tx-1".parse().unwrap());
        let registered = Registered { requested_amount: Some(Decimal::ONE), ..Registered::default() };
        Record::new(key, None, Timestamp::UNIX_EPOCH, registered)
    }

    /// An event of that second with these bookings, as items or as chargebacks.
    fn of(ids: Range<usize>, booking: Booking, as_items: bool, second: i64) -> Event {
        let amount = if booking == Booking::Reversed { Decimal::ZERO } else { Decimal::ONE };
        let date = jiff::civil::date(2026, 1, 1);
        let key = format!("{ids:?}");
        let ids = ids.map(|n| format!("id {n}"));
        let mut facts = Facts::default();
        if as_items {
            facts.items.extend(ids.map(|id| Item { id, amount, booking, date, description: None }));
        } else {
            let why = Some(Why { reason: ChargebackReason::Unknown, psp_code: None, psp_message: None });
            let why = || why.clone();
            facts.chargebacks.extend(ids.map(|id| Chargeback {
                id,
                disputed: (amount > Decimal::ZERO).then_some(amount),
                fee: None,
                booking,
                date,
                why: why(),
                movements: None,
                of: None,
            }));
        }
        Event {
            event_type: "booked".into(),
            kinds: vec![Kind::Payment],
            psp_ids: vec!["psp".into()],
            at: Timestamp::from_second(second).unwrap(),
            key,
            facts,
            ..Event::default()
        }
    }

    fn with(status: Status, mut event: Event) -> Event {
        event.facts.status = Some(status);
        event
    }

    fn told<'a>(record: &Record, events: impl IntoIterator<Item = &'a Event>) -> Record {
        let told = |record: Record, event| apply(&record, event, Layer::Own, Timestamp::UNIX_EPOCH).unwrap().0;
        events.into_iter().fold(record.clone(), told)
    }

    fn sizes(record: &Record) -> [usize; 2] {
        [record.seen.items.len(), record.seen.disputes.len()]
    }

    #[test]
    fn a_record_keeps_so_many_bookings_and_takes_news_of_those() {
        for (as_items, what) in [(true, "booked items"), (false, "booked chargebacks")] {
            let booked = |ids| of(ids, Booking::Booked, as_items, 0);
            let full = told(&payment(), [&booked(0..FULL)]);
            let tell = |record: &Record, event: &Event| apply(record, event, Layer::Own, Timestamp::UNIX_EPOCH);
            let too_many = tell(&full, &booked(FULL..FULL + 1)).unwrap_err();
            assert_eq!(too_many, Contradiction::TooMany { most: FULL, what });
            assert_eq!(too_many.to_string(), format!("the record would have more than 1000 {what}"));
            assert!(tell(&full, &booked(7..10)).is_ok(), "news of what is known");
            assert!(tell(&full, &of(0..1, Booking::Booked, !as_items, 0)).is_ok(), "each has a limit of its own");
            assert!(tell(&payment(), &booked(0..FULL + 1)).is_err(), "at once, too");
            let empty = tell(&full, &of(FULL..FULL + 1, Booking::Reversed, as_items, 9)).unwrap().0;
            assert_eq!(sizes(&empty), sizes(&full), "no money, no booking");
        }
    }

    #[test]
    fn no_number_of_refused_attempts_keeps_the_payment_out() {
        let refused = (0..FULL + 5).map(|n| with(Status::Failed, of(n..n + 1, Booking::Reversed, true, 5)));
        let refused: Vec<_> = refused.collect();
        let failed = told(&payment(), &refused);
        assert_eq!((View::of(&failed).status, sizes(&failed)[0]), (Status::Failed, FULL));
        for second in [1, 9] {
            let genuine = with(Status::Succeeded, of(5000..5001, Booking::Booked, true, second));
            let settled = told(&failed, [&genuine]);
            assert_eq!(View::of(&settled).status, Status::Succeeded, "in second {second}");
            assert_eq!(View::of(&told(&settled, &refused[..20])).status, Status::Succeeded, "and so it stays");
        }
    }

    #[test]
    fn what_books_nothing_gives_way_and_leaves_nothing() {
        for (as_items, full) in [(true, [FULL, 0]), (false, [0, FULL])] {
            let open = told(&payment(), [&of(0..FULL, Booking::Open, as_items, 5)]);
            let booked = of(FULL..2 * FULL - 1, Booking::Booked, as_items, 1);
            let end = told(&open, [&booked]);
            assert_eq!(sizes(&end), full);
            assert!(
                apply(&end, &of(3000..3001, Booking::Booked, as_items, 1), Layer::Own, Timestamp::UNIX_EPOCH).is_ok()
            );
            assert!(
                apply(&end, &of(3000..3002, Booking::Booked, as_items, 1), Layer::Own, Timestamp::UNIX_EPOCH).is_err()
            );
        }
    }

    #[test]
    fn a_booking_of_zero_is_no_money_and_a_chargeback_of_unknown_amount_is() {
        let mut zeros = of(0..FULL, Booking::Booked, true, 5);
        zeros.facts.items.iter_mut().for_each(|item| item.amount = Decimal::ZERO);
        assert_eq!(paid(&told(&payment(), [&zeros, &of(5000..5001, Booking::Booked, true, 1)])), Decimal::ONE);
        let mut zeros = of(0..FULL, Booking::Booked, false, 5);
        zeros.facts.chargebacks.iter_mut().for_each(|chargeback| chargeback.disputed = None);
        let more = of(5000..5001, Booking::Booked, false, 1);
        assert!(apply(&told(&payment(), [&zeros]), &more, Layer::Own, Timestamp::UNIX_EPOCH).is_err());
    }

    /// Captured money is booked once, even if the news of its reservation comes last.
    #[test]
    fn among_refused_attempts_without_end_a_reversal_keeps_older_news_out() {
        let flood = told(&payment(), [&of(0..FULL, Booking::Reversed, true, 5)]);
        let mut captured = of(5000..5001, Booking::Booked, true, 9);
        captured.facts.items.extend(of(5001..5002, Booking::Reversed, true, 9).facts.items);
        let reserved = of(5001..5002, Booking::Booked, true, 8);
        let more = of(6000..6003, Booking::Reversed, true, 10);
        for order in [[&reserved, &captured, &more], [&captured, &reserved, &more], [&more, &captured, &reserved]] {
            assert_eq!(paid(&told(&flood, order)), Decimal::ONE);
        }
    }

    #[test]
    fn the_order_in_which_too_many_come_leaves_no_trace() {
        for as_items in [true, false] {
            let mut events: Vec<_> = (0..30)
                .map(|n| {
                    let booking = [Booking::Open, Booking::Booked, Booking::Reversed][n % 3];
                    of(n * 50..n * 50 + 49, booking, as_items, (n * 7 % 11).try_into().unwrap())
                })
                .collect();
            let once = told(&payment(), &events);
            let settled = |record: Record| Record { version: 0, last_updated: Timestamp::UNIX_EPOCH, ..record };
            for step in [7, 11, 29] {
                events = (0..30).map(|n| events[n * step % 30].clone()).collect();
                let retold = told(&payment(), events.iter().chain(&events));
                assert_eq!(settled(retold), settled(once.clone()), "every {step}th");
            }
            assert_eq!(sizes(&once).into_iter().max(), Some(FULL), "of 1470");
        }
    }
}
