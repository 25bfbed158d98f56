//! Tests of events that concern a further record beside the one that they find: the record that a refund names, the agreement of a
//! payment, agreements that share a means of payment. It may be registered at any time.

use serde_json::json;

use super::played::*;
use crate::domain::event::{Event, Loose};
use crate::domain::ids::Kind;
use crate::domain::status::Status;
use crate::store::FindingKind;

/// The payment that the PSP names may be another capture's: the refund's own record says to which it belongs.
#[test]
fn a_refund_goes_to_the_record_that_it_names_from_whatever_payment_it_found() {
    let id = "20260314-000000000000000000000008";
    let refund = Step::Register(
        Kind::Refund,
        id,
        json!({"paymentTransactionId": "d", "requestedAmount": 10, "currency": "EUR"}),
    );
    let back = |n: u128, references: &[&str]| {
        let references = references.iter().map(|id| id.parse().unwrap()).collect();
        tell(n, Event { references, payment_ids: vec!["auth".into()], ..given_back(n, "re", 10) })
    };
    for others in [vec![], vec![back(9, &[])]] {
        let told = [&[capture_as("c", "auth"), back(10, &[id]), capture_as("d", "cap-2"), refund.clone()], &others[..]];
        for (n, order) in orders(&told.concat()).into_iter().enumerate() {
            let paid = [tell(1, booked(1, &["auth"], 40)), tell(2, booked(2, &["cap-2"], 40))];
            let played = Told::new(&[order, paid.to_vec()].concat());
            assert_eq!((played.given_back("c"), played.given_back("d")), (0, 10), "order {n}");
            assert_eq!(played.status(Kind::Refund, id), Status::Succeeded, "order {n}");
            assert_eq!((played.reason(), played.waits_for()), (String::new(), Vec::new()), "order {n}");
        }
    }
}

/// Many PSPs return the payment's reference with a refund: no record of the refund's own is named then.
#[test]
fn a_refund_that_names_its_payment_waits_for_nothing_more() {
    let named = Event { references: vec!["p".parse().unwrap()], ..given_back(10, "re", 30) };
    for order in orders(&[payment(), tell(10, named), tell(11, booked(11, &["pi"], 100))]) {
        let played = Told::new(&order);
        let waiting: i64 = played.connection.query_row("SELECT count(*) FROM parked", [], |row| row.get(0)).unwrap();
        assert_eq!((played.refunded(), waiting), (30, 0));
    }
}

/// One card, two contracts: the payment was made for one of them with the means that the other has.
#[test]
fn a_payment_shows_its_agreement_a_means_that_another_agreement_has() {
    let unnamed = Step::Register(Kind::Agreement, "h", json!({}));
    let paid = json!({"pspTransactionId": "pi", "requestedAmount": 100, "currency": "EUR", "agreementId": "h"});
    let used = Event { companion: true, payment_ids: vec!["pi".into()], ..means(10, &["token"], Status::Active) };
    let told = [agreement("g", "token"), unnamed, Step::Register(Kind::Payment, "p", paid), tell(10, used)];
    for (n, order) in orders(&told).iter().enumerate() {
        let mut played = Told::new(order);
        let active = (Status::Active, Status::Active);
        assert_eq!((played.status(Kind::Agreement, "g"), played.status(Kind::Agreement, "h")), active, "order {n}");
        played.step(&tell(11, means(11, &["token"], Status::Inactive)));
        assert_eq!(played.status(Kind::Agreement, "h"), Status::Inactive, "order {n}: it has learned the id");
    }
}

/// The capture of a payment without an agreement is placed, and finds its way anew each time that its companion is applied.
#[test]
fn a_companion_of_a_placed_event_waits_for_the_payments_agreement_once() {
    let placed = Event { originals: vec!["auth".into()], ..booked(10, &["cap"], 40) };
    let used = Event { companion: true, payment_ids: vec!["cap".into()], ..means(10, &["token"], Status::Active) };
    let known = [preauth(), capture("c"), agreement("g", "token")];
    for events in [[placed.clone(), used.clone()], [used, placed]] {
        let mut played = Told::new(&known);
        played.tell(10, &events);
        assert_eq!((played.paid("c"), played.status(Kind::Agreement, "g")), (40, Status::Active));
        played.step(&Step::Register(Kind::Agreement, "h", json!({})));
        played.step(&Step::Register(Kind::Payment, "c", json!({"agreementId": "h"})));
        assert_eq!(played.status(Kind::Agreement, "h"), Status::Active);
    }
}

