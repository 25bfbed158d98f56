//! PUT and GET /records: the integrator registers its transactions and agreements.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::integrator::{amount, with, without};
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Setup, agreement, payment, preauth, refund, start, stripe};

#[tokio::test]
async fn registering_is_idempotent() {
    let (_transform, relay) = start(Setup::default()).await;
    let bodies = [
        ("preauth", "tx-1", with(preauth("pi_1", "0"), "expiresAt", "2030-01-01T00:00:00Z")),
        ("payment", "tx-2", with(payment("pi_2", "89.25"), "dueDate", "2030-01-31")),
        ("refund", "tx-3", refund("re_3", "tx-2", "10.5")),
        ("agreement", "ag-4", with(agreement("pm_4"), "bearer", json!({"last4": "4242"}))),
    ];
    for (kind, id, body) in bodies {
        let first = relay.put(kind, id, &body).await.expect(201).json();
        for _ in 0..2 {
            assert_eq!(relay.put(kind, id, &body).await.expect(200).json(), first, "{kind}");
        }
        assert_eq!(relay.record(kind, id).await, first);
        assert_eq!((&first["kind"], first["version"].to_string()), (&json!(kind), "1".to_owned()));
        let state = relay.fetched(kind, id).await;
        let state = state.as_object().unwrap();
        assert!(state.iter().all(|(name, value)| first[name] == *value), "{state:?} in {first}");
    }
}

#[tokio::test]
async fn every_field_is_kept() {
    let (transform, relay) = start(Setup::default()).await;
    let target = format!("http://{}/hooks", transform.address);
    let all = json!({
        "pspTransactionId": "pi_1", "source": "stripe-main", "webhookTarget": target, "requestedAmount": amount("89.25"),
        "currency": "EUR", "agreementId": "ag-1", "preauthTransactionId": "tx-0", "bearer": {"last4": "4242"},
        "dueDate": "2030-01-31T08:00:00.0000000Z", "redirectUrl": "https://psp.example/3ds", "status": "Pending",
        "externalTransactionId": "invoice-7",
    });
    let stored = relay.register("payment", "tx-1", &all).await;
    for (name, value) in all.as_object().unwrap() {
        assert_eq!(stored[name], *value, "{name}");
    }
    let day = relay.put("payment", "tx-1", &json!({"dueDate": "2030-02-01"})).await.expect(200).json();
    assert_eq!(day["dueDate"], "2030-02-01T00:00:00.0000000Z");
    let preauth = with(preauth("pi_9", "10"), "expiresAt", "2030-01-01T12:00:00+02:00");
    let preauth = relay.register("preauth", "tx-9", &with(preauth, "redirectData", json!({"PaReq": "e30"}))).await;
    assert_eq!(preauth["expiresAt"], "2030-01-01T10:00:00.0000000Z");
    assert_eq!(
        (&preauth["redirectData"], relay.fetched("Preauth", "tx-9").await.get("redirectData")),
        (&json!({"PaReq": "e30"}), Some(&json!({"PaReq": "e30"})))
    );
    let refund =
        relay.register("refund", "tx-r", &with(refund("re_1", "tx-1", "10"), "description", "goods sent back")).await;
    assert_eq!((&refund["paymentTransactionId"], &refund["description"]), (&json!("tx-1"), &json!("goods sent back")));
    assert_eq!(relay.fetched("Payment", "tx-1").await["externalTransactionId"], "invoice-7");
    assert_eq!(
        relay.fetched("Refund", "tx-r").await["externalTransactionId"],
        "refund-tx-r",
        "made of the record's key"
    );
    let agreement = relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    assert_eq!((&agreement["pspAgreementId"], &agreement["status"]), (&json!("pm_1"), &json!("Initiated")));
}

