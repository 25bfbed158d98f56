//! Tests of the state that attempts make.

use jiff::Timestamp;

use super::*;
use crate::domain::event::{Event, Facts, Item};
use crate::domain::ids::RecordKey;
use crate::domain::record::Registered;
use crate::domain::transition::{Layer, Transition, apply};
use crate::domain::view::View;

fn record(kind: Kind, registered: Registered) -> Record {
    Record::new(RecordKey::new(kind, "r".parse().unwrap()), None, Timestamp::UNIX_EPOCH, registered)
}

fn event(second: i64, kind: Kind, psp_id: &str, facts: Facts) -> Event {
    Event {
        event_type: "news".into(),
        kinds: vec![kind],
        psp_ids: (!psp_id.is_empty()).then(|| psp_id.to_owned()).into_iter().collect(),
        at: Timestamp::from_second(1_700_000_000 + second).unwrap(),
        key: format!("key {second}#0"),
        facts,
        ..Event::default()
    }
}

fn told(record: &Record, events: &[&Event]) -> (Record, Vec<Transition>) {
    let mut transitions = Vec::new();
    let end = events.iter().fold(record.clone(), |record, event| {
        let (next, transition, _) = apply(&record, event, Layer::Own, Timestamp::UNIX_EPOCH).unwrap();
        transitions.push(transition);
        next
    });
    (end, transitions)
}

#[test]
fn a_payment_is_complete_within_the_tolerance_of_what_was_paid() {
    let payment = |requested: &str| {
        let requested_amount = Some(requested.parse().unwrap());
        record(Kind::Payment, Registered { requested_amount, ..Registered::default() })
    };
    let paid = |amount: &str, tolerance: &str| {
        let item = Item {
            id: "cap".into(),
            amount: amount.parse().unwrap(),
            booking: Booking::Booked,
            date: jiff::civil::date(2026, 3, 1),
            description: None,
        };
        let tolerance = Some(tolerance.parse().unwrap());
        let facts = Facts { status: Some(Status::Succeeded), items: vec![item], tolerance, ..Facts::default() };
        event(1, Kind::Payment, "cap", facts)
    };
    let status = |requested: &str, event: &Event| View::of(&told(&payment(requested), &[event]).0).status;
    for (requested, amount, tolerance, expected) in [
        ("1234.4", "1234", "1", Status::Succeeded),
        ("1235", "1234", "1", Status::Pending),
        ("1000", "900", "100000", Status::Succeeded),
        ("1000", "900", "0", Status::Pending),
        ("1000", "0", "100000", Status::Pending),
    ] {
        assert_eq!(status(requested, &paid(amount, tolerance)), expected, "{amount} of {requested}");
    }
    let mut failed = paid("900", "100000");
    failed.facts.items[0].booking = Booking::Reversed;
    failed.facts.status = Some(Status::Failed);
    assert_eq!(status("1000", &failed), Status::Failed);
}

#[test]
fn a_state_that_never_revives_leaves_every_end() {
    let agreement = record(Kind::Agreement, Registered::default());
    let state =
        |second, status| event(second, Kind::Agreement, "sub", Facts { status: Some(status), ..Facts::default() });
    let [begun, ended, resumed] =
        [(1, Status::Pending), (5, Status::Inactive), (20, Status::Active)].map(|(at, status)| state(at, status));
    let charged = |second| Event { never_revives: true, ..state(second, Status::Active) };
    let (early, late) = (charged(3), charged(9));
    for order in [[&begun, &early, &ended, &late], [&late, &ended, &early, &begun], [&early, &late, &begun, &ended]] {
        assert_eq!(View::of(&told(&agreement, &order).0).status, Status::Inactive);
    }
    for order in [[&begun, &early], [&early, &begun]] {
        assert_eq!(View::of(&told(&agreement, &order).0).status, Status::Active);
    }
    for order in [[&ended, &late, &resumed], [&resumed, &late, &ended]] {
        assert_eq!(View::of(&told(&agreement, &order).0).status, Status::Active, "a state of its own revives");
    }
}

#[test]
fn a_state_that_never_revives_leaves_the_end_of_its_customer() {
    let agreement = record(Kind::Agreement, Registered::default());
    let customers = || vec!["cus".to_owned()];
    let active = Facts { status: Some(Status::Active), ..Facts::default() };
    let made = Event { customers: customers(), ..event(1, Kind::Agreement, "card", active) };
    let charged = Event { never_revives: true, ..made.clone() };
    let charged = Event { at: Timestamp::from_second(1_700_000_009).unwrap(), key: "key 9#0".into(), ..charged };
    let gone = Facts { status: Some(Status::Inactive), ..Facts::default() };
    let gone = Event { customers: customers(), psp_ids: Vec::new(), ..event(5, Kind::Agreement, "", gone) };
    for order in [[&made, &gone, &charged], [&charged, &gone, &made]] {
        assert_eq!(View::of(&told(&agreement, &order).0).status, Status::Inactive);
    }
}

