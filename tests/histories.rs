//! What a record comes to when the notifications of one thing arrive in any order: PSPs on the project's own fixtures.
//! Profiles whose money stands in several notifications show here that it counts once.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;
use transform_relay::domain::event::Event;
use transform_relay::domain::ids::{Kind, RecordKey};
use transform_relay::domain::record::{Record, Registered, Seen};
use transform_relay::domain::status::Status;
use transform_relay::domain::transition::{Transition, apply};
use transform_relay::domain::view::{Detail, View};
use transform_relay::psp::catalogue::Catalogue;
use transform_relay::psp::normalise::{Meaning, Message, normalise, normalise_fetched};
use transform_relay::psp::received::Received;
use transform_relay::psp::verify::Verified;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn record(kind: Kind, requested: &str) -> Record {
    Record {
        key: RecordKey::new(kind, "20260314-65f2c0de9a1b4c3d2e1f0a9b".parse().unwrap()),
        source: None,
        registered_at: NOW,
        registered: Registered {
            requested_amount: Some(requested.parse().unwrap()),
            currency: Some("EUR".parse().unwrap()),
            ..Registered::default()
        },
        seen: Seen::default(),
        refunds: BTreeMap::new(),
        version: 1,
        last_updated: NOW,
    }
}

/// The events of fixtures, each read without fetching, or with what is fetched for it (`fetched/…`).
fn events(profile: &str, fixtures: &[&str]) -> Vec<Event> {
    let catalogue = Catalogue::built_in().unwrap();
    let profile = &catalogue.get(profile).unwrap().profile;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(&profile.name);
    let read = |fixture: &str| -> Vec<Message> {
        let text = fs::read(folder.join(format!("{fixture}.json"))).unwrap();
        if !fixture.starts_with("fetched/") {
            let received = Received { headers: &[], body: &text, at: NOW };
            return normalise(profile, &Verified::before(profile.forms[0].get_ref(), None, received), false).messages;
        }
        let fetched: Value = serde_json::from_slice(&text).unwrap();
        let form = profile.forms.iter().find(|form| fetched["form"] == *form.get_ref().name).unwrap().get_ref();
        let body = fetched["notification"].to_string();
        let received = Received { headers: &[], body: body.as_bytes(), at: NOW };
        vec![normalise_fetched(profile, form, &received, None, 0, fetched["answer"].to_string().as_bytes())]
    };
    let messages = fixtures.iter().flat_map(|fixture| read(fixture));
    let events = messages.flat_map(|message| match message.meaning {
        Meaning::Events(events) => events,
        other => panic!("{}: {other:?}", message.event_type),
    });
    events.collect()
}

fn after<'a>(record: &Record, events: impl IntoIterator<Item = &'a Event>) -> Record {
    events.into_iter().fold(record.clone(), |record, event| apply(&record, event, NOW).unwrap().0)
}

/// What Transform reads after these events, whatever their order.
fn view(record: &Record, events: &[Event]) -> View {
    let told = View::of(&after(record, events));
    for order in orders(events.len()) {
        let other = View::of(&after(record, order.iter().map(|at| &events[*at])));
        assert_eq!(other, told, "in the order {order:?}");
    }
    told
}

fn orders(length: usize) -> Vec<Vec<usize>> {
    if length == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(length - 1);
    let with_last = |order: &Vec<usize>| -> Vec<Vec<usize>> {
        (0..length).map(|at| [&order[..at], &[length - 1], &order[at..]].concat()).collect()
    };
    shorter.iter().flat_map(with_last).collect()
}

