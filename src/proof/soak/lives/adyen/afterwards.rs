//! Refunds and chargebacks at Adyen, after the money has come.

use serde_json::{Value, json};

use super::dealing::Dealing;
use super::item::Item;
use crate::domain::ids::Kind;
use crate::proof::soak::lives::expected::{Expected, Why};
use crate::proof::soak::lives::life::Fate;
use crate::proof::soak::lives::making::Making;

/// Maybe refunds or charges back a paid payment. `capture` is the reference of a preauthorization's capture.
pub(super) fn afterwards(
    making: &mut Making,
    dealing: &Dealing,
    payment: &mut Expected,
    capture: Option<&str>,
    paid: i64,
) {
    noise(making, dealing, payment);
    let mut left = paid;
    for _ in 0..making.chance.pick(&[0, 0, 1, 1, 2, 3]) {
        let amount = if making.chance.one_in(3) { left } else { making.chance.within(1, left.max(1)) };
        if amount > 0 && amount <= left {
            left -= amount;
            refund(making, dealing, payment, amount);
        }
    }
    if making.chance.one_in(3) {
        chargeback(making, dealing, payment, capture, paid);
    }
}

fn refund(making: &mut Making, dealing: &Dealing, payment: &mut Expected, amount: i64) {
    making.chapter("refunded");
    let mut refund = making.expected(Kind::Refund, Some(dealing.currency), amount);
    let id = making.id("PSPR");
    refund.parent = Some(payment.id.clone());
    refund.registered_psp_id = making.chance.one_in(2).then(|| id.clone());
    making.registers(&refund);
    let merchant = refund.id.clone();
    if making.chance.one_in(4) {
        let at = making.later();
        refund.says(at, "Pending", &id);
        making.tells(&refund, dealing.modification("POSTPONED_REFUND", at, &id, &merchant, amount).body());
    }
    let at = making.later();
    if making.chance.one_in(5) {
        let why = Why { message: Some("Insufficient balance on payment".to_owned()), ..Why::default() };
        refund.fails(at, "Failed", &id, why);
        let item = dealing.modification("REFUND", at, &id, &merchant, amount);
        let item = Item { success: false, reason: "Insufficient balance on payment", ..item };
        making.tells(&refund, item.body());
        return making.knows(&refund);
    }
    refund.says(at, "Succeeded", &id);
    refund.given_back = amount;
    making.tells(&refund, dealing.modification("REFUND", at, &id, &merchant, amount).body());
    if making.chance.one_in(4) {
        // The failure may fall into the same second as the refund.
        let at = making.perhaps_later();
        let code = making.chance.pick(&["REFUND_FAILED", "REFUNDED_REVERSED"]);
        refund.fails(at, "Failed", &id, Why { message: Some("Account closed".to_owned()), ..Why::default() });
        refund.given_back = 0;
        let item = dealing.modification(code, at, &id, &merchant, amount);
        making.tells(&refund, Item { reason: "Account closed", ..item }.body());
    }
    payment.given_back += refund.given_back;
    making.knows(&refund);
}

const CHARGEBACK_REASONS: [(&str, &str); 4] =
    [("10.4", "UserInitiated"), ("AC04", "BearerInvalid"), ("AM04", "InsufficientBalance"), ("99.9", "Unknown")];

fn chargeback(making: &mut Making, dealing: &Dealing, payment: &mut Expected, capture: Option<&str>, paid: i64) {
    making.chapter("charged back");
    let id = making.id("PSPD");
    let (code, reason) = making.chance.pick(&CHARGEBACK_REASONS);
    let amount = if making.chance.one_in(2) { paid } else { making.chance.within(1, paid) };
    let words = "Other Fraud-Card Absent Environment";
    let mut more = json!({"chargebackReasonCode": code, "chargebackSchemeCode": "visa"});
    if let Some(capture) = capture {
        more["capturePspReference"] = capture.into();
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
    (dispute.psp_code, dispute.psp_message) = (Some(code.to_owned()), Some(words.to_owned()));
    if making.chance.one_in(2) {
        let at = making.later();
        // The additional data is missing: only the chargeback's own id leads to a capture.
        let event_code = making.chance.pick(&["CHARGEBACK_REVERSED", "PREARBITRATION_WON"]);
        making.tells(payment, item(event_code, at, json!({})));
        payment.dispute(&id).gone = None;
        if making.chance.one_in(2) {
            let at = making.later();
            making.tells(payment, item("SECOND_CHARGEBACK", at, more));
            payment.dispute(&id).gone = Some(at);
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