/// The payment that was the only capture is not the right one: the companion goes to the agreement of that one.
#[test]
fn a_companion_follows_its_capture_to_the_right_payment() {
    #[derive(Clone)]
    enum Turn {
        Register(Step),
        Tell,
    }
    let right = json!({
        "preauthTransactionId": "a", "requestedAmount": 40, "currency": "EUR", "pspTransactionId": "cap", "agreementId": "h",
    });
    let registered = [
        preauth(),
        capture("c"),
        Step::Register(Kind::Payment, "d", right),
        Step::Register(Kind::Agreement, "h", json!({})),
    ];
    let captured = Event { originals: vec!["auth".into()], ..booked(10, &["cap"], 40) };
    let used = Event { companion: true, payment_ids: vec!["cap".into()], ..means(10, &["token"], Status::Active) };
    let turns = [registered.map(Turn::Register).to_vec(), vec![Turn::Tell]].concat();
    for (n, order) in orders(&turns).into_iter().enumerate() {
        let mut played = Told::new(&[]);
        for turn in order {
            match turn {
                Turn::Register(step) => played.step(&step),
                Turn::Tell => drop(played.tell(10, &[captured.clone(), used.clone()])),
            }
        }
        assert_eq!((played.paid("c"), played.paid("d")), (0, 40), "order {n}");
        assert_eq!(played.status(Kind::Agreement, "h"), Status::Active, "order {n}");
    }
}

/// The first event of a refund may name no record, and the next one its record by a reference that is not signed. The capture under
/// the authorization's id has the refund until then.
#[test]
fn a_refund_leaves_its_payment_for_the_record_that_an_unsigned_reference_names() {
    let back = |n: u128| Event { payment_ids: vec!["auth".into()], ..given_back(n, "re", 10) };
    let loose = Loose { text: "signed".into(), unsigned: ["r".to_owned()].into() };
    let named = Event { references: vec!["r".parse().unwrap()], loose: Some(loose), ..back(11) };
    let refund = Step::Register(
        Kind::Refund,
        "r",
        json!({"paymentTransactionId": "c", "requestedAmount": 10, "currency": "EUR"}),
    );
    let told = [preauth(), capture_as("c", "auth"), refund, tell(10, back(10)), tell(11, named)];
    let mut ends = orders(&told).into_iter().map(|order| {
        let played = Told::new(&order);
        (played.record(Kind::Refund, "r").seen, played.record(Kind::Payment, "c").seen, played.waits_for())
    });
    let first = ends.next().unwrap();
    assert_eq!((first.0.attempts.len(), first.1.refunds.len()), (1, 0));
    ends.enumerate().for_each(|(n, end)| assert_eq!(end, first, "order {n}"));
}

/// The event was placed on the only capture, and the refund has waited for its payment.
#[test]
fn a_payment_that_gets_money_and_refunds_with_its_registration_may_be_over_refunded() {
    let said = json!({"paymentTransactionId": "d", "pspTransactionId": "re", "requestedAmount": 50, "currency": "EUR"});
    let placed = Event { originals: vec!["auth".into()], ..booked(10, &["cap"], 40) };
    let refund = [Step::Register(Kind::Refund, "r", said), tell(11, given_back(11, "re", 50))];
    let mut played = Told::new(&[&[preauth(), capture("c"), tell(10, placed)][..], &refund].concat());
    assert_eq!((played.paid("c"), played.findings.len()), (40, 0));
    played.step(&capture_as("d", "cap"));
    assert_eq!((played.paid("c"), played.paid("d")), (0, 40));
    let found: Vec<_> = played.findings.iter().map(|finding| finding.what).collect();
    assert_eq!(found, [FindingKind::OverRefunded]);
}

/// An attempt to store a means of payment may only share its id, as one that has failed.
#[test]
fn agreements_that_share_a_means_share_what_only_shares_its_id() {
    let failed = Event { shared_ids: vec!["token".into()], ..means(10, &["setup"], Status::Inactive) };
    let told = [agreement("g", "token"), agreement("h", "token"), tell(10, failed)];
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(order);
        let ended = (Status::Inactive, Status::Inactive);
        assert_eq!((played.status(Kind::Agreement, "g"), played.status(Kind::Agreement, "h")), ended, "order {n}");
    }
}
