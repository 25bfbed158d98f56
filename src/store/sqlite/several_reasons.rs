//! Tests of notifications with several events that could be meant for any of several captures, or wait.

use serde_json::json;

use super::played::*;
use crate::domain::event::Event;
use crate::domain::ids::Kind;
use crate::store::Outcome;

/// A booking that names only the authorization.
fn booking(n: u128, psp_id: &str) -> Event {
    Event { originals: vec!["auth".into()], event_type: format!("booked {psp_id}"), ..booked(n, &[psp_id], 40) }
}

/// A booking of a payment that is not registered.
fn waiting(n: u128) -> Event {
    Event { references: vec!["order-1".parse().unwrap()], ..booked(n, &["other"], 10) }
}

fn order_1() -> Step {
    Step::Register(Kind::Payment, "order-1", json!({"requestedAmount": 10, "currency": "EUR"}))
}

#[test]
fn a_dead_letter_of_two_reasons_is_none_once_both_are_solved() {
    let solved = [capture_as("c", "cap"), capture_as("d", "cap-2")];
    for [first, last] in [solved.clone(), {
        let [one, other] = solved;
        [other, one]
    }] {
        let mut played = Told::new(&[preauth(), capture("c"), capture("d")]);
        played.tell(10, &[booking(10, "cap"), booking(10, "cap-2"), booking(10, "cap")]);
        assert_eq!(played.reason().matches("names only").count(), 3, "{}", played.reason());
        played.step(&first);
        played.step(&last);
        // The third one is the first one again.
        assert!(matches!(played.outcome(10), Outcome::Applied | Outcome::Repeated));
        assert_eq!(played.reason(), String::new());
        assert_eq!((played.paid("c"), played.paid("d")), (40, 40));
    }
}

#[test]
fn a_dead_letter_keeps_the_reason_that_is_not_solved() {
    let mut played = Told::new(&[preauth(), capture("c"), capture("d"), capture("e")]);
    played.tell(10, &[booking(10, "cap"), booking(10, "cap-2")]);
    played.step(&capture_as("c", "cap"));
    assert_eq!(played.outcome(10), Outcome::DeadLetter);
    let reason = "booked cap-2: it names only an authorization, that of preauth a, and 3 payments capture that";
    assert_eq!(played.reason(), reason);
}

/// What waits hides no dead letter, whenever that has become one.
#[test]
fn a_dead_letter_shows_beside_an_event_that_waits() {
    let events = [booking(10, "cap"), waiting(10)];
    for (n, order) in orders(&[0, 1, 2, 3]).into_iter().enumerate() {
        let mut played = Told::new(&[]);
        for turn in order {
            match turn {
                0 => drop(played.tell(10, &events)),
                1 => played.step(&preauth()),
                2 => played.step(&capture("c")),
                _ => played.step(&capture("d")),
            }
        }
        assert_eq!(played.outcome(10), Outcome::DeadLetter, "order {n}");
        let mut other = Told::new(&[preauth(), capture("c"), capture("d")]);
        other.tell(10, &events);
        other.step(&order_1());
        other.step(&capture_as("c", "cap"));
        played.step(&capture_as("c", "cap"));
        assert_eq!((played.outcome(10), other.outcome(10)), (Outcome::Parked, Outcome::Applied), "order {n}");
        played.step(&order_1());
        assert_eq!((played.outcome(10), played.reason()), (Outcome::Applied, String::new()), "order {n}");
    }
}
