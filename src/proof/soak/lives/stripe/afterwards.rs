//! Refunds and disputes at Stripe, after the money has come.

use serde_json::{Value, json};

use super::dispute::dispute;
use super::intent::{Intent, noise};
use crate::domain::ids::Kind;
use crate::proof::soak::lives::expected::{Expected, Why};
use crate::proof::soak::lives::making::{KnownBy, Making};

/// Maybe refunds or disputes a paid payment.
pub(super) fn afterwards(making: &mut Making, intent: &Intent, payment: &mut Expected, paid: i64) {
    noise(making, payment);
    let mut left = paid;
    for _ in 0..making.chance.pick(&[0, 0, 1, 1, 2, 3]) {
        let amount = if making.chance.one_in(3) { left } else { making.chance.within(1, left.max(1)) };
        let amount = if making.chance.one_in(8) { paid + amount } else { amount.max(1) };
        left = (left - amount).max(0);
        if making.chance.one_in(3) {
            unregistered(making, intent, payment, amount);
        } else {
            refund(making, intent, payment, amount);
        }
    }
    if making.chance.one_in(4) {
        let amount = if making.chance.one_in(2) { paid } else { making.chance.within(1, paid) };
        dispute(making, intent, payment, amount);
    }
}

const REFUND_FAILURES: [(&str, Option<&str>); 4] = [
    ("expired_or_canceled_card", Some("BearerExpired")),
    ("lost_or_stolen_card", Some("BearerInvalid")),
    ("declined", Some("Rejected")),
    ("unknown", None),
];

/// A refund that the payment stack registers. Now and then it is made twice.
fn refund(making: &mut Making, intent: &Intent, payment: &mut Expected, amount: i64) {
    making.chapter("refunded");
    let mut refund = making.expected(Kind::Refund, Some(intent.currency), amount);
    let known_by = KnownBy::any(&mut making.chance);
    let id = making.id("re_");
    refund.parent = Some(payment.id.clone());
    refund.registered_psp_id = known_by.id().then(|| id.clone());
    making.registers(&refund);
    let metadata = if known_by.reference() { json!({"transactionId": refund.id}) } else { json!({}) };
    made(making, intent, &mut refund, (&id, &metadata), amount);
    if known_by.reference() && making.chance.one_in(4) {
        making.chapter("twice");
        let id = making.id("re_");
        made(making, intent, &mut refund, (&id, &metadata), amount);
    }
    payment.given_back += refund.refunded();
    making.knows(&refund);
}

/// A refund that was made in the dashboard: nobody registers it.
fn unregistered(making: &mut Making, intent: &Intent, payment: &mut Expected, amount: i64) {
    making.chapter("refunded in the dashboard");
    let mut refund = making.expected(Kind::Refund, Some(intent.currency), amount);
    let id = making.id("re_");
    made(making, intent, &mut refund, (&id, &json!({})), amount);
    payment.given_back += refund.refunded();
}

/// Makes a refund, or tries to.
fn made(making: &mut Making, intent: &Intent, refund: &mut Expected, (id, metadata): (&str, &Value), amount: i64) {
    let object = |status: &str, reason: Option<&str>| {
        json!({"object": "refund", "id": id, "payment_intent": intent.id, "charge": intent.charge, "status": status,
               "amount": intent.currency.minor(amount), "currency": intent.currency.code.to_lowercase(),
               "metadata": metadata, "failure_reason": reason})
    };
    let at = making.later();
    refund.tries(id);
    refund.says(at, "Pending", id);
    intent.tell(making, refund, "refund.created", at, object("pending", None));
    let (succeeds, fails) = making.chance.pick(&[(true, false), (true, false), (true, true), (false, true)]);
    if succeeds {
        let at = making.perhaps_later();
        refund.says(at, "Succeeded", id);
        refund.gives_back(amount);
        let event_type = making.chance.pick(&["refund.updated", "charge.refund.updated"]);
        intent.tell(making, refund, event_type, at, object("succeeded", None));
    }
    if fails {
        // The failure may fall into the same second as the success.
        let at = making.perhaps_later();
        let (reason, code) = making.chance.pick(&REFUND_FAILURES);
        refund.fails(at, "Failed", id, Why { code, psp_code: Some(reason.to_owned()), message: None });
        intent.tell(making, refund, "refund.failed", at, object("failed", Some(reason)));
    }
}
