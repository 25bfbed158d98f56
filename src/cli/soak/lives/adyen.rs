//! Lives at Adyen: authorisations, modifications, chargebacks, tokens.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};

use super::account::{Account, Why};
use super::making::{KnownBy, Making};
use super::money::Currency;
use super::{Fate, adyen_more};
use crate::domain::ids::Kind;

pub(super) fn live(making: &mut Making) {
    match making.chance.within(0, 9) {
        0..=4 => direct(making),
        5..=8 => reserved(making),
        _ => adyen_more::token(making),
    }
}

/// One item of a notification.
pub(super) struct Item<'a> {
    pub(super) code: &'a str,
    pub(super) at: Timestamp,
    /// Of this request.
    pub(super) reference: &'a str,
    /// Of the payment that it modifies.
    pub(super) original: &'a str,
    pub(super) merchant: &'a str,
    pub(super) amount: (Currency, i64),
    pub(super) success: bool,
    pub(super) reason: &'a str,
    pub(super) more: Value,
}

impl Item<'_> {
    /// As the one item of a notification; the senders may put several into one.
    pub(super) fn body(&self) -> Value {
        // In the merchant's time zone.
        let at = self.at.to_zoned(TimeZone::fixed(Offset::constant(1))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let (currency, amount) = self.amount;
        let mut item = json!({
            "additionalData": self.more, "amount": {"currency": currency.code, "value": currency.minor(amount)},
            "eventCode": self.code, "eventDate": at, "merchantAccountCode": "SoakECOM",
            "merchantReference": self.merchant, "paymentMethod": "visa", "pspReference": self.reference,
            "reason": self.reason, "success": if self.success { "true" } else { "false" }});
        if !self.original.is_empty() {
            item["originalReference"] = self.original.into();
        }
        json!({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]})
    }
}

const REFUSALS: [(&str, Option<&str>); 6] = [
    ("Not enough balance", Some("InsufficientBalance")),
    ("Expired Card", Some("BearerExpired")),
    ("CVC Declined", Some("BearerInvalid")),
    ("Withdrawal count exceeded", Some("LimitExceeded")),
    ("Refused", Some("Rejected")),
    ("A Reason Of Tomorrow", None),
];

/// What one payment or preauthorization has with Adyen.
pub(super) struct Dealing {
    /// Transform's id of the record that is authorised.
    pub(super) merchant: String,
    pub(super) currency: Currency,
    pub(super) amount: i64,
    /// The reference of the authorisation that succeeded, or of the last one.
    pub(super) authorisation: String,
    /// Whether an attempt was left by the customer. Of two, neither would say more than the other.
    left: bool,
}

impl Dealing {
    fn new(making: &mut Making, account: &mut Account) -> Self {
        let authorisation = making.id("PSPA");
        account.registered_psp_id = making.chance.one_in(2).then(|| authorisation.clone());
        let currency = account.currency.unwrap_or_default();
        Self { merchant: account.id.clone(), currency, amount: account.requested, authorisation, left: false }
    }

