//! Lives of stored payment methods and mandates at Stripe.

use serde_json::json;

use super::intent::event;
use crate::domain::ids::Kind;
use crate::proof::soak::lives::expected::{Expected, Why};
use crate::proof::soak::lives::making::{KnownBy, Making};

const SETUP_FAILURES: [(&str, &str); 2] =
    [("authentication_required", "Rejected"), ("insufficient_funds", "InsufficientBalance")];

/// A stored payment method with its mandate.
pub(super) fn setup(making: &mut Making) {
    making.chapter("agreement");
    let mut agreement = making.expected(Kind::Agreement, None, 0);
    let known_by = KnownBy::any(&mut making.chance);
    let (method, mandate, setup) = (making.id("pm_"), making.id("mandate_"), making.id("seti_"));
    agreement.registered_psp_id = known_by.id().then(|| method.clone());
    making.registers(&agreement);
    let metadata = if known_by.reference() { json!({"agreementId": agreement.id}) } else { json!({}) };
    let object = |status: &str| {
        json!({"object": "setup_intent", "id": setup, "payment_method": method, "mandate": mandate, "status": status,
               "metadata": metadata, "cancellation_reason": null, "last_setup_error": null})
    };
    let tell = |making: &mut Making, agreement: &Expected, event_type: &str, at, object| {
        let body = event(making, event_type, at, object);
        making.tells(agreement, body);
    };
    let at = making.later();
    agreement.says(at, "Initiated", &method);
    tell(making, &agreement, "setup_intent.created", at, object("requires_confirmation"));
    let at = making.perhaps_later();
    agreement.says(at, "Pending", &method);
    tell(making, &agreement, "setup_intent.requires_action", at, object("requires_action"));
    if making.chance.one_in(3) {
        let at = making.later();
        let (decline, code) = making.chance.pick(&SETUP_FAILURES);
        let why = Why { code: Some(code), psp_code: Some(decline.to_owned()), message: Some("No.".to_owned()) };
        agreement.fails(at, "Inactive", &method, why);
        let mut failed = object("requires_payment_method");
        failed["last_setup_error"] = json!({"code": "card_declined", "decline_code": decline, "message": "No."});
        tell(making, &agreement, "setup_intent.setup_failed", at, failed);
    }
    if making.chance.one_in(4) {
        let at = making.later();
        agreement.says(at, "Inactive", &method);
        let mut canceled = object("canceled");
        canceled["cancellation_reason"] = "abandoned".into();
        tell(making, &agreement, "setup_intent.canceled", at, canceled);
        return making.knows(&agreement);
    }
    let at = making.later();
    agreement.says(at, "Active", &method);
    tell(making, &agreement, "setup_intent.succeeded", at, object("succeeded"));
    if making.chance.one_in(2) {
        let status = making.chance.pick(&["active", "inactive"]);
        let at = making.later();
        agreement.says(at, if status == "active" { "Active" } else { "Inactive" }, &mandate);
        agreement.shows_bearer(&[("mandateReference", "SOAK0001")]);
        let details = json!({"type": "sepa_debit", "sepa_debit": {"reference": "SOAK0001"}});
        let object = json!({"object": "mandate", "id": mandate, "payment_method": method, "status": status,
                            "payment_method_details": details});
        tell(making, &agreement, "mandate.updated", at, object);
    }
    if making.chance.one_in(3) {
        let at = making.later();
        agreement.says(at, "Inactive", &method);
        let object = json!({"object": "payment_method", "id": method, "metadata": {}});
        tell(making, &agreement, "payment_method.detached", at, object);
    }
    making.knows(&agreement);
}
