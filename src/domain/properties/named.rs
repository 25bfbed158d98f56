//! Single histories, each with its meaning.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::history::{self, named, record};
use crate::domain::due::utc_date;
use crate::domain::event::{Booking, Chargeback, Event, Facts, Release};
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::standing::reserved;
use crate::domain::status::Status;
use crate::domain::transition::{Layer, apply};
use crate::domain::view::{Detail, View, paid};

fn told(record: &Record, events: &[Event]) -> Record {
    let own: Vec<_> = events.iter().map(|event| (event.clone(), Layer::Own)).collect();
    history::told(record, &own)
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
    let contradiction = apply(&start, &named(Status::Succeeded, 0), Layer::Own, Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(contradiction.to_string(), "the event is in EUR, the record in USD");
}

#[test]
fn a_chargeback_takes_what_another_event_of_its_dispute_names_else_all_that_was_paid() {
    let disputed = |booking, amount: u32, second| {
        let at = Timestamp::from_second(second).unwrap();
        let (id, amount) = ("dispute".to_owned(), Decimal::from(amount));
        let disputed = (!amount.is_zero()).then_some(amount);
        let chargeback =
            Chargeback { id, disputed, fee: None, booking, date: utc_date(at), why: None, movements: None, of: None };
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

#[test]
fn a_reservation_that_was_under_way_ends_with_the_release_of_all() {
    let start = record(Kind::Preauth, "tx", 100);
    let of = |second: i64, status, amount: Option<u32>| {
        let release = amount.map(|amount| Release { id: second.to_string(), amount: Some(amount.into()) });
        let facts = Facts { status: Some(status), release, ..Facts::default() };
        Event { key: format!("evt{second}"), facts, kinds: vec![Kind::Preauth], ..named(status, second) }
    };
    let end = |events: &[Event]| View::of(&told(&start, events)).status;
    let (begun, part, rest) =
        (of(1, Status::Pending, None), of(2, Status::Cancelled, Some(30)), of(3, Status::Cancelled, Some(70)));
    assert_eq!(end(&[begun.clone(), part.clone()]), Status::Pending);
    assert_eq!(end(&[rest.clone(), begun, part.clone()]), Status::Cancelled);
    assert_eq!(end(&[rest, of(4, Status::Pending, None), part]), Status::Pending, "it is newer");
}

#[test]
fn no_more_is_released_than_what_is_left() {
    let start = record(Kind::Preauth, "tx", 100);
    let facts = |release| Facts { status: Some(Status::Cancelled), release: Some(release), ..Facts::default() };
    let of = |id: &str, second, amount| Event {
        key: id.to_owned(),
        facts: facts(Release { id: id.to_owned(), amount }),
        kinds: vec![Kind::Preauth],
        ..named(Status::Cancelled, second)
    };
    let end = told(&start, &[of("b", 1, Some(Decimal::from(25))), of("a", 2, None)]);
    assert_eq!(reserved(&end.seen.attempts[0], Some(Decimal::ONE_HUNDRED)), Some(Decimal::ZERO));
}
