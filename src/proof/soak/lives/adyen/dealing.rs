//! A record's dealings with Adyen until its money has come.

use jiff::Timestamp;
use serde_json::json;

use super::item::Item;
use crate::domain::ids::Kind;
use crate::proof::soak::lives::expected::{Expected, Why};
use crate::proof::soak::lives::making::Making;
use crate::proof::soak::lives::money::Currency;

const REFUSALS: [(&str, Option<&str>); 6] = [
    ("Not enough balance", Some("InsufficientBalance")),
    ("Expired Card", Some("BearerExpired")),
    ("CVC Declined", Some("BearerInvalid")),
    ("Withdrawal count exceeded", Some("LimitExceeded")),
    ("Refused", Some("Rejected")),
    ("A Reason Of Tomorrow", None),
];

/// The dealings of one payment or preauthorization with Adyen.
#[derive(Clone)]
pub(super) struct Dealing {
    /// The Transform id of the record that is authorised.
    pub(super) merchant: String,
    pub(super) currency: Currency,
    pub(super) amount: i64,
    /// The reference of the authorisation that succeeds. Failed attempts have references of their own.
    pub(super) authorisation: String,
    /// Whether the customer left an attempt. There is only one such attempt, because two would say no more.
    pub(super) left: bool,
}

impl Dealing {
    pub(super) fn new(making: &mut Making, expected: &mut Expected) -> Self {
        let authorisation = making.id("PSPA");
        expected.registered_psp_id = making.chance.one_in(2).then(|| authorisation.clone());
        let currency = expected.currency.unwrap_or_default();
        Self { merchant: expected.id.clone(), currency, amount: expected.requested, authorisation, left: false }
    }

    /// Another authorisation under the same merchant reference.
    pub(super) fn another(&self, making: &mut Making, amount: i64) -> Self {
        Self { authorisation: making.id("PSPA"), amount, ..self.clone() }
    }

    pub(super) fn item<'a>(&'a self, code: &'a str, at: Timestamp, success: bool) -> Item<'a> {
        Item {
            code,
            at,
            reference: &self.authorisation,
            original: "",
            merchant: &self.merchant,
            amount: (self.currency, self.amount),
            success,
            reason: "",
            more: json!({}),
        }
    }

    /// Lets attempts fail, each with a reference of its own.
    pub(super) fn refused(&mut self, making: &mut Making, expected: &mut Expected, times: i64) {
        for _ in 0..times {
            let at = making.later();
            let reference = making.id("PSPA");
            if !self.left && making.chance.one_in(4) {
                self.left = true;
                // The customer left this attempt. It says nothing against another attempt, whenever that was.
                if expected.is_new() {
                    expected.tries(&reference);
                    expected.says(at, "Expired", &reference);
                }
                let item = Item { reference: &reference, ..self.item("OFFER_CLOSED", at, true) };
                making.tells(expected, item.body());
                continue;
            }
            let (reason, code) = making.chance.pick(&REFUSALS);
            let raw = making.chance.one_in(2).then(|| "51 : issuer says no".to_owned());
            let psp_code = raw.clone().unwrap_or_else(|| reason.to_owned());
            let why = Why { code, psp_code: Some(psp_code), message: Some(reason.to_owned()) };
            expected.tries(&reference);
            expected.fails(at, "Failed", &reference, why);
            let more = raw.map_or_else(|| json!({}), |raw| json!({"refusalReasonRaw": raw}));
            let item = Item { reference: &reference, reason, more, ..self.item("AUTHORISATION", at, false) };
            making.tells(expected, item.body());
        }
    }

    pub(super) fn authorised(&self, making: &mut Making, expected: &mut Expected) {
        let at = making.later();
        expected.tries(&self.authorisation);
        expected.says(at, "Succeeded", &self.authorisation);
        if expected.kind == Kind::Payment {
            expected.books(&self.authorisation, self.amount, at);
        } else {
            expected.reserves(self.amount);
        }
        expected.shows_bearer(&[("cardType", "visa"), ("expiry", "03/2030"), ("last4", "0004")]);
        let more = json!({"cardSummary": "0004", "expiryDate": "03/2030", "authCode": "004711"});
        let item = Item { more, reason: "004711:0004:03/2030", ..self.item("AUTHORISATION", at, true) };
        making.tells(expected, item.body());
    }

    /// Changes the amount of the reservation: a part of it is released, or it is raised.
    pub(super) fn adjusted(&mut self, making: &mut Making, preauth: &mut Expected) {
        let at = making.later();
        self.amount = if making.chance.one_in(3) { self.amount * 2 } else { making.chance.within(1, self.amount) };
        preauth.tries(&self.authorisation);
        preauth.reserves(self.amount);
        let (reference, merchant) = (making.id("PSPM"), self.merchant.clone());
        let item = self.modification("AUTHORISATION_ADJUSTMENT", at, &reference, &merchant, self.amount);
        making.tells(preauth, item.body());
    }

    /// Takes back the reservation or the payment before any money moved, or the rest of the reservation.
    pub(super) fn ended(&self, making: &mut Making, expected: &mut Expected) {
        let at = making.later();
        let (code, state) = making.chance.pick(&[
            ("CANCELLATION", "Cancelled"),
            ("TECHNICAL_CANCEL", "Cancelled"),
            ("EXPIRE", "Expired"),
        ]);
        expected.tries(&self.authorisation);
        expected.says(at, state, "");
        expected.unbooks(&self.authorisation);
        let reference = making.id("PSPM");
        let item = Item { reference: &reference, original: &self.authorisation, ..self.item(code, at, true) };
        making.tells(expected, item.body());
    }

    /// Captures money under a reference of its own, in place of the authorisation.
    pub(super) fn captured(&self, making: &mut Making, expected: &mut Expected, capture: &str, amount: i64) {
        let merchant = expected.id.clone();
        self.captured_for(making, expected, (capture, &merchant), amount);
    }

    /// Captures money with a merchant reference that may name no record.
    pub(super) fn captured_for(
        &self,
        making: &mut Making,
        expected: &mut Expected,
        (capture, merchant): (&str, &str),
        amount: i64,
    ) {
        let at = making.later();
        expected.tries(&self.authorisation);
        expected.says(at, "Succeeded", capture);
        expected.unbooks(&self.authorisation);
        expected.books(capture, amount, at);
        making.tells(expected, self.modification("CAPTURE", at, capture, merchant, amount).body());
    }

    /// Lets the scheme take back a capture, maybe in the same second as the capture.
    pub(super) fn capture_fails(&self, making: &mut Making, expected: &mut Expected, capture: &str, amount: i64) {
        let at = making.perhaps_later();
        let words = "Capture Failed".to_owned();
        let why = Why { code: None, psp_code: Some(words.clone()), message: Some(words) };
        expected.fails(at, "Failed", capture, why);
        expected.unbooks(capture);
        let merchant = expected.id.clone();
        let item = self.modification("CAPTURE_FAILED", at, capture, &merchant, amount);
        making.tells(expected, Item { reason: "Capture Failed", ..item }.body());
    }

    pub(super) fn modification<'a>(
        &'a self,
        code: &'a str,
        at: Timestamp,
        reference: &'a str,
        merchant: &'a str,
        amount: i64,
    ) -> Item<'a> {
        let amount = (self.currency, amount);
        Item { reference, original: &self.authorisation, merchant, amount, ..self.item(code, at, true) }
    }
}
