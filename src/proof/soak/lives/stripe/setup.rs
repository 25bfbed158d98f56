//! Lives of stored payment methods and mandates at Stripe.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::intent::event;
use crate::domain::ids::Kind;
use crate::proof::soak::lives::expected::{Expected, Why};
use crate::proof::soak::lives::making::{KnownBy, Making};

const SETUP_FAILURES: [(&str, &str); 2] =
    [("authentication_required", "Rejected"), ("insufficient_funds", "InsufficientBalance")];

/// The setup of a payment method of a customer.
struct Setup {
    method: String,
    mandate: String,
    id: String,
    customer: String,
    /// The agreement, if the integrator put it into the metadata.
    reference: Option<String>,
}

impl Setup {
    fn new(making: &mut Making, customer: &str, reference: Option<String>) -> Self {
        let (method, mandate, id) = (making.id("pm_"), making.id("mandate_"), making.id("seti_"));
        Self { method, mandate, id, customer: customer.to_owned(), reference }
    }

    fn object(&self, status: &str) -> Value {
        let metadata = self.reference.as_ref().map_or_else(|| json!({}), |id| json!({"agreementId": id}));
        json!({"object": "setup_intent", "id": self.id, "payment_method": self.method, "mandate": self.mandate,
               "customer": self.customer, "status": status, "metadata": metadata, "cancellation_reason": null,
               "last_setup_error": null})
    }

    /// Notes a state of the payment method, and tells of it.
    fn says(
        &self,
        making: &mut Making,
        agreement: &mut Expected,
        said: (&str, &'static str),
        at: Timestamp,
        object: Value,
    ) {
        let (event_type, state) = said;
        agreement.tries(&self.method);
        // Until it succeeds, the setup says nothing of the method.
        let is_setup = event_type.starts_with("setup_intent.") && state != "Active";
        agreement.says(at, state, if is_setup { &self.id } else { &self.method });
        tell(making, agreement, event_type, at, object);
    }

    fn begins(&self, making: &mut Making, agreement: &mut Expected) {
        let at = making.later();
        let object = self.object("requires_confirmation");
        self.says(making, agreement, ("setup_intent.created", "Initiated"), at, object);
        let at = making.perhaps_later();
        let object = self.object("requires_action");
        self.says(making, agreement, ("setup_intent.requires_action", "Pending"), at, object);
    }

    fn fails(&self, making: &mut Making, agreement: &mut Expected) {
        let at = making.later();
        let (decline, code) = making.chance.pick(&SETUP_FAILURES);
        let why = Why { code: Some(code), psp_code: Some(decline.to_owned()), message: Some("No.".to_owned()) };
        agreement.tries(&self.method);
        agreement.fails(at, "Inactive", &self.id, why);
        let mut failed = self.object("requires_payment_method");
        failed["last_setup_error"] = json!({"code": "card_declined", "decline_code": decline, "message": "No."});
        tell(making, agreement, "setup_intent.setup_failed", at, failed);
    }

    fn is_cancelled(&self, making: &mut Making, agreement: &mut Expected) {
        let at = making.later();
        let mut canceled = self.object("canceled");
        canceled["cancellation_reason"] = "abandoned".into();
        self.says(making, agreement, ("setup_intent.canceled", "Inactive"), at, canceled);
    }

    fn succeeds(&self, making: &mut Making, agreement: &mut Expected) {
        let at = making.later();
        let object = self.object("succeeded");
        self.says(making, agreement, ("setup_intent.succeeded", "Active"), at, object);
    }

    /// Tells of the mandate, and shows its reference.
    fn has_mandate(&self, making: &mut Making, agreement: &mut Expected) {
        let status = making.chance.pick(&["active", "inactive"]);
        let at = making.later();
        let details = json!({"type": "sepa_debit", "sepa_debit": {"reference": self.mandate}});
        let object = json!({"object": "mandate", "id": self.mandate, "payment_method": self.method, "status": status,
                            "payment_method_details": details});
        let state = if status == "active" { "Active" } else { "Inactive" };
        self.says(making, agreement, ("mandate.updated", state), at, object);
        agreement.shows_bearer(&[("mandateReference", &self.mandate)]);
    }

    fn is_detached(&self, making: &mut Making, agreement: &mut Expected) {
        detached(making, agreement, &self.method);
    }
}

/// Detaches a payment method from its customer.
pub(super) fn detached(making: &mut Making, agreement: &mut Expected, method: &str) {
    let at = making.later();
    let object = json!({"object": "payment_method", "id": method, "metadata": {}});
    agreement.tries(method);
    agreement.says(at, "Inactive", method);
    tell(making, agreement, "payment_method.detached", at, object);
}

fn tell(making: &mut Making, agreement: &Expected, event_type: &str, at: Timestamp, object: Value) {
    let body = event(making, event_type, at, object);
    making.tells(agreement, body);
}

/// A stored payment method with its mandate, and maybe another card in its place.
pub(super) fn setup(making: &mut Making) {
    making.chapter("agreement");
    let mut agreement = making.expected(Kind::Agreement, None, 0);
    let known_by = KnownBy::any(&mut making.chance);
    let customer = making.id("cus_");
    let reference = known_by.reference().then(|| agreement.id.clone());
    let setup = Setup::new(making, &customer, reference);
    agreement.registered_psp_id = known_by.id().then(|| setup.method.clone());
    making.registers(&agreement);
    setup.begins(making, &mut agreement);
    if making.chance.one_in(3) {
        setup.fails(making, &mut agreement);
    }
    if making.chance.one_in(4) {
        setup.is_cancelled(making, &mut agreement);
        return making.knows(&agreement);
    }
    setup.succeeds(making, &mut agreement);
    match making.chance.within(0, 4) {
        0 | 1 => another_card(making, &mut agreement, &setup),
        2 => customer_ends(making, &mut agreement, &customer),
        _ => {
            if making.chance.one_in(2) {
                setup.has_mandate(making, &mut agreement);
            }
            if making.chance.one_in(3) {
                setup.is_detached(making, &mut agreement);
            }
        }
    }
    making.knows(&agreement);
}

/// The customer gives another card: the agreement has two payment methods, until the old one is detached.
fn another_card(making: &mut Making, agreement: &mut Expected, old: &Setup) {
    making.chapter("another card");
    if making.chance.one_in(2) {
        old.has_mandate(making, agreement);
    }
    let reference = Some(agreement.id.clone());
    let new = Setup::new(making, &old.customer, reference);
    new.begins(making, agreement);
    if making.chance.one_in(4) {
        making.chapter("is refused");
        return new.fails(making, agreement);
    }
    new.succeeds(making, agreement);
    if making.chance.one_in(3) {
        return;
    }
    making.chapter("in place of the old one");
    old.is_detached(making, agreement);
    if making.chance.one_in(3) {
        new.is_detached(making, agreement);
    }
}

/// The customer is deleted, with another agreement of the same customer.
fn customer_ends(making: &mut Making, agreement: &mut Expected, customer: &str) {
    making.chapter("customer deleted");
    let mut other = making.expected(Kind::Agreement, None, 0);
    let reference = Some(other.id.clone());
    let setup = Setup::new(making, customer, reference);
    making.registers(&other);
    setup.begins(making, &mut other);
    if making.chance.one_in(2) {
        setup.succeeds(making, &mut other);
    }
    let at = making.later();
    for one in [&mut *agreement, &mut other] {
        one.says(at, "Inactive", "");
    }
    tell(making, agreement, "customer.deleted", at, json!({"object": "customer", "id": customer, "deleted": true}));
    making.knows(&other);
}
