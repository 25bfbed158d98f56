//! Tests of the ways between relatives: captures and their preauthorization, refunds that nobody registered, agreements with
//! one means of payment. Every order of registrations and events ends the same.

use serde_json::json;

use super::played::*;
use crate::domain::event::{Event, Facts};
use crate::domain::ids::Kind;
use crate::domain::status::Status;
use crate::store::{Finding, FindingKind, Outcome};

#[test]
fn an_event_of_an_authorization_reaches_its_only_capture() {
    let news = of_authorization(10, &["cap"], 40);
    let orders = [
        vec![preauth(), capture("c"), news.clone()],
        vec![news.clone(), capture("c"), preauth()],
        vec![preauth(), news, capture("c")],
    ];
    for order in orders {
        let played = Told::new(&order);
        assert_eq!(played.paid("c"), 40);
        assert!(played.is_owed("c"), "{:?}", played.owed);
        assert_eq!(played.record(Kind::Preauth, "a").captures.len(), 1);
    }
}

#[test]
fn an_event_of_any_of_several_captures_is_a_dead_letter_at_once() {
    let played = Told::new(&[preauth(), capture("c"), capture("d"), of_authorization(10, &["cap"], 40)]);
    assert_eq!((played.outcome(10), played.paid("c"), played.paid("d")), (Outcome::DeadLetter, 0, 0));
    let reason = "event 10: it names only an authorization, that of preauth a, and 2 payments capture that";
    assert_eq!(played.reason(), reason);
}

#[test]
fn a_second_capture_takes_back_from_the_first() {
    let facts = Facts { status: Some(Status::Expired), ..Facts::default() };
    let expired = tell(9, event(9, Kind::Preauth, &["auth"], facts));
    let mut played = Told::new(&[preauth(), expired, capture("c"), of_authorization(10, &["cap"], 40)]);
    let before = played.record(Kind::Payment, "c");
    assert_eq!(played.status(Kind::Preauth, "a"), Status::Succeeded, "only the rest has expired");
    played.step(&capture("d"));
    assert_eq!(played.status(Kind::Preauth, "a"), Status::Expired);
    assert_eq!((played.paid("c"), played.outcome(10)), (0, Outcome::DeadLetter));
    assert!(played.is_owed("c") && played.is_owed("a"), "{:?}", played.owed);
    assert_eq!(played.record(Kind::Payment, "c").version, before.version + 1);
    assert!(played.record(Kind::Preauth, "a").captures.is_empty());
    let [Finding { what: FindingKind::TakenBack, record: Some(record), count: 1, .. }] = &played.findings[..] else {
        panic!("{:?}", played.findings)
    };
    assert_eq!(*record, key(Kind::Payment, "c"));
    assert!(played.reason().contains("names only an authorization"), "{}", played.reason());
    played.step(&capture("d"));
    assert_eq!((&played.owed[..], &played.findings[..]), (&[][..], &[][..]), "once");
    played.step(&tell(11, booked(11, &["cap"], 40)));
    assert_eq!(played.outcome(11), Outcome::Parked, "the id that it taught leads nowhere");
}

/// An event that names the second capture is no dead letter.
#[test]
fn what_is_taken_back_goes_to_the_capture_that_it_names() {
    let news = || [of_authorization(10, &["cap"], 40), tell(11, booked(11, &["cap"], 30))];
    let [one, two] = news();
    let orders = [
        vec![preauth(), capture("c"), one.clone(), two.clone(), capture_as("d", "cap")],
        vec![preauth(), capture("c"), capture_as("d", "cap"), one.clone(), two.clone()],
        vec![one, two, capture("c"), capture_as("d", "cap"), preauth()],
    ];
    for order in orders {
        let played = Told::new(&order);
        assert_eq!((played.paid("c"), played.paid("d"), played.reason()), (0, 30, String::new()));
        assert_eq!(played.record(Kind::Preauth, "a").captures.len(), 1);
    }
}

