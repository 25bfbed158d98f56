//! Planted secrets and payer data: texts that the tests' notifications carry and that must never be printed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::setup::{INTEGRATOR_PASSWORD, MEDIA_PASSWORD, SECRETS, TRANSFORM_PASSWORD};

pub(crate) const CARD: &str = "4111111111111111";
pub(crate) const CARD_GROUPED: &str = "4111 1111 1111 1111";
pub(crate) const IBAN: &str = "DE89370400440532013000";
pub(crate) const IBAN_GROUPED: &str = "DE89 3704 0044 0532 0130 00";
pub(crate) const E_MAIL: &str = "petra.payer@example.org";
pub(crate) const HOLDER: &str = "Petra Payer-Pelikan";

const PAYER: [(&str, &str); 6] = [
    ("the card number", CARD),
    ("the card number in groups", CARD_GROUPED),
    ("the IBAN", IBAN),
    ("the IBAN in groups", IBAN_GROUPED),
    ("the e-mail address", E_MAIL),
    ("the holder's name", HOLDER),
];

/// The payer's data as PSPs put it into their objects.
pub(crate) fn payer() -> Value {
    json!({
        "billing_details": {"email": E_MAIL, "name": HOLDER},
        "customer_email": E_MAIL,
        "payment_method_details": {
            "card": {"number": CARD, "display": CARD_GROUPED, "name": HOLDER},
            "sepa_debit": {"iban": IBAN, "display": IBAN_GROUPED},
        },
        "receipt_email": E_MAIL,
    })
}

/// The object with the payer's data in it; its own fields stay.
pub(crate) fn with_payer(mut object: Value) -> Value {
    let Some(fields) = object.as_object_mut() else { return object };
    for (name, value) in payer().as_object().unwrap() {
        fields.entry(name.clone()).or_insert_with(|| value.clone());
    }
    object
}

/// Lines that hold a forbidden text: the number of the line and the name of the text.
pub(crate) fn found_in(text: &str) -> Vec<String> {
    let passwords = [
        ("the basic credentials of Transform", format!("transform:{TRANSFORM_PASSWORD}")),
        ("the basic credentials of the integrator", format!("payment-stack:{INTEGRATOR_PASSWORD}")),
        ("the basic credentials of the source media", format!("plenigo_test:{MEDIA_PASSWORD}")),
    ];
    let encoded = passwords.map(|(name, text)| (name, STANDARD.encode(text)));
    let plain = SECRETS.iter().chain(&PAYER).map(|(name, value)| (*name, (*value).to_owned()));
    let hidden: Vec<_> = plain.chain(encoded).map(|(name, value)| (name, value.to_lowercase())).collect();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        let here = hidden.iter().filter(|(_, value)| line.contains(value));
        found.extend(here.map(|(name, _)| format!("line {}: {name}", number + 1)));
    }
    found
}
