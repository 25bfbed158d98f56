//! Tests of what names only an authorization, where events tell more than the registrations: which payment captured it, or
//! under which id of the PSP.

use serde_json::json;

use super::played::*;
use crate::domain::event::{Booking, Chargeback, Event, Facts, Loose};
use crate::domain::ids::Kind;
use crate::domain::status::Status;
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

/// The first event of a dispute may name only the authorization, and a later one the capture. The dispute is the capture's
/// then, in either order, and stays so when another capture is registered.
#[test]
fn what_an_event_shows_to_be_the_captures_stays_there() {
    let of_dispute = |n: u128| {
        let Step::Tell(_, disputed) = disputed(n) else { panic!("an event") };
        Event { psp_ids: vec!["dispute".into()], ..*disputed }
    };
    let captured =
        Event { references: vec!["c".parse().unwrap()], originals: vec!["auth".into()], ..booked(9, &["cap"], 40) };
    let known = [preauth(), capture("c"), tell(9, captured)];
    let by_reference = Event { references: vec!["c".parse().unwrap()], ..of_dispute(11) };
    let by_id = Event { originals: vec!["cap".into()], ..of_dispute(11) };
    let loose = Loose { text: "signed".into(), unsigned: ["c".to_owned()].into() };
    let by_unsigned = Event { loose: Some(loose), ..by_reference.clone() };
    for (own, is_sure) in [(by_reference, true), (by_id, false), (by_unsigned, false)] {
        let (placed, own) = (tell(10, of_dispute(10)), tell(11, own));
        let ends = [[placed.clone(), own.clone()], [own, placed]].map(|told| {
            let mut played = Told::new(&[known.to_vec(), told.to_vec()].concat());
            assert_eq!(played.chargebacks("c"), 1);
            played.step(&capture_as("d", "cap-2"));
            assert_eq!((played.chargebacks("c"), played.chargebacks("d"), played.reason()), (1, 0, String::new()));
            played.record(Kind::Payment, "c")
        });
        assert!(ends.iter().all(|record| record.placed.is_empty() == is_sure), "{ends:?}");
        assert_eq!((&ends[0].seen, &ends[0].placed), (&ends[1].seen, &ends[1].placed));
    }
}

/// An event that turns out to be the capture's own may show the same of events that came before it, by another id.
#[test]
fn what_turns_out_to_be_the_captures_own_shows_the_same_of_what_came_before_it() {
    let placed = |n: u128, psp_ids: &[&str]| {
        tell(n, Event { originals: vec!["auth".into()], ..event(n, Kind::Payment, psp_ids, Facts::default()) })
    };
    let own = Event { references: vec!["c".parse().unwrap()], ..event(12, Kind::Payment, &["x"], Facts::default()) };
    let told = [placed(10, &["y"]), placed(11, &["x", "y"]), tell(12, own)];
    let mut ends = orders(&told).into_iter().map(|order| {
        let played = Told::new(&[vec![preauth(), capture("c")], order].concat());
        (played.record(Kind::Payment, "c"), placed_on(&played))
    });
    let first = ends.next().unwrap();
    assert_eq!(first.1, 0, "{:?}", first.0);
    ends.for_each(|end| assert_eq!((end.0.seen, end.1), (first.0.seen.clone(), 0)));
}

/// The number of events that are placed on some record.
fn placed_on(played: &Told) -> i64 {
    played.connection.query_row("SELECT count(*) FROM placed", [], |row| row.get(0)).unwrap()
}

/// The authorizations that an own event of the capture names lead to the capture, also if the event was placed at first.
#[test]
fn what_turns_out_to_be_the_captures_own_leads_from_its_authorization_too() {
    let named = Event {
        originals: vec!["auth".into(), "older auth".into()],
        ..event(10, Kind::Payment, &["x"], Facts::default())
    };
    let own = Event { references: vec!["c".parse().unwrap()], ..event(11, Kind::Payment, &["x"], Facts::default()) };
    let late = Event { originals: vec!["older auth".into()], ..event(12, Kind::Payment, &["z"], Facts::default()) };
    let both = Event { originals: vec!["auth".into()], ..event(13, Kind::Payment, &["y", "x"], Facts::default()) };
    let named = Event { psp_ids: vec!["y".into()], ..named };
    // The payment's own authorization is known.
    let first = Event {
        references: vec!["c".parse().unwrap()],
        originals: vec!["auth".into()],
        ..event(9, Kind::Payment, &[], Facts::default())
    };
    let told = [tell(10, named), tell(13, both), tell(11, own), tell(12, late)];
    for (n, order) in orders(&told).into_iter().enumerate() {
        let played = Told::new(&[vec![preauth(), capture("c"), tell(9, first.clone())], order].concat());
        assert_eq!(played.waits_for(), Vec::<String>::new(), "order {n}");
        assert_eq!(placed_on(&played), 1, "order {n}");
    }
}