/// A capture that is registered with its id keeps the events of that id when another capture comes.
#[test]
fn a_capture_that_gets_its_id_keeps_the_events_of_that_id() {
    let news = of_authorization(10, &["cap"], 40);
    let orders = [
        vec![preauth(), capture("c"), news.clone(), capture_as("c", "cap"), capture("d")],
        vec![preauth(), capture_as("c", "cap"), news.clone(), capture("d")],
        vec![preauth(), capture("d"), capture_as("c", "cap"), news.clone()],
        vec![news.clone(), capture("d"), preauth(), capture_as("c", "cap")],
    ];
    for (n, order) in orders.into_iter().enumerate() {
        let played = Told::new(&order);
        assert_eq!((played.paid("c"), played.outcome(10)), (40, Outcome::Applied), "order {n}: {}", played.reason());
    }
    let mut played = Told::new(&[preauth(), capture("c"), news]);
    let before = played.record(Kind::Payment, "c");
    played.step(&capture_as("c", "cap"));
    let after = played.record(Kind::Payment, "c");
    assert_eq!((after.version, &played.owed[..]), (before.version, &[][..]), "it shows the same");
    assert!(after.placed.is_empty() && !after.seen.is_empty());
}

#[test]
fn money_of_another_capture_waits_for_it() {
    let news = of_authorization(10, &["cap-2"], 40);
    let known = [preauth(), capture_as("c", "cap-1"), news.clone()];
    let mut played = Told::new(&known);
    assert_eq!((played.outcome(10), played.paid("c")), (Outcome::Parked, 0));
    assert_eq!(
        played.waits_for(),
        ["captured:auth", "captures:a", "psp:payment:cap-2"],
        "the authorization is never a payment's id"
    );
    played.step(&capture_as("d", "cap-2"));
    assert_eq!((played.paid("d"), played.outcome(10)), (40, Outcome::Applied));
    let later = Told::new(&[preauth(), capture("c"), news, capture_as("c", "cap-1"), capture_as("d", "cap-2")]);
    assert_eq!((later.paid("c"), later.paid("d"), later.reason()), (0, 40, String::new()));
}

#[test]
fn a_payment_that_captures_another_preauthorization_leaves_the_first() {
    let other = Step::Register(Kind::Preauth, "b", json!({"requestedAmount": 100, "currency": "EUR"}));
    let paid = json!({"preauthTransactionId": "a", "requestedAmount": 40, "currency": "EUR", "status": "Succeeded"});
    let mut played = Told::new(&[preauth(), other, Step::Register(Kind::Payment, "c", paid)]);
    assert_eq!(played.record(Kind::Preauth, "a").captures.len(), 1);
    played.step(&Step::Register(Kind::Payment, "c", json!({"preauthTransactionId": "b"})));
    let captures = ["a", "b"].map(|id| played.record(Kind::Preauth, id).captures.len());
    assert_eq!(captures, [0, 1]);
}

#[test]
fn a_refund_that_nobody_registered_is_told_of_with_its_payment() {
    let orders = [
        [payment(), tell(10, booked(10, &["pi"], 100)), tell(11, given_back(11, "re", 30))],
        [tell(11, given_back(11, "re", 30)), payment(), tell(10, booked(10, &["pi"], 100))],
    ];
    for order in orders {
        let mut played = Told::new(&order);
        assert!(
            matches!(played.outcome(11), Outcome::Applied | Outcome::Repeated),
            "before the money it shows nothing"
        );
        assert_eq!((played.refunded(), played.waits_for()), (30, Vec::new()));
        assert!(played.is_owed("p"));
        let own = Event { payment_ids: Vec::new(), ..given_back(12, "re", 35) };
        played.step(&tell(12, own));
        assert_eq!((played.refunded(), played.outcome(12)), (35, Outcome::Applied), "by its own id");
    }
}

#[test]
fn a_registration_takes_over_what_was_told_of_the_refund() {
    let named = Event { references: vec!["r".parse().unwrap()], ..given_back(11, "re", 30) };
    for (event, said) in [(given_back(11, "re", 30), json!({"pspTransactionId": "re"})), (named, json!({}))] {
        let known = [payment(), tell(10, booked(10, &["pi"], 100)), tell(11, event.clone())];
        let mut played = Told::new(&known);
        let before = played.record(Kind::Payment, "p");
        played.step(&refund(&said));
        assert_eq!((played.refunded(), played.status(Kind::Refund, "r")), (30, Status::Succeeded));
        assert!(played.is_owed("r"));
        let after = played.record(Kind::Payment, "p");
        assert_eq!((after.version, after.seen.refunds.len()), (before.version, 0), "the payment shows the same");
        played.step(&tell(12, Event { payment_ids: Vec::new(), ..given_back(12, "re", 25) }));
        assert_eq!(played.refunded(), 25);
        let first = Told::new(&[payment(), refund(&said), known[1].clone(), known[2].clone()]);
        assert_eq!((first.refunded(), first.status(Kind::Refund, "r")), (30, Status::Succeeded));
        assert!(first.record(Kind::Payment, "p").seen.refunds.is_empty());
    }
}