#[tokio::test]
async fn amending_adds_and_keeps() {
    let (_transform, relay) = start(Setup::default()).await;
    let bare = json!({"requestedAmount": "10", "currency": "eur"});
    let first = relay.register("payment", "tx-1", &bare).await;
    let second = relay.put("payment", "tx-1", &json!({"pspTransactionId": "pi_1"})).await.expect(200).json();
    let third = json!({"requestedAmount": amount("12.50"), "status": "Pending", "bearer": {"last4": "1"}});
    let third = relay.put("payment", "tx-1", &third).await.expect(200).json();
    for (record, version) in [(&first, 1), (&second, 2), (&third, 3)] {
        assert_eq!(record["version"].to_string(), version.to_string());
        assert_eq!(record["currency"], "EUR");
    }
    assert!(first.get("pspTransactionId").is_none());
    assert_eq!((&third["pspTransactionId"], third["requestedAmount"].to_string()), (&json!("pi_1"), "12.5".to_owned()));
    assert!(first["lastUpdated"].as_str() < second["lastUpdated"].as_str());
    assert!(second["lastUpdated"].as_str() < third["lastUpdated"].as_str());
    assert_eq!(relay.record("payment", "tx-1").await, third);
}

#[tokio::test]
async fn registering_tells_nobody() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.put("payment", "tx-1", &json!({"status": "Pending", "bearer": {"last4": "1"}})).await.expect(200);
    relay.register("refund", "tx-r", &with(refund("re_1", "tx-1", "5"), "status", "Succeeded")).await;
    relay.register("preauth", "tx-p", &preauth("pi_2", "10")).await;
    relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.hooks().len(), 1, "only the record that caught_up looks for: {:?}", transform.hooks());
    relay.terminate().await;
    assert_eq!(relay.rows().outbox, 0);
}

/// Checks that a registration is refused, that the answer names this field, and that nothing of it was kept.
async fn refused(relay: &Relay, status: u16, kind: &str, id: &str, body: Value, field: &str) {
    let before = relay.stored_records();
    let reply = relay.put(kind, id, &body).await;
    reply.names(status, field);
    assert!(reply.json()["field"].as_str().is_some_and(|said| said.starts_with(field)), "{reply:?}");
    assert_eq!(relay.stored_records(), before, "{kind} {body}");
}

#[tokio::test]
async fn what_events_were_applied_to_cannot_be_contradicted() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "source", "stripe-main")).await;
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await;
    relay.stripe(&stripe::refund("re_1", 1_700_000_001, 1000, "pending")).await;
    let refused = |kind: &'static str, id: &'static str, body: Value, field: &'static str| {
        refused(&relay, 409, kind, id, body, field)
    };
    refused("payment", "tx-1", json!({"currency": "USD"}), "currency").await;
    refused("refund", "tx-1", refund("re_2", "tx-2", "10"), "kind").await;
    refused("preauth", "tx-1", preauth("pi_1", "10"), "kind").await;
    refused("payment", "tx-1", json!({"source": "stripe-two"}), "source").await;
    refused("payment", "tx-1", json!({"pspTransactionId": "pi_2"}), "pspTransactionId").await;
    refused("payment", "tx-3", payment("pi_1", "10"), "pspTransactionId").await;
    refused("refund", "tx-r", json!({"paymentTransactionId": "tx-2"}), "paymentTransactionId").await;
    refused("refund", "tx-s", with(refund("re_3", "tx-1", "1"), "currency", "USD"), "currency").await;
    // The other way round: a payment that is registered after its refund.
    relay.register("refund", "tx-t", &refund("re_4", "tx-late", "10")).await;
    refused("payment", "tx-late", with(payment("pi_9", "10"), "currency", "USD"), "currency").await;
    relay.register("payment", "tx-late", &payment("pi_9", "10")).await;
}

