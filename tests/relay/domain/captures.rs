//! Captures of a preauthorization: events that name only the authorization.

use serde_json::{Value, json};

use crate::support::integrator::{with, without};
use crate::support::{Relay, Setup, Transform, adyen, payment, preauth, start};

/// A preauthorization of 100, and its only capture, tx-1, which has no PSP id.
async fn captured() -> (Transform, Relay) {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("preauth", "pre-1", &preauth("AUTH1", "100")).await;
    relay.register("payment", "tx-1", &capture()).await;
    tell(&relay, &adyen::item("CAPTURE", "CAPT1", "AUTH1", 5, 10_000)).await;
    transform.told("payment", "tx-1", 1).await;
    (transform, relay)
}

fn capture() -> Value {
    with(without(payment("", "100"), "pspTransactionId"), "preauthTransactionId", "pre-1")
}

/// The item without a merchant's reference of ours.
async fn tell(relay: &Relay, item: &Value) {
    relay.notify("adyen-main", item).await.expect(200);
}

#[tokio::test]
async fn a_second_capture_takes_back_what_was_placed_on_the_first() {
    let (transform, relay) = captured().await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    relay.register("payment", "tx-2", &capture()).await;
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["payments"], json!([]));
    let dead = relay.dead_letters().await;
    let reason = dead[0]["reason"].as_str().unwrap();
    assert_eq!(dead.len(), 1);
    assert!(reason.contains("it names only an authorization, that of preauth pre-1, and 2 payments capture that"));
    relay.program.logged(&["WARN", "events of an authorization were taken back", "record=payment/tx-1"]).await;
    tell(&relay, &adyen::item("CAPTURE", "CAPT2", "AUTH1", 6, 10_000)).await;
    assert_eq!(relay.dead_letters().await.len(), 2, "at once");
}

#[tokio::test]
async fn a_capture_that_gets_its_id_keeps_its_money() {
    let (transform, relay) = captured().await;
    relay.put("payment", "tx-1", &with(capture(), "pspTransactionId", "CAPT1")).await.expect(200);
    relay.register("payment", "tx-2", &capture()).await;
    relay.caught_up(&transform).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    assert_eq!(relay.dead_letters().await.len(), 0);
}
