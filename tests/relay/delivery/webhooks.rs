//! Delivery to Transform: webhooks, retries and deliveries that are given up.

use std::time::Duration;

use serde_json::json;

use crate::support::integrator::with;
use crate::support::{Answer, Relay, Setup, Transform, payment, refund, start, stripe};

#[tokio::test]
async fn a_notification_comes_in_one_webhook_goes_out_and_the_record_is_fetched() {
    let (transform, relay) = start(Setup::default()).await;
    let id = "20221108-636a91f61c48d9fa186166f8";
    relay.register("payment", id, &payment("pi_1", "89.25")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 8925)).await, "applied");

    let hook = transform.nth(1).await.remove(0);
    assert_eq!(hook.body, r#"{"TransactionId":"20221108-636a91f61c48d9fa186166f8","Type":2}"#);
    assert_eq!((hook.method.as_str(), hook.path.as_str()), ("POST", "/PSPWebhooks/ExternalIntegration"));
    assert_eq!(hook.header("content-type"), "application/json");
    let fetched = relay.fetched("Payment", id).await;
    assert_eq!(fetched["status"], "Succeeded");
    assert_eq!(fetched["payments"][0]["amount"].to_string(), "89.25");
}

#[tokio::test]
async fn the_bytes_of_every_kind_are_those_of_the_contract() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("preauth", "tx-a", &payment("pi_a", "10")).await;
    relay.register("payment", "tx-b", &payment("pi_b", "10")).await;
    relay.register("refund", "tx-c", &refund("re_c", "tx-elsewhere", "10")).await;
    relay.register("agreement", "636a918ca2500caaf0390a15", &json!({"pspAgreementId": "pm_d"})).await;
    let setup_intent = json!({"id": "seti_d", "payment_method": "pm_d"});
    for event in [
        stripe::event("payment_intent.amount_capturable_updated", 1_700_000_000, stripe::manual("pi_a", 1000)),
        stripe::paid("pi_b", 1_700_000_000, 1000),
        stripe::refund("re_c", 1_700_000_000, 1000, "succeeded"),
        stripe::event("setup_intent.succeeded", 1_700_000_000, setup_intent),
    ] {
        assert_eq!(relay.stripe(&event).await, "applied", "{event}");
    }
    let mut bodies: Vec<_> = transform.nth(4).await.into_iter().map(|hook| hook.body).collect();
    bodies.sort();
    let expected = [
        r#"{"AgreementId":"636a918ca2500caaf0390a15","Type":4}"#,
        r#"{"TransactionId":"tx-a","Type":1}"#,
        r#"{"TransactionId":"tx-b","Type":2}"#,
        r#"{"TransactionId":"tx-c","Type":3}"#,
    ];
    assert_eq!(bodies, expected);
}

#[tokio::test]
async fn a_record_is_told_at_its_own_target() {
    let (transform, relay) = start(Setup::default()).await;
    let target = format!("http://{}/own/target?tenant=7", transform.address);
    relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "webhookTarget", target)).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await;
    assert_eq!(transform.nth(1).await[0].path, "/own/target?tenant=7");
}

/// A webhook never runs ahead of the fetchable record: Transform fetches even before it responds.
#[tokio::test]
async fn what_is_told_can_be_fetched_at_once() {
    let (transform, relay) = start(Setup { quiet: "0ms", ..Setup::default() }).await;
    transform.fetch_from(&relay.url);
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    for n in 1..=10_i64 {
        relay.stripe(&stripe::paid("pi_1", 1_700_000_000 + n, n * 100)).await;
        let told = transform.told("payment", "tx-1", usize::try_from(n).unwrap()).await;
        let fetched = told.last().unwrap().read.clone().unwrap().unwrap();
        assert_eq!(fetched["payments"][0]["amount"].to_string(), n.to_string(), "{fetched}");
    }
}

/// Sends one change to one record and waits until it was told `n` times.
async fn told_after(answers: Vec<Answer>, setup: Setup, n: usize) -> (Transform, Relay) {
    let (transform, relay) = start(setup).await;
    transform.script(answers);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await;
    transform.told("payment", "tx-1", n).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), n, "told until it was taken, and no more");
    (transform, relay)
}

#[tokio::test]
async fn every_2xx_settles() {
    for status in [200, 201, 202, 204, 299] {
        told_after(vec![Answer::status(status)], Setup::default(), 1).await;
    }
}

