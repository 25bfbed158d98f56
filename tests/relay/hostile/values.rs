//! Hostile values: each value of a PSP's or the integrator's body, replaced by a value of another type. Each gets an
//! answer that the documents know, never an error of ours.

use reqwest::Method;
use serde_json::{Value, json};
use transform_relay::psp::vouch::sign::Signed;

use crate::support::fixtures;
use crate::support::setup::{ADYEN_SECRET, INTEGRATOR_TOKEN};
use crate::support::{Relay, Setup, payment, psp, start};

fn strange() -> [Value; 9] {
    [json!(null), json!(true), json!(0), json!(-1), json!(""), json!([]), json!({}), json!("x"), json!([{"id": [1]}])]
}

/// The JSON Pointers of a value and of everything inside it.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, one)| pointers(one, &format!("{at}/{index}"), found));
        }
        Value::Object(fields) => {
            for (name, one) in fields {
                pointers(one, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

/// Variants of the body: each of its values replaced by each strange value.
fn variants(body: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    pointers(body, "", &mut found);
    let replaced = |pointer: &String, instead: Value| {
        let mut variant = body.clone();
        *variant.pointer_mut(pointer).unwrap() = instead;
        variant
    };
    found.iter().flat_map(|pointer| strange().map(|instead| replaced(pointer, instead))).collect()
}

fn fixture(profile: &str, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixtures::body(profile, name)).unwrap()).unwrap()
}

fn post(relay: &Relay, source: &str, sealed: Signed) -> reqwest::RequestBuilder {
    let request = relay.request(Method::POST, &format!("/notifications/{source}")).body(sealed.body);
    sealed.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// Sends all variants of these fixtures, signed, to a relay with the records that most of them are about.
async fn all_are_taken(source: &str, fixtures: &[(&str, &str)], known: &[&str]) {
    let (_transform, relay) = start(Setup::silent()).await;
    for (n, id) in known.iter().enumerate() {
        relay.register("payment", &format!("tx-{n}"), &payment(id, "10")).await;
    }
    for (profile, name) in fixtures {
        let sealed = variants(&fixture(profile, name))
            .into_iter()
            .map(|variant| psp::seal(source, variant.to_string().as_bytes()));
        for reply in relay.send_all(sealed.map(|sealed| post(&relay, source, sealed))).await {
            assert!([200, 202].contains(&reply.status), "{name}: {reply:?}");
        }
    }
    for n in 0..known.len() {
        let reply = relay.fetch("Payment", &format!("tx-{n}")).await;
        assert!([200, 422, 500].contains(&reply.status), "a record or its error: {reply:?}");
        relay.record("payment", &format!("tx-{n}")).await;
    }
    relay.still_serves().await;
}

#[tokio::test]
async fn stripe_may_send_anything_anywhere() {
    let fixtures = [("stripe", "auto-4-succeeded.json"), ("stripe", "dispute-won-4-funds-reinstated.json")];
    all_are_taken("stripe-main", &fixtures, &["pi_RelayAuto"]).await;
}

#[tokio::test]
async fn plenigo_may_send_anything_anywhere() {
    all_are_taken("media", &[("frisbii-media", "transaction-sepa-returned.json")], &[]).await;
}

#[tokio::test]
async fn digital_river_may_send_anything_anywhere() {
    let fixtures =
        [("digital-river", "order.charge.capture.completed-rest.json"), ("digital-river", "refund.failed.json")];
    all_are_taken("river", &fixtures, &["c4a6e000-0000-4000-8000-000000000001"]).await;
}

/// Adyen signs every item by itself: an item that cannot be signed is not Adyen's.
#[tokio::test]
async fn adyen_may_send_anything_that_it_can_sign() {
    let (_transform, relay) = start(Setup::silent()).await;
    let secret = ADYEN_SECRET.to_owned().into();
    let means = transform_relay::psp::vouch::verify::Means::secret(&secret);
    let (mut signed, mut unsigned) = (Vec::new(), Vec::new());
    for variant in variants(&fixture("adyen", "chargeback-visa.json")) {
        let body = variant.to_string().into_bytes();
        match transform_relay::psp::vouch::sign::sign(&adyen(), None, &means, 0, "", &body) {
            Ok(sealed) => signed.push(post(&relay, "adyen-main", sealed)),
            Err(_) => unsigned.push(post(&relay, "adyen-main", Signed { headers: Vec::new(), body })),
        }
    }
    assert!(signed.len() > 100 && unsigned.len() > 5, "{} and {}", signed.len(), unsigned.len());
    for reply in relay.send_all(signed).await {
        // An empty batch holds no signed text. The number of contents of one dedupe key is limited.
        let too_many = reply.status == 503 && reply.text.contains("other contents of its dedupe key");
        assert!(reply.text == "[accepted]" || reply.status == 401 || too_many, "{reply:?}");
    }
    let before = relay.all_stored();
    for reply in relay.send_all(unsigned).await {
        reply.problem(401);
    }
    assert_eq!(relay.all_stored(), before);
    let token = variants(&fixture("adyen", "token-created.json"));
    let sealed = token
        .iter()
        .map(|variant| psp::seal_form("adyen", Some("token"), ADYEN_SECRET, 0, variant.to_string().as_bytes()));
    for reply in relay.send_all(sealed.map(|sealed| post(&relay, "adyen-main", sealed))).await {
        assert_eq!(reply.text, "[accepted]", "{reply:?}");
    }
    relay.still_serves().await;
}

fn adyen() -> std::sync::Arc<transform_relay::psp::profile::Profile> {
    transform_relay::psp::profile::catalogue::Catalogue::built_in().unwrap().get("adyen").unwrap().profile.clone()
}

#[tokio::test]
async fn the_integrator_may_say_anything_of_a_record() {
    let (_transform, relay) = start(Setup::silent()).await;
    let whole = json!({
        "pspTransactionId": "pi_1", "source": "stripe-main", "requestedAmount": 10, "currency": "EUR",
        "agreementId": "ag-1", "preauthTransactionId": "tx-2", "dueDate": "2026-03-05",
        "redirectUrl": "https://shop.example/", "status": "Pending", "bearer": {"cardType": "visa"},
    });
    relay.register("payment", "tx-1", &whole).await;
    for variant in variants(&whole) {
        let before = relay.all_stored();
        let request = relay.request(Method::PUT, "/records/payment/tx-1").bearer_auth(INTEGRATOR_TOKEN);
        let reply = relay.send(request.body(variant.to_string())).await;
        if reply.status != 200 {
            let detail = reply.problem(if reply.status == 409 { 409 } else { 422 });
            assert!(!detail.is_empty());
            assert_eq!(relay.all_stored(), before, "{variant}");
        }
    }
    relay.still_serves().await;
}