/// The old id would no longer lead to the money, and the new one could bring it again.
#[tokio::test]
async fn money_keeps_the_psp_id_under_which_it_is_booked() {
    let (_transform, relay) = start(Setup::silent()).await;
    let another = |id: &str| json!({"pspTransactionId": id});
    let paid = |psp_id: &str| stripe::paid(psp_id, 1_700_000_000, 1000);
    // The typo comes first: it can be mended, and the money is found by the right id alone.
    relay.register("payment", "tx-1", &payment("pi_typo", "10")).await;
    relay.put("payment", "tx-1", &another("pi_1")).await.expect(200);
    relay.stripe(&paid("pi_1")).await;
    // The money comes first.
    refused(&relay, 409, "payment", "tx-1", another("pi_2"), "pspTransactionId").await;
    let refusal = relay.put("payment", "tx-1", &another("pi_2")).await.json();
    let detail = refusal["detail"].as_str().unwrap();
    assert!(detail.contains("the record has \"pi_1\", and 10 EUR are booked under it"), "{detail}");
    relay.put("payment", "tx-1", &payment("pi_1", "10")).await.expect(200);
    // The payment is registered only after its money has come.
    relay.stripe(&paid("pi_3")).await;
    relay.register("payment", "tx-3", &payment("pi_3", "10")).await;
    refused(&relay, 409, "payment", "tx-3", another("pi_4"), "pspTransactionId").await;
    // An event has named the charge together with its payment.
    let mut object = stripe::intent("pi_5", 1000);
    object["latest_charge"] = "ch_5".into();
    relay.register("payment", "tx-5", &payment("pi_5", "10")).await;
    relay.stripe(&stripe::event("payment_intent.succeeded", 1_700_000_000, object)).await;
    relay.put("payment", "tx-5", &another("ch_5")).await.expect(200);
    // Nothing has come of the refused attempt.
    relay.register("payment", "tx-6", &payment("pi_6", "10")).await;
    relay.stripe(&stripe::declined("pi_6", 1_700_000_000, 1000, "card_velocity_exceeded")).await;
    relay.put("payment", "tx-6", &another("pi_7")).await.expect(200);
    relay.stripe(&paid("pi_7")).await;
    for id in ["tx-1", "tx-3", "tx-5", "tx-6"] {
        let read = relay.fetched("Payment", id).await;
        let payments = read["payments"].as_array().unwrap();
        assert_eq!((&read["status"], payments.len()), (&json!("Succeeded"), 1), "{read}");
        assert_eq!(payments[0]["amount"].to_string(), "10", "{read}");
    }
    // A reservation and a refund keep their ids as well.
    relay.register("preauth", "tx-8", &preauth("pi_8", "10")).await;
    relay
        .stripe(&stripe::event("payment_intent.amount_capturable_updated", 1_700_000_000, stripe::manual("pi_8", 1000)))
        .await;
    refused(&relay, 409, "preauth", "tx-8", another("pi_9"), "pspTransactionId").await;
    relay.register("refund", "tx-9", &refund("re_9", "tx-1", "5")).await;
    relay.stripe(&stripe::refund("re_9", 1_700_000_001, 500, "succeeded")).await;
    refused(&relay, 409, "refund", "tx-9", another("re_10"), "pspTransactionId").await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_name() {
    let (_transform, relay) = start(Setup::default()).await;
    let refused =
        |kind: &'static str, body: Value, field: &'static str| refused(&relay, 422, kind, "tx-1", body, field);
    let good = || payment("pi_1", "10");
    // Unknown, or of another kind.
    refused("payment", with(good(), "colour", "red"), "colour").await;
    refused("payment", with(good(), "requested_amount", 5), "requested_amount").await;
    refused("payment", with(good(), "paymentTransactionId", "tx"), "paymentTransactionId").await;
    refused("payment", with(good(), "pspAgreementId", "pm"), "pspAgreementId").await;
    refused("payment", with(good(), "pspTransactionId", "\u{e4}".repeat(128).as_str()), "pspTransactionId").await;
    refused("payment", with(good(), "expiresAt", "2030-01-01T00:00:00Z"), "expiresAt").await;
    refused("preauth", with(good(), "dueDate", "2030-01-01"), "dueDate").await;
    refused("preauth", with(good(), "preauthTransactionId", "tx"), "preauthTransactionId").await;
    refused("refund", with(refund("re", "tx", "1"), "redirectUrl", "https://x.example/"), "redirectUrl").await;
    refused("agreement", good(), "pspTransactionId").await;
    refused("agreement", with(agreement("pm"), "requestedAmount", 1), "requestedAmount").await;
    // Missing.
    refused("payment", without(good(), "requestedAmount"), "requestedAmount").await;
    refused("preauth", without(good(), "currency"), "currency").await;
    refused("refund", good(), "paymentTransactionId").await;
    // Of the wrong shape or out of range.
    for bad in ["0", "-1", "\"ten\"", "true", "[]", "1e30", "\"1,5\"", "\"NaN\""] {
        refused("payment", with(good(), "requestedAmount", amount(bad)), "requestedAmount").await;
    }
    refused("preauth", with(good(), "requestedAmount", amount("-0.01")), "requestedAmount").await;
    for bad in ["EURO", "", "XYZ", "€"] {
        refused("payment", with(good(), "currency", bad), "currency").await;
    }
    refused("payment", with(good(), "status", "Active"), "status").await;
    refused("payment", with(good(), "status", "succeeded"), "status").await;
    refused("agreement", with(agreement("pm"), "status", "Succeeded"), "status").await;
    refused("payment", with(good(), "source", "nobody"), "source").await;
    refused("payment", with(good(), "pspTransactionId", ""), "pspTransactionId").await;
    refused("payment", with(good(), "pspTransactionId", "x".repeat(256)), "pspTransactionId").await;
    refused("payment", with(good(), "agreementId", "a b"), "agreementId").await;
    refused("payment", with(good(), "dueDate", "31.01.2030"), "dueDate").await;
    refused("preauth", with(good(), "expiresAt", "tomorrow"), "expiresAt").await;
    refused("payment", with(good(), "bearer", json!({"last4": 4242})), "bearer").await;
    refused("payment", with(good(), "bearer", "card"), "bearer").await;
}

#[tokio::test]
async fn a_body_must_be_a_json_object() {
    let (_transform, relay) = start(Setup::default()).await;
    let put = |body: &'static str| {
        let request = relay.request(Method::PUT, "/records/payment/tx-1").bearer_auth(INTEGRATOR_TOKEN);
        relay.send(request.header("Content-Type", "application/json").body(body))
    };
    for broken in ["", "{", "{\"currency\": \"EUR\",}", "currency=EUR", "\u{feff}{}"] {
        put(broken).await.problem(400);
    }
    for other in ["[]", "null", "1", "\"x\"", "true"] {
        put(other).await.problem(422);
    }
    assert_eq!(relay.rows().records, 0);
}

