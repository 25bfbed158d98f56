//! Stripe's events, as far as the relay reads them.

use serde_json::{Value, json};

use super::planted::with_payer;

/// An event, with the payer's data in its object. The event's id is made of its content, so the same event twice is a
/// repetition.
pub(crate) fn event(kind: &str, at: i64, object: Value) -> Value {
    let object = with_payer(object);
    let id = format!("evt_{kind}_{at}_{}", object["id"].as_str().unwrap_or_default());
    json!({"id": id, "object": "event", "created": at, "type": kind, "data": {"object": object}})
}

/// A payment intent that captures by itself.
pub(crate) fn intent(id: &str, amount: i64) -> Value {
    json!({
        "id": id, "object": "payment_intent", "amount": amount, "amount_received": amount, "currency": "eur",
        "capture_method": "automatic",
    })
}

/// A payment intent that is captured by hand.
pub(crate) fn manual(id: &str, amount: i64) -> Value {
    json!({
        "id": id, "object": "payment_intent", "amount": amount, "amount_capturable": amount, "currency": "eur",
        "capture_method": "manual",
    })
}

/// A payment that is paid.
pub(crate) fn paid(id: &str, at: i64, amount: i64) -> Value {
    event("payment_intent.succeeded", at, intent(id, amount))
}

/// A payment of which an attempt failed.
pub(crate) fn declined(id: &str, at: i64, amount: i64, code: &str) -> Value {
    let mut object = intent(id, amount);
    object["last_payment_error"] =
        json!({"code": "card_declined", "decline_code": code, "message": "Your card was declined."});
    event("payment_intent.payment_failed", at, object)
}

/// A refund in this state; its reference may be the Transform id of the refund.
pub(crate) fn refund(id: &str, at: i64, amount: i64, status: &str) -> Value {
    let kind = if status == "failed" { "refund.failed" } else { "refund.updated" };
    let object = json!({
        "id": id, "object": "refund", "amount": amount, "currency": "eur", "status": status,
        "payment_intent": "pi_of_the_payment", "metadata": {},
    });
    event(kind, at, object)
}

/// A dispute about a payment: `created`, `funds_withdrawn`, `funds_reinstated`.
pub(crate) fn dispute(step: &str, id: &str, payment: &str, at: i64, amount: i64) -> Value {
    let moved = |name: &str, amount: i64, fee: i64| json!({"id": format!("txn_{name}_{id}"), "amount": amount, "fee": fee, "currency": "eur", "created": at});
    let mut movements = match step {
        "created" => vec![],
        _ => vec![moved("out", -amount, 2000)],
    };
    if step == "funds_reinstated" {
        movements.push(moved("back", amount, 0));
    }
    let object = json!({
        "id": id, "object": "dispute", "amount": amount, "currency": "eur", "payment_intent": payment,
        "reason": "fraudulent", "status": "needs_response", "balance_transactions": movements,
    });
    event(&format!("charge.dispute.{step}"), at, object)
}

/// An event with the Transform id in its object's metadata.
pub(crate) fn referring(mut event: Value, field: &str, id: &str) -> Value {
    event["data"]["object"]["metadata"] = json!({field: id});
    event
}
