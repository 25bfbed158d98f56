//! Refunds and chargebacks at Adyen, after the money has come.

use serde_json::{Value, json};

use super::dealing::Dealing;
use super::item::Item;
use super::refund;
use crate::proof::soak::lives::expected::Expected;
use crate::proof::soak::lives::life::Fate;
use crate::proof::soak::lives::making::Making;

/// The money of a payment, before its refunds and chargebacks.
pub(super) struct Capture {
    pub(super) paid: i64,
    /// The reference of the capture of a preauthorization, as far as chargebacks name it.
    pub(super) capture: Option<String>,
    /// Whether the preauthorization has other captures, too.
    pub(super) has_others: bool,
}

impl Capture {
    pub(super) const fn direct(paid: i64) -> Self {
        Self { paid, capture: None, has_others: false }
    }

    pub(super) fn captured(paid: i64, capture: &str) -> Self {
        Self { paid, capture: Some(capture.to_owned()), has_others: false }
    }
}

/// Maybe refunds or charges back a paid payment.
pub(super) fn afterwards(making: &mut Making, dealing: &Dealing, payment: &mut Expected, after: &Capture) {
    noise(making, dealing, payment);
    let mut left = after.paid;
    for _ in 0..making.chance.pick(&[0, 0, 1, 1, 2, 3]) {
        let amount = if making.chance.one_in(3) { left } else { making.chance.within(1, left.max(1)) };
        let amount = if making.chance.one_in(8) { after.paid + amount } else { amount.max(1) };
        left = (left - amount).max(0);
        if making.chance.one_in(3) {
            refund::unregistered(making, dealing, payment, amount);
        } else {
            refund::registered(making, dealing, payment, amount);
        }
    }
    if making.chance.one_in(3) {
        // Some chargebacks name only the authorization.
        let capture = after.capture.clone().filter(|_| !making.chance.one_in(3));
        chargeback(making, dealing, payment, &Capture { paid: after.paid, capture, has_others: false });
    }
}

const CHARGEBACK_REASONS: [(&str, &str); 4] =
    [("10.4", "UserInitiated"), ("AC04", "BearerInvalid"), ("AM04", "InsufficientBalance"), ("99.9", "Unknown")];

pub(super) fn chargeback(making: &mut Making, dealing: &Dealing, payment: &mut Expected, after: &Capture) {
    making.chapter("charged back");
    let id = making.id("PSPD");
    let (code, reason) = making.chance.pick(&CHARGEBACK_REASONS);
    let amount = if making.chance.one_in(2) { after.paid } else { making.chance.within(1, after.paid) };
    let words = "Other Fraud-Card Absent Environment";
    let mut more = json!({"chargebackReasonCode": code, "chargebackSchemeCode": "visa"});
    if let Some(capture) = &after.capture {
        more["capturePspReference"] = capture.as_str().into();
        more["captureMerchantReference"] = payment.id.as_str().into();
    }
    let merchant = dealing.merchant.clone();
    let item = |event_code, at, more: Value| {
        let item = dealing.modification(event_code, at, &id, &merchant, amount);
        Item { reason: words, more, ..item }.body()
    };
    let at = making.later();
    let first = item("NOTIFICATION_OF_CHARGEBACK", at, more.clone());
    making.tells_as(None, payment, first, Fate::Ignored);
    let at = making.perhaps_later();
    making.tells(payment, item("CHARGEBACK", at, more.clone()));
    let dispute = payment.dispute(&id);
    (dispute.amount, dispute.gone, dispute.reason) = (amount, Some(at), reason);
    let taken = at;
    (dispute.psp_code, dispute.psp_message) = (Some(code.to_owned()), Some(words.to_owned()));
    if making.chance.one_in(2) {
        let at = making.later();
        // Often the additional data is missing: only the chargeback's own id leads to a capture. If the reversal comes first, and
        // several captures could be meant, nobody can tell which.
        let also = if after.has_others { more.clone() } else { json!({}) };
        let event_code = making.chance.pick(&["CHARGEBACK_REVERSED", "PREARBITRATION_WON"]);
        making.tells(payment, item(event_code, at, also));
        payment.dispute(&id).gone = None;
        if making.chance.one_in(2) {
            let at = making.later();
            making.tells(payment, item("SECOND_CHARGEBACK", at, more));
            // The day of a chargeback is that of its first withdrawal.
            payment.dispute(&id).gone = Some(taken);
        }
    }
}

/// Notifications that concern no record, that cannot be understood, or that wait for ever.
fn noise(making: &mut Making, dealing: &Dealing, payment: &Expected) {
    if making.chance.one_in(3) {
        let (at, id) = (making.later(), making.id("PSPX"));
        let report = dealing.modification("REPORT_AVAILABLE", at, &id, "report.csv", 0).body();
        making.tells_as(None, payment, report, Fate::Ignored);
    }
    if making.chance.one_in(12) {
        let (at, id) = (making.later(), making.id("PSPX"));
        let unclear = dealing.modification("CANCEL_OR_REFUND", at, &id, &dealing.merchant, dealing.amount).body();
        making.tells_as(None, payment, unclear, Fate::DeadLetter);
    }
    if making.chance.one_in(12) {
        let (at, id) = (making.later(), making.id("PSPX"));
        let stray = Item { original: "", ..dealing.modification("AUTHORISATION", at, &id, "somebody-elses", 1) }.body();
        making.tells_as(None, payment, stray, Fate::Parked);
    }
}