#[tokio::test]
async fn webhooks_go_to_allowed_hosts_only() {
    let (transform, relay) = start(Setup { default_target: false, ..Setup::default() }).await;
    let port = transform.address.port();
    let refused = |target: String| {
        refused(&relay, 422, "payment", "tx-1", with(payment("pi_1", "1"), "webhookTarget", target), "webhookTarget")
    };
    for bad in ["https://evil.example/", "http://app.billwerk.com/x", "ftp://127.0.0.1/", "/relative", "", "127.0.0.1"]
    {
        refused(bad.to_owned()).await;
    }
    refused(format!("http://127.0.0.1:{}/", port.wrapping_add(1).max(1))).await;
    refused(format!("http://localhost:{port}/")).await;
    refused(format!("http://user:secret@127.0.0.1:{port}/")).await;
    refused(format!("http://127.0.0.1:{port}@evil.example/")).await;
    // There is no target here and none in the configuration: no Transform could be told.
    relay.put("payment", "tx-1", &payment("pi_1", "1")).await.names(422, "webhookTarget");
    let target = format!("http://127.0.0.1:{port}/x");
    relay.register("payment", "tx-1", &with(payment("pi_1", "1"), "webhookTarget", target)).await;
    relay.put("payment", "tx-1", &json!({"webhookTarget": "https://evil.example/"})).await.names(422, "webhookTarget");
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 100)).await;
    assert_eq!(transform.nth(1).await[0].path, "/x");
}