#[tokio::test]
async fn whatever_is_not_2xx_is_tried_again() {
    let answers = [500, 503, 400, 401, 404, 410, 429].map(Answer::status);
    let (_, relay) = told_after(answers.into(), Setup { retry_first: "1ms", ..Setup::default() }, 8).await;
    let host = "host=\"127.0.0.1:";
    for reason in ["HTTP 500", "HTTP 410"] {
        relay.program.logged(&["could not tell Transform", host, reason]).await;
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let elsewhere = Transform::start();
    let location = format!("http://{}/caught", elsewhere.address);
    let redirects = [301, 302, 303, 307, 308].map(|status| Answer::header(status, "Location", location.clone()));
    let (transform, _relay) = told_after(redirects.into(), Setup { retry_first: "1ms", ..Setup::default() }, 6).await;
    assert!(elsewhere.hooks().is_empty());
    assert!(transform.hooks().iter().all(|hook| hook.path == "/PSPWebhooks/ExternalIntegration"));
}

#[tokio::test]
async fn an_attempt_that_hangs_or_breaks_off_is_tried_again() {
    let setup = Setup { timeout: "1s", ..Setup::default() };
    told_after(vec![Answer::Hang, Answer::Close, Answer::Hang], setup, 4).await;
}

#[tokio::test]
async fn a_transform_that_was_away_is_told_when_it_is_back() {
    let transform = Transform::listen("127.0.0.2:0".parse().unwrap());
    let address = transform.address;
    let relay = Relay::spawn(Setup::default(), &transform).await;
    drop(transform);
    // Until the listener's thread has gone, connections may still be taken; they are closed without a response.
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await;
    relay.program.logged(&["could not tell Transform", "record=payment/tx-1 ", "refused"]).await;
    let transform = Transform::listen(address);
    transform.told("payment", "tx-1", 1).await;
}

#[tokio::test]
async fn retry_after_is_honoured_even_if_the_record_changes_meanwhile() {
    let (transform, relay) = start(Setup::default()).await;
    transform.script([Answer::header(503, "Retry-After", "3")]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 400)).await;
    relay.program.logged(&["could not tell Transform", "record=payment/tx-1 "]).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_001, 1000)).await;
    let told = transform.told("payment", "tx-1", 2).await;
    let waited = told[1].at.duration_since(transform.answered(0));
    // Due times are stored to the microsecond.
    assert!(waited >= Duration::from_millis(2_999), "asked for 3 s, waited {waited:?}");
}

#[tokio::test]
async fn a_change_during_an_attempt_is_told_after_it() {
    let (transform, relay) = start(Setup::default()).await;
    let (answer, gate) = Answer::held(200);
    transform.script([answer]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 400)).await;
    transform.told("payment", "tx-1", 1).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_001, 1000)).await;
    // The change is due long before this other record is told, but waits for the end of the attempt.
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 1, "one attempt at a time");
    gate.open();
    let told = transform.told("payment", "tx-1", 2).await;
    assert!(told.iter().all(|hook| !hook.overlaps));
    relay.program.logged(&["told Transform", "record=payment/tx-1 ", "version=3"]).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 2);
}

/// Many changes, and a Transform that fails every third time. Attempts for one record never overlap, and the last
/// attempt comes after the last change.
#[tokio::test]
async fn attempts_for_one_record_never_overlap() {
    let (transform, relay) = start(Setup { quiet: "0ms", retry_first: "1ms", ..Setup::default() }).await;
    transform.script((0..200).map(|n| Answer::status(if n % 3 == 0 { 500 } else { 200 })));
    transform.fetch_from(&relay.url);
    relay.register("payment", "tx-1", &payment("pi_1", "60")).await;
    for n in 1..=60 {
        relay.stripe(&stripe::paid("pi_1", 1_700_000_000 + n, n * 100)).await;
    }
    relay.program.logged(&["told Transform", "record=payment/tx-1 ", "version=61"]).await;
    let told = transform.told("payment", "tx-1", 1).await;
    assert!(told.iter().all(|hook| !hook.overlaps));
    assert_eq!(told.last().unwrap().read.clone().unwrap().unwrap()["status"], "Succeeded");
}

#[tokio::test]
async fn one_record_that_hangs_delays_no_other() {
    let (transform, relay) = start(Setup::default()).await;
    transform.script([Answer::Hang, Answer::Hang]);
    for n in 1..=2 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        relay.stripe(&stripe::paid(&format!("pi_{n}"), 1_700_000_000, 1000)).await;
        transform.nth(n).await;
    }
    // Both attempts stay under way; the store and the other records are not affected.
    relay.caught_up(&transform).await;
}
