//! What the payment stack states: a synchronous decline, and a cancellation that no event will tell.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::integrator::with;
use crate::support::{Relay, Setup, agreement, payment, preauth, refund, start, stripe};

/// Some seconds from now, by the stack's clock.
fn time(seconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(seconds)
}

fn reserved(at: Timestamp) -> Value {
    stripe::event("payment_intent.amount_capturable_updated", at.as_second(), stripe::manual("pi_1", 10_000))
}

async fn put(relay: &Relay, kind: &str, id: &str, body: Value) -> Value {
    relay.put(kind, id, &body).await.expect(200).json()
}

#[tokio::test]
async fn a_decline_in_the_apis_answer_is_an_error_of_the_record() {
    let (transform, relay) = start(Setup::default()).await;
    let error = json!({"errorCode": "InsufficientBalance", "errorMessage": "Not enough.", "pspErrorCode": "51"});
    let declined = with(payment("pi_1", "10"), "error", error.clone());
    let first = relay.register("payment", "tx-1", &declined).await;
    assert_eq!(first["status"], "Failed");
    let read = relay.fetch("Payment", "tx-1").await.expect(422).json();
    let expected = with(with(error, "status", "Failed"), "receivedAt", first["lastUpdated"].clone());
    assert_eq!(read, expected);
    assert_eq!(put(&relay, "payment", "tx-1", declined).await, first, "saying it again changes nothing");
    // The customer tries again, and it works.
    relay.stripe(&stripe::paid("pi_1", time(5).as_second(), 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
}

#[tokio::test]
async fn a_cancellation_that_no_event_tells_is_merged_by_its_time() {
    for (cancelled, expected) in [(60, "Cancelled"), (-60, "Succeeded")] {
        for order in 0..3 {
            let (transform, relay) = start(Setup::default()).await;
            // The stack need not know the PSP's id: what it states holds for all attempts.
            let bare = json!({"source": "stripe-main", "requestedAmount": 100, "currency": "EUR"});
            let stated = json!({"status": "Cancelled", "statusAt": time(cancelled).to_string()});
            let mut event = reserved(time(0));
            event["data"]["object"]["metadata"] = json!({"transactionId": "tx-1"});
            if order == 0 {
                relay.stripe(&event).await;
            }
            relay.register("preauth", "tx-1", &bare).await;
            if order == 1 {
                relay.stripe(&event).await;
            }
            let answer = put(&relay, "preauth", "tx-1", stated).await;
            if order == 2 {
                relay.stripe(&event).await;
            } else {
                let ignored = (expected == "Succeeded").then_some("status");
                assert_eq!(answer["ignored"][0]["field"].as_str(), ignored, "{answer}");
            }
            let record = relay.fetched("Preauth", "tx-1").await;
            assert_eq!(record["status"], expected, "{order}");
            assert_eq!(record.get("authorizedAmount").is_some(), expected == "Succeeded", "{record}");
            relay.caught_up(&transform).await;
            // Stating tells nobody. The event does: it shows the PSP's id at least.
            assert_eq!(transform.count("preauth", "tx-1"), 1, "{order}");
        }
    }
}

#[tokio::test]
async fn what_is_stated_may_be_told() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("agreement", "ag-1", &with(agreement("pm_1"), "status", "Active")).await;
    put(&relay, "agreement", "ag-1", json!({"status": "Inactive", "statusAt": time(0).to_string(), "tell": true}))
        .await;
    transform.told("agreement", "ag-1", 1).await;
    let body = relay.fetched("Agreement", "ag-1").await;
    assert_eq!((&body["status"], body.get("error")), (&json!("Inactive"), None));
}

#[tokio::test]
async fn a_refund_that_is_stated_moves_its_payment() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    relay.stripe(&stripe::paid("pi_1", time(0).as_second(), 10_000)).await;
    transform.told("payment", "tx-1", 1).await;
    let done = with(with(refund("re_1", "tx-1", "40"), "status", "Succeeded"), "statusAt", time(5).to_string());
    relay.register("refund", "tx-r", &done).await;
    // The stack has answered about the refund. Transform hears of the payment.
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(transform.count("refund", "tx-r"), 0);
    let payment = relay.fetched("Payment", "tx-1").await;
    assert_eq!(
        (payment["refundedAmount"].to_string(), payment["refundableAmount"].to_string()),
        ("40".into(), "60".into())
    );
    relay.stripe(&stripe::refund("re_1", time(10).as_second(), 4000, "failed")).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["refundableAmount"].to_string(), "100");
}

