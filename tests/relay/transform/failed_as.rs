//! A failed transaction is fetched as an error, or as the record, as configured. A cancelled or expired one is a record.

use serde_json::{Value, json};

use crate::support::integrator::with;
use crate::support::{Relay, Setup, adyen, agreement, payment, preauth, refund, start, stripe};

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
        // The time is the version's. The PSP's may be older than what Transform has read already.
        let at = relay.record("payment", &id).await["lastUpdated"].clone();
        let expected = json!({
            "errorCode": code, "errorMessage": "Your card was declined.", "pspErrorCode": psp_code, "receivedAt": at,
            "status": "Failed",
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
async fn cancelled_and_expired_are_records() {
    for failed_as in ["error", "record"] {
        ends(failed_as).await;
    }
}

async fn ends(failed_as: &'static str) {
    let (_transform, relay) = start(Setup { failed_as, ..Setup::silent() }).await;
    relay.register("preauth", "tx-1", &preauth("pi_1", "10")).await;
    relay.register("preauth", "tx-2", &preauth("pi_2", "10")).await;
    relay.register("payment", "tx-3", &payment("pi_3", "10")).await;
    relay.register("refund", "tx-4", &refund("re_4", "tx-3", "10")).await;
    relay.register("preauth", "tx-5", &preauth("AUTH5", "10")).await;
    let mut given_up = stripe::manual("pi_2", 1000);
    given_up["cancellation_reason"] = "automatic".into();
    let mut unwanted = stripe::manual("pi_1", 1000);
    unwanted["cancellation_reason"] = "fraudulent".into();
    for event in [
        stripe::event("payment_intent.canceled", AT, unwanted),
        stripe::event("payment_intent.canceled", AT, given_up),
        stripe::event("payment_intent.canceled", AT, stripe::intent("pi_3", 1000)),
        stripe::refund("re_4", AT, 1000, "canceled"),
    ] {
        assert_eq!(relay.stripe(&event).await, "applied", "{event}");
    }
    relay.notify("adyen-main", &adyen::item("CANCELLATION", "CANC5", "AUTH5", 0, 1000)).await.expect(200);
    for (kind, id, status) in [
        ("Preauth", "tx-1", "Cancelled"),
        ("Preauth", "tx-2", "Expired"),
        ("Payment", "tx-3", "Cancelled"),
        ("Refund", "tx-4", "Cancelled"),
        ("Preauth", "tx-5", "Cancelled"),
    ] {
        let body = relay.fetched(kind, id).await;
        assert_eq!((&body["status"], &body["transactionId"]), (&json!(status), &json!(id)), "{failed_as}: {body}");
        assert_eq!((body.get("errorCode"), body.get("receivedAt")), (None, None), "{failed_as}: {body}");
    }
}

#[tokio::test]
async fn a_refusal_is_an_error_with_the_words_of_its_psp() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("AUTH1", "10")).await;
    let refused = adyen::with(adyen::item("AUTHORISATION", "AUTH1", "", 0, 1000), "success", "false");
    relay.notify("adyen-main", &adyen::with(refused, "reason", "Not enough balance")).await.expect(200);
    assert_eq!(ended(&relay, "Payment", "tx-1").await, (422, "InsufficientBalance".to_owned(), "Failed".to_owned()));
}

/// A registered state is the payment stack's word. The PSP has named nothing.
#[tokio::test]
async fn a_failure_without_words_is_unmapped() {
    let (_transform, relay) = start(Setup::silent()).await;
    for (id, status) in [("tx-1", "Failed"), ("tx-2", "Cancelled"), ("tx-3", "Expired")] {
        relay.register("payment", id, &with(payment(&format!("pi-{id}"), "10"), "status", status)).await;
    }
    assert_eq!(ended(&relay, "Payment", "tx-1").await, (500, "UnmappedError".to_owned(), "Failed".to_owned()));
    for (id, status) in [("tx-2", "Cancelled"), ("tx-3", "Expired")] {
        assert_eq!(relay.fetched("Payment", id).await["status"], status);
    }
}

#[tokio::test]
async fn an_agreement_has_an_error_only_if_it_failed() {
    let (transform, relay) = start(Setup::default()).await;
    for (id, method) in [("ag-1", "pm_1"), ("ag-2", "pm_2")] {
        relay.register("agreement", id, &agreement(method)).await;
    }
    let unwanted =
        json!({"id": "seti_1", "payment_method": "pm_1", "status": "canceled", "cancellation_reason": "abandoned"});
    relay.stripe(&stripe::event("setup_intent.canceled", AT, unwanted)).await;
    let why = json!({"code": "card_declined", "decline_code": "a_code_of_tomorrow"});
    let refused = json!({"id": "seti_2", "payment_method": "pm_2", "last_setup_error": why});
    relay.stripe(&stripe::event("setup_intent.setup_failed", AT, refused)).await;
    for (id, psp_code) in [("ag-1", None), ("ag-2", Some("a_code_of_tomorrow"))] {
        transform.told("agreement", id, 1).await;
        let body = relay.fetched("Agreement", id).await;
        let error = psp_code.map(|psp_code| {
            json!({"errorCode": "UnmappedError", "pspErrorCode": psp_code, "receivedAt": body["lastUpdated"]})
        });
        assert_eq!((&body["status"], body.get("error")), (&json!("Inactive"), error.as_ref()), "{body}");
    }
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