    fn item<'a>(&'a self, code: &'a str, at: Timestamp, success: bool) -> Item<'a> {
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

    /// Attempts that fail, each with a reference of its own.
    fn refused(&mut self, making: &mut Making, account: &mut Account, times: i64) {
        for _ in 0..times {
            let at = making.later();
            let reference = making.id("PSPA");
            if !self.left && making.chance.one_in(4) {
                self.left = true;
                // Left by the customer: says nothing against another attempt, whenever that was.
                if account.is_new() {
                    account.fails(at, "Expired", &reference, Why::default());
                }
                let item = Item { reference: &reference, ..self.item("OFFER_CLOSED", at, true) };
                making.tells(account, item.body());
                continue;
            }
            let (reason, code) = making.chance.pick(&REFUSALS);
            let raw = making.chance.one_in(2).then(|| "51 : issuer says no".to_owned());
            let psp_code = raw.clone().unwrap_or_else(|| reason.to_owned());
            let why = Why { code, psp_code: Some(psp_code), message: Some(reason.to_owned()) };
            account.fails(at, "Failed", &reference, why);
            let more = raw.map_or_else(|| json!({}), |raw| json!({"refusalReasonRaw": raw}));
            let item = Item { reference: &reference, reason, more, ..self.item("AUTHORISATION", at, false) };
            making.tells(account, item.body());
        }
    }

    fn authorised(&self, making: &mut Making, account: &mut Account) {
        let at = making.later();
        account.says(at, "Succeeded", &self.authorisation);
        if account.kind == Kind::Payment {
            account.books(&self.authorisation, self.amount, at);
        } else {
            account.reserves(self.amount);
        }
        account.shows_bearer(&[("cardType", "visa"), ("expiry", "03/2030"), ("last4", "0004")]);
        let more = json!({"cardSummary": "0004", "expiryDate": "03/2030", "authCode": "004711"});
        let item = Item { more, reason: "004711:0004:03/2030", ..self.item("AUTHORISATION", at, true) };
        making.tells(account, item.body());
    }

    /// The reservation or the payment is taken back before any money moved.
    fn ended(&self, making: &mut Making, account: &mut Account) {
        let at = making.later();
        let (code, state) = making.chance.pick(&[
            ("CANCELLATION", "Cancelled"),
            ("TECHNICAL_CANCEL", "Cancelled"),
            ("EXPIRE", "Expired"),
        ]);
        account.says(at, state, "");
        account.unbooks(&self.authorisation);
        let reference = making.id("PSPM");
        let item = Item { reference: &reference, original: &self.authorisation, ..self.item(code, at, true) };
        making.tells(account, item.body());
    }

    /// Money is captured under a reference of its own; takes the place of the authorisation.
    fn captured(&self, making: &mut Making, account: &mut Account, capture: &str, amount: i64) {
        let at = making.later();
        account.says(at, "Succeeded", capture);
        account.unbooks(&self.authorisation);
        account.books(capture, amount, at);
        let merchant = account.id.clone();
        making.tells(account, self.modification("CAPTURE", at, capture, &merchant, amount).body());
    }

    /// The scheme takes a capture back, maybe in the second of the capture.
    fn capture_fails(&self, making: &mut Making, account: &mut Account, capture: &str, amount: i64) {
        let at = making.perhaps_later();
        let why = Why { message: Some("Capture Failed".to_owned()), ..Why::default() };
        account.fails(at, "Failed", capture, why);
        account.unbooks(capture);
        let merchant = account.id.clone();
        let item = self.modification("CAPTURE_FAILED", at, capture, &merchant, amount);
        making.tells(account, Item { reason: "Capture Failed", ..item }.body());
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

/// A payment without a preauthorization, captured at once or by hand.
fn direct(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut payment = making.account(Kind::Payment, Some(currency), amount);
    let mut dealing = Dealing::new(making, &mut payment);
    making.registers(&payment);
    let refusals = making.chance.pick(&[0, 0, 1, 2]);
    dealing.refused(making, &mut payment, refusals);
    if making.chance.one_in(8) {
        making.chapter("never paid");
        dealing.refused(making, &mut payment, 1);
        return making.knows(&payment);
    }
    dealing.authorised(making, &mut payment);
    match making.chance.within(0, 6) {
        0 => {
            making.chapter("taken back");
            dealing.ended(making, &mut payment);
        }
        1 => {
            making.chapter("captured by hand, in vain");
            let capture = making.id("PSPC");
            dealing.captured(making, &mut payment, &capture, amount);
            dealing.capture_fails(making, &mut payment, &capture, amount);
        }
        2 | 3 => {
            making.chapter("captured by hand");
            let capture = making.id("PSPC");
            dealing.captured(making, &mut payment, &capture, amount);
            adyen_more::afterwards(making, &dealing, &mut payment, None, amount);
        }
        _ => {
            making.chapter("paid");
            adyen_more::afterwards(making, &dealing, &mut payment, None, amount);
        }
    }
    making.knows(&payment);
}

/// A preauthorization, and maybe captures of it, all of one payment.
fn reserved(making: &mut Making) {
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut preauth = making.account(Kind::Preauth, Some(currency), amount);
    let mut dealing = Dealing::new(making, &mut preauth);
    making.registers(&preauth);
    let refusals = making.chance.pick(&[0, 0, 1, 2]);
    dealing.refused(making, &mut preauth, refusals);
    dealing.authorised(making, &mut preauth);
    match making.chance.within(0, 5) {
        0 => {
            making.chapter("reserved and released");
            dealing.ended(making, &mut preauth);
        }
        1 => {
            making.chapter("reserved, and the rest released in vain");
            let at = making.later();
            let reference = making.id("PSPM");
            let item =
                Item { success: false, ..dealing.modification("CANCELLATION", at, &reference, &preauth.id, amount) };
            making.tells_as(None, &preauth, item.body(), Fate::Ignored);
        }
        _ => captures(making, &dealing, &preauth),
    }
    making.knows(&preauth);
}

fn captures(making: &mut Making, dealing: &Dealing, preauth: &Account) {
    making.chapter("reserved and captured");
    let mut payment = making.account(Kind::Payment, Some(dealing.currency), dealing.amount);
    payment.parent = Some(preauth.id.clone());
    let (first, second) = (making.id("PSPC"), making.id("PSPC"));
    if KnownBy::any(&mut making.chance).id() {
        payment.registered_psp_id = Some(first.clone());
    }
    making.registers(&payment);
    let part = if making.chance.one_in(3) { making.chance.within(1, dealing.amount) } else { dealing.amount };
    dealing.captured(making, &mut payment, &first, part);
    match making.chance.within(0, 3) {
        0 => {
            making.chapter("in vain");
            dealing.capture_fails(making, &mut payment, &first, part);
            if making.chance.one_in(2) {
                making.chapter("and again");
                dealing.captured(making, &mut payment, &second, dealing.amount);
            }
        }
        1 if part < dealing.amount => {
            making.chapter("in two parts");
            dealing.captured(making, &mut payment, &second, dealing.amount - part);
            adyen_more::afterwards(making, dealing, &mut payment, Some(&first), dealing.amount);
        }
        _ => adyen_more::afterwards(making, dealing, &mut payment, Some(&first), part),
    }
    making.knows(&payment);
}