/// The first attempt at the refund failed, and stays so: the success is of the second one.
#[tokio::test]
async fn a_stated_success_revives_no_other_attempt() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    relay.stripe(&stripe::paid("pi_1", time(0).as_second(), 10_000)).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-1", "40")).await;
    relay.stripe(&stripe::refund("re_1", time(1).as_second(), 4000, "failed")).await;
    let done = json!({"pspTransactionId": "re_2", "status": "Succeeded", "statusAt": time(90).to_string()});
    put(&relay, "refund", "tx-r", done).await;
    for _ in 0..2 {
        let read = relay.fetched("Refund", "tx-r").await;
        assert_eq!((read["refundedAmount"].to_string(), &read["pspTransactionId"]), ("40".into(), &json!("re_2")));
        assert_eq!(relay.fetched("Payment", "tx-1").await["refundedAmount"].to_string(), "40");
        relay.stripe(&stripe::refund("re_2", time(30).as_second(), 4000, "succeeded")).await;
    }
}

#[tokio::test]
async fn a_decline_ends_with_its_attempt_and_needs_a_time_beside_events() {
    let (_transform, relay) = start(Setup::silent()).await;
    let declined = with(payment("pi_1", "10"), "error", json!({"errorCode": "Rejected"}));
    assert_eq!(relay.register("payment", "tx-1", &declined).await["status"], "Failed");
    let again = json!({"pspTransactionId": "pi_2", "status": "Pending"});
    assert_eq!(put(&relay, "payment", "tx-1", again).await["status"], "Pending");
    relay.stripe(&stripe::paid("pi_2", time(0).as_second(), 1000)).await;
    relay.put("payment", "tx-1", &json!({"error": {}})).await.names(422, "statusAt");
    let late = json!({"error": {}, "statusAt": time(-60).to_string()});
    let answer = put(&relay, "payment", "tx-1", late).await;
    assert_eq!((&answer["status"], &answer["ignored"][0]["field"]), (&json!("Succeeded"), &json!("error")));
}

#[tokio::test]
async fn what_cannot_be_stated_is_refused_by_its_field() {
    let (_transform, relay) = start(Setup::default()).await;
    let stored = relay.register("preauth", "tx-1", &preauth("pi_1", "10")).await;
    let bodies = [
        (json!({"statusAt": time(0).to_string()}), "statusAt"),
        (json!({"status": "Cancelled", "statusAt": time(4000).to_string()}), "statusAt"),
        (json!({"status": "Succeeded", "error": {}}), "error"),
        (json!({"error": {"errorCode": "LoginError"}}), "error.errorCode"),
        (json!({"error": {"code": "Rejected"}}), "error"),
    ];
    for (body, field) in bodies {
        relay.put("preauth", "tx-1", &body).await.names(422, field);
    }
    assert_eq!(relay.record("preauth", "tx-1").await, stored);
}

#[tokio::test]
async fn what_does_not_show_is_named_in_the_answer() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", time(0).as_second(), 1000)).await;
    let charge = json!({
        "id": "ch_1", "payment_intent": "pi_1", "amount": 1000, "amount_captured": 1000, "captured": true,
        "currency": "eur", "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}},
    });
    relay.stripe(&stripe::event("charge.succeeded", time(60).as_second(), charge)).await;
    let said = json!({"status": "Pending", "bearer": {"last4": "1111", "holder": "A"}});
    let answer = put(&relay, "payment", "tx-1", said).await;
    let fields: Vec<_> =
        answer["ignored"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    assert_eq!((fields, &answer["status"]), (vec!["status", "bearer.last4"], &json!("Succeeded")));
    let answer = put(&relay, "payment", "tx-1", json!({"redirectUrl": "https://pay.example"})).await;
    assert_eq!(answer.get("ignored"), None);
}
