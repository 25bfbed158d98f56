//! A PSP whose notifications point to its API (`profiles/pointing.toml`).

use jiff::Timestamp;
use serde_json::{Value, json};
use transform_relay::psp::profile::Profile;
use transform_relay::psp::vouch::sign::{Signed, sign};
use transform_relay::psp::vouch::verify::Means;

use super::api::Api;
use super::planted::with_payer;
use super::setup::{API_TOKEN, POINTING_SECRET};
use super::{Relay, Reply, Setup};

pub(crate) const SOURCE: &str = "pointing";

/// A relay that fetches from this API. `more` stands in [sources.pointing.fetch].
pub(crate) fn setup(api: &Api, more: &str) -> Setup {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/relay/profiles");
    let more =
        format!("[profiles]\ndir = \"{dir}\"\n{}", source(SOURCE, api, &format!("token = \"{API_TOKEN}\"\n{more}")));
    Setup { more, ..Setup::default() }
}

/// A source that fetches from this API. `more` stands in its [fetch].
pub(crate) fn source(name: &str, api: &Api, more: &str) -> String {
    format!(
        "[sources.{name}]\nprofile = \"pointing\"\nsecrets = [\"{POINTING_SECRET}\"]\n\
         [sources.{name}.fetch]\nbase_url = \"{}\"\n{more}\n",
        api.url()
    )
}

/// The path of a payment at the API.
pub(crate) fn path(id: &str) -> String {
    format!("/v2/payments/{id}?embed=refunds")
}

/// A payment as the API has it, with the payer's data in it.
pub(crate) fn object(id: &str, status: &str, amount: &str) -> Value {
    let amount = json!({"value": amount, "currency": "EUR"});
    with_payer(json!({"resource": "payment", "id": id, "status": status, "amount": amount}))
}

/// The API has this payment, paid.
pub(crate) fn has_paid(api: &Api, id: &str, amount: &str) {
    api.put(&path(id), &object(id, "paid", amount));
}

fn sealed(form: &str, body: &Value) -> Signed {
    let profile = Profile::read(include_str!("../profiles/pointing.toml")).unwrap();
    let secret = POINTING_SECRET.to_owned().into();
    let means = Means::secret(&secret);
    sign(&profile, Some(form), &means, Timestamp::now().as_second(), "msg", body.to_string().as_bytes()).unwrap()
}

impl Relay {
    /// The PSP signs that there is news of a payment; `n` tells one notification from the next.
    pub(crate) async fn point(&self, source: &str, id: &str, n: u32) -> Reply {
        let sealed = sealed("signed", &json!({"id": id, "n": n}));
        self.post(source, &sealed.headers, sealed.body).await
    }

    /// The PSP signs several events: id, kind, payment.
    pub(crate) async fn batch(&self, events: &[(&str, &str, &str)]) -> Reply {
        let event = |(id, kind, payment): &(&str, &str, &str)| json!({"id": id, "kind": kind, "payment": payment, "at": "2026-03-01T12:00:00Z"});
        let events: Vec<Value> = events.iter().map(event).collect();
        let sealed = sealed("batch", &json!({"events": events}));
        self.post(SOURCE, &sealed.headers, sealed.body).await
    }

    /// An unsigned notification says that there is news of a payment.
    pub(crate) async fn hint(&self, id: &str) -> Reply {
        self.post(SOURCE, &[], json!({"id": id, "hint": true}).to_string()).await
    }

    /// Waits until the object that this answer's notification points to was fetched, with this outcome.
    pub(crate) async fn came_to(&self, answered: &Reply, outcome: &str) {
        let id = answered.json()["notification"].as_str().unwrap().to_owned();
        self.program.logged(&["the object of a notification was fetched", &id, &format!("\"{outcome}\"")]).await;
    }

    /// Waits until this answer's notification is a dead letter; returns the reason.
    pub(crate) async fn died(&self, answered: &Reply) -> String {
        let id = answered.json()["notification"].as_str().unwrap().to_owned();
        self.program.logged(&["notification kept as a dead letter", &id]).await
    }
}
