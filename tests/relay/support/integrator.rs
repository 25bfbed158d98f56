//! Registrations of the integrator.

use serde_json::{Value, json};

/// An amount as a JSON number, digit for digit.
pub(crate) fn amount(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn payment(psp_id: &str, requested: &str) -> Value {
    json!({"pspTransactionId": psp_id, "requestedAmount": amount(requested), "currency": "EUR"})
}

pub(crate) fn preauth(psp_id: &str, requested: &str) -> Value {
    payment(psp_id, requested)
}

pub(crate) fn refund(psp_id: &str, of: &str, requested: &str) -> Value {
    with(payment(psp_id, requested), "paymentTransactionId", of)
}

pub(crate) fn agreement(psp_id: &str) -> Value {
    json!({"pspAgreementId": psp_id, "currency": "EUR"})
}

/// The same with one field more, or another value for it.
pub(crate) fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

/// The same without one field.
pub(crate) fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().unwrap().remove(field);
    body
}