/// A dispute may be placed on the only payment that is known as a capture by then. Another one takes it by the id that is its own.
#[test]
fn an_id_that_is_a_payments_own_leads_there_and_no_more_to_where_an_event_was_placed() {
    let of_dispute = |n: u128| {
        let Step::Tell(_, disputed) = disputed(n) else { panic!("an event") };
        Event { psp_ids: vec!["dispute".into()], ..*disputed }
    };
    let known = [unlinked("c", "cap"), unlinked("d", "cap-2"), of_authorization(9, &["cap-2"], 40)];
    let by_reference = Event { references: vec!["c".parse().unwrap()], ..of_dispute(11) };
    let by_id = Event { originals: vec!["cap".into()], ..of_dispute(11) };
    let registered = Step::Register(Kind::Payment, "c", json!({"pspTransactionId": "dispute"}));
    for own in [tell(11, by_reference), tell(11, by_id), registered] {
        let told = [tell(10, of_dispute(10)), own];
        for order in orders(&told) {
            let played = Told::new(&[known.to_vec(), order].concat());
            assert_eq!((played.chargebacks("c"), played.chargebacks("d")), (1, 0));
        }
    }
}

/// The same holds for a refund, which may name the authorization first and the capture later.
#[test]
fn a_refund_that_names_its_payment_leaves_the_one_on_which_it_was_placed() {
    let of = |n: u128, payment: &str| {
        tell(n, Event { payment_ids: vec![payment.into()], originals: Vec::new(), ..given_back(n, "re", 10) })
    };
    let captured = Event { references: vec!["c".parse().unwrap()], ..booked(8, &["cap"], 40) };
    let known = [unlinked("c", "cap"), unlinked("d", "cap-2"), tell(8, captured), of_authorization(9, &["cap-2"], 40)];
    for order in orders(&[of(10, "auth"), of(11, "cap")]) {
        let played = Told::new(&[known.to_vec(), order].concat());
        assert_eq!((played.given_back("c"), played.given_back("d")), (10, 0));
    }
}

