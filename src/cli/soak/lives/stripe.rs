//! Lives at Stripe: payment intents, charges, refunds, disputes, setup intents.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::{Account, Why};
use super::making::{KnownBy, Making};
use super::money::Currency;
use super::{Fate, stripe_more};
use crate::domain::ids::Kind;

pub(super) fn live(making: &mut Making) {
    match making.chance.within(0, 9) {
        0..=4 => direct(making),
        5..=7 => manual(making),
        _ => stripe_more::setup(making),
    }
}

/// A payment intent and its charge.
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) charge: String,
    pub(super) currency: Currency,
    amount: i64,
    manual: bool,
    /// Transform's id, if the integrator put it into the metadata.
    pub(super) reference: Option<String>,
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

/// An event in its envelope. The same event comes again with another count of pending webhooks.
pub(super) fn event(making: &mut Making, event_type: &str, at: Timestamp, object: Value) -> Value {
    let id = making.id("evt_");
    json!({"id": id, "object": "event", "api_version": "2025-03-31.basil", "created": at.as_second(),
           "data": {"object": object}, "livemode": false, "pending_webhooks": 1, "type": event_type})
}

impl Intent {
    fn new(making: &mut Making, account: &mut Account, known_by: KnownBy, manual: bool) -> Self {
        let id = making.id("pi_");
        account.registered_psp_id = known_by.id().then(|| id.clone());
        Self {
            id,
            charge: making.id("ch_"),
            currency: account.currency.unwrap_or_default(),
            amount: account.requested,
            manual,
            reference: known_by.reference().then(|| account.id.clone()),
        }
    }

    fn metadata(&self) -> Value {
        self.reference.as_ref().map_or_else(|| json!({}), |id| json!({"transactionId": id}))
    }

    fn object(&self, status: &str, received: i64) -> Value {
        let capturable = if status == "requires_capture" { self.currency.minor(self.amount) } else { 0 };
        json!({"object": "payment_intent", "id": self.id, "amount": self.currency.minor(self.amount),
               "amount_capturable": capturable, "amount_received": self.currency.minor(received),
               "capture_method": if self.manual { "manual" } else { "automatic" }, "status": status,
               "currency": self.currency.code.to_lowercase(), "metadata": self.metadata(),
               "latest_charge": if received > 0 { json!(self.charge) } else { Value::Null },
               "cancellation_reason": null, "last_payment_error": null})
    }

    fn charge(&self, status: &str, captured: bool, amount: i64) -> Value {
        json!({"object": "charge", "id": self.charge, "payment_intent": self.id, "status": status,
               "amount": self.currency.minor(self.amount), "captured": captured,
               "amount_captured": if captured { self.currency.minor(amount) } else { 0 },
               "currency": self.currency.code.to_lowercase(), "metadata": self.metadata(),
               "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242", "exp_month": 4,
                                                                   "exp_year": 2031, "country": "DE"}}})
    }

    pub(super) fn tell(&self, making: &mut Making, account: &Account, event_type: &str, at: Timestamp, object: Value) {
        let body = event(making, event_type, at, object);
        making.tells(account, body);
    }

    /// The intent before its money.
    fn begins(&self, making: &mut Making, account: &mut Account) {
        let at = making.later();
        account.says(at, "Initiated", &self.id);
        self.tell(making, account, "payment_intent.created", at, self.object("requires_payment_method", 0));
        for _ in 0..making.chance.pick(&[0, 0, 1, 2]) {
            self.fails(making, account);
        }
        if making.chance.one_in(2) {
            let at = making.later();
            account.says(at, "Pending", &self.id);
            self.tell(making, account, "payment_intent.requires_action", at, self.object("requires_action", 0));
        }
    }

    /// An attempt fails; the intent goes on.
    fn fails(&self, making: &mut Making, account: &mut Account) {
        let at = making.later();
        let (decline, code) = making.chance.pick(&DECLINES);
        let message = format!("Your card was declined: {decline}.");
        let why = Why { code, psp_code: Some(decline.to_owned()), message: Some(message.clone()) };
        account.fails(at, "Failed", &self.id, why);
        account.unbooks(&self.id);
        let mut intent = self.object("requires_payment_method", 0);
        intent["last_payment_error"] = json!({"code": "card_declined", "decline_code": decline, "message": message});
        let mut charge = self.charge("failed", false, 0);
        charge["outcome"] = json!({"reason": decline});
        charge["failure_code"] = "card_declined".into();
        charge["failure_message"] = message.into();
        if making.chance.one_in(2) {
            self.tell(making, account, "charge.failed", at, charge);
        }
        self.tell(making, account, "payment_intent.payment_failed", at, intent);
    }

    /// Nobody wants it any more.
    fn ends(&self, making: &mut Making, account: &mut Account) {
        let at = making.later();
        let reason = making.chance.pick(&["automatic", "requested_by_customer", "abandoned"]);
        let state = if reason == "automatic" { "Expired" } else { "Cancelled" };
        account.fails(at, state, &self.id, Why { psp_code: Some(reason.to_owned()), ..Why::default() });
        let mut intent = self.object("canceled", 0);
        intent["cancellation_reason"] = reason.into();
        self.tell(making, account, "payment_intent.canceled", at, intent);
    }

    /// So much money is there.
    fn pays(&self, making: &mut Making, account: &mut Account, charge_event: &str, amount: i64) {
        let at = making.perhaps_later();
        let (charge, intent) = (self.charge("succeeded", true, amount), self.object("succeeded", amount));
        let mut at_last = at;
        if making.chance.one_in(4) {
            // Only one of the two is subscribed to.
            self.tell(making, account, "payment_intent.succeeded", at, intent);
        } else {
            self.tell(making, account, charge_event, at, charge);
            account.shows_bearer(&CARD);
            at_last = making.perhaps_later();
            self.tell(making, account, "payment_intent.succeeded", at_last, intent);
        }
        account.says(at_last, "Succeeded", &self.id);
        account.books(&self.id, amount, at_last);
    }
}

