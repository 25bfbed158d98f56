//! Lives of stored payment methods at Adyen.

use serde_json::{Value, json};

use super::dealing::Dealing;
use super::item::Item;
use crate::domain::ids::Kind;
use crate::proof::soak::lives::expected::Expected;
use crate::proof::soak::lives::life::Fate;
use crate::proof::soak::lives::making::Making;

/// Tells of a token by a form whose whole body is signed.
fn tell(making: &mut Making, agreement: &mut Expected, id: &str, event_type: &str) {
    let at = making.later();
    agreement.tries(id);
    agreement.says(at, if event_type == "recurring.token.disabled" { "Inactive" } else { "Active" }, id);
    let body = json!({
        "createdAt": at.to_string(), "environment": "test", "eventId": making.id("EVENT"), "type": event_type,
        "data": {"merchantAccount": "SoakECOM", "storedPaymentMethodId": id, "shopperReference": agreement.id,
                 "type": "visa", "operation": "created"}});
    making.tells_as(Some("token"), agreement, body, Fate::Reaches);
}

/// A stored token, and maybe another one in its place.
pub(super) fn token(making: &mut Making) {
    making.chapter("token");
    let mut agreement = making.expected(Kind::Agreement, None, 0);
    let id = making.id("TOKEN");
    agreement.registered_psp_id = making.chance.one_in(2).then(|| id.clone());
    making.registers(&agreement);
    tell(making, &mut agreement, &id, "recurring.token.created");
    if making.chance.one_in(2) {
        tell(making, &mut agreement, &id, "recurring.token.updated");
    }
    if making.chance.one_in(2) {
        making.chapter("and another card");
        let other = making.id("TOKEN");
        tell(making, &mut agreement, &other, "recurring.token.created");
        tell(making, &mut agreement, &id, "recurring.token.disabled");
        if making.chance.one_in(3) {
            tell(making, &mut agreement, &other, "recurring.token.disabled");
        }
    } else if making.chance.one_in(2) {
        tell(making, &mut agreement, &id, "recurring.token.disabled");
    }
    making.knows(&agreement);
}

/// A first payment that stores a token for its agreement.
pub(super) fn first_payment(making: &mut Making) {
    making.chapter("first payment of an agreement");
    let mut agreement = making.expected(Kind::Agreement, None, 0);
    // Transform is not told of the payment when only its agreement's payment data change.
    agreement.bearer.clear();
    making.registers(&agreement);
    let currency = making.currency();
    let amount = currency.amount(&mut making.chance);
    let mut payment = making.expected(Kind::Payment, Some(currency), amount);
    payment.agreement = Some(agreement.id.clone());
    let dealing = Dealing::new(making, &mut payment);
    making.registers(&payment);
    dealing.authorised(making, &mut payment);
    let (at, token) = (making.later(), making.id("TOKEN"));
    agreement.tries(&token);
    agreement.says(at, "Active", &token);
    let more: Value = json!({"recurring.recurringDetailReference": token, "recurring.shopperReference": agreement.id});
    let merchant = dealing.merchant.clone();
    let item = Item { more, ..dealing.modification("RECURRING_CONTRACT", at, &token, &merchant, 0) };
    making.tells(&agreement, item.body());
    if making.chance.one_in(2) {
        tell(making, &mut agreement, &token, "recurring.token.disabled");
    }
    making.knows(&agreement);
    making.knows(&payment);
}
