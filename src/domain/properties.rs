//! Property tests of the domain on generated histories. Any order and any repetition of the same events end in the same
//! record; versions and `lastUpdated` rise strictly; money never contradicts itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::due::utc_date;
use super::event::{Booking, Chargeback, Event, Facts, Item, Why};
use super::family;
use super::ids::{Kind, RecordKey};
use super::record::{Record, Registered, Seen};
use super::status::{ChargebackReason, PspError, Status};
use super::transition::{Transition, apply};
use super::view::{Detail, View, paid};

fn record(kind: Kind, id: &str, requested: u32) -> Record {
    Record {
        key: RecordKey::new(kind, id.parse().unwrap()),
        source: None,
        registered_at: Timestamp::UNIX_EPOCH,
        registered: Registered {
            requested_amount: Some(Decimal::from(requested)),
            currency: Some("EUR".parse().unwrap()),
            ..Registered::default()
        },
        seen: Seen::default(),
        refunds: BTreeMap::new(),
        version: 1,
        last_updated: Timestamp::UNIX_EPOCH,
    }
}

fn statuses(kind: Kind) -> impl Strategy<Value = Status> {
    let all = [
        Status::Initiated,
        Status::Pending,
        Status::Succeeded,
        Status::Failed,
        Status::Cancelled,
        Status::Expired,
        Status::Active,
        Status::Inactive,
    ];
    prop::sample::select(all.into_iter().filter(|status| status.fits(kind)).collect::<Vec<_>>())
}

fn bookings() -> impl Strategy<Value = Booking> {
    prop::sample::select(vec![Booking::Open, Booking::Booked, Booking::Reversed])
}

/// There are few times, ids and amounts, so that many events concern the same things.
fn facts(kind: Kind, at: Timestamp) -> impl Strategy<Value = Facts> {
    let date = utc_date(at);
    let item = (0..3_u8, 0..4_u32, bookings()).prop_map(move |(id, amount, booking)| Item {
        id: format!("item{id}"),
        amount: Decimal::from(amount * 25),
        booking,
        date,
        description: None,
    });
    let chargeback = (0..2_u8, 0..4_u32, bookings()).prop_map(move |(id, amount, booking)| Chargeback {
        id: format!("dispute{id}"),
        amount: Decimal::from(amount * 25),
        fee: None,
        booking,
        date,
        why: (amount % 2 == 0).then_some(Why { reason: ChargebackReason::Unknown, psp_code: None, psp_message: None }),
    });
    let error = prop::option::of((0..3_u8).prop_map(|code| PspError {
        code: None,
        psp_code: Some(code.to_string()),
        message: None,
    }));
    let amount = || prop::option::of((0..5_u32).prop_map(|amount| Decimal::from(amount * 25)));
    let items = prop::collection::vec(item, 0..3);
    let chargebacks = prop::collection::vec(chargeback, 0..2);
    let status = prop::option::of(statuses(kind));
    (status, error, amount(), amount(), items, chargebacks).prop_map(
        move |(status, error, authorized, refunded, mut items, chargebacks)| {
            // One event names each item once.
            items.sort_by(|a, b| a.id.cmp(&b.id));
            items.dedup_by(|a, b| a.id == b.id);
            Facts {
                error: error.filter(|_| status.is_some_and(Status::has_ended)),
                status,
                authorized,
                refunded: refunded.filter(|_| kind == Kind::Refund),
                items,
                chargebacks,
                ..Facts::default()
            }
        },
    )
}

fn events(kind: Kind) -> impl Strategy<Value = Vec<Event>> {
    let event =
        (0..6_i64, 0..3_u8, any::<bool>(), any::<bool>()).prop_flat_map(move |(second, id, late, gives_way)| {
            let at = Timestamp::from_second(second).unwrap();
            facts(kind, at).prop_map(move |facts| Event {
                event_type: "generated".into(),
                kinds: vec![kind],
                psp_ids: vec![format!("psp{id}")],
                shared_ids: Vec::new(),
                references: Vec::new(),
                loose: None,
                at,
                key: String::new(),
                late,
                gives_way,
                currency: Some("EUR".parse().unwrap()),
                facts,
            })
        });
    prop::collection::vec(event, 1..12).prop_map(|mut events| {
        events.iter_mut().enumerate().for_each(|(index, event)| event.key = format!("evt{index}"));
        events
    })
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.to_vec())
}

