//! Lives at Digital River: payments and preauthorizations, refunds, sources.

use serde_json::{Value, json};

use super::digital_river_order::{Order, event};
use super::expected::{Expected, Why};
use super::life::Fate;
use super::making::{KnownBy, Making};
use crate::domain::ids::Kind;

pub(super) fn live(making: &mut Making) {
    match making.chance.within(0, 9) {
        0..=4 => direct(making),
        5..=8 => reserved(making),
        _ => source(making),
    }
}

/// A payment without a preauthorization.
fn direct(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut payment = making.expected(Kind::Payment, Some(currency), amount);
    let mut order = Order::new(making, &mut payment);
    making.registers(&payment);
    order.begins(making, &mut payment);
    if making.chance.one_in(6) {
        order.fails(making, &mut payment);
    } else {
        pay(making, &mut order, &mut payment);
    }
    making.knows(&payment);
}

fn pay(making: &mut Making, order: &mut Order, payment: &mut Expected) {
    making.chapter("captured");
    let amount = order.amount;
    match making.chance.within(0, 4) {
        0 if amount > 1 => {
            making.chapter("in two parts");
            let part = making.chance.within(1, amount - 1);
            order.captures(making, payment, part, true);
            order.captures(making, payment, amount - part, true);
        }
        1 => {
            making.chapter("in vain");
            order.captures(making, payment, amount, false);
            if making.chance.one_in(2) {
                return;
            }
            making.chapter("and again");
            order.captures(making, payment, amount, true);
        }
        _ => order.captures(making, payment, amount, true),
    }
    order.complete(making, payment);
    noise(making, payment);
    let mut left = amount;
    for _ in 0..making.chance.pick(&[0, 0, 1, 2]) {
        let part = if making.chance.one_in(3) { left } else { making.chance.within(1, left.max(1)) };
        let part = if making.chance.one_in(8) { amount + part } else { part.max(1) };
        left = (left - part).max(0);
        refund(making, order, payment, part);
    }
    if making.chance.one_in(5) {
        making.chapter("charged back");
        let at = making.later();
        let object = order.order(making, "dispute");
        order.tell(making, payment, "order.dispute", at, object);
        if making.chance.one_in(2) {
            let at = making.later();
            let object = order.order(making, "complete");
            order.tell(making, payment, "order.chargeback", at, object);
            let dispute = payment.dispute(&order.id);
            (dispute.amount, dispute.gone) = (amount, Some(at));
        }
    }
}

fn refund(making: &mut Making, order: &Order, payment: &mut Expected, amount: i64) {
    making.chapter("refunded");
    let mut refund = making.expected(Kind::Refund, Some(order.currency), amount);
    let known_by = KnownBy::any(&mut making.chance);
    let id = making.id("re_");
    refund.parent = Some(payment.id.clone());
    refund.registered_psp_id = known_by.id().then(|| id.clone());
    making.registers(&refund);
    let metadata = if known_by.reference() { json!({"transactionId": refund.id}) } else { Value::Null };
    let money = order.money(making, amount);
    let object = |state: &str| {
        json!({"id": id, "orderId": order.id, "amount": money, "currency": order.currency.code, "state": state,
               "metadata": metadata})
    };
    let at = making.later();
    refund.says(at, "Initiated", &id);
    order.tell(making, &refund, "refund.created", at, object("created"));
    let at = making.perhaps_later();
    refund.says(at, "Pending", &id);
    order.tell(making, &refund, "refund.pending", at, object("pending"));
    let at = making.later();
    if making.chance.one_in(4) {
        let why = Why { psp_code: Some("account_closed".to_owned()), message: Some("Closed.".to_owned()), code: None };
        refund.fails(at, "Failed", &id, why);
        let mut object = object("failed");
        object["failureCode"] = "account_closed".into();
        object["failureReason"] = "Closed.".into();
        order.tell(making, &refund, "refund.failed", at, object);
    } else {
        refund.says(at, "Succeeded", &id);
        refund.gives_back(amount);
        let mut object = object("succeeded");
        object["refundedAmount"] = money.clone();
        let event_type = making.chance.pick(&["refund.complete", "refund.succeeded"]);
        order.tell(making, &refund, event_type, at, object);
    }
    payment.given_back += refund.refunded();
    making.knows(&refund);
}

/// A preauthorization and its captures: one order, two records.
fn reserved(making: &mut Making) {
    making.chapter("reserved");
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut preauth = making.expected(Kind::Preauth, Some(currency), amount);
    let mut order = Order::new(making, &mut preauth);
    making.registers(&preauth);
    order.begins(making, &mut preauth);
    if making.chance.one_in(6) {
        order.fails(making, &mut preauth);
        return making.knows(&preauth);
    }
    let at = making.perhaps_later();
    preauth.says(at, "Succeeded", &order.id);
    preauth.reserves(amount);
    let (event_type, object) = if making.chance.one_in(2) {
        ("order.charge.capturable", order.charge(making, "capturable"))
    } else {
        ("order.accepted", order.order(making, "accepted"))
    };
    order.tell(making, &preauth, event_type, at, object);
    if making.chance.one_in(4) {
        making.chapter("and released");
        let at = making.later();
        preauth.says(at, "Cancelled", &order.id);
        let object = order.charge(making, "cancelled");
        order.tell(making, &preauth, "order.charge.cancel.complete", at, object);
        return making.knows(&preauth);
    }
    making.knows(&preauth);
    let mut payment = making.expected(Kind::Payment, Some(currency), amount);
    payment.parent = Some(preauth.id.clone());
    // The two records share the order. The payment is registered with the order's id.
    payment.registered_psp_id = Some(order.id.clone());
    making.registers(&payment);
    pay(making, &mut order, &mut payment);
    making.knows(&payment);
}

fn source(making: &mut Making) {
    making.chapter("source");
    let mut agreement = making.expected(Kind::Agreement, None, 0);
    let id = making.id("source-");
    agreement.registered_psp_id = Some(id.clone());
    making.registers(&agreement);
    let object = json!({"id": id, "type": "creditCard", "reusable": true, "state": "chargeable"});
    let mut states = vec![("source.chargeable", "Active")];
    if making.chance.one_in(2) {
        states.push(("customer.source.created", "Active"));
    }
    if making.chance.one_in(2) {
        states.push(("customer.source.deleted", "Inactive"));
    }
    for (event_type, state) in states {
        let at = making.later();
        agreement.says(at, state, &id);
        let body = event(making, event_type, at, object.clone());
        making.tells(&agreement, body);
    }
    making.knows(&agreement);
}

/// Notifications that concern no record, that cannot be understood, or that wait for ever.
fn noise(making: &mut Making, payment: &Expected) {
    if making.chance.one_in(3) {
        let at = making.later();
        let body = event(making, "invoice.paid", at, json!({"id": "invoice-1"}));
        making.tells_as(None, payment, body, Fate::Ignored);
    }
    if making.chance.one_in(12) {
        let at = making.later();
        let capture = json!({"id": "capture-1", "amount": 1, "state": "thinking"});
        let stray = json!({"id": making.id("charge-"), "currency": "EUR", "captures": [capture]});
        let body = event(making, "order.charge.capture.complete", at, stray);
        making.tells_as(None, payment, body, Fate::DeadLetter);
    }
    if making.chance.one_in(12) {
        let at = making.later();
        let stray = json!({"id": making.id("re_"), "currency": "EUR", "amount": 1});
        let body = event(making, "refund.complete", at, stray);
        making.tells_as(None, payment, body, Fate::Parked);
    }
}
