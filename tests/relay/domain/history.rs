//! GET /records/{kind}/{id}/history: the notifications that made a record's versions, and the attempts to tell Transform.

use serde_json::Value;

use crate::support::{Answer, Setup, payment, start, stripe};

#[tokio::test]
async fn a_records_history_says_what_made_it_and_how_transform_was_told() {
    let (transform, relay) = start(Setup::default()).await;
    transform.script([Answer::status(503)]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let receipt = relay.notify("stripe-main", &stripe::paid("pi_1", 1_700_000_000, 1000)).await.expect(200).json();
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    let history = relay.history("payment", "tx-1").await;
    let made = &history["versions"][0];
    assert_eq!((&made["version"].to_string(), &made["notification"]), (&"2".to_owned(), &receipt["notification"]));
    assert_eq!((&made["type"], &made["status"]), (&"payment_intent.succeeded".into(), &"Succeeded".into()));
    let attempts = history["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "the newest first");
    assert_eq!((&attempts[0]["failure"], &attempts[1]["failure"]), (&Value::Null, &"HTTP 503".into()));
}
