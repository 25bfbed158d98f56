//! Lives of stored payment methods at Adyen.

use serde_json::json;

use crate::domain::ids::Kind;
use crate::proof::soak::lives::life::Fate;
use crate::proof::soak::lives::making::Making;

/// A stored token, told by a form whose whole body is signed.
pub(super) fn token(making: &mut Making) {
    making.chapter("token");
    let mut agreement = making.expected(Kind::Agreement, None, 0);
    let id = making.id("TOKEN");
    agreement.registered_psp_id = making.chance.one_in(2).then(|| id.clone());
    making.registers(&agreement);
    let types: &[(&str, &str)] = if making.chance.one_in(2) {
        &[("recurring.token.created", "Active"), ("recurring.token.disabled", "Inactive")]
    } else {
        &[("recurring.token.created", "Active"), ("recurring.token.updated", "Active")]
    };
    for (event_type, state) in types {
        let at = making.later();
        agreement.says(at, state, &id);
        let body = json!({
            "createdAt": at.to_string(), "environment": "test", "eventId": making.id("EVENT"), "type": event_type,
            "data": {"merchantAccount": "SoakECOM", "storedPaymentMethodId": id, "shopperReference": agreement.id,
                     "type": "visa", "operation": "created"}});
        making.tells_as(Some("token"), &agreement, body, Fate::Reaches);
    }
    making.knows(&agreement);
}
