//! Profiles whose notifications only point, with stand-ins for their APIs that respond as the fixtures say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::api::{Api, Told};
use crate::support::fixtures;
use crate::support::psp::seal_with;
use crate::support::setup::{API_TOKEN, POINTING_SECRET};
use crate::support::{Relay, Reply, Setup, Transform, payment, refund, start};

/// A fixture's notification and the response of the PSP's API.
fn fixture(psp: &str, name: &str) -> (Value, Value) {
    let file = fixtures::file(psp, &format!("fetched/{name}.json"));
    let mut fixture: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    (fixture["notification"].take(), fixture["answer"].take())
}

/// A relay with one source of this PSP, which fetches from this API.
async fn relay(psp: &str, api: &Api, secrets: &str) -> (Transform, Relay) {
    let (url, more) = (api.url(), format!("token = \"{API_TOKEN}\""));
    let more =
        format!("[sources.psp]\nprofile = \"{psp}\"\n{secrets}\n[sources.psp.fetch]\nbase_url = \"{url}\"\n{more}\n");
    start(Setup { more, ..Setup::default() }).await
}

async fn signed(relay: &Relay, psp: &str, notification: &Value) -> Reply {
    let body = notification.to_string();
    let sealed = seal_with(psp, POINTING_SECRET, Timestamp::now().as_second(), body.as_bytes());
    relay.post("psp", &sealed.headers, sealed.body).await
}

fn secrets() -> String {
    format!("secrets = [\"{POINTING_SECRET}\"]")
}

const TR: &str = "tr_Vw4kQ2nXzL9sTb";
const TR_PATH: &str = "/v2/payments/tr_Vw4kQ2nXzL9sTb?embed=captures,refunds,chargebacks";

async fn mollie_calls(relay: &Relay, id: &str) -> Reply {
    let form = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    relay.post("psp", &form, format!("id={id}")).await
}

#[tokio::test]
async fn mollie_signs_nothing_and_is_asked() {
    let api = Api::start();
    let (transform, relay) = relay("mollie", &api, "").await;
    relay.register("payment", "tx-1", &payment(TR, "49.90")).await;
    api.put(TR_PATH, &fixture("mollie", "paid").1);
    let answered = mollie_calls(&relay, TR).await.expect(200);
    transform.told("payment", "tx-1", 1).await;
    relay.came_to(&answered, "applied").await;
    let record = relay.fetched("payment", "tx-1").await;
    assert_eq!(
        (record["status"].as_str(), record["payments"][0]["amount"].to_string()),
        (Some("Succeeded"), "49.9".into())
    );
    let calls = api.calls();
    assert_eq!((calls.len(), calls[0].header("authorization")), (1, format!("Bearer {API_TOKEN}").as_str()));
    // News of refunds and chargebacks comes with the payment's id.
    relay.register("refund", "tx-2", &refund("re_7nQw5tKz2X", "tx-1", "5.95")).await;
    api.put(TR_PATH, &fixture("mollie", "refunded-and-charged-back").1);
    mollie_calls(&relay, TR).await.expect(200);
    transform.told("refund", "tx-2", 1).await;
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(relay.fetched("refund", "tx-2").await["status"], "Succeeded");
}

#[tokio::test]
async fn a_storm_of_calls_from_mollie_costs_two_fetches() {
    let api = Api::start();
    let (transform, relay) = relay("mollie", &api, "").await;
    relay.register("payment", "tx-1", &payment(TR, "49.90")).await;
    api.put(TR_PATH, &fixture("mollie", "open").1);
    let (held, gate) = Told::held_back();
    api.script([held, Told::body(fixture("mollie", "paid").1.to_string())]);
    mollie_calls(&relay, TR).await.expect(200);
    api.nth(1).await;
    for _ in 0..10 {
        mollie_calls(&relay, TR).await.expect(200);
    }
    gate.open();
    transform.told("payment", "tx-1", 1).await;
    relay.caught_up(&transform).await;
    assert_eq!(api.calls().len(), 2);
}

#[tokio::test]
async fn mollie_may_call_before_its_api_knows() {
    let api = Api::start();
    let (transform, relay) = relay("mollie", &api, "").await;
    relay.register("payment", "tx-1", &payment(TR, "49.90")).await;
    api.script([Told::status(404), Told::status(500), Told::header(429, "retry-after", "1"), Told::status(401)]);
    api.put(TR_PATH, &fixture("mollie", "paid").1);
    mollie_calls(&relay, TR).await.expect(200);
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(api.calls().len(), 5);
}

#[tokio::test]
async fn what_somebody_makes_up_at_mollies_route_is_nothing() {
    let api = Api::start();
    let (transform, relay) = relay("mollie", &api, "").await;
    for made_up in ["ord_1", "../../v2/balances", ""] {
        mollie_calls(&relay, made_up).await.problem(401);
    }
    mollie_calls(&relay, "tr_x%2F..%2F..%2Fbalances%3Fa").await.expect(200);
    let path = api.nth(1).await.remove(0).path;
    assert_eq!(path, "/v2/payments/tr_x%2F..%2F..%2Fbalances%3Fa?embed=captures,refunds,chargebacks");
    relay.caught_up(&transform).await;
}

