//! Tests of what names only an authorization, where events tell more than the registrations: which payment captured it, or
//! under which id of the PSP.

use serde_json::json;

use super::played::*;
use crate::domain::event::{Booking, Chargeback, Event, Facts};
use crate::domain::ids::Kind;
use crate::store::Outcome;

/// A payment that is registered only by the id of its capture.
fn unlinked(id: &'static str, psp_id: &str) -> Step {
    Step::Register(Kind::Payment, id, json!({"pspTransactionId": psp_id, "requestedAmount": 40, "currency": "EUR"}))
}

/// A dispute that names only the authorization.
fn disputed(n: u128) -> Step {
    let chargeback = Chargeback {
        id: "dispute".into(),
        disputed: Some(40.into()),
        fee: None,
        booking: Booking::Booked,
        date: jiff::civil::date(2026, 3, 1),
        why: None,
        movements: None,
        of: None,
    };
    let facts = Facts { chargebacks: vec![chargeback], ..Facts::default() };
    tell(n, Event { originals: vec!["auth".into()], ..event(n, Kind::Payment, &[], facts) })
}

/// Some of the orders of these steps: of five steps every seventh.
fn orders(steps: &[Step]) -> Vec<Vec<Step>> {
    let all = all_orders(steps);
    let step = if all.len() > 100 { 7 } else { 1 };
    all.into_iter().step_by(step).collect()
}

fn all_orders(steps: &[Step]) -> Vec<Vec<Step>> {
    let Some((first, rest)) = steps.split_first() else { return vec![Vec::new()] };
    let with = |order: Vec<Step>| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, first.clone());
            order
        })
    };
    all_orders(rest).into_iter().flat_map(with).collect()
}

#[test]
fn an_event_of_an_authorization_reaches_the_payment_that_captured_it_by_what_events_tell() {
    let told = [unlinked("c", "cap"), of_authorization(10, &["cap"], 40), disputed(11)];
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(order);
        assert_eq!((played.chargebacks("c"), played.outcome(11)), (1, Outcome::Applied), "order {n}");
        assert_eq!(played.waits_for(), Vec::<String>::new());
    }
}

#[test]
fn a_second_payment_that_captured_the_authorization_takes_the_dispute_back() {
    let told = [
        unlinked("c", "cap"),
        of_authorization(10, &["cap"], 40),
        disputed(11),
        unlinked("d", "cap-2"),
        of_authorization(12, &["cap-2"], 40),
    ];
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(order);
        assert_eq!((played.chargebacks("c"), played.chargebacks("d")), (0, 0), "order {n}");
        assert_eq!(
            (played.paid("c"), played.paid("d"), played.outcome(11)),
            (40, 40, Outcome::DeadLetter),
            "order {n}"
        );
        assert_eq!(played.reason(), "event 11: it names only an authorization, auth, and 2 payments capture that");
    }
}

/// Money that another system captured is not the money of a payment that is known by its own events.
#[test]
fn money_of_another_capture_does_not_reach_a_payment_that_is_known_by_events() {
    let unnamed = Step::Register(Kind::Payment, "c", json!({"requestedAmount": 40, "currency": "EUR"}));
    let own =
        Event { references: vec!["c".parse().unwrap()], originals: vec!["auth".into()], ..booked(10, &["cap"], 40) };
    let played = Told::new(&[unnamed, tell(10, own), of_authorization(11, &["cap-2"], 30)]);
    assert_eq!((played.paid("c"), played.outcome(11)), (40, Outcome::Parked));
}

/// The PSP's id of the capture could be that of either payment, until an event names it with one of them.
#[test]
fn a_dead_letter_finds_its_capture_once_an_event_shows_the_way() {
    let shows = Event { references: vec!["c".parse().unwrap()], ..booked(11, &["cap"], 40) };
    let told = [preauth(), capture("c"), capture("d"), of_authorization(10, &["cap"], 40), tell(11, shows)];
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(order);
        assert_eq!((played.paid("c"), played.paid("d")), (40, 0), "order {n}");
        assert_ne!(played.outcome(10), Outcome::DeadLetter, "order {n}");
        assert_eq!((played.reason(), played.waits_for()), (String::new(), Vec::new()), "order {n}");
    }
}

#[test]
fn a_dead_letter_finds_its_capture_once_that_is_registered_with_its_id() {
    let told = [preauth(), capture("c"), capture("d"), of_authorization(10, &["cap"], 40), capture_as("d", "cap")];
    let is_real = |order: &&Vec<Step>| {
        let at = |is: fn(&Step) -> bool| order.iter().position(is).unwrap();
        at(|step| matches!(step, Step::Register(_, "d", said) if said.get("pspTransactionId").is_none()))
            < at(|step| matches!(step, Step::Register(_, "d", said) if said.get("pspTransactionId").is_some()))
    };
    for (n, order) in orders(&told).iter().filter(is_real).enumerate() {
        let played = Told::new(order);
        assert_eq!((played.paid("c"), played.paid("d")), (0, 40), "order {n}");
        assert_eq!((played.reason(), played.outcome(10)), (String::new(), Outcome::Applied), "order {n}");
    }
}

/// The order of registrations shows that both capture the preauthorization only at the end.
#[test]
fn a_preauthorization_that_is_registered_last_takes_back_what_either_of_two_captured() {
    let named =
        Event { references: vec!["d".parse().unwrap()], originals: vec!["auth".into()], ..booked(11, &["cap-2"], 40) };
    let told = [of_authorization(10, &["cap"], 40), tell(11, named), capture("d"), capture("c"), preauth()];
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(order);
        assert_eq!((played.paid("c"), played.paid("d"), played.outcome(10)), (0, 40, Outcome::DeadLetter), "order {n}");
    }
}
