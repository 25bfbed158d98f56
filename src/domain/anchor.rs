//! What ties a record to the PSP id that it is registered with: money, or a success, that no other id of the record leads to.

use rust_decimal::Decimal;

use super::attempt::Attempt;
use super::event::Booking;
use super::record::{Record, Seen};
use super::standing::Standing;

/// What a record has under the PSP id `old`, in words, if it would lose it with that id. None if nothing is there, or if an
/// event has shown that `old` and `new` are one attempt.
///
/// What was placed on a record does not count: it is placed anew.
pub(super) fn anchor(record: &Record, old: &str, new: &str) -> Option<String> {
    let own = Record { placed: Seen::default(), ..record.clone() };
    let claims = own.claims();
    let standing: Vec<&Attempt> = Standing::of(&own, &claims).successes().map(|(attempt, _)| attempt).collect();
    let (under, others): (Vec<&Attempt>, Vec<&Attempt>) = claims.attempts.iter().partition(|one| one.is_under(old));
    if !under.is_empty() && under.iter().all(|attempt| attempt.is_under(new)) {
        return None;
    }
    let has = |attempts: &[&Attempt], id: &str| attempts.iter().any(|attempt| attempt.ids.contains(id));
    // Money under an id that no attempt has is that of the attempt that stands, else that of the registered one.
    let is_of_another = others.iter().any(|attempt| standing.contains(attempt));
    let counts = |id: &str| has(&under, id) || !(has(&others, id) || is_of_another);
    let booked = claims.items.iter().filter(|(id, item)| item.value.booking == Booking::Booked && counts(id));
    let totals = claims.totals.items.iter().filter(|(id, _)| counts(id));
    let booked: Decimal = booked.map(|(_, item)| item.value.amount).sum();
    let money = booked.max(totals.map(|(_, total)| total.value).max().unwrap_or_default());
    let currency = record.registered.currency.map(|currency| format!(" {currency}")).unwrap_or_default();
    if money > Decimal::ZERO {
        return Some(format!("{}{currency} are booked under it", money.normalize()));
    }
    let imported = record.registered.imported.as_ref().filter(|_| !is_of_another);
    if let Some(imported) = imported.and_then(|imported| imported.told(record.registered.currency)) {
        return Some(format!("an import has stated {imported} of it"));
    }
    if under.iter().any(|attempt| standing.contains(attempt)) {
        return Some("it has succeeded at the PSP".to_owned());
    }
    let is_disputed = claims.disputes.iter().any(|(id, one)| one.booking() == Booking::Booked && counts(id));
    let is_refunded = !is_of_another && claims.refunds.iter().any(Attempt::stands);
    (is_disputed || is_refunded).then(|| "money has gone back under it".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::event::{Chargeback, Event, Facts, Item};
    use crate::domain::ids::{Kind, RecordKey};
    use crate::domain::register::register;
    use crate::domain::registration::{Refusal, Registration};
    use crate::domain::status::Status;
    use crate::domain::transition::{Layer, apply};
    use crate::domain::view::paid;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// A record of 10 that is registered with the id `old`.
    fn record(kind: Kind) -> Record {
        let key = RecordKey::new(kind, "tx".parse().unwrap());
        let said = Registration {
            requested_amount: Some(Decimal::TEN),
            currency: Some("EUR".parse().unwrap()),
            psp_transaction_id: Some("old".to_owned()),
            payment_transaction_id: (kind == Kind::Refund).then(|| "payment".parse().unwrap()),
            ..Registration::default()
        };
        register(&key, None, &said, NOW).unwrap().record
    }

    fn amended(record: &Record, psp_id: &str) -> Result<Record, Refusal> {
        let said = Registration { psp_transaction_id: Some(psp_id.to_owned()), ..Registration::default() };
        register(&record.key, Some(record), &said, NOW).map(|done| done.record)
    }

    fn event(kind: Kind, psp_ids: &[&str], second: i64, status: Status) -> Event {
        Event {
            event_type: "news".into(),
            kinds: vec![kind],
            psp_ids: psp_ids.iter().map(|id| (*id).to_owned()).collect(),
            at: Timestamp::from_second(second).unwrap(),
            key: format!("key {second} {psp_ids:?}#0"),
            facts: Facts { status: Some(status), ..Facts::default() },
            ..Event::default()
        }
    }

    /// The event books so much, under its first id.
    fn booking(event: Event, amount: i64) -> Event {
        let id = event.psp_ids[0].clone();
        let (date, amount) = (jiff::civil::date(2026, 1, 1), Decimal::from(amount));
        let items = vec![Item { id, amount, booking: Booking::Booked, date, description: None }];
        Event { facts: Facts { items, ..event.facts }, ..event }
    }

    fn told(record: &Record, events: &[Event]) -> Record {
        events.iter().fold(record.clone(), |record, event| apply(&record, event, Layer::Own, NOW).unwrap().0)
    }

    #[test]
    fn before_any_event_another_id_mends_a_typo() {
        for kind in [Kind::Preauth, Kind::Payment, Kind::Refund] {
            let mended = amended(&record(kind), "new").unwrap();
            assert_eq!(mended.registered.psp_id.as_deref(), Some("new"), "{kind}");
            assert!(amended(&told(&mended, &[event(kind, &["new"], 1, Status::Succeeded)]), "new").is_ok(), "repeated");
        }
    }

    #[test]
    fn what_has_succeeded_under_an_id_keeps_it() {
        for kind in [Kind::Preauth, Kind::Payment, Kind::Refund] {
            let stands = told(&record(kind), &[event(kind, &["old"], 1, Status::Succeeded)]);
            let refusal = amended(&stands, "new").unwrap_err();
            assert_eq!((refusal.field, refusal.conflict), ("pspTransactionId", true), "{kind}");
            assert!(
                refusal.reason.contains("the record has \"old\", and it has succeeded at the PSP"),
                "{}",
                refusal.reason
            );
            let fell = told(&stands, &[event(kind, &["old"], 2, Status::Failed)]);
            assert!(amended(&fell, "new").is_ok(), "{kind}: nothing of it is left");
        }
    }

    #[test]
    fn booked_money_keeps_its_id_in_any_order() {
        let kind = Kind::Payment;
        let part = booking(event(kind, &["old"], 1, Status::Pending), 4);
        let other = booking(event(kind, &["new"], 2, Status::Pending), 6);
        for events in [vec![part.clone()], vec![part.clone(), other.clone()], vec![other, part]] {
            let refusal = amended(&told(&record(kind), &events), "new").unwrap_err();
            assert!(
                refusal.reason.contains("the record has \"old\", and 4 EUR are booked under it"),
                "{}",
                refusal.reason
            );
        }
    }

    #[test]
    fn ids_that_an_event_names_together_are_one_attempt() {
        let kind = Kind::Payment;
        let paid_once = booking(event(kind, &["old"], 1, Status::Succeeded), 10);
        let joins = event(kind, &["new", "old"], 2, Status::Succeeded);
        for events in [[paid_once.clone(), joins.clone()], [joins, paid_once]] {
            let renamed = amended(&told(&record(kind), &events), "new").unwrap();
            assert_eq!(paid(&renamed), Decimal::TEN);
        }
    }

    #[test]
    fn the_money_of_another_attempt_does_not_keep_the_id_of_a_refused_one() {
        let kind = Kind::Payment;
        let refused = event(kind, &["old"], 1, Status::Failed);
        let mut paid = booking(event(kind, &["new"], 2, Status::Succeeded), 10);
        for id in ["new", "new/capture"] {
            paid.facts.items[0].id = id.to_owned();
            for events in [[refused.clone(), paid.clone()], [paid.clone(), refused.clone()]] {
                assert!(amended(&told(&record(kind), &events), "new").is_ok(), "{id}");
            }
        }
    }

    #[test]
    fn money_that_has_gone_back_keeps_the_id_of_its_payment() {
        let kind = Kind::Payment;
        let chargeback = Chargeback {
            id: "dispute".to_owned(),
            disputed: Some(Decimal::TEN),
            fee: None,
            booking: Booking::Booked,
            date: jiff::civil::date(2026, 1, 1),
            why: None,
            movements: None,
            of: None,
        };
        let mut disputed = event(kind, &["old"], 1, Status::Pending);
        disputed.facts = Facts { chargebacks: vec![chargeback], ..Facts::default() };
        let refunded =
            Event { payment_ids: vec!["old".to_owned()], ..event(Kind::Refund, &["re"], 1, Status::Succeeded) };
        for gone in [disputed, refunded] {
            let record = told(&record(kind), &[gone]);
            assert!(amended(&record, "new").unwrap_err().reason.contains("money has gone back under it"));
        }
    }

    #[test]
    fn a_first_id_is_never_refused() {
        let kind = Kind::Payment;
        let mut record = record(kind);
        record.registered.psp_id = None;
        record.registered.bearer = BTreeMap::new();
        let paid = told(&record, &[booking(event(kind, &["learned"], 1, Status::Succeeded), 10)]);
        assert!(amended(&paid, "new").is_ok());
    }
}