#[tokio::test]
async fn frisbii_pay_signs_two_fields_and_the_invoice_tells() {
    let api = Api::start();
    let (transform, relay) = relay("frisbii-pay", &api, &secrets()).await;
    let id = "20260302-65e2f1a0b3c4d5e6f7081920";
    let invoice = json!({"requestedAmount": 125.5, "currency": "DKK"});
    relay.register("payment", id, &invoice).await;
    api.put(&format!("/v1/invoice/{id}"), &fixture("frisbii-pay", "settled-after-a-failed-attempt").1);
    let event = json!({
        "id": "00000000000000000000000000000002", "event_id": "e0000000000000000000000000000002",
        "event_type": "invoice_failed", "timestamp": "2026-03-02T09:15:00.64Z", "invoice": id,
    });
    let answered = signed(&relay, "frisbii-pay", &event).await.expect(200);
    transform.told("payment", id, 1).await;
    relay.came_to(&answered, "applied").await;
    let record = relay.fetched("payment", id).await;
    assert_eq!(record["status"], "Succeeded", "the type of the event is not signed, and not believed");
    assert_eq!(record["payments"][0]["amount"].to_string(), "125.5");
    let key = STANDARD.encode(format!("{API_TOKEN}:"));
    assert_eq!(api.calls()[0].header("authorization"), format!("Basic {key}"));
    let mut forged = event.clone();
    forged["signature"] = "00".repeat(32).into();
    relay.post("psp", &[], forged.to_string()).await.problem(401);
}

/// Frisbii Pay signs only an id and a time: a caught notification can be made to point anywhere.
#[tokio::test]
async fn what_points_elsewhere_keeps_the_genuine_pointer_out_at_no_time() {
    let api = Api::start();
    let (transform, relay) = relay("frisbii-pay", &api, &secrets()).await;
    let id = "20260302-65e2f1a0b3c4d5e6f7081920";
    relay.register("payment", id, &json!({"requestedAmount": 125.5, "currency": "DKK"})).await;
    let path = format!("/v1/invoice/{id}");
    api.put(&path, &fixture("frisbii-pay", "settled-after-a-failed-attempt").1);
    let event = |invoice: &str| {
        json!({
            "id": "00000000000000000000000000000002", "event_id": "e0000000000000000000000000000002",
            "event_type": "invoice_failed", "timestamp": "2026-03-02T09:15:00.64Z", "invoice": invoice,
        })
    };
    // The copies wait: the API does not know their objects yet.
    for n in 0..100 {
        signed(&relay, "frisbii-pay", &event(&format!("made-up-{n}"))).await.expect(200);
    }
    assert_eq!(relay.with_outcome("fetching"), 100);
    signed(&relay, "frisbii-pay", &event(id)).await.expect(200);
    transform.told("payment", id, 1).await;
    assert_eq!(relay.fetched("payment", id).await["status"], "Succeeded");
}

/// Such a copy counts no more than a stranger's hint: a pointer to an object without a record takes a slot.
#[tokio::test]
async fn what_points_elsewhere_is_no_more_than_a_hint() {
    let api = Api::start();
    let more = format!(
        "[sources.psp]\nprofile = \"frisbii-pay\"\n{}\n[sources.psp.fetch]\nbase_url = \"{}\"\ntoken = \"{API_TOKEN}\"\n\
         max_hints = 10\nmax_hints_per_address = 10\ntimeout = \"1h\"\n",
        secrets(),
        api.url()
    );
    let (_transform, relay) = start(Setup { more, ..Setup::default() }).await;
    relay.register("payment", "tx-1", &payment("known", "125.5")).await;
    api.hangs_at("/v1/");
    let event = |invoice: &str| {
        json!({
            "id": "00000000000000000000000000000002", "event_id": "e0000000000000000000000000000002",
            "event_type": "invoice_settled", "timestamp": "2026-03-02T09:15:00.64Z", "invoice": invoice,
        })
    };
    signed(&relay, "frisbii-pay", &event("the-genuine-one")).await.expect(200);
    let mut taken = 0;
    for n in 0..30 {
        let answered = signed(&relay, "frisbii-pay", &event(&format!("made-up-{n}"))).await;
        assert!([200, 503].contains(&answered.status), "{}", answered.text);
        taken += usize::from(answered.status == 200);
    }
    assert_eq!(taken, 10);
    let told: Vec<_> = relay.fetches().into_iter().filter(|it| it.told_by_psp).map(|it| it.path).collect();
    assert_eq!(told, ["/v1/invoice/the-genuine-one"]);
    // The PSP tells of it once more, and of an object with a registered record.
    signed(&relay, "frisbii-pay", &event("the-genuine-one")).await.expect(200);
    signed(&relay, "frisbii-pay", &event("known")).await.expect(200);
}

#[tokio::test]
async fn gocardless_tells_in_batches_and_each_object_is_fetched_once() {
    let api = Api::start();
    let (transform, relay) = relay("gocardless", &api, &secrets()).await;
    let (notification, answer) = fixture("gocardless", "payments-confirmed");
    let mut events = notification["events"].as_array().unwrap().clone();
    let mut earlier = events[0].clone();
    (earlier["id"], earlier["action"]) = ("EV00EARLIER".into(), "submitted".into());
    earlier["created_at"] = "2026-03-10T09:15:26.004Z".into();
    events.push(earlier);
    let id = answer["payments"]["id"].as_str().unwrap();
    let amount = answer["payments"]["amount"].as_i64().unwrap();
    let mut registered = payment(id, &format!("{}.{:02}", amount / 100, amount % 100));
    registered["currency"] = answer["payments"]["currency"].clone();
    let reference = answer["payments"]["metadata"]["transactionId"].as_str().unwrap_or("tx-1").to_owned();
    relay.register("payment", &reference, &registered).await;
    api.put(&format!("/payments/{id}"), &answer);
    let answered = signed(&relay, "gocardless", &json!({"events": events})).await;
    assert!((200..300).contains(&answered.status), "{answered:?}");
    transform.told("payment", &reference, 1).await;
    assert_eq!(relay.fetched("payment", &reference).await["status"], "Succeeded");
    let calls = api.calls();
    assert_eq!((calls.len(), calls[0].header("gocardless-version")), (1, "2015-07-06"));
}