#[test]
fn an_amendment_is_a_change_once_and_only_of_what_lasts() {
    let psp_id = Some("token".to_owned());
    let registered = Registered { psp_id, status: Some(Status::Active), ..Registered::default() };
    let agreement = record(Kind::Agreement, registered);
    let amended = event(3, Kind::Agreement, "token", Facts { amended: true, ..Facts::default() });
    let (once, transitions) = told(&agreement, &[&amended, &amended]);
    assert_eq!(transitions, [Transition::Changed, Transition::Repeated]);
    assert_eq!(View::of(&once).status, Status::Active);
    let over = Facts { status: Some(Status::Inactive), ..Facts::default() };
    let over = event(2, Kind::Agreement, "token", over);
    assert_eq!(told(&agreement, &[&over, &amended]).1, [Transition::Changed, Transition::Repeated], "it has ended");
}

#[test]
fn a_correction_without_an_id_is_of_the_means_that_is_there() {
    let bearer = |last4: &str| [("last4".to_owned(), last4.to_owned())].into();
    let psp_id = Some("old".to_owned());
    let agreement = record(Kind::Agreement, Registered { psp_id, bearer: bearer("0000"), ..Registered::default() });
    let made = |second, psp_id| {
        let facts = Facts { status: Some(Status::Active), bearer: bearer(psp_id), ..Facts::default() };
        event(second, Kind::Agreement, psp_id, facts)
    };
    let corrected = event(5, Kind::Agreement, "", Facts { bearer: bearer("5555"), ..Facts::default() });
    let shown = |events: &[&Event]| View::of(&told(&agreement, events).0).bearer["last4"].clone();
    let (old, new) = (made(1, "old"), made(9, "new"));
    assert_eq!([shown(&[]), shown(&[&corrected])], ["0000", "5555"]);
    assert_eq!([shown(&[&old, &corrected]), shown(&[&corrected, &old])], ["5555", "5555"]);
    assert_eq!([shown(&[&old, &corrected, &new]), shown(&[&new, &corrected, &old])], ["new", "new"]);
}

/// All orders of some events.
fn orders(events: &[Event]) -> Vec<Vec<Event>> {
    let [first, rest @ ..] = events else { return vec![Vec::new()] };
    let places = |order: Vec<Event>| {
        (0..=order.len()).map(move |place| [&order[..place], std::slice::from_ref(first), &order[place..]].concat())
    };
    orders(rest).into_iter().flat_map(places).collect()
}

/// A correction before the new means of payment is of the former one. One after it is of the new one, whatever came before.
#[test]
fn a_correction_without_an_id_is_former_exactly_if_it_is_older_than_the_new_means() {
    let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
    let registered = |psp_id: Option<&str>, former: &[&str]| {
        let former = former.iter().map(|id| (*id).to_owned()).collect();
        let psp_id = psp_id.map(str::to_owned);
        record(Kind::Agreement, Registered { psp_id, former, former_until: Some(at(9)), ..Registered::default() })
    };
    let corrected = |second, last4: &str, status| {
        let bearer = [("last4".to_owned(), last4.to_owned())].into();
        event(second, Kind::Agreement, "", Facts { bearer, status, amended: true, ..Facts::default() })
    };
    let made = |second, psp_id| {
        event(second, Kind::Agreement, psp_id, Facts { status: Some(Status::Active), ..Facts::default() })
    };
    let early = corrected(5, "0005", Some(Status::Inactive));
    let (late, last) = (corrected(12, "0012", None), corrected(7, "0007", None));
    let new = || registered(Some("new"), &["old"]);
    for (what, record, events, status, last4) in [
        ("only an older one", new(), vec![early.clone()], Status::Initiated, None),
        ("an older and a newer one", new(), vec![early.clone(), late.clone()], Status::Initiated, Some("0012")),
        (
            "beside both means",
            new(),
            vec![made(1, "old"), early.clone(), made(10, "new"), late],
            Status::Active,
            Some("0012"),
        ),
        (
            "the new means is older than its registration",
            new(),
            vec![early.clone(), made(6, "new"), last.clone()],
            Status::Active,
            Some("0007"),
        ),
        (
            "back to an older means",
            new(),
            vec![made(1, "new"), made(4, "old"), early.clone(), last.clone()],
            Status::Active,
            None,
        ),
        ("no means is registered", registered(None, &[]), vec![early, last], Status::Initiated, None),
    ] {
        for order in orders(&events) {
            let (end, _) = told(&record, &order.iter().collect::<Vec<_>>());
            let view = View::of(&end);
            let shown = view.bearer.get("last4").map(String::as_str);
            assert_eq!((view.status, shown), (status, last4), "{what}: {order:?}");
            assert_eq!(view.amended.is_some(), last4.is_some(), "{what}: {order:?}");
        }
    }
}
