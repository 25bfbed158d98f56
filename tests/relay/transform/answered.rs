//! The payment stack answers Transform's POST itself, by its own clock. No version of the relay may be hidden by that answer.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::integrator::with;
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;
/// The type of a body as Transform reads it.
const CONTRACT: &str = "application/vnd.frisbii.transform+json";

fn time(body: &Value) -> Timestamp {
    body["lastUpdated"].as_str().unwrap().parse().unwrap()
}

/// A stamp of the stack's clock, which differs from the relay's by some seconds.
fn stamp(ahead: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(ahead)
}

async fn answered(relay: &Relay, at: Timestamp) -> Value {
    relay.put("payment", "tx-1", &json!({"answeredAt": at.to_string()})).await.expect(200).json()
}

#[tokio::test]
async fn news_before_a_later_answer_is_told_again_with_a_later_time() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    let read = relay.fetched("Payment", "tx-1").await;

    // The stack's clock is two minutes ahead: Transform takes its answer "Pending" for newer than what it has read.
    let stamp = stamp(120);
    let record = answered(&relay, stamp).await;
    assert!(time(&record) > stamp, "{record}");
    transform.told("payment", "tx-1", 2).await;
    let again = relay.fetched("Payment", "tx-1").await;
    assert!(time(&again) > stamp);
    assert_eq!((&again["status"], &again["payments"]), (&json!("Succeeded"), &read["payments"]));

    // Saying it once more changes nothing, and what comes next is later still.
    assert_eq!(answered(&relay, stamp).await, record);
    relay.stripe(&stripe::dispute("funds_withdrawn", "du_1", "pi_1", AT + 200, 400)).await;
    transform.told("payment", "tx-1", 3).await;
    assert!(time(&relay.fetched("Payment", "tx-1").await) > time(&again));
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 3);
}

#[tokio::test]
async fn an_answer_that_is_older_hides_nothing() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    let before = relay.record("payment", "tx-1").await;
    assert_eq!(answered(&relay, stamp(-120)).await, before);
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 1);
}

/// The notification may come before the registration, and wait for it.
#[tokio::test]
async fn news_that_waited_for_the_registration_is_later_than_the_answer() {
    let (transform, relay) = start(Setup::default()).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "parked");
    for (id, ahead) in [("tx-1", 120), ("tx-2", -120)] {
        let stamp = stamp(ahead);
        let psp_id = if id == "tx-1" { "pi_1" } else { "pi_2" };
        relay.register("payment", id, &with(payment(psp_id, "10"), "answeredAt", stamp.to_string())).await;
        assert!(time(&relay.fetched("Payment", id).await) > stamp, "{id}");
    }
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    relay.caught_up(&transform).await;
    assert_eq!((transform.count("payment", "tx-1"), transform.count("payment", "tx-2")), (1, 0));
}

/// The same registration may amend the record: its version is new then, and the news in it was missed all the same.
#[tokio::test]
async fn an_answer_that_comes_with_an_amendment_tells_too() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    let stamp = time(&relay.record("payment", "tx-1").await);
    let body = json!({"answeredAt": stamp.to_string(), "redirectUrl": "https://pay.example/done"});
    relay.put("payment", "tx-1", &body).await.expect(200);
    transform.told("payment", "tx-1", 2).await;
}

/// An amendment makes a later version and tells nobody. The news before it was missed all the same.
#[tokio::test]
async fn an_amendment_between_the_answer_and_its_stamp_hides_nothing() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    let stamp = time(&relay.record("payment", "tx-1").await);
    relay.put("payment", "tx-1", &json!({"redirectUrl": "https://pay.example/done"})).await.expect(200);
    let record = answered(&relay, stamp).await;
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(answered(&relay, stamp).await, record, "once");
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 2);
}

#[tokio::test]
async fn a_stamp_from_the_far_future_is_refused() {
    let (_transform, relay) = start(Setup::default()).await;
    let record = relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    for wrong in [stamp(3700).to_string(), "1969-12-31T23:59:59Z".to_owned(), "yesterday".to_owned()] {
        relay.put("payment", "tx-1", &json!({"answeredAt": wrong})).await.names(422, "answeredAt");
    }
    assert_eq!(relay.record("payment", "tx-1").await, record);
    answered(&relay, stamp(3500)).await;
}

#[tokio::test]
async fn the_stack_may_ask_to_tell() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "tell", true)).await;
    transform.told("payment", "tx-1", 1).await;
    relay.put("payment", "tx-1", &json!({"status": "Pending", "tell": false})).await.expect(200);
    relay.put("payment", "tx-1", &json!({"tell": true})).await.expect(200);
    transform.told("payment", "tx-1", 2).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 2);
}

#[tokio::test]
async fn the_answer_may_be_the_body_to_pass_on() {
    let (_transform, relay) = start(Setup::silent()).await;
    for accept in [CONTRACT.to_owned(), format!("text/html, {CONTRACT};q=0.9")] {
        let put =
            relay.request(Method::PUT, "/records/payment/tx-1").bearer_auth(INTEGRATOR_TOKEN).header("accept", accept);
        let reply =
            relay.send(put.header("content-type", "application/json").body(payment("pi_1", "10").to_string())).await;
        assert_eq!((reply.header("content-type"), reply.header("transform-status")), (CONTRACT, "200"));
        assert_eq!(reply.json(), relay.fetched("Payment", "tx-1").await);
    }
    relay.stripe(&stripe::declined("pi_1", AT, 1000, "do_not_honor")).await;
    let get =
        relay.request(Method::GET, "/records/payment/tx-1").bearer_auth(INTEGRATOR_TOKEN).header("accept", CONTRACT);
    let reply = relay.send(get).await.expect(200);
    let read = relay.fetch("Payment", "tx-1").await.expect(422);
    assert_eq!((reply.header("transform-status"), reply.json()), ("422", read.json()));
}

/// A client that gives a type the quality 0 does not take it (RFC 9110, section 12.4.2).
#[tokio::test]
async fn a_body_that_is_not_acceptable_is_not_asked_for() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let read = async |accept: String| {
        let get = relay.request(Method::GET, "/records/payment/tx-1").bearer_auth(INTEGRATOR_TOKEN);
        relay.send(get.header("accept", accept)).await.expect(200).header("content-type").to_owned()
    };
    for no in ["q=0", "q=0.0", "Q=0.000", " q = 0 ", "v=1;q=0"] {
        assert_eq!(read(format!("application/json, {CONTRACT};{no}")).await, "application/json", "{no}");
    }
    for yes in ["q=0.001", "q=1", "q=1.0", "qq=0", "v=0", "q=0.5;v=0"] {
        assert_eq!(read(format!("application/json;q=0, {CONTRACT};{yes}")).await, CONTRACT, "{yes}");
    }
    assert_eq!(read(format!("{CONTRACT};q=0, {CONTRACT}")).await, CONTRACT, "it asks as well");
}
