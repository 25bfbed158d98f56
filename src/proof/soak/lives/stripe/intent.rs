//! A payment intent at Stripe until its money has come.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::proof::soak::lives::expected::{Expected, Why};
use crate::proof::soak::lives::life::Fate;
use crate::proof::soak::lives::making::{KnownBy, Making};
use crate::proof::soak::lives::money::Currency;

/// A payment intent and its charge.
#[derive(Clone)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) charge: String,
    pub(super) currency: Currency,
    pub(super) amount: i64,
    pub(super) manual: bool,
    /// The Transform id, if the integrator put it into the metadata.
    pub(super) reference: Option<String>,
    /// The payment method that the intent stores for later payments, if it does.
    pub(super) stores: Option<String>,
}

const DECLINES: [(&str, Option<&str>); 8] = [
    ("insufficient_funds", Some("InsufficientBalance")),
    ("expired_card", Some("BearerExpired")),
    ("incorrect_cvc", Some("BearerInvalid")),
    ("card_velocity_exceeded", Some("LimitExceeded")),
    ("processing_error", Some("InternalProviderError")),
    ("do_not_honor", Some("Rejected")),
    ("duplicate_transaction", Some("AlreadyExecuted")),
    ("a_code_of_tomorrow", None),
];

/// An event in its envelope. A repetition of an event has another count of pending webhooks.
pub(super) fn event(making: &mut Making, event_type: &str, at: Timestamp, object: Value) -> Value {
    let id = making.id("evt_");
    json!({"id": id, "object": "event", "api_version": "2025-03-31.basil", "created": at.as_second(),
           "data": {"object": object}, "livemode": false, "pending_webhooks": 1, "type": event_type})
}

impl Intent {
    pub(super) fn new(making: &mut Making, expected: &mut Expected, known_by: KnownBy, manual: bool) -> Self {
        let id = making.id("pi_");
        expected.registered_psp_id = known_by.id().then(|| id.clone());
        Self {
            id,
            charge: making.id("ch_"),
            currency: expected.currency.unwrap_or_default(),
            amount: expected.requested,
            manual,
            reference: known_by.reference().then(|| expected.id.clone()),
            stores: None,
        }
    }

    /// Another intent under the same reference: the customer began anew.
    pub(super) fn another(&self, making: &mut Making, amount: i64) -> Self {
        Self { id: making.id("pi_"), charge: making.id("ch_"), amount, ..self.clone() }
    }

    pub(super) fn metadata(&self) -> Value {
        self.reference.as_ref().map_or_else(|| json!({}), |id| json!({"transactionId": id}))
    }

    pub(super) fn object(&self, status: &str, received: i64) -> Value {
        let capturable = if status == "requires_capture" { self.currency.minor(self.amount) } else { 0 };
        json!({"object": "payment_intent", "id": self.id, "amount": self.currency.minor(self.amount),
               "amount_capturable": capturable, "amount_received": self.currency.minor(received),
               "capture_method": if self.manual { "manual" } else { "automatic" }, "status": status,
               "currency": self.currency.code.to_lowercase(), "metadata": self.metadata(),
               "latest_charge": if received > 0 { json!(self.charge) } else { Value::Null },
               "setup_future_usage": self.stores.as_ref().map(|_| "off_session"), "payment_method": self.stores,
               "cancellation_reason": null, "last_payment_error": null})
    }

