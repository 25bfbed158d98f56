//! Refunds and disputes at Stripe, after the money has come.

use serde_json::{Value, json};

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
        if amount > 0 && amount <= left {
            left -= amount;
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

fn refund(making: &mut Making, intent: &Intent, payment: &mut Expected, amount: i64) {
    making.chapter("refunded");
    let mut refund = making.expected(Kind::Refund, Some(intent.currency), amount);
    let known_by = KnownBy::any(&mut making.chance);
    let id = making.id("re_");
    refund.parent = Some(payment.id.clone());
    refund.registered_psp_id = known_by.id().then(|| id.clone());
    making.registers(&refund);
    let metadata = if known_by.reference() { json!({"transactionId": refund.id}) } else { json!({}) };
    let object = |status: &str, reason: Option<&str>| {
        json!({"object": "refund", "id": id, "payment_intent": intent.id, "charge": intent.charge, "status": status,
               "amount": intent.currency.minor(amount), "currency": intent.currency.code.to_lowercase(),
               "metadata": metadata, "failure_reason": reason})
    };
    let at = making.later();
    refund.says(at, "Pending", &id);
    intent.tell(making, &refund, "refund.created", at, object("pending", None));
    let (succeeds, fails) = making.chance.pick(&[(true, false), (true, false), (true, true), (false, true)]);
    if succeeds {
        let at = making.perhaps_later();
        refund.says(at, "Succeeded", &id);
        refund.given_back = amount;
        let event_type = making.chance.pick(&["refund.updated", "charge.refund.updated"]);
        intent.tell(making, &refund, event_type, at, object("succeeded", None));
    }
    if fails {
        // The failure may fall into the same second as the success.
        let at = making.perhaps_later();
        let (reason, code) = making.chance.pick(&REFUND_FAILURES);
        refund.fails(at, "Failed", &id, Why { code, psp_code: Some(reason.to_owned()), message: None });
        refund.given_back = 0;
        intent.tell(making, &refund, "refund.failed", at, object("failed", Some(reason)));
    }
    payment.given_back += refund.given_back;
    making.knows(&refund);
}

const DISPUTE_REASONS: [(&str, &str); 5] = [
    ("fraudulent", "UserInitiated"),
    ("insufficient_funds", "InsufficientBalance"),
    ("subscription_canceled", "Canceled"),
    ("bank_cannot_process", "Rejected"),
    ("noncompliant", "Unknown"),
];

fn dispute(making: &mut Making, intent: &Intent, payment: &mut Expected, amount: i64) {
    making.chapter("disputed");
    let id = making.id("du_");
    let (psp_reason, reason) = making.chance.pick(&DISPUTE_REASONS);
    let currency = intent.currency;
    let fee = if making.chance.one_in(2) { Some(15) } else { None };
    let object = |status: &str, moved: Value| {
        json!({"object": "dispute", "id": id, "payment_intent": intent.id, "charge": intent.charge, "status": status,
               "amount": currency.minor(amount), "currency": currency.code.to_lowercase(), "reason": psp_reason,
               "balance_transactions": moved, "metadata": {}})
    };
    let at = making.later();
    intent.tell(making, payment, "charge.dispute.created", at, object("needs_response", json!([])));
    if making.chance.one_in(4) {
        let at = making.later();
        return intent.tell(making, payment, "charge.dispute.closed", at, object("warning_closed", json!([])));
    }
    let gone = making.perhaps_later();
    let code = currency.code.to_lowercase();
    let fee_minor = fee.map(|fee| currency.minor(fee));
    let out =
        json!({"amount": -currency.minor(amount), "created": gone.as_second(), "currency": code, "fee": fee_minor});
    intent.tell(making, payment, "charge.dispute.funds_withdrawn", gone, object("under_review", json!([out])));
    let dispute = payment.dispute(&id);
    (dispute.amount, dispute.fee, dispute.gone) = (amount, fee, Some(gone));
    (dispute.reason, dispute.psp_code) = (reason, Some(psp_reason.to_owned()));
    match making.chance.within(0, 2) {
        0 => {}
        1 => {
            let at = making.later();
            intent.tell(making, payment, "charge.dispute.closed", at, object("lost", json!([out])));
        }
        _ => {
            let at = making.later();
            intent.tell(making, payment, "charge.dispute.closed", at, object("won", json!([out])));
            payment.dispute(&id).gone = None;
            let back = making.perhaps_later();
            let back_in = json!({"amount": currency.minor(amount), "created": back.as_second(), "currency": code,
                                 "fee": fee_minor.map(|fee| -fee)});
            let object = object("won", json!([back_in, out]));
            intent.tell(making, payment, "charge.dispute.funds_reinstated", back, object);
        }
    }
}
