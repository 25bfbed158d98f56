//! Order of arrival: the notifications of one thing arrive in any order, any number of times, and the record ends the
//! same. All profiles, on the project's own fixtures. A profile may tell the same money in several notifications; here
//! it counts once.

use std::fs;

use rust_decimal::Decimal;
use transform_relay::domain::event::Event;
use transform_relay::domain::ids::{Kind, RecordKey};
use transform_relay::domain::message::{Meaning, Message};
use transform_relay::domain::record::{Record, Registered};
use transform_relay::domain::status::Status;
use transform_relay::domain::transition::{Layer, Transition, apply};
use transform_relay::domain::view::{Detail, View};
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::in_form::InForm;
use transform_relay::psp::meaning::normalise::normalise;
use transform_relay::psp::profile::catalogue::BUILT_IN;

use crate::fixtures;
use crate::support::contents::{Fetched, RECEIPT as NOW, fetched, profile, sent};

fn record(kind: Kind, requested: &str) -> Record {
    let registered = Registered {
        requested_amount: Some(requested.parse().unwrap()),
        currency: Some("EUR".parse().unwrap()),
        ..Registered::default()
    };
    let key = RecordKey::new(kind, "20260314-65f2c0de9a1b4c3d2e1f0a9b".parse().unwrap());
    Record::new(key, None, NOW, registered)
}

/// The events of fixtures, each read without fetching, or with its fetched object (`fetched/…`).
fn events(name: &str, fixtures: &[&str]) -> Vec<Event> {
    let profile = profile(name);
    let read = |fixture: &str| -> Vec<Message> {
        let file = format!("{fixture}.json");
        if fixture.starts_with("fetched/") {
            return vec![Fetched::read(&fixtures::file(name, &file)).message(profile)];
        }
        let text = fs::read(fixtures::body(name, &file)).unwrap();
        let received = Received { headers: &[], body: &text, at: NOW };
        normalise(profile, &InForm::new(&profile.forms[0], received), false).messages
    };
    let messages = fixtures.iter().flat_map(|fixture| read(fixture));
    let events = messages.flat_map(|message| match message.meaning {
        Meaning::Events(events) => events,
        other => panic!("{}: {other:?}", message.event_type),
    });
    // A companion is about another record than the message's own news.
    events.filter(|event| !event.companion).collect()
}

fn after<'a>(record: &Record, events: impl IntoIterator<Item = &'a Event>) -> Record {
    events.into_iter().fold(record.clone(), |record, event| apply(&record, event, Layer::Own, NOW).unwrap().0)
}

/// The record as Transform reads it after these events, whatever their order.
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

/// The events of all fixtures of a profile, fetched or as they are.
fn all_events(name: &str) -> Vec<Event> {
    let profile = profile(name);
    let mut messages = Vec::new();
    for file in fixtures::bodies(name) {
        let headers = fixtures::headers(&file);
        for form in profile.forms.iter().filter(|form| !form.pointer_only) {
            let body = sent(form, &file);
            let received = Received { headers: &headers, body: &body, at: NOW };
            messages.extend(normalise(profile, &InForm::new(form, received), false).messages);
        }
    }
    messages.extend(fetched(name).iter().map(|file| Fetched::read(file).message(profile)));
    messages.iter().flat_map(Message::events).cloned().collect()
}

/// The events that lead to one record of that kind: events with a common id, also through others in between.
fn histories(kind: Kind, events: &[Event]) -> Vec<Vec<Event>> {
    let ids = |event: &Event| -> Vec<String> {
        let named = event.references.iter().map(ToString::to_string);
        event.psp_ids.iter().chain(&event.shared_ids).cloned().chain(named).collect()
    };
    let mut found: Vec<(Vec<String>, Vec<Event>)> = Vec::new();
    for event in events.iter().filter(|event| event.kinds.contains(&kind)) {
        let mut own = (ids(event), vec![event.clone()]);
        let ours: Vec<_> = found.extract_if(.., |(known, _)| known.iter().any(|id| own.0.contains(id))).collect();
        for (known, events) in ours {
            own.0.extend(known);
            own.1.splice(0..0, events);
        }
        found.push(own);
    }
    found.into_iter().map(|(_, events)| events).collect()
}

