//! A failed transaction is fetched as an error, or as the record, as configured.

use serde_json::{Value, json};

use crate::support::{Relay, Setup, adyen, payment, preauth, refund, start, stripe};

const AT: i64 = 1_700_000_000;

/// Stripe's decline codes, and the errors that Transform gets for them.
const CODES: [(&str, &str, u16); 8] = [
    ("insufficient_funds", "InsufficientBalance", 422),
    ("expired_card", "BearerExpired", 422),
    ("incorrect_cvc", "BearerInvalid", 422),
    ("card_velocity_exceeded", "LimitExceeded", 429),
    ("do_not_honor", "Rejected", 422),
    ("processing_error", "InternalProviderError", 500),
    ("duplicate_transaction", "AlreadyExecuted", 500),
    ("a_code_of_tomorrow", "UnmappedError", 500),
];

#[tokio::test]
async fn a_failure_is_an_error_with_the_status_of_its_code() {
    let (_transform, relay) = start(Setup::silent()).await;
    for (n, (psp_code, code, status)) in CODES.into_iter().enumerate() {
        let (id, psp_id) = (format!("tx-{n}"), format!("pi_{n}"));
        relay.register("payment", &id, &payment(&psp_id, "10")).await;
        assert_eq!(relay.stripe(&stripe::declined(&psp_id, AT, 1000, psp_code)).await, "applied");
        let expected = json!({
            "errorCode": code, "errorMessage": "Your card was declined.", "pspErrorCode": psp_code,
            "receivedAt": "2023-11-14T22:13:20.0000000Z", "status": "Failed",
        });
        let reply = relay.fetch("Payment", &id).await.expect(status);
        assert_eq!((reply.header("content-type"), reply.json()), ("application/json", expected.clone()));
        assert_eq!(relay.get(&format!("/api/transactions/{id}?type=2")).await.expect(status).json(), expected);
        // The integrator reads the record, not the error.
        assert_eq!(relay.record("payment", &id).await["status"], "Failed");
    }
}

#[tokio::test]
async fn a_failure_may_be_fetched_as_the_record() {
    let (_transform, relay) = start(Setup { failed_as: "record", ..Setup::silent() }).await;
    for (n, (psp_code, ..)) in CODES.into_iter().enumerate() {
        let (id, psp_id) = (format!("tx-{n}"), format!("pi_{n}"));
        relay.register("payment", &id, &payment(&psp_id, "10")).await;
        assert_eq!(relay.stripe(&stripe::declined(&psp_id, AT, 1000, psp_code)).await, "applied");
        let body = relay.fetched("Payment", &id).await;
        assert_eq!(
            (&body["status"], &body["transactionId"], &body["payments"]),
            (&json!("Failed"), &json!(id), &json!([]))
        );
    }
}

/// Fetches a failed record: HTTP status, errorCode, status.
async fn ended(relay: &Relay, kind: &str, id: &str) -> (u16, String, String) {
    let reply = relay.fetch(kind, id).await;
    let body = reply.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    assert!(body["receivedAt"].as_str().is_some_and(|at| at.len() == 28), "{body}");
    (reply.status, text("errorCode"), text("status"))
}

#[tokio::test]
async fn cancelled_and_expired_say_which_they_are() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("preauth", "tx-1", &preauth("pi_1", "10")).await;
    relay.register("preauth", "tx-2", &preauth("pi_2", "10")).await;
    relay.register("payment", "tx-3", &payment("pi_3", "10")).await;
    relay.register("refund", "tx-4", &refund("re_4", "tx-3", "10")).await;
    relay.register("preauth", "tx-5", &preauth("AUTH5", "10")).await;
    relay.register("payment", "tx-6", &payment("AUTH6", "10")).await;
    let mut given_up = stripe::manual("pi_2", 1000);
    given_up["cancellation_reason"] = "automatic".into();
    for event in [
        stripe::event("payment_intent.canceled", AT, stripe::manual("pi_1", 1000)),
        stripe::event("payment_intent.canceled", AT, given_up),
        stripe::event("payment_intent.canceled", AT, stripe::intent("pi_3", 1000)),
        stripe::refund("re_4", AT, 1000, "canceled"),
    ] {
        assert_eq!(relay.stripe(&event).await, "applied", "{event}");
    }
    relay.notify("adyen-main", &adyen::item("CANCELLATION", "CANC5", "AUTH5", 0, 1000)).await.expect(200);
    let refused = adyen::with(adyen::item("AUTHORISATION", "AUTH6", "", 0, 1000), "success", "false");
    relay.notify("adyen-main", &adyen::with(refused, "reason", "Not enough balance")).await.expect(200);

    let as_canceled = |status: &str| (422, "Canceled".to_owned(), status.to_owned());
    assert_eq!(ended(&relay, "Preauth", "tx-1").await, as_canceled("Cancelled"));
    assert_eq!(ended(&relay, "Preauth", "tx-2").await, as_canceled("Expired"));
    assert_eq!(ended(&relay, "Payment", "tx-3").await, as_canceled("Cancelled"));
    assert_eq!(ended(&relay, "Refund", "tx-4").await, as_canceled("Cancelled"));
    assert_eq!(ended(&relay, "Preauth", "tx-5").await, as_canceled("Cancelled"));
    assert_eq!(ended(&relay, "Payment", "tx-6").await, (422, "InsufficientBalance".to_owned(), "Failed".to_owned()));
}

/// LoginError and PermissionDenied would make Transform disable the PSP; no text of a PSP leads to them.
#[tokio::test]
async fn nothing_is_ever_answered_401_to_transform_but_wrong_credentials() {
    let (_transform, relay) = start(Setup::silent()).await;
    for (n, code) in
        ["not_permitted", "invalid_api_key", "platform_api_key_expired", "login_error"].into_iter().enumerate()
    {
        let (id, psp_id) = (format!("tx-{n}"), format!("pi_{n}"));
        relay.register("payment", &id, &payment(&psp_id, "10")).await;
        relay.stripe(&stripe::declined(&psp_id, AT, 1000, code)).await;
        let (status, code, _) = ended(&relay, "Payment", &id).await;
        assert_ne!(status, 401);
        assert!(code != "LoginError" && code != "PermissionDenied", "{code}");
    }
}

#[tokio::test]
async fn an_attempt_that_failed_may_be_followed_by_one_that_succeeds() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::declined("pi_1", AT, 1000, "do_not_honor")).await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetch("Payment", "tx-1").await.expect(422).json()["status"], "Failed");
    relay.stripe(&stripe::paid("pi_1", AT + 60, 1000)).await;
    transform.told("payment", "tx-1", 2).await;
    let body = relay.fetched("Payment", "tx-1").await;
    assert_eq!((&body["status"], body.get("errorCode")), (&json!("Succeeded"), None::<&Value>));
}
