//! Single histories, each with its meaning.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::history::{self, named, record};
use crate::domain::due::utc_date;
use crate::domain::event::{Booking, Chargeback, Event, Facts, Release};
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::register::register;
use crate::domain::registration::Registration;
use crate::domain::standing::reserved;
use crate::domain::status::Status;
use crate::domain::transition::{Layer, Transition, apply};
use crate::domain::view::{Detail, View, confirmed_refund, paid};

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

/// An event of that means of payment of an agreement in that second.
fn of_means(id: &str, second: i64, facts: Facts) -> Event {
    let key = format!("{id}{second}");
    Event { kinds: vec![Kind::Agreement], psp_ids: vec![id.into()], key, facts, ..named(Status::Active, second) }
}

/// The transitions that these events make of a record, one after another.
fn transitions(record: &Record, events: &[&Event]) -> Vec<Transition> {
    let mut now = record.clone();
    let each = events.iter().map(|event| {
        let (next, transition, _) = apply(&now, event, Layer::Own, Timestamp::UNIX_EPOCH).unwrap();
        now = next;
        transition
    });
    each.collect()
}

#[test]
fn an_amendment_without_any_difference_is_a_change_once() {
    use Transition::{Changed, Repeated, Stale};
    let start = record(Kind::Agreement, "ag", 0);
    let state = |status| Facts { status: Some(status), ..Facts::default() };
    let amended = || Facts { amended: true, ..Facts::default() };
    let [active, ended] =
        [(1, Status::Active), (9, Status::Inactive)].map(|(at, said)| of_means("md", at, state(said)));
    let [first, second] = [3, 5].map(|second| of_means("md", second, amended()));
    let told = |events: &[&Event]| transitions(&start, events);
    assert_eq!(told(&[&active, &first, &first, &second, &first]), [Changed, Changed, Repeated, Changed, Stale]);
    assert_eq!(told(&[&second, &active, &first, &second]), [Changed, Changed, Stale, Repeated], "in another order");
    assert_eq!(told(&[&active, &ended, &first]), [Changed, Changed, Repeated], "it has ended");
    let revived = transitions(&start, &[&active, &ended, &of_means("md", 12, amended())]);
    assert_eq!(revived, [Changed, Changed, Repeated], "an amendment never revives what has ended");
    let other = of_means("other", 4, amended());
    assert_eq!(told(&[&active, &other]), [Changed, Repeated], "the agreement shows another means of payment");
}

#[test]
fn one_message_that_is_read_twice_amends_once() {
    let start = record(Kind::Agreement, "ag", 0);
    let amended = |status, trace: &str| {
        let facts = Facts { amended: true, status, ..Facts::default() };
        Event { key: format!("evt#{trace}"), gives_way: true, ..of_means("md", 3, facts) }
    };
    let active = Facts { status: Some(Status::Active), ..Facts::default() };
    let (before, after) = (amended(None, "a"), amended(Some(Status::Pending), "b"));
    let told = transitions(&start, &[&of_means("md", 1, active), &before, &after]);
    assert_eq!(told, [Transition::Changed, Transition::Changed, Transition::Repeated]);
}

#[test]
fn an_amendment_of_a_means_of_which_no_event_told_a_state_is_shown() {
    let bearer = |last4: &str| [("last4".to_owned(), last4.to_owned())].into();
    let amendment = of_means("md", 3, Facts { amended: true, bearer: bearer("2222"), ..Facts::default() });
    for psp_id in [Some("md"), None] {
        let mut start = record(Kind::Agreement, "ag", 0);
        start.registered.status = Some(Status::Active);
        start.registered.bearer = bearer("1111");
        start.registered.psp_id = psp_id.map(str::to_owned);
        let end = View::of(&told(&start, std::slice::from_ref(&amendment)));
        assert_eq!((end.status, &end.bearer["last4"]), (Status::Active, &"2222".to_owned()), "{psp_id:?}");
        start.registered.psp_id = Some("other".to_owned());
        assert_eq!(View::of(&told(&start, std::slice::from_ref(&amendment))).bearer["last4"], "1111");
    }
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

#[test]
fn a_registered_refund_that_is_a_released_rest_gives_nothing_back() {
    let facts = |remainder| Facts {
        status: Some(Status::Succeeded),
        refunded: Some(Decimal::from(40)),
        remainder,
        ..Facts::default()
    };
    let of = |id: &str, remainder| Event {
        psp_ids: vec![id.to_owned()],
        key: id.to_owned(),
        facts: facts(remainder),
        ..named(Status::Succeeded, 1)
    };
    let given = |events: &[Event]| confirmed_refund(&told(&record(Kind::Refund, "tx", 40), events));
    assert_eq!(given(&[of("rest", true)]), Some(Decimal::ZERO));
    assert_eq!(given(&[of("rest", true), of("refund", false)]), Some(Decimal::from(40)));
}

/// The end of a customer ends both cards in one moment.
#[test]
fn an_agreement_whose_customer_is_gone_shows_the_card_that_was_used_last() {
    let of = |card: &str, second| Event {
        psp_ids: vec![card.to_owned()],
        customers: vec!["cus".to_owned()],
        key: card.to_owned(),
        facts: Facts {
            status: Some(Status::Active),
            bearer: BTreeMap::from([("last4".to_owned(), card.to_owned())]),
            ..Facts::default()
        },
        ..named(Status::Active, second)
    };
    let gone = Event {
        psp_ids: Vec::new(),
        customers: vec!["cus".to_owned()],
        key: "gone".to_owned(),
        ..named(Status::Inactive, 9)
    };
    for [first, last] in [["1111", "2222"], ["2222", "1111"]] {
        let view = View::of(&told(&record(Kind::Agreement, "tx", 0), &[of(last, 2), gone.clone(), of(first, 1)]));
        assert_eq!((view.status, view.bearer["last4"].as_str()), (Status::Inactive, last));
    }
}

/// The same end, whether the relay hears of another card before or after the agreement gets another id.
#[test]
fn what_was_told_of_other_means_before_the_agreement_got_another_id_does_not_count() {
    let start = record(Kind::Agreement, "tx", 0);
    let named_as = |old: &Record, id: &str, second| {
        let said = Registration { psp_agreement_id: Some(id.to_owned()), ..Registration::default() };
        register(&old.key, Some(old), &said, Timestamp::from_second(second).unwrap()).unwrap().record
    };
    let of = |card: &str, second, status| Event {
        psp_ids: vec![card.to_owned()],
        key: format!("{card} {second}"),
        ..named(status, second)
    };
    let before = [of("old", 1, Status::Active), of("learned", 2, Status::Active)];
    let after = [of("new", 5, Status::Active), of("newer", 6, Status::Active)];
    let heard = named_as(&told(&named_as(&start, "old", 0), &before), "new", 4);
    let unheard = told(&named_as(&named_as(&start, "old", 0), "new", 4), &before);
    for record in [heard, unheard] {
        assert_eq!(View::of(&record).status, Status::Initiated);
        assert_eq!(View::of(&told(&record, &[of("learned", 7, Status::Inactive)])).status, Status::Initiated);
        let ended = [of("new", 8, Status::Inactive)];
        let active = told(&record, &after);
        assert_eq!(View::of(&told(&active, &ended)).status, Status::Active, "the newer card is not former");
    }
}