const CARD: [(&str, &str); 5] =
    [("cardType", "visa"), ("last4", "4242"), ("expiryMonth", "4"), ("expiryYear", "2031"), ("country", "DE")];

/// Captured at once.
fn direct(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut payment = making.account(Kind::Payment, Some(currency), amount);
    let known_by = KnownBy::any(&mut making.chance);
    let intent = Intent::new(making, &mut payment, known_by, false);
    making.registers(&payment);
    intent.begins(making, &mut payment);
    match making.chance.within(0, 9) {
        0 => {
            making.chapter("never paid");
            intent.fails(making, &mut payment);
        }
        1 => {
            making.chapter("given up");
            intent.ends(making, &mut payment);
        }
        2 => {
            making.chapter("bounced");
            intent.pays(making, &mut payment, "charge.succeeded", amount);
            intent.fails(making, &mut payment);
        }
        _ => {
            making.chapter("paid");
            if making.chance.one_in(3) {
                let at = making.later();
                payment.says(at, "Pending", &intent.id);
                intent.tell(making, &payment, "payment_intent.processing", at, intent.object("processing", 0));
            }
            intent.pays(making, &mut payment, "charge.succeeded", amount);
            stripe_more::afterwards(making, &intent, &mut payment, amount);
        }
    }
    making.knows(&payment);
}

/// A preauthorization, and maybe its capture: one intent, two records.
fn manual(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut preauth = making.account(Kind::Preauth, Some(currency), amount);
    // The PSP's id is what the two records have in common: both are registered with it.
    let known_by = if making.chance.one_in(2) { KnownBy::Id } else { KnownBy::Both };
    let intent = Intent::new(making, &mut preauth, known_by, true);
    making.registers(&preauth);
    intent.begins(making, &mut preauth);
    if making.chance.one_in(8) {
        making.chapter("never reserved");
        intent.fails(making, &mut preauth);
        return making.knows(&preauth);
    }
    reserved(making, &intent, &mut preauth);
    match making.chance.within(0, 5) {
        0 => making.chapter("reserved"),
        1 => {
            making.chapter("reserved and released");
            intent.ends(making, &mut preauth);
        }
        2 => {
            making.chapter("reserved and expired");
            let at = making.later();
            preauth.says(at, "Expired", &intent.id);
            intent.tell(making, &preauth, "charge.expired", at, intent.charge("succeeded", false, 0));
        }
        _ => {
            making.chapter("reserved and captured");
            let part = if making.chance.one_in(3) { making.chance.within(1, amount) } else { amount };
            let requested = if making.chance.one_in(4) { amount } else { part };
            let mut payment = making.account(Kind::Payment, Some(currency), requested);
            payment.registered_psp_id = Some(intent.id.clone());
            payment.parent = Some(preauth.id.clone());
            making.registers(&payment);
            making.later();
            intent.pays(making, &mut payment, "charge.captured", part);
            stripe_more::afterwards(making, &intent, &mut payment, part);
            making.knows(&payment);
        }
    }
    making.knows(&preauth);
}

fn reserved(making: &mut Making, intent: &Intent, preauth: &mut Account) {
    let at = making.perhaps_later();
    let mut charge = intent.charge("succeeded", false, 0);
    if making.chance.one_in(2) {
        let until = at + jiff::SignedDuration::from_hours(168);
        charge["payment_method_details"]["card"]["capture_before"] = until.as_second().into();
        preauth.expires_at = Some(until);
    }
    intent.tell(making, preauth, "charge.succeeded", at, charge);
    preauth.shows_bearer(&CARD);
    let at = making.perhaps_later();
    preauth.says(at, "Succeeded", &intent.id);
    preauth.reserves(intent.amount);
    let object = intent.object("requires_capture", 0);
    intent.tell(making, preauth, "payment_intent.amount_capturable_updated", at, object);
}

/// What concerns nobody, and what nobody understands.
pub(super) fn noise(making: &mut Making, account: &Account) {
    let at = making.later();
    if making.chance.one_in(3) {
        let body = event(making, "customer.created", at, json!({"object": "customer", "id": "cus_soak"}));
        making.tells_as(None, account, body, Fate::Ignored);
    }
    if making.chance.one_in(12) {
        let refund =
            json!({"object": "refund", "id": making.id("re_"), "status": "half_way", "currency": "eur", "amount": 5});
        let body = event(making, "refund.updated", at, refund);
        making.tells_as(None, account, body, Fate::DeadLetter);
    }
    if making.chance.one_in(12) {
        let id = making.id("pi_");
        let stray = json!({"object": "payment_intent", "id": id, "currency": "eur", "amount": 5, "amount_received": 5});
        let body = event(making, "payment_intent.succeeded", at, stray);
        making.tells_as(None, account, body, Fate::Parked);
    }
}
