//! Lives at Stripe, continued: what comes after the money, and agreements.

use serde_json::{Value, json};

use super::account::{Account, Why};
use super::making::{KnownBy, Making};
use super::stripe::{Intent, event, noise};
use crate::domain::ids::Kind;

/// What may happen to money that is there.
pub(super) fn afterwards(making: &mut Making, intent: &Intent, payment: &mut Account, paid: i64) {
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

fn refund(making: &mut Making, intent: &Intent, payment: &mut Account, amount: i64) {
    making.chapter("refunded");
    let mut refund = making.account(Kind::Refund, Some(intent.currency), amount);
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
        // Also in the second in which it succeeded.
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

fn dispute(making: &mut Making, intent: &Intent, payment: &mut Account, amount: i64) {
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

const SETUP_FAILURES: [(&str, &str); 2] =
    [("authentication_required", "Rejected"), ("insufficient_funds", "InsufficientBalance")];

/// A stored payment method with its mandate.
pub(super) fn setup(making: &mut Making) {
    making.chapter("agreement");
    let mut agreement = making.account(Kind::Agreement, None, 0);
    let known_by = KnownBy::any(&mut making.chance);
    let (method, mandate, setup) = (making.id("pm_"), making.id("mandate_"), making.id("seti_"));
    agreement.registered_psp_id = known_by.id().then(|| method.clone());
    making.registers(&agreement);
    let metadata = if known_by.reference() { json!({"agreementId": agreement.id}) } else { json!({}) };
    let object = |status: &str| {
        json!({"object": "setup_intent", "id": setup, "payment_method": method, "mandate": mandate, "status": status,
               "metadata": metadata, "cancellation_reason": null, "last_setup_error": null})
    };
    let tell = |making: &mut Making, agreement: &Account, event_type: &str, at, object| {
        let body = event(making, event_type, at, object);
        making.tells(agreement, body);
    };
    let at = making.later();
    agreement.says(at, "Initiated", &method);
    tell(making, &agreement, "setup_intent.created", at, object("requires_confirmation"));
    let at = making.perhaps_later();
    agreement.says(at, "Pending", &method);
    tell(making, &agreement, "setup_intent.requires_action", at, object("requires_action"));
    if making.chance.one_in(3) {
        let at = making.later();
        let (decline, code) = making.chance.pick(&SETUP_FAILURES);
        let why = Why { code: Some(code), psp_code: Some(decline.to_owned()), message: Some("No.".to_owned()) };
        agreement.fails(at, "Inactive", &method, why);
        let mut failed = object("requires_payment_method");
        failed["last_setup_error"] = json!({"code": "card_declined", "decline_code": decline, "message": "No."});
        tell(making, &agreement, "setup_intent.setup_failed", at, failed);
    }
    if making.chance.one_in(4) {
        let at = making.later();
        let why = Why { code: Some("Canceled"), psp_code: Some("abandoned".to_owned()), message: None };
        agreement.fails(at, "Inactive", &method, why);
        let mut canceled = object("canceled");
        canceled["cancellation_reason"] = "abandoned".into();
        tell(making, &agreement, "setup_intent.canceled", at, canceled);
        return making.knows(&agreement);
    }
    let at = making.later();
    agreement.says(at, "Active", &method);
    tell(making, &agreement, "setup_intent.succeeded", at, object("succeeded"));
    if making.chance.one_in(2) {
        let status = making.chance.pick(&["active", "inactive"]);
        let at = making.later();
        agreement.says(at, if status == "active" { "Active" } else { "Inactive" }, &mandate);
        agreement.shows_bearer(&[("mandateReference", "SOAK0001")]);
        let details = json!({"type": "sepa_debit", "sepa_debit": {"reference": "SOAK0001"}});
        let object = json!({"object": "mandate", "id": mandate, "payment_method": method, "status": status,
                            "payment_method_details": details});
        tell(making, &agreement, "mandate.updated", at, object);
    }
    if making.chance.one_in(3) {
        let at = making.later();
        agreement.says(at, "Inactive", &method);
        let object = json!({"object": "payment_method", "id": method, "metadata": {}});
        tell(making, &agreement, "payment_method.detached", at, object);
    }
    making.knows(&agreement);
}
