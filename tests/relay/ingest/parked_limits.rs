//! Limits of parked events: the list of them, their number, and their age.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;

async fn list(relay: &Relay, path: &str) -> Value {
    let request = relay.request(Method::GET, path).bearer_auth(INTEGRATOR_TOKEN);
    relay.send(request).await.expect(200).json()
}

#[tokio::test]
async fn what_is_parked_is_listed_page_by_page() {
    let (_transform, relay) = start(Setup::silent()).await;
    for n in 0..5 {
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    let mut seen = Vec::new();
    let mut path = "/parked?limit=2&source=stripe-main".to_owned();
    loop {
        let page = list(&relay, &path).await;
        seen.extend(page["parked"].as_array().unwrap().clone());
        match page["next"].as_i64() {
            Some(next) => path = format!("/parked?limit=2&source=stripe-main&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(seen[0]["type"], "payment_intent.succeeded");
    let waits_for = seen[0]["waitsFor"].as_array().unwrap();
    assert!(waits_for.contains(&json!("psp:payment:pi_0")), "{waits_for:?}");
    assert_eq!(list(&relay, "/parked?source=adyen-main").await, json!({"parked": [], "next": null}));
    assert_eq!(list(&relay, "/parked?after=9223372036854775807").await, json!({"parked": [], "next": null}));
    for path in [
        "/parked?limit=0",
        "/parked?limit=1001",
        "/parked?page=2",
        "/parked?after=9223372036854775808",
        "/dead-letters/notifications?source=stripe-main",
    ] {
        relay.send(relay.request(Method::GET, path).bearer_auth(INTEGRATOR_TOKEN)).await.problem(400);
    }
    let routes =
        ["/parked", "/dead-letters/notifications", "/dead-letters/deliveries", "/records/payment/tx-1/history"];
    for path in routes {
        relay.send(relay.request(Method::GET, path)).await.problem(401);
        relay.get(path).await.problem(401);
    }
}

#[tokio::test]
async fn the_oldest_parked_events_give_way_to_the_newest() {
    let (_transform, relay) =
        start(Setup { more: "[store.parked]\nper_source = 3".to_owned(), ..Setup::silent() }).await;
    for n in 0..5 {
        assert_eq!(relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await, "parked");
    }
    // Another source has slots of its own.
    relay.notify("stripe-two", &stripe::paid("pi_other", AT, 1000)).await.expect(200);
    relay.program.logged(&["too many are parked", "events=1", "stripe-main"]).await;
    assert_eq!(relay.parked().await.len(), 4);
    let letters = relay.dead_letters().await;
    assert_eq!(letters.len(), 2);
    assert!(letters[0]["reason"].as_str().unwrap().contains("more than 3 events of stripe-main"), "{letters:?}");
    for (n, status) in [(0, "Initiated"), (1, "Initiated"), (2, "Succeeded"), (3, "Succeeded"), (4, "Succeeded")] {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        assert_eq!(relay.fetched("Payment", &format!("tx-{n}")).await["status"], status, "tx-{n}");
    }
    assert_eq!(relay.counted_as_parked("stripe-main"), Some(0));
    // Sending a dead letter again is the remedy.
    assert_eq!(relay.stripe(&stripe::paid("pi_0", AT, 1000)).await, "applied");
    assert_eq!(relay.fetched("Payment", "tx-0").await["status"], "Succeeded");
    assert_eq!(relay.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn what_is_parked_for_too_long_is_a_dead_letter() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    relay.terminate().await;
    relay.setup.more = "[store.parked]\nmax_age = \"1ms\"".to_owned();
    relay.restart().await;
    relay.program.logged(&["was not registered in time"]).await;
    assert_eq!(relay.dead_letters().await[0]["reason"], "its record was not registered in time");
    assert_eq!(relay.parked().await, [json!(null); 0]);
    assert_eq!(relay.rows().release_keys, 0);
}