    pub(super) fn charge(&self, status: &str, captured: bool, amount: i64) -> Value {
        json!({"object": "charge", "id": self.charge, "payment_intent": self.id, "status": status,
               "amount": self.currency.minor(self.amount), "captured": captured,
               "amount_captured": if captured { self.currency.minor(amount) } else { 0 },
               "currency": self.currency.code.to_lowercase(), "metadata": self.metadata(),
               "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242", "exp_month": 4,
                                                                   "exp_year": 2031, "country": "DE"}}})
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

    /// Tells of the intent before its money.
    pub(super) fn begins(&self, making: &mut Making, expected: &mut Expected) {
        let at = making.later();
        expected.tries(&self.id);
        expected.says(at, "Initiated", &self.id);
        self.tell(making, expected, "payment_intent.created", at, self.object("requires_payment_method", 0));
        for _ in 0..making.chance.pick(&[0, 0, 1, 2]) {
            self.fails(making, expected);
        }
        if making.chance.one_in(2) {
            let at = making.later();
            expected.says(at, "Pending", &self.id);
            self.tell(making, expected, "payment_intent.requires_action", at, self.object("requires_action", 0));
        }
    }

    /// Lets an attempt fail. The intent goes on.
    pub(super) fn fails(&self, making: &mut Making, expected: &mut Expected) {
        let at = making.later();
        let (decline, code) = making.chance.pick(&DECLINES);
        let message = format!("Your card was declined: {decline}.");
        let why = Why { code, psp_code: Some(decline.to_owned()), message: Some(message.clone()) };
        expected.tries(&self.id);
        expected.fails(at, "Failed", &self.id, why);
        expected.unbooks(&self.id);
        let mut intent = self.object("requires_payment_method", 0);
        intent["last_payment_error"] = json!({"code": "card_declined", "decline_code": decline, "message": message});
        let mut charge = self.charge("failed", false, 0);
        charge["outcome"] = json!({"reason": decline});
        charge["failure_code"] = "card_declined".into();
        charge["failure_message"] = message.into();
        if making.chance.one_in(2) {
            self.tell(making, expected, "charge.failed", at, charge);
        }
        self.tell(making, expected, "payment_intent.payment_failed", at, intent);
    }

    /// Begins another intent that comes to nothing, and says nothing against the one that succeeds. Only a reference leads
    /// from it to the record.
    pub(super) fn beside(&self, making: &mut Making, expected: &mut Expected) {
        if self.reference.is_none() || !making.chance.one_in(4) {
            return;
        }
        making.chapter("another intent beside");
        let other = self.another(making, self.amount);
        let at = making.later();
        expected.tries(&other.id);
        expected.says(at, "Initiated", &other.id);
        other.tell(making, expected, "payment_intent.created", at, other.object("requires_payment_method", 0));
        match making.chance.within(0, 3) {
            0 => {}
            1 => {
                let at = making.later();
                expected.says(at, "Pending", &other.id);
                other.tell(making, expected, "payment_intent.requires_action", at, other.object("requires_action", 0));
            }
            2 => other.fails(making, expected),
            _ => other.ends(making, expected),
        }
    }

    /// Ends the intent without its money: cancelled or expired.
    pub(super) fn ends(&self, making: &mut Making, expected: &mut Expected) {
        let at = making.later();
        let reason = making.chance.pick(&["automatic", "requested_by_customer", "abandoned"]);
        let state = if reason == "automatic" { "Expired" } else { "Cancelled" };
        expected.tries(&self.id);
        expected.says(at, state, &self.id);
        let mut intent = self.object("canceled", 0);
        intent["cancellation_reason"] = reason.into();
        self.tell(making, expected, "payment_intent.canceled", at, intent);
    }

    /// Pays this much money.
    pub(super) fn pays(&self, making: &mut Making, expected: &mut Expected, charge_event: &str, amount: i64) {
        let at = making.perhaps_later();
        expected.tries(&self.id);
        let (charge, intent) = (self.charge("succeeded", true, amount), self.object("succeeded", amount));
        let mut at_last = at;
        if making.chance.one_in(4) {
            // The endpoint subscribes to only one of the two.
            self.tell(making, expected, "payment_intent.succeeded", at, intent);
        } else {
            self.tell(making, expected, charge_event, at, charge);
            expected.shows_bearer(&CARD);
            at_last = making.perhaps_later();
            self.tell(making, expected, "payment_intent.succeeded", at_last, intent);
        }
        expected.says(at_last, "Succeeded", &self.id);
        expected.books(&self.id, amount, at_last);
    }
}

pub(super) const CARD: [(&str, &str); 5] =
    [("cardType", "visa"), ("last4", "4242"), ("expiryMonth", "4"), ("expiryYear", "2031"), ("country", "DE")];

/// Notifications that concern no record, or that cannot be understood.
pub(super) fn noise(making: &mut Making, expected: &Expected) {
    let at = making.later();
    if making.chance.one_in(3) {
        let body = event(making, "customer.created", at, json!({"object": "customer", "id": "cus_soak"}));
        making.tells_as(None, expected, body, Fate::Ignored);
    }
    if making.chance.one_in(12) {
        let refund =
            json!({"object": "refund", "id": making.id("re_"), "status": "half_way", "currency": "eur", "amount": 5});
        let body = event(making, "refund.updated", at, refund);
        making.tells_as(None, expected, body, Fate::DeadLetter);
    }
    if making.chance.one_in(12) {
        let id = making.id("pi_");
        let stray = json!({"object": "payment_intent", "id": id, "currency": "eur", "amount": 5, "amount_received": 5});
        let body = event(making, "payment_intent.succeeded", at, stray);
        making.tells_as(None, expected, body, Fate::Parked);
    }
}
