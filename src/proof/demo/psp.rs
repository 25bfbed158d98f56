//! The demo's two PSPs, Stripe and Adyen: their secrets, their sources at the relay, and the shapes of their notifications.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::proof::stand_in::Psp;

/// The source, the profile and the secret of each PSP. The secrets are made up.
pub(super) const PSPS: [(&str, &str, &str); 2] = [
    ("stripe-main", "stripe", "whsec_demo"),
    ("adyen-eu", "adyen", "64656d6f2064656d6f2064656d6f2064656d6f2064656d6f2064656d6f202121"),
];

/// Stripe and Adyen.
pub(super) fn both() -> anyhow::Result<[Psp; 2]> {
    let [stripe, adyen] = PSPS.map(|(source, profile, secret)| Psp::new(source, profile, secret));
    Ok([stripe?, adyen?])
}

/// A Stripe event `second` seconds into the story.
pub(super) fn stripe(event_type: &str, second: i64, object: Value) -> Value {
    let created = Timestamp::now().as_second() - 3600 + second;
    let id = format!("evt_demo_{second}_{}", event_type.replace('.', "_"));
    json!({"id": id, "object": "event", "type": event_type, "created": created, "data": {"object": object}})
}

/// An Adyen notification `second` seconds into the story.
pub(super) fn adyen(event_code: &str, second: i64, item: Value) -> Value {
    let at = Timestamp::from_second(Timestamp::now().as_second() - 3600 + second).unwrap_or_default();
    let mut item = item;
    item["eventCode"] = event_code.into();
    item["eventDate"] = at.to_string().into();
    item["merchantAccountCode"] = "DemoMerchant".into();
    json!({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]})
}