/// Orders that differ much from each other and are the same in every run: steps through the list, forwards and
/// backwards.
fn many_orders(length: usize) -> Vec<Vec<usize>> {
    let coprime =
        |step: &usize| (2..=*step).all(|factor| !(length.is_multiple_of(factor) && step.is_multiple_of(factor)));
    let steps = (1..length.max(2)).filter(coprime).take(12);
    let there = steps.flat_map(|step| (0..length.min(5)).map(move |start| (start, step)));
    let there = there.map(|(start, step)| (0..length).map(|at| (start + at * step) % length).collect::<Vec<_>>());
    there.flat_map(|order| [order.iter().rev().copied().collect(), order]).collect()
}

/// Whatever the order in which the notifications of a PSP arrive, and however often, the records are the same.
pub(crate) fn in_many_orders(name: &str) {
    let events = all_events(name);
    for kind in Kind::ALL {
        for history in histories(kind, &events) {
            let currency = history.iter().find_map(|event| event.currency);
            let history: Vec<_> =
                history.into_iter().filter(|event| event.currency.is_none_or(|own| Some(own) == currency)).collect();
            let mut record = record(kind, "49.90");
            record.registered.currency = currency;
            let told = View::of(&after(&record, &history));
            for order in many_orders(history.len()) {
                let once = after(&record, order.iter().map(|at| &history[*at]));
                assert_eq!(View::of(&once), told, "{name}, {kind}: {:?}", history[0].psp_ids);
                let again = after(&once, order.iter().rev().map(|at| &history[*at]));
                assert_eq!((again.version, View::of(&again)), (once.version, told.clone()), "{name}, {kind}: again");
            }
        }
    }
}

/// The events that say that a reservation was made.
fn reservations(events: &[Event]) -> impl Iterator<Item = &Event> {
    let is_one = |event: &&Event| event.kinds.contains(&Kind::Preauth) && event.facts.status == Some(Status::Succeeded);
    events.iter().filter(is_one)
}

/// An authorization finds its record even if no preauthorization is registered, and it is no money there. Adyen's counts
/// as money, as far as is known: accounts that capture automatically tell nothing else.
pub(crate) fn authorizations(name: &str) {
    let events = all_events(name);
    // A verified means of payment may be a reservation of nothing. No payment asks for nothing.
    for event in events.iter().filter(|event| event.kinds.contains(&Kind::Preauth) && !event.companion) {
        assert!(event.kinds.contains(&Kind::Payment), "{name}: {} never leads to a payment", event.event_type);
    }
    for event in reservations(&events) {
        let told = format!("{name}: {}", event.event_type);
        let mut payment = record(Kind::Payment, "0.01");
        payment.registered.currency = event.currency;
        let books = event.facts.items.iter().any(|item| item.amount > Decimal::ZERO);
        assert!(!books || told == "adyen: AUTHORISATION", "{told}");
        let expected = if books { Status::Succeeded } else { Status::Pending };
        assert_eq!(View::of(&after(&payment, [event])).status, expected, "{told}");
        let preauth = Record { key: RecordKey { kind: Kind::Preauth, ..payment.key.clone() }, ..payment.clone() };
        assert_eq!(View::of(&after(&preauth, [event])).status, Status::Succeeded, "{told}");
        if !event.facts.items.is_empty() {
            continue;
        }
        // The payment stack may know better.
        payment.registered.status = Some(Status::Succeeded);
        assert_eq!(View::of(&after(&payment, [event])).status, Status::Succeeded, "{told}");
    }
}

/// Without them the tests of each PSP would try nothing.
#[test]
fn there_are_histories_and_authorizations_to_try() {
    let (mut longest, mut reserving) = (0, Vec::new());
    for (name, _) in BUILT_IN {
        let events = all_events(name);
        let lengths = Kind::ALL.iter().flat_map(|kind| histories(*kind, &events)).map(|history| history.len());
        longest = lengths.chain([longest]).max().unwrap();
        if reservations(&events).any(|event| event.facts.items.is_empty()) {
            reserving.push(name);
        }
    }
    assert!(longest >= 10, "{longest}");
    assert!(reserving.len() >= 17, "{reserving:?}");
}