/// A history and another telling of it: shuffled, with repetitions.
fn retold(kind: Kind) -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    events(kind).prop_flat_map(|events| {
        let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
        (Just(events), Just(twice).prop_shuffle())
    })
}

fn told(record: &Record, events: &[Event]) -> Record {
    events.iter().fold(record.clone(), |record, event| apply(&record, event, Timestamp::UNIX_EPOCH).unwrap().0)
}

/// The record without the count of its changes.
fn settled(record: &Record) -> Record {
    Record { version: 0, last_updated: Timestamp::UNIX_EPOCH, ..record.clone() }
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_end_in_the_same_record(
        (kind, (told_once, retold)) in kinds().prop_flat_map(|kind| (Just(kind), retold(kind)))
    ) {
        let start = record(kind, "tx", 100);
        prop_assert_eq!(settled(&told(&start, &told_once)), settled(&told(&start, &retold)));
    }

    #[test]
    fn an_event_that_came_before_changes_nothing(
        events in kinds().prop_flat_map(events), again in any::<prop::sample::Index>()
    ) {
        let start = record(events[0].kinds[0], "tx", 100);
        let end = told(&start, &events);
        let (after, transition) = apply(&end, again.get(&events), Timestamp::MAX).unwrap();
        prop_assert_eq!(&after, &end);
        prop_assert_ne!(transition, Transition::Changed);
    }

    #[test]
    fn versions_and_last_updated_rise_with_every_visible_change_and_only_then(
        events in kinds().prop_flat_map(events), clock in prop::collection::vec(-5..5_i64, 12)
    ) {
        let mut now = record(events[0].kinds[0], "tx", 100);
        for (event, second) in events.iter().zip(clock) {
            // The clock steps back and forth.
            let (next, transition) = apply(&now, event, Timestamp::from_second(second).unwrap()).unwrap();
            let changed = View::of(&now) != View::of(&next);
            prop_assert_eq!(changed, transition == Transition::Changed);
            prop_assert_eq!(next.version, now.version + u64::from(changed));
            prop_assert_eq!(changed, next.last_updated > now.last_updated);
            now = next;
        }
    }

    #[test]
    fn refunded_and_refundable_never_exceed_what_was_paid(
        payment_events in events(Kind::Payment), refund_events in events(Kind::Refund), refund_first in any::<bool>()
    ) {
        let mut payment = record(Kind::Payment, "payment", 100);
        let mut refund = record(Kind::Refund, "refund", 100);
        refund.registered.payment_id = Some(payment.key.id.clone());
        if !refund_first {
            payment = told(&payment, &payment_events);
        }
        for event in &refund_events {
            // A refusal leaves both records as they were.
            if let Ok(outcome) = family::apply(&refund, Some(&payment), event, Timestamp::UNIX_EPOCH) {
                refund = outcome.record;
                payment = outcome.payment.unwrap();
            }
        }
        if refund_first {
            payment = told(&payment, &payment_events);
        }
        let Detail::Payment(detail) = View::of(&payment).detail else { panic!("a payment") };
        prop_assert!(detail.refunded + detail.refundable <= paid(&payment));
        prop_assert!(detail.refundable >= Decimal::ZERO);
    }

    #[test]
    fn a_payment_succeeds_only_with_the_full_amount(events in events(Kind::Payment)) {
        let payment = told(&record(Kind::Payment, "payment", 100), &events);
        let full = paid(&payment) >= Decimal::from(100);
        prop_assert_eq!(View::of(&payment).status == Status::Succeeded, full);
    }
}

fn named(status: Status, second: i64) -> Event {
    Event {
        event_type: "paid".into(),
        kinds: vec![Kind::Payment],
        psp_ids: vec!["p".into()],
        shared_ids: Vec::new(),
        references: Vec::new(),
        loose: None,
        at: Timestamp::from_second(second).unwrap(),
        key: "evt".into(),
        late: false,
        gives_way: false,
        currency: Some("EUR".parse().unwrap()),
        facts: Facts { status: Some(status), ..Facts::default() },
    }
}