/// The merchant's reference may be of any form, and its record may be registered after the event was placed on another payment.
#[test]
fn an_event_leaves_where_it_was_placed_once_the_record_that_it_names_is_registered() {
    let Step::Tell(_, dispute) = disputed(10) else { panic!("an event") };
    let named = Event {
        references: vec!["order-1".parse().unwrap()],
        shared_ids: dispute.originals.clone(),
        originals: Vec::new(),
        ..*dispute
    };
    let registered = Step::Register(Kind::Payment, "order-1", json!({"requestedAmount": 40, "currency": "EUR"}));
    let known = [preauth(), capture("c")];
    let mut placed = Told::new(&[known.to_vec(), vec![tell(10, named.clone())]].concat());
    assert_eq!((placed.chargebacks("c"), placed.waits_for()), (1, Vec::new()));
    placed.step(&registered);
    let later = Told::new(&[known.to_vec(), vec![registered, tell(10, named)]].concat());
    for played in [placed, later] {
        assert_eq!((played.chargebacks("c"), played.chargebacks("order-1")), (0, 1));
        assert_eq!(played.outcome(10), Outcome::Applied);
    }
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

/// The event could be meant for either capture, until both have other ids. Then it waits for a third.
#[test]
fn a_dead_letter_waits_for_another_capture_once_the_known_ones_have_other_ids() {
    let told = [preauth(), of_authorization(10, &["cap-3"], 40), capture_as("c", "cap"), capture_as("d", "cap-2")];
    for (n, order) in orders(&told).into_iter().enumerate() {
        let known = [capture("c"), capture("d")];
        let mut played = Told::new(&[known.to_vec(), order].concat());
        assert_eq!((played.outcome(10), played.reason()), (Outcome::Parked, String::new()), "order {n}");
        played.step(&capture_as("e", "cap-3"));
        assert_eq!((played.outcome(10), played.paid("e")), (Outcome::Applied, 40), "order {n}");
        assert_eq!((played.paid("c"), played.paid("d"), played.waits_for()), (0, 0, Vec::new()), "order {n}");
    }
}

/// A refund that names its own record waits for that. It does not go where the capture was placed that it refunds.
#[test]
fn a_refund_that_names_its_record_waits_for_it() {
    let id = "20260314-000000000000000000000007";
    let back = Event {
        references: vec![id.parse().unwrap()],
        payment_ids: vec!["cap-3".into()],
        originals: Vec::new(),
        ..given_back(11, "re", 10)
    };
    let refund = Step::Register(
        Kind::Refund,
        id,
        json!({"paymentTransactionId": "e", "requestedAmount": 10, "currency": "EUR"}),
    );
    let told = [of_authorization(10, &["cap-3"], 40), tell(11, back), refund];
    for (n, order) in orders(&told).into_iter().enumerate() {
        let played = Told::new(&[vec![preauth(), capture("c")], order].concat());
        assert_eq!((played.status(Kind::Refund, id), played.given_back("c")), (Status::Succeeded, 0), "order {n}");
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

/// The contract lets a capture share the id of its authorization. Then the events of all captures name that id as their original.
#[test]
fn a_capture_under_the_authorizations_id_yields_what_is_registered_as_another_capture() {
    let shared = Step::Register(Kind::Preauth, "a", json!({"requestedAmount": 100, "currency": "EUR"}));
    let dispute = |n: u128, of: &str| {
        let Step::Tell(_, disputed) = disputed(n) else { panic!("an event") };
        tell(n, Event { originals: vec![of.into()], ..*disputed })
    };
    let told = [
        capture_as("c", "auth"),
        of_authorization(10, &["cap"], 40),
        capture_as("d", "cap-2"),
        of_authorization(11, &["cap-2"], 30),
        dispute(12, "cap-2"),
    ];
    for (n, order) in orders(&told).into_iter().enumerate() {
        let played = Told::new(&[vec![shared.clone()], order].concat());
        assert_eq!((played.paid("c"), played.paid("d")), (40, 30), "order {n}");
        assert_eq!((played.chargebacks("c"), played.chargebacks("d")), (0, 1), "order {n}");
        assert_eq!((played.reason(), played.waits_for()), (String::new(), Vec::new()), "order {n}");
    }
}

/// The merchant's references may be of any form. Then only the registrations show that they are those of two captures.
#[test]
fn a_capture_under_the_authorizations_id_yields_what_names_another_captures_reference() {
    let named = |n: u128, psp_id: &str, reference: &str| {
        let Step::Tell(_, of_authorization) = of_authorization(n, &[psp_id], 40) else { panic!("an event") };
        tell(n, Event { references: vec![reference.parse().unwrap()], ..*of_authorization })
    };
    let told = [
        preauth(),
        capture_as("c", "auth"),
        named(10, "cap", "order-1"),
        capture("order-2"),
        named(11, "cap-2", "order-2"),
    ];
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(order);
        assert_eq!((played.paid("c"), played.paid("order-2")), (40, 40), "order {n}");
        assert_eq!((played.reason(), played.waits_for()), (String::new(), Vec::new()), "order {n}");
    }
}

/// The events of one dispute may name the authorization first, and the capture later. What leads by an id of the capture's own leads
/// more surely than by that of the authorization, although another capture has that.
#[test]
fn a_dispute_of_another_capture_leaves_the_capture_under_the_authorizations_id() {
    let of_dispute = |n: u128, of: &str| {
        let Step::Tell(_, disputed) = disputed(n) else { panic!("an event") };
        tell(n, Event { psp_ids: vec!["dispute".into()], originals: vec![of.into()], ..*disputed })
    };
    let captures = [preauth(), capture_as("c", "auth"), capture_as("d", "cap-2")];
    let told = [&captures[..], &[of_dispute(10, "auth"), of_dispute(11, "cap-2")]].concat();
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(order);
        assert_eq!((played.chargebacks("c"), played.chargebacks("d")), (0, 1), "order {n}");
    }
}

/// A record keeps no trace of the way: whether it learned its id from an event or from the registration.
#[test]
fn a_dispute_by_the_captures_own_id_is_its_own_however_the_id_was_learned() {
    let Step::Tell(_, disputed) = disputed(11) else { panic!("an event") };
    let dispute = tell(11, Event { originals: vec!["cap".into()], ..*disputed });
    let captured =
        Event { references: vec!["c".parse().unwrap()], originals: vec!["auth".into()], ..booked(10, &["cap"], 40) };
    let told = [preauth(), capture("c"), capture_as("c", "cap"), tell(10, captured), dispute];
    let mut ends = orders(&told).into_iter().map(|order| {
        let played = Told::new(&order);
        assert_eq!(played.chargebacks("c"), 1);
        played.record(Kind::Payment, "c")
    });
    let first = ends.next().unwrap();
    ends.for_each(|end| assert_eq!((end.seen, end.placed), (first.seen.clone(), first.placed.clone())));
}

/// While the preauthorization is known by an attempt that was declined, the authorization's id could be the capture's own.
#[test]
fn an_event_of_another_capture_leaves_once_the_id_turns_out_to_be_the_authorizations() {
    let unnamed = Step::Register(Kind::Preauth, "a", json!({"requestedAmount": 100, "currency": "EUR"}));
    let attempt = |n: u128, psp_id: &str, status| {
        let facts = Facts { status: Some(status), ..Facts::default() };
        tell(n, Event { references: vec!["a".parse().unwrap()], ..event(n, Kind::Preauth, &[psp_id], facts) })
    };
    let told = [
        unnamed,
        attempt(8, "declined", Status::Failed),
        attempt(9, "auth", Status::Succeeded),
        capture_as("c", "auth"),
        of_authorization(10, &["cap-2"], 40),
        capture_as("d", "cap-2"),
    ];
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(order);
        assert_eq!((played.paid("c"), played.paid("d"), played.waits_for()), (0, 40, Vec::new()), "order {n}");
    }
}

