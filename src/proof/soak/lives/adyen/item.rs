//! One item of an Adyen notification, and its JSON.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};

use crate::proof::soak::lives::money::Currency;

/// One item of a notification.
pub(super) struct Item<'a> {
    pub(super) code: &'a str,
    pub(super) at: Timestamp,
    /// The reference of this request.
    pub(super) reference: &'a str,
    /// The reference of the payment that it modifies.
    pub(super) original: &'a str,
    pub(super) merchant: &'a str,
    pub(super) amount: (Currency, i64),
    pub(super) success: bool,
    pub(super) reason: &'a str,
    pub(super) more: Value,
}

impl Item<'_> {
    /// A notification with this one item. The senders may put several items into one notification.
    pub(super) fn body(&self) -> Value {
        // The time is in the merchant's time zone.
        let at = self.at.to_zoned(TimeZone::fixed(Offset::constant(1))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let (currency, amount) = self.amount;
        let mut item = json!({
            "additionalData": self.more, "amount": {"currency": currency.code, "value": currency.minor(amount)},
            "eventCode": self.code, "eventDate": at, "merchantAccountCode": "SoakECOM",
            "merchantReference": self.merchant, "paymentMethod": "visa", "pspReference": self.reference,
            "reason": self.reason, "success": if self.success { "true" } else { "false" }});
        if !self.original.is_empty() {
            item["originalReference"] = self.original.into();
        }
        json!({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]})
    }
}
