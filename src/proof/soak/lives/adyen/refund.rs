//! Refunds at Adyen: registered ones, some of them made twice, and those that nobody registered.

use super::dealing::Dealing;
use super::item::Item;
use crate::domain::ids::Kind;
use crate::proof::soak::lives::expected::{Expected, Why};
use crate::proof::soak::lives::making::Making;

/// A refund that the payment stack registers.
pub(super) fn registered(making: &mut Making, dealing: &Dealing, payment: &mut Expected, amount: i64) {
    making.chapter("refunded");
    let mut refund = making.expected(Kind::Refund, Some(dealing.currency), amount);
    let id = making.id("PSPR");
    refund.parent = Some(payment.id.clone());
    refund.registered_psp_id = making.chance.one_in(2).then(|| id.clone());
    making.registers(&refund);
    let merchant = refund.id.clone();
    made(making, dealing, &mut refund, (&id, &merchant), amount);
    if making.chance.one_in(4) {
        making.chapter("twice");
        let id = making.id("PSPR");
        made(making, dealing, &mut refund, (&id, &merchant), amount);
    }
    payment.given_back += refund.refunded();
    making.knows(&refund);
}

/// A refund that was made in the Customer Area: nobody registers it.
pub(super) fn unregistered(making: &mut Making, dealing: &Dealing, payment: &mut Expected, amount: i64) {
    making.chapter("refunded by hand");
    let mut refund = making.expected(Kind::Refund, Some(dealing.currency), amount);
    let (id, merchant) = (making.id("PSPR"), dealing.merchant.clone());
    made(making, dealing, &mut refund, (&id, &merchant), amount);
    payment.given_back += refund.refunded();
}

/// Makes a refund, or tries to.
fn made(making: &mut Making, dealing: &Dealing, refund: &mut Expected, (id, merchant): (&str, &str), amount: i64) {
    refund.tries(id);
    if making.chance.one_in(4) {
        let at = making.later();
        refund.says(at, "Pending", id);
        making.tells(refund, dealing.modification("POSTPONED_REFUND", at, id, merchant, amount).body());
    }
    let at = making.later();
    if making.chance.one_in(5) {
        let words = "Insufficient balance on payment".to_owned();
        let why = Why { code: Some("InsufficientBalance"), psp_code: Some(words.clone()), message: Some(words) };
        refund.fails(at, "Failed", id, why);
        let item = dealing.modification("REFUND", at, id, merchant, amount);
        let item = Item { success: false, reason: "Insufficient balance on payment", ..item };
        return making.tells(refund, item.body());
    }
    refund.says(at, "Succeeded", id);
    refund.gives_back(amount);
    making.tells(refund, dealing.modification("REFUND", at, id, merchant, amount).body());
    if making.chance.one_in(4) {
        // The failure may fall into the same second as the refund.
        let at = making.perhaps_later();
        let code = making.chance.pick(&["REFUND_FAILED", "REFUNDED_REVERSED"]);
        let words = "Account closed".to_owned();
        refund.fails(at, "Failed", id, Why { code: None, psp_code: Some(words.clone()), message: Some(words) });
        let item = dealing.modification(code, at, id, merchant, amount);
        making.tells(refund, Item { reason: "Account closed", ..item }.body());
    }
}
