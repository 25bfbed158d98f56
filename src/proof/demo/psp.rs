//! The demo's two PSPs, Stripe and Adyen: their secrets, their sources at the relay, and the shapes of their notifications.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::access::credentials::Credentials;
use crate::access::secrets::NamedSecret;
use crate::proof::stand_in::Psp;
use crate::source::Source;

/// Stripe and Adyen. Their secrets are made up for the demo.
pub(super) fn both() -> anyhow::Result<[Psp; 2]> {
    Ok([
        Psp::new("stripe-main", "stripe", "whsec_demo")?,
        Psp::new("adyen-eu", "adyen", "64656d6f2064656d6f2064656d6f2064656d6f2064656d6f2064656d6f202121")?,
    ])
}

/// The relay's source for a PSP.
pub(super) fn source(psp: &Psp) -> Source {
    let secret = NamedSecret {
        name: "demo".to_owned(),
        value: psp.secret.clone(),
        key_id: None,
        not_before: None,
        expires_at: None,
    };
    Source {
        fetch: None,
        name: psp.source.to_owned(),
        profile: Arc::clone(&psp.profile),
        secrets: vec![secret],
        secrets_file: None,
        settings: BTreeMap::new(),
        public_url: None,
        authorization: Credentials::default(),
        headers: BTreeMap::new(),
        ip_ranges: Vec::new(),
        tolerance_s: None,
        events: None,
        closed: None,
    }
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