fn paid(view: &View) -> (Status, Decimal) {
    let Detail::Payment(detail) = &view.detail else { panic!("{view:?}") };
    (view.status, detail.payments.iter().map(|item| item.amount).sum())
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn mollie_a_capture_counts_once() {
    let capture = record(Kind::Payment, "20.00");
    let both = events("mollie", &["payment.paid-by-captures", "capture.succeeded"]);
    assert_eq!(paid(&view(&capture, &both)), (Status::Succeeded, dec("20.00")));
    let alone = events("mollie", &["payment.paid-by-captures"]);
    assert_eq!(paid(&view(&capture, &alone)), (Status::Succeeded, dec("20.00")));
    let fetched = events("mollie", &["fetched/capture-pending-payment-paid"]);
    let fetched: Vec<_> = fetched.into_iter().filter(|event| event.kinds == [Kind::Payment]).collect();
    assert_eq!(paid(&view(&capture, &fetched)), (Status::Succeeded, dec("20.00")));
    let later: Vec<_> = fetched.iter().chain(&both).cloned().collect();
    assert_eq!(paid(&view(&capture, &later)), (Status::Succeeded, dec("20.00")));
}

#[test]
fn mollie_what_is_only_authorised_is_no_payment() {
    let told = events("mollie", &["payment.pending", "payment.authorized"]);
    assert!(told.iter().all(|event| event.kinds != [Kind::Payment]));
    let view = view(&record(Kind::Preauth, "49.90"), &told);
    assert_eq!(
        (view.status, view.detail),
        (Status::Succeeded, Detail::Preauth { authorized: dec("49.90"), expires_at: None })
    );
}

#[test]
fn mollie_a_refund_fails_after_all_however_it_is_told() {
    let refund = record(Kind::Refund, "5.95");
    let as_events = ["refund.queued", "refund.refunded", "refund.failed"];
    let as_objects = ["object-refund-queued", "object-refund-refunded", "object-refund-failed"];
    for shape in [as_events, as_objects] {
        let told = events("mollie", &shape);
        assert_eq!(view(&refund, &told[..2]).status, Status::Succeeded, "{shape:?}");
        assert_eq!(view(&refund, &told).status, Status::Failed, "{shape:?}");
    }
}

#[test]
fn mollie_fetching_the_same_again_says_nothing_new() {
    let payment = record(Kind::Payment, "49.90");
    for fixture in ["fetched/paid", "fetched/failed", "fetched/refunded-and-charged-back", "fetched/captured-twice"] {
        let told = events("mollie", &[fixture]);
        let once = after(&payment, told.iter().filter(|event| event.kinds.contains(&Kind::Payment)));
        for event in told.iter().filter(|event| event.kinds.contains(&Kind::Payment)) {
            assert_ne!(apply(&once, event, NOW).unwrap().1, Transition::Changed, "{fixture}");
        }
    }
}

#[test]
fn gocardless_a_payment_may_fail_after_it_was_paid_out() {
    let payment = record(Kind::Payment, "49.90");
    for folder in ["", "fetched/"] {
        let named = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| format!("{folder}payments-{name}")).collect();
            events("gocardless", &names.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let life = named(&["created", "submitted", "confirmed", "paid_out", "failed-late"]);
        assert_eq!(paid(&view(&payment, &life)), (Status::Failed, Decimal::ZERO), "{folder}");
        assert_eq!(paid(&view(&payment, &life[..4])), (Status::Succeeded, dec("49.90")), "{folder}");
        let again = named(&["confirmed", "failed", "with-resource-metadata"]);
        assert_eq!(paid(&view(&payment, &again)), (Status::Succeeded, dec("49.90")), "{folder}");
    }
}

#[test]
fn gocardless_a_chargeback_takes_the_money_and_may_give_it_back() {
    let payment = record(Kind::Payment, "49.90");
    let names = ["confirmed", "charged_back", "chargeback_cancelled"].map(|name| format!("fetched/payments-{name}"));
    let life = events("gocardless", &names.each_ref().map(String::as_str));
    let refundable = |view: View| match view.detail {
        Detail::Payment(detail) => (view.status, detail.chargebacks.len(), detail.refundable),
        other => panic!("{other:?}"),
    };
    assert_eq!(refundable(view(&payment, &life[..2])), (Status::Succeeded, 1, Decimal::ZERO));
    assert_eq!(refundable(view(&payment, &life)), (Status::Succeeded, 0, dec("49.90")));
}
