//! Two PSPs that sign: the notifications of the story in their own shapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use jiff::Timestamp;
use secrecy::SecretSlice;
use serde_json::{Value, json};

use crate::ingest::Source;
use crate::psp::catalogue::Catalogue;
use crate::psp::profile::Profile;
use crate::psp::sign::{Signed, sign};
use crate::psp::verify::key;

/// A PSP with its account's secret.
#[derive(Debug, Clone)]
pub(super) struct Psp {
    source: &'static str,
    profile: Arc<Profile>,
    secret: SecretSlice<u8>,
}

/// Made up for the demo.
const SECRETS: [(&str, &str, &str); 2] = [
    ("stripe-main", "stripe", "whsec_demo"),
    ("adyen-eu", "adyen", "64656d6f2064656d6f2064656d6f2064656d6f2064656d6f2064656d6f202121"),
];

impl Psp {
    /// Stripe and Adyen.
    pub(super) fn all() -> anyhow::Result<[Self; 2]> {
        let catalogue = Catalogue::built_in()?;
        let [stripe, adyen] = SECRETS.map(|(source, profile, secret)| {
            let profile = catalogue.get(profile).ok_or_else(|| anyhow!("no profile {profile}"))?.profile.clone();
            let secret = key(&profile, secret).map_err(|reason| anyhow!(reason))?;
            anyhow::Ok(Self { source, profile, secret })
        });
        Ok([stripe?, adyen?])
    }

    /// The same PSP with another secret: somebody who pretends.
    pub(super) fn stranger(&self) -> Self {
        Self { secret: b"not the secret".to_vec().into(), ..self.clone() }
    }

    pub(super) const fn source(&self) -> &'static str {
        self.source
    }

    pub(super) fn as_source(&self) -> Source {
        Source {
            name: self.source.to_owned(),
            profile: Arc::clone(&self.profile),
            secrets: vec![self.secret.clone()],
            basic: None,
            headers: BTreeMap::new(),
            tolerance_s: None,
        }
    }

    pub(super) fn sign(&self, body: &Value) -> anyhow::Result<Signed> {
        let now = Timestamp::now().as_second();
        let body = body.to_string();
        sign(&self.profile, None, &self.secret, now, "msg_demo", body.as_bytes()).map_err(|reason| anyhow!(reason))
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