/// A thief who tries stolen cards makes refused attempts without end, all for one payment.
#[test]
fn adyen_no_number_of_refused_attempts_keeps_the_payment_out() {
    let refused = &events("adyen", &["authorisation-false-expired-card"])[0];
    let refused: Vec<_> = (0..1005)
        .map(|n| {
            let mut event = refused.clone();
            event.key = format!("AUTHORISATION|NO{n}|false|");
            event.psp_ids = vec![format!("NO{n}")];
            event.facts.items[0].id = format!("NO{n}");
            event
        })
        .collect();
    let failed = after(&record(Kind::Payment, "89.25"), &refused);
    assert_eq!(paid(&View::of(&failed)), (Status::Failed, Decimal::ZERO));
    let genuine = events("adyen", &["authorisation-true", "capture-true"]);
    let settled = view(&failed, &genuine);
    assert_eq!(paid(&settled), (Status::Succeeded, dec("89.25")));
    assert_eq!(View::of(&after(&after(&failed, &genuine), &refused[..20])).status, Status::Succeeded);
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
    assert_eq!(paid(&view(&record(Kind::Payment, "49.90"), &told)), (Status::Pending, Decimal::ZERO));
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
            assert_ne!(apply(&once, event, Layer::Own, NOW).unwrap().1, Transition::Changed, "{fixture}");
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

/// The first event of each of these types among a profile's fixtures that may concern a record of that kind.
fn of_types(profile: &str, kind: Kind, types: &[&str]) -> Vec<Event> {
    let events = all_events(profile);
    let first = |wanted: &&str| {
        let fits = |event: &&Event| event.event_type == **wanted && event.kinds.contains(&kind);
        events.iter().find(fits).unwrap_or_else(|| panic!("{profile}: no {wanted}")).clone()
    };
    types.iter().map(first).collect()
}

/// The events are of one day: nothing tells their order.
#[test]
fn worldpay_wpg_an_order_that_is_authorised_was_not_refused() {
    let mut payment = record(Kind::Payment, "89.25");
    // The fixtures are in several currencies.
    payment.registered.currency = None;
    let told = |types: &[&str]| paid(&view(&payment, &of_types("worldpay-wpg", Kind::Payment, types)));
    let nothing = Decimal::ZERO;
    assert_eq!(told(&["SENT_FOR_AUTHORISATION", "REFUSED"]), (Status::Failed, nothing));
    assert_eq!(told(&["SENT_FOR_AUTHORISATION", "REFUSED", "AUTHORISED"]), (Status::Pending, nothing));
    assert_eq!(told(&["REFUSED", "AUTHORISED", "CANCELLED"]), (Status::Cancelled, nothing));
    assert_eq!(told(&["REFUSED", "AUTHORISED", "SETTLED"]), (Status::Succeeded, dec("89.25")));
}

#[test]
fn a_customer_who_is_done_takes_no_authorization_back() {
    let types = ["authorized", "completed"].map(|state| format!("payment.request.state-change.{state}"));
    let told = of_types("klarna", Kind::Preauth, &types.each_ref().map(String::as_str));
    assert_eq!(view(&record(Kind::Preauth, "49.90"), &told).status, Status::Succeeded);
}

#[test]
fn digital_river_a_dispute_that_is_told_again_hides_no_chargeback() {
    let mut told = of_types("digital-river", Kind::Payment, &["order.complete", "order.chargeback", "order.dispute"]);
    told[2].at = told[1].at + jiff::SignedDuration::from_hours(1);
    let mut payment = record(Kind::Payment, "37.81");
    payment.registered.currency = told[0].currency;
    let Detail::Payment(detail) = view(&payment, &told).detail else { panic!() };
    assert_eq!((detail.chargebacks.len(), detail.refundable), (1, Decimal::ZERO));
}