/// A refund of unknown amount counts as all that was paid, until it is registered.
#[test]
fn a_takeover_that_changes_the_payment_tells_of_it() {
    let mut unknown = given_back(11, "re", 0);
    unknown.facts.refunded = None;
    let mut played = Told::new(&[payment(), tell(10, booked(10, &["pi"], 100)), tell(11, unknown)]);
    assert_eq!(played.refunded(), 100);
    let before = played.record(Kind::Payment, "p").version;
    played.step(&refund(&json!({"pspTransactionId": "re"})));
    assert_eq!((played.refunded(), played.record(Kind::Payment, "p").version), (30, before + 1));
    assert!(played.is_owed("p") && played.is_owed("r"));
}

#[test]
fn agreements_with_one_means_of_payment_hear_the_same() {
    let learned = tell(10, means(10, &["token", "card"], Status::Active));
    let ended = tell(11, means(11, &["card"], Status::Inactive));
    let orders = [
        [agreement("g", "token"), agreement("h", "token"), learned.clone(), ended.clone()],
        [agreement("g", "token"), learned.clone(), agreement("h", "token"), ended.clone()],
        [agreement("g", "token"), learned.clone(), ended.clone(), agreement("h", "token")],
        [ended, learned, agreement("g", "token"), agreement("h", "token")],
    ];
    for (n, order) in orders.into_iter().enumerate() {
        let played = Told::new(&order);
        let states = ["g", "h"].map(|id| played.status(Kind::Agreement, id));
        assert_eq!(states, [Status::Inactive; 2], "order {n}");
        assert!(played.is_owed("h"), "order {n}");
    }
}

/// The notification of the customer's end may be deleted by then.
#[test]
fn an_agreement_with_the_means_of_another_knows_the_end_of_their_customer() {
    let of =
        |event: Event| tell(event.at.as_second().try_into().unwrap(), Event { customers: vec!["cus".into()], ..event });
    let learned = of(means(10, &["token"], Status::Active));
    let deleted = of(means(11, &[], Status::Inactive));
    let mut played = Told::new(&[agreement("g", "token"), learned, deleted]);
    assert_eq!(played.status(Kind::Agreement, "g"), Status::Inactive);
    played.connection.execute_batch("DELETE FROM parked_keys; DELETE FROM parked").unwrap();
    played.step(&agreement("h", "token"));
    assert_eq!(played.status(Kind::Agreement, "h"), Status::Inactive);
}

#[test]
fn a_companion_waits_in_silence_and_does_its_work_later() {
    let with = json!({"pspTransactionId": "pi", "requestedAmount": 100, "currency": "EUR", "agreementId": "g"});
    let with = Step::Register(Kind::Payment, "p", with);
    let companion =
        || Event { companion: true, payment_ids: vec!["pi".into()], ..means(10, &["token"], Status::Active) };
    let unnamed = Step::Register(Kind::Agreement, "g", json!({}));
    let news = tell(10, companion());
    let orders = [
        vec![unnamed.clone(), with.clone(), news.clone()],
        vec![news.clone(), unnamed.clone(), with.clone()],
        vec![payment(), news.clone(), unnamed.clone(), with.clone()],
        vec![payment(), unnamed.clone(), with, news.clone()],
        vec![payment(), news.clone(), agreement("g", "token")],
    ];
    for (n, order) in orders.into_iter().enumerate() {
        let played = Told::new(&order);
        assert_eq!(played.status(Kind::Agreement, "g"), Status::Active, "order {n}");
        assert_eq!(played.outcome(10), Outcome::Applied, "order {n}");
        let mut later = played;
        later.step(&tell(11, means(11, &["token"], Status::Inactive)));
        assert_eq!(later.status(Kind::Agreement, "g"), Status::Inactive, "order {n}: it has learned the id");
    }
    let waits = Told::new(&[news]);
    assert_eq!((waits.outcome(10), waits.waits_for()), (Outcome::Ignored, Vec::new()));
    let counted = super::counts::parked(&waits.connection, "s").unwrap();
    assert_eq!(counted, 0);
}