/// Nothing tells which of both ids is the authorization's. Still all orders end the same.
#[test]
fn a_dispute_with_ids_of_two_captures_ends_the_same_in_any_order() {
    let of_dispute = |n: u128, of: &[&str]| {
        let Step::Tell(_, disputed) = disputed(n) else { panic!("an event") };
        let originals = of.iter().map(ToString::to_string).collect();
        tell(n, Event { psp_ids: vec!["dispute".into()], originals, ..*disputed })
    };
    let captures = [capture("c"), capture_as("c", "auth"), capture("d"), capture_as("d", "cap-2")];
    for dispute in [
        [of_dispute(10, &["auth"]), of_dispute(11, &["cap-2"])],
        [of_dispute(10, &["auth", "cap-2"]), of_dispute(11, &[])],
    ] {
        let mut ends = orders(&[&captures[..], &dispute].concat()).into_iter().map(|order| {
            let played = Told::new(&order);
            (played.chargebacks("c"), played.chargebacks("d"), played.reason(), played.waits_for(), placed_on(&played))
        });
        let first = ends.next().unwrap();
        assert_eq!((first.0 + first.1, &first.2[..]), (1, ""));
        ends.enumerate().for_each(|(n, end)| assert_eq!(end, first, "order {n}"));
    }
}

/// A refund that names a record to come takes no way that only a guess has shown. It takes the same way once that is sure.
#[test]
fn a_refund_that_names_its_record_is_released_once_its_way_is_sure() {
    let of = |n: u128, payment: &str, refers: Option<&str>| {
        let references = refers.map(|id| id.parse().unwrap()).into_iter().collect();
        tell(n, Event { payment_ids: vec![payment.into()], references, ..given_back(n, "re", 10) })
    };
    let to_come = Some("20260314-000000000000000000000006");
    let told = [preauth(), capture_as("c", "cap"), of(10, "auth", None), of(11, "auth", to_come), of(12, "cap", None)];
    for (n, mut order) in orders(&told).into_iter().enumerate() {
        order.push(tell(13, booked(13, &["cap"], 40)));
        let played = Told::new(&order);
        assert_eq!((played.given_back("c"), played.waits_for()), (10, Vec::new()), "order {n}");
    }
}

/// The preauthorization is bound to no source when it is registered. What events tell of its captures is.
#[test]
fn a_preauthorization_of_no_source_yet_takes_back_what_a_payment_had_that_captured_it_by_what_events_tell() {
    let told =
        [capture_as("c", "cap"), unlinked("d", "cap-2"), of_authorization(10, &["cap-2"], 40), disputed(11), preauth()];
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(order);
        assert_eq!((played.chargebacks("d"), played.outcome(11)), (0, Outcome::DeadLetter), "order {n}");
    }
}

/// An event that could mean either capture means the one that is left.
#[test]
fn a_dead_letter_finds_its_capture_once_the_other_one_is_removed() {
    let mut played = Told::new(&[preauth(), capture("c"), capture("d"), of_authorization(10, &["cap"], 40)]);
    assert_eq!((played.paid("d"), played.outcome(10)), (0, Outcome::DeadLetter));
    played.second += 10;
    let options = super::rehearse::without_limits();
    super::one_by_one::remove(&played.connection, &options, &key(Kind::Payment, "c"), moment(played.second))
        .unwrap()
        .unwrap();
    assert_eq!((played.paid("d"), played.outcome(10), played.reason()), (40, Outcome::Applied, String::new()));
}

/// A preauthorization was registered under the id of another one. Once it is amended, no event of that is meant for its captures.
#[test]
fn a_dead_letter_waits_once_the_preauthorization_has_another_id() {
    let registered = |psp_id: &str| {
        Step::Register(
            Kind::Preauth,
            "a",
            json!({"pspTransactionId": psp_id, "requestedAmount": 100, "currency": "EUR"}),
        )
    };
    let told = [capture("c"), capture("d"), of_authorization(10, &["cap"], 40), registered("right")];
    for (n, order) in orders(&told).iter().enumerate() {
        let played = Told::new(&[vec![registered("auth")], order.clone()].concat());
        assert_eq!((played.outcome(10), played.reason()), (Outcome::Parked, String::new()), "order {n}");
    }
}
