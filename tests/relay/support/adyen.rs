//! Adyen's notifications, as far as the relay reads them.

use serde_json::{Value, json};

use super::planted::{CARD, E_MAIL, HOLDER, IBAN};

/// A notification of one item: event code, the item's own reference, the payment's reference, and an amount in minor
/// units. It carries the payer's data in Adyen's fields.
pub(crate) fn item(code: &str, psp: &str, original: &str, minute: u8, value: i64) -> Value {
    json!({"live": "false", "notificationItems": [{"NotificationRequestItem": {
        "additionalData": {
            "cardHolderName": HOLDER, "cardNumber": CARD, "iban": IBAN, "ownerName": HOLDER, "shopperEmail": E_MAIL,
        },
        "amount": {"currency": "EUR", "value": value},
        "eventCode": code,
        "eventDate": format!("2026-03-02T10:{minute:02}:00+01:00"),
        "merchantAccountCode": "RelayTests",
        "merchantReference": "",
        "originalReference": original,
        "paymentMethod": "visa",
        "pspReference": psp,
        "reason": "",
        "success": "true",
    }}]})
}

/// The same with one field of the item set.
pub(crate) fn with(mut notification: Value, field: &str, value: &str) -> Value {
    notification["notificationItems"][0]["NotificationRequestItem"][field] = value.into();
    notification
}

/// The same with this unsigned field beside the signed ones.
pub(crate) fn beside(mut notification: Value, field: &str, value: &str) -> Value {
    notification["notificationItems"][0]["NotificationRequestItem"]["additionalData"][field] = value.into();
    notification
}
