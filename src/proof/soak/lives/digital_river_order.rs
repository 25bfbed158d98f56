//! An order at Digital River: its one charge, and that charge's captures.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::expected::{Expected, Why};
use super::making::{KnownBy, Making};
use super::money::Currency;

pub(super) fn event(making: &mut Making, event_type: &str, at: Timestamp, object: Value) -> Value {
    let id = making.id("event-");
    json!({"id": id, "type": event_type, "data": {"object": object}, "liveMode": false, "createdTime": at.to_string()})
}

/// An order with its one charge. Captures are only added.
pub(super) struct Order {
    pub(super) id: String,
    charge: String,
    pub(super) currency: Currency,
    pub(super) amount: i64,
    captures: Vec<Capture>,
    reference: Option<String>,
}

struct Capture {
    id: String,
    amount: i64,
    at: Timestamp,
    state: &'static str,
}

impl Order {
    pub(super) fn new(making: &mut Making, expected: &mut Expected) -> Self {
        let (id, charge) = (making.digits(), making.id("charge-"));
        let known_by = KnownBy::any(&mut making.chance);
        let registered = if making.chance.one_in(2) { &id } else { &charge };
        expected.registered_psp_id = known_by.id().then(|| registered.clone());
        let reference = known_by.reference().then(|| expected.id.clone());
        let currency = expected.currency.unwrap_or_default();
        Self { id, charge, currency, amount: expected.requested, captures: Vec::new(), reference }
    }

    /// An amount as Digital River writes it: out of binary floating point.
    pub(super) fn money(&self, making: &mut Making, amount: i64) -> Value {
        if making.chance.one_in(4) { self.currency.noisy(amount) } else { self.currency.major(amount) }
    }

    pub(super) fn charge(&self, making: &mut Making, state: &str) -> Value {
        let captures: Vec<_> = self
            .captures
            .iter()
            .map(|capture| {
                let mut body = json!({"id": capture.id, "createdTime": capture.at.to_string(), "state": capture.state,
                                      "amount": self.money(making, capture.amount)});
                if capture.state == "failed" {
                    body["failureCode"] = "card_expired".into();
                    body["failureMessage"] = "The card has expired.".into();
                }
                body
            })
            .collect();
        let mut body = json!({"id": self.charge, "orderId": self.id, "currency": self.currency.code, "state": state,
                              "amount": self.money(making, self.amount), "captured": !captures.is_empty()});
        if !captures.is_empty() {
            body["captures"] = captures.into();
        }
        if let Some(reference) = &self.reference {
            body["metadata"] = json!({"transactionId": reference});
        }
        body
    }

    pub(super) fn order(&self, making: &mut Making, state: &str) -> Value {
        let charge = self.charge(making, state);
        let captured: i64 =
            self.captures.iter().filter(|capture| capture.state == "complete").map(|capture| capture.amount).sum();
        json!({"id": self.id, "currency": self.currency.code, "totalAmount": self.money(making, self.amount),
               "upstreamId": self.reference.as_deref().unwrap_or("webshop-17"), "state": state,
               "payment": {"charges": [charge]}, "fraudState": if state == "blocked" { "blocked" } else { "passed" },
               "capturedAmount": self.money(making, captured)})
    }

    pub(super) fn tell(
        &self,
        making: &mut Making,
        expected: &Expected,
        event_type: &str,
        at: Timestamp,
        object: Value,
    ) {
        let body = event(making, event_type, at, object);
        making.tells(expected, body);
    }

    pub(super) fn begins(&self, making: &mut Making, expected: &mut Expected) {
        let at = making.later();
        expected.says(at, "Initiated", &self.id);
        let object = self.charge(making, "pending");
        self.tell(making, expected, "order.charge.created", at, object);
        let at = making.perhaps_later();
        expected.says(at, "Pending", &self.id);
        let (event_type, object) = if making.chance.one_in(2) {
            ("order.charge.pending", self.charge(making, "pending"))
        } else {
            ("order.pending_payment", self.order(making, "pending_payment"))
        };
        self.tell(making, expected, event_type, at, object);
    }

    pub(super) fn fails(&self, making: &mut Making, expected: &mut Expected) {
        making.chapter("failed");
        let at = making.later();
        if making.chance.one_in(2) {
            let why = Why { psp_code: Some("blocked".to_owned()), ..Why::default() };
            expected.fails(at, "Failed", &self.id, why);
            let object = self.order(making, "blocked");
            return self.tell(making, expected, "order.blocked", at, object);
        }
        let words = "Insufficient funds";
        let why = Why { code: None, psp_code: Some("insufficient_funds".to_owned()), message: Some(words.to_owned()) };
        expected.fails(at, "Failed", &self.id, why);
        let mut object = self.charge(making, "failed");
        object["failureCode"] = "insufficient_funds".into();
        object["failureMessage"] = words.into();
        self.tell(making, expected, "order.charge.failed", at, object);
    }

    /// Begins a capture, and ends it one way or the other.
    pub(super) fn captures(&mut self, making: &mut Making, expected: &mut Expected, amount: i64, succeeds: bool) {
        let at = making.later();
        let id = making.id("capture-");
        self.captures.push(Capture { id: id.clone(), amount, at, state: "created" });
        if making.chance.one_in(2) {
            expected.says(at, "Pending", &self.id);
            let object = self.charge(making, "capturable");
            self.tell(making, expected, "order.charge.capture.created", at, object);
        }
        let booked = at;
        let at = making.later();
        if let Some(capture) = self.captures.last_mut() {
            capture.state = if succeeds { "complete" } else { "failed" };
        }
        let object = self.charge(making, "processing");
        if succeeds {
            expected.says(at, "Succeeded", &self.id);
            expected.books(&id, amount, booked);
            let event_type = making.chance.pick(&["order.charge.capture.complete", "order.charge.capture.completed"]);
            self.tell(making, expected, event_type, at, object);
        } else {
            let why = Why {
                psp_code: Some("card_expired".to_owned()),
                message: Some("The card has expired.".to_owned()),
                code: None,
            };
            expected.fails(at, "Failed", &self.id, why);
            self.tell(making, expected, "order.charge.capture.failed", at, object);
        }
    }

    pub(super) fn complete(&self, making: &mut Making, expected: &mut Expected) {
        let at = making.perhaps_later();
        expected.says(at, "Succeeded", &self.id);
        let object = self.charge(making, "complete");
        self.tell(making, expected, "order.charge.complete", at, object);
        if making.chance.one_in(2) {
            let at = making.later();
            expected.says(at, "Succeeded", &self.id);
            let object = self.order(making, "complete");
            self.tell(making, expected, "order.complete", at, object);
        }
    }
}
