//! The view of any history is the one of the ledger.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::history::{Told, events, histories, registered, told};
use super::ledger::{Tried, life_by, place, said};
use super::money_ledger::MoneyLedger;
use super::state_ledger::{StateLedger, balance};
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::status::Status;
use crate::domain::view::{Detail, View, paid};

fn of_kind(kind: Kind) -> impl Strategy<Value = (Record, Vec<Told>)> {
    (registered(kind), events(kind))
}

proptest! {
    #[test]
    fn the_state_and_the_id_are_those_of_the_ledger((start, events) in histories()) {
        let view = View::of(&told(&start, &events));
        let ledger = StateLedger::of(&start, &events);
        let status = match start.key.kind {
            Kind::Payment => MoneyLedger::of(&start, &events, &ledger).status,
            _ => ledger.named.status,
        };
        prop_assert_eq!(view.status, status, "{:?}", ledger);
        prop_assert_eq!(view.psp_id.clone(), ledger.psp_id(&start));
        let error = ledger.named.error.clone().filter(|_| status == ledger.named.status);
        prop_assert_eq!(view.error_since, (status == Status::Failed || error.is_some()).then_some(ledger.named.since));
        prop_assert_eq!(view.error, error);
    }

    #[test]
    fn a_preauthorization_has_what_its_standing_attempts_have_less_releases(
        (start, events) in of_kind(Kind::Preauth), captured in prop::option::weighted(0.3, 1..5_i64)
    ) {
        let ledger = StateLedger::of(&start, &events);
        let mut end = told(&start, &events);
        let captured = captured.map(Decimal::from);
        end.captures.extend(captured.map(|amount| ("capture".parse().unwrap(), amount)));
        let view = View::of(&end);
        let Detail::Preauth { authorized, .. } = view.detail else { panic!("a preauthorization") };
        let ended = matches!(ledger.named.status, Status::Failed | Status::Cancelled | Status::Expired);
        let expected = match (ledger.named.status, captured) {
            (Status::Succeeded, _) => ledger.sum(&start, |attempt| balance(&start, attempt)),
            (_, Some(captured)) if ended => captured,
            _ => Decimal::ZERO,
        };
        prop_assert_eq!(authorized, expected, "{:?}", ledger);
        let status = if ended && captured.is_some() { Status::Succeeded } else { ledger.named.status };
        prop_assert_eq!(view.status, status);
    }

    #[test]
    fn the_money_of_a_payment_is_that_of_the_ledger((start, events) in of_kind(Kind::Payment)) {
        let end = told(&start, &events);
        let view = View::of(&end);
        let Detail::Payment(detail) = &view.detail else { panic!("a payment") };
        let gone = detail.chargebacks.iter().map(|one| (one.id.clone(), one.amount, one.fee, one.date)).collect();
        let ours = MoneyLedger {
            paid: paid(&end),
            chargebacks: gone,
            refunded: detail.refunded,
            refundable: detail.refundable,
            status: view.status,
        };
        let ledger = StateLedger::of(&start, &events);
        prop_assert_eq!(ours, MoneyLedger::of(&start, &events, &ledger), "{:?}", ledger);
    }

    #[test]
    fn a_refund_has_given_back_what_its_standing_attempts_have((start, events) in of_kind(Kind::Refund)) {
        let ledger = StateLedger::of(&start, &events);
        let Detail::Refund { refunded, .. } = View::of(&told(&start, &events)).detail else { panic!("a refund") };
        let last = |attempt: &Tried| match attempt.events.iter().any(|event| event.facts.remainder) {
            true => Some(Decimal::ZERO),
            false => attempt.events.iter().rev().find_map(|event| event.facts.refunded),
        };
        let confirmed = ledger.named.status == Status::Succeeded;
        let expected = if confirmed { ledger.sum(&start, last) } else { Decimal::ZERO };
        prop_assert_eq!(refunded, expected, "{:?}", ledger);
    }

    #[test]
    fn an_agreement_shows_the_last_amendment_of_its_means_until_that_ends((start, events) in of_kind(Kind::Agreement)) {
        let ledger = StateLedger::of(&start, &events);
        let nameless = ledger.attempts.iter().filter(|attempt| attempt.ids.iter().eq([""]));
        let events_of_it = ledger.shown(&start).into_iter().chain(nameless).flat_map(|attempt| &attempt.events);
        let amended = events_of_it.filter(|event| event.facts.amended);
        let last = amended.map(|event| (event.at, place(event, 0).1, said(event, Kind::Agreement), event)).max_by_key(|(at, flags, said, event)| {
            (*at, *flags, said.map_or(0, |status| life_by(event, status, Kind::Agreement)), event.key.clone())
        });
        let expected = last.filter(|_| ledger.named.status != Status::Inactive).map(|(at, .., event)| (at, event.key.clone()));
        prop_assert_eq!(View::of(&told(&start, &events)).amended, expected, "{:?}", ledger);
    }

    #[test]
    fn an_agreement_is_active_exactly_while_one_of_its_means_stands((start, events) in of_kind(Kind::Agreement)) {
        let ledger = StateLedger::of(&start, &events);
        // Without an event of the registered means, the registered state says whether that stands.
        let standing = ledger.standing().count() + usize::from(ledger.registered && ledger.named.status == Status::Active);
        prop_assert_eq!(View::of(&told(&start, &events)).status == Status::Active, standing > 0, "{:?}", ledger);
    }
}
