//! Debounce: many changes become few webhooks.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{Answer, Setup, payment, psp, start, stripe};

const AT: i64 = 1_700_000_000;

/// Forty changes at once, as from a PSP that catches up. The quiet period is long enough for a machine that stalls in
/// the middle.
#[tokio::test]
async fn a_burst_is_told_once() {
    let (transform, relay) = start(Setup { quiet: "3s", max_wait: "60s", ..Setup::default() }).await;
    transform.fetch_from(&relay.url);
    relay.register("payment", "tx-1", &payment("pi_1", "40")).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut burst = JoinSet::new();
    for n in 1..=40 {
        let body = stripe::paid("pi_1", AT + n, n * 100).to_string();
        let sealed = psp::seal("stripe-main", body.as_bytes());
        let mut request = client.post(format!("{}/notifications/stripe-main", relay.url)).body(sealed.body);
        for (name, value) in sealed.headers {
            request = request.header(name, value);
        }
        burst.spawn(request.send());
    }
    for answer in burst.join_all().await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    let told = transform.told("payment", "tx-1", 1).await;
    let fetched = told[0].read.clone().unwrap().unwrap();
    assert_eq!(
        (&fetched["status"], fetched["payments"][0]["amount"].to_string()),
        (&json!("Succeeded"), "40".to_owned())
    );
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 1);
}

/// Changes without a pause. Two webhooks are at least a quiet period apart, so a slow machine gets no more webhooks.
#[tokio::test]
async fn an_unbroken_stream_is_told_at_least_every_max_wait() {
    let (transform, relay) = start(Setup { quiet: "1500ms", max_wait: "2s", ..Setup::default() }).await;
    relay.register("payment", "tx-1", &payment("pi_1", "1000000")).await;
    let (began, mut n) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(6) {
        n += 1;
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT + n, n * 100)).await, "applied");
    }
    let during = transform.count("payment", "tx-1");
    assert!((1..=4).contains(&during), "{during} webhooks while {n} changes came");
    relay.program.logged(&["told Transform", "record=payment/tx-1 ", &format!("version={} ", n + 1)]).await;
    relay.caught_up(&transform).await;
    let all = transform.count("payment", "tx-1");
    assert!((1..=5).contains(&all), "{all} webhooks for {n} changes");
    let amount = relay.fetched("Payment", "tx-1").await["payments"][0]["amount"].to_string();
    assert_eq!(amount, n.to_string());
}

#[tokio::test]
async fn what_changes_nothing_is_not_told() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT + 100, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    for (event, outcome) in [
        (stripe::paid("pi_1", AT + 100, 1000), "repeated"),
        (stripe::paid("pi_1", AT + 200, 1000), "repeated"),
        (stripe::event("payment_intent.processing", AT + 50, stripe::intent("pi_1", 1000)), "stale"),
        (stripe::declined("pi_1", AT, 1000, "do_not_honor"), "stale"),
        (stripe::event("customer.created", AT + 300, json!({"id": "pi_1"})), "ignored"),
    ] {
        assert_eq!(relay.stripe(&event).await, outcome, "{event}");
    }
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 1);
}

#[tokio::test]
async fn each_record_has_its_own_quiet() {
    let (transform, relay) = start(Setup { quiet: "2s", max_wait: "60s", ..Setup::default() }).await;
    for record in ["a", "b", "c"] {
        relay.register("payment", &format!("tx-{record}"), &payment(&format!("pi_{record}"), "3")).await;
    }
    for n in 1..=3 {
        for record in ["a", "b", "c"] {
            relay.stripe(&stripe::paid(&format!("pi_{record}"), AT + n, n * 100)).await;
        }
    }
    transform.nth(3).await;
    relay.caught_up(&transform).await;
    for record in ["a", "b", "c"] {
        assert_eq!(transform.count("payment", &format!("tx-{record}")), 1, "{record}");
    }
}

/// The webhook comes no sooner than a quiet period after the last change, measured from before that change was sent.
#[tokio::test]
async fn a_webhook_waits_for_quiet_after_the_last_change() {
    let (transform, relay) = start(Setup { quiet: "1s", max_wait: "60s", ..Setup::default() }).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let mut last = Instant::now();
    for n in 1..=5 {
        last = Instant::now();
        relay.stripe(&stripe::paid("pi_1", AT + n, n * 100)).await;
    }
    relay.program.logged(&["told Transform", "version=6 "]).await;
    let told = transform.told("payment", "tx-1", 1).await;
    let waited = told.last().unwrap().at.duration_since(last);
    assert!(waited >= Duration::from_millis(999), "{waited:?}");
}

/// The same holds after a failed attempt: the next burst is one burst again, without a webhook in its middle.
#[tokio::test]
async fn a_burst_after_a_failure_is_told_once_after_its_last_change() {
    let setup = Setup { quiet: "2s", max_wait: "60s", retry_first: "1h", ..Setup::default() };
    let (transform, relay) = start(setup).await;
    transform.script([Answer::status(500)]);
    relay.register("payment", "tx-1", &payment("pi_1", "1000000")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1)).await;
    relay.program.logged(&["could not tell Transform", "record=payment/tx-1 "]).await;
    let (began, mut last, mut n) = (Instant::now(), Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(3) {
        n += 1;
        last = Instant::now();
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT + n, n * 100)).await, "applied");
    }
    let told = transform.told("payment", "tx-1", 2).await;
    assert!(told[1].at > last, "told {:?} before the last of {n} changes", last.duration_since(told[1].at));
    relay.program.logged(&["told Transform", "record=payment/tx-1 ", &format!("version={} ", n + 2)]).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 2);
}