#[test]
fn news_of_being_under_way_does_not_overrule_what_the_stack_knows() {
    let mut start = record(Kind::Payment, "tx", 100);
    start.registered.status = Some(Status::Pending);
    let status = |record: &Record, event: &Event| View::of(&told(record, std::slice::from_ref(event))).status;
    assert_eq!(status(&start, &named(Status::Initiated, 1)), Status::Pending);
    assert_eq!(status(&start, &named(Status::Failed, 1)), Status::Failed);
    start.registered.status = Some(Status::Succeeded);
    assert_eq!(status(&start, &named(Status::Pending, 1)), Status::Succeeded);
    assert_eq!(paid(&told(&start, &[named(Status::Pending, 1)])), Decimal::from(100));
    assert_eq!(status(&start, &named(Status::Cancelled, 1)), Status::Cancelled);
}

#[test]
fn the_psps_time_decides_first_and_the_rank_of_the_state_within_a_second() {
    let start = record(Kind::Refund, "tx", 100);
    let end = |events: &[Event]| View::of(&told(&start, events)).status;
    let (succeeded, failed) = (named(Status::Succeeded, 1), named(Status::Failed, 1));
    assert_eq!(end(&[failed.clone(), succeeded.clone()]), Status::Failed, "a refund fails after it succeeded");
    assert_eq!(end(&[named(Status::Succeeded, 2), failed]), Status::Succeeded);
    let late = Event { late: true, ..named(Status::Pending, 1) };
    assert_eq!(end(&[late, succeeded]), Status::Pending, "a late event outranks every other of its second");
    let yielding = Event { gives_way: true, ..named(Status::Expired, 9) };
    assert_eq!(end(&[yielding.clone(), named(Status::Succeeded, 1)]), Status::Succeeded);
    assert_eq!(end(&[yielding]), Status::Expired, "nothing else is known of the record");
}

#[test]
fn another_currency_is_contradictory() {
    let mut start = record(Kind::Payment, "tx", 100);
    start.registered.currency = Some("USD".parse().unwrap());
    let contradiction = apply(&start, &named(Status::Succeeded, 0), Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(contradiction.to_string(), "the event is in EUR, the record in USD");
}

#[test]
fn a_chargeback_takes_what_another_event_of_its_dispute_names_else_all_that_was_paid() {
    let disputed = |booking, amount: u32, second| {
        let at = Timestamp::from_second(second).unwrap();
        let (id, amount) = ("dispute".to_owned(), Decimal::from(amount));
        let chargeback = Chargeback { id, amount, fee: None, booking, date: utc_date(at), why: None };
        let facts = Facts { chargebacks: vec![chargeback], ..Facts::default() };
        Event { key: format!("dispute{second}"), facts, ..named(Status::Pending, second) }
    };
    let (paid, opened) = (named(Status::Succeeded, 1), disputed(Booking::Open, 30, 2));
    let (lost, won) = (disputed(Booking::Booked, 0, 3), disputed(Booking::Reversed, 0, 4));
    let gone = |events: &[&Event]| {
        let events: Vec<Event> = events.iter().map(|event| (*event).clone()).collect();
        let Detail::Payment(detail) = View::of(&told(&record(Kind::Payment, "tx", 100), &events)).detail else {
            panic!("a payment")
        };
        (detail.chargebacks.iter().map(|chargeback| chargeback.amount).sum::<Decimal>(), detail.refundable)
    };
    let amounts = |gone: u32, refundable: u32| (Decimal::from(gone), Decimal::from(refundable));
    assert_eq!(gone(&[&paid, &opened]), amounts(0, 100));
    assert_eq!(gone(&[&paid, &opened, &lost]), amounts(30, 70));
    assert_eq!(gone(&[&lost, &opened, &paid]), amounts(30, 70));
    assert_eq!(gone(&[&paid, &lost]), amounts(100, 0), "nobody said how much");
    assert_eq!(gone(&[&paid, &opened, &lost, &won]), amounts(0, 100));
}
