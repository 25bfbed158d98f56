//! Stripe's thin events: a form in which most notifications are complete and some only point.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::psp::seal_with;
use crate::support::setup::{API_TOKEN, POINTING_SECRET};
use crate::support::stripe;
use crate::support::{Relay, Reply, Setup, Transform, payment, start};

/// The secret of the endpoint for snapshot events. The endpoint for thin events has [`POINTING_SECRET`].
const SNAPSHOT_SECRET: &str = "whsec_snapshot_4e4e";

/// A relay with one Stripe source, which has the secrets of two endpoints; `fetch` is the source's table of that name.
async fn relay(fetch: &str) -> (Transform, Relay) {
    let more = format!(
        "[sources.psp]\nprofile = \"stripe\"\nsecrets = [\"{POINTING_SECRET}\", \"{SNAPSHOT_SECRET}\"]\n{fetch}"
    );
    start(Setup { more, ..Setup::default() }).await
}

async fn fetching(api: &Api) -> (Transform, Relay) {
    relay(&format!("[sources.psp.fetch]\nbase_url = \"{}\"\ntoken = \"{API_TOKEN}\"\n", api.url())).await
}

/// The thin event of a payment; its link is no matter of the relay.
fn thin(id: &str, at: i64, snapshot: Option<&Value>) -> Value {
    json!({
        "id": format!("evt_thin_{id}"), "object": "v2.core.event", "type": "v1.payment_intent.succeeded",
        "created": Timestamp::from_second(at).unwrap().to_string(), "livemode": false,
        "related_object": {"id": id, "type": "payment_intent", "url": format!("https://evil.example/v1/{id}")},
        "snapshot_event": snapshot.map(|event| &event["id"]),
    })
}

fn paid(id: &str, amount: i64) -> Value {
    let mut intent = stripe::intent(id, amount);
    intent["status"] = "succeeded".into();
    intent
}

async fn told(relay: &Relay, event: &Value) -> Reply {
    let body = event.to_string();
    let secret = if event["object"] == "v2.core.event" { POINTING_SECRET } else { SNAPSHOT_SECRET };
    let sealed = seal_with("stripe", secret, Timestamp::now().as_second(), body.as_bytes());
    relay.post("psp", &sealed.headers, sealed.body).await.expect(200)
}

#[tokio::test]
async fn a_thin_event_is_fetched_below_the_base() {
    let api = Api::start();
    let (transform, relay) = fetching(&api).await;
    relay.register("payment", "tx-1", &payment("pi_1", "49.90")).await;
    api.put("/v1/payment_intents/pi_1", &paid("pi_1", 4990));
    let answered = told(&relay, &thin("pi_1", 1_775_124_000, None)).await;
    transform.told("payment", "tx-1", 1).await;
    relay.came_to(&answered, "applied").await;
    let record = relay.fetched("payment", "tx-1").await;
    assert_eq!((&record["status"], &record["payments"][0]["bookingDate"]), (&json!("Succeeded"), &json!("2026-04-02")));
    let calls = api.calls();
    assert_eq!((calls.len(), calls[0].header("authorization")), (1, format!("Bearer {API_TOKEN}").as_str()));
    assert!(!calls[0].header("stripe-version").is_empty());
}

/// During a move from snapshot events to thin events both tell of the same news.
#[tokio::test]
async fn a_thin_event_and_its_snapshot_event_tell_once() {
    for thin_first in [true, false] {
        let api = Api::start();
        let (transform, relay) = fetching(&api).await;
        relay.register("payment", "tx-1", &payment("pi_1", "49.90")).await;
        api.put("/v1/payment_intents/pi_1", &paid("pi_1", 4990));
        let snapshot = stripe::event("payment_intent.succeeded", 1_775_124_000, paid("pi_1", 4990));
        let thin = thin("pi_1", 1_775_124_000, Some(&snapshot));
        let order = if thin_first { [&thin, &snapshot] } else { [&snapshot, &thin] };
        for event in order {
            let answered = told(&relay, event).await;
            if event == &thin {
                let id = answered.json()["notification"].as_str().unwrap().to_owned();
                relay.program.logged(&["the object of a notification was fetched", &id]).await;
            }
        }
        assert_eq!(relay.with_outcome("applied"), 1, "thin first: {thin_first}");
        transform.told("payment", "tx-1", 1).await;
        relay.caught_up(&transform).await;
    }
}

#[tokio::test]
async fn without_fetching_a_thin_event_is_a_dead_letter_that_names_the_remedy() {
    let (transform, relay) = relay("").await;
    relay.register("payment", "tx-1", &payment("pi_1", "49.90")).await;
    let answered = told(&relay, &thin("pi_1", 1_775_124_000, None)).await;
    assert_eq!(answered.json()["outcome"], "dead_letter", "{}", answered.text);
    let reason = relay.died(&answered).await;
    assert!(reason.contains("give [sources.psp.fetch] the credentials of the PSP's API"), "{reason}");
    let dead = relay.dead_letters().await;
    assert!(dead[0]["reason"].as_str().unwrap().contains("[sources.psp.fetch]"), "{dead:?}");
    let found = relay.findings().await;
    let [finding] = &found[..] else { panic!("one finding: {found:?}") };
    assert_eq!(
        (&finding["finding"], &finding["type"], &finding["count"], &finding["notification"]),
        (&json!("not_fetched"), &json!("v1.payment_intent.succeeded"), &json!(1), &answered.json()["notification"])
    );
    let line = ["WARN", "a type of event only points to its truth", "event_type=\"v1.payment_intent.succeeded\""];
    relay.program.logged_times(&line, 1).await;
    relay.caught_up(&transform).await;
}
