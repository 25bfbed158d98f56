//! Fixtures of every PSP, as documented, through the running relay.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::fixtures::{bodies, body};
use crate::support::integrator::with;
use crate::support::setup::ADYEN_SECRET;
use crate::support::{Relay, Reply, Setup, payment, psp, start};

/// Posts a fixture as its PSP would. Adyen has two forms: items with a signature inside, and events signed in a header.
async fn post(relay: &Relay, source: &str, file: &Path) -> Reply {
    let body = fs::read(file).unwrap();
    let in_header = source == "adyen-main" && serde_json::from_slice::<Value>(&body).unwrap().get("type").is_some();
    let sealed = match in_header {
        true => psp::seal_form("adyen", Some("token"), ADYEN_SECRET, 0, &body),
        false => psp::seal(source, &body),
    };
    relay.post(source, &sealed.headers, sealed.body).await
}

/// Every documented notification is taken, in any order and any number of times, with or without a known record.
#[tokio::test]
async fn every_documented_notification_is_answered_2xx() {
    let (_transform, relay) = start(Setup::silent()).await;
    for (profile, source) in
        [("stripe", "stripe-main"), ("adyen", "adyen-main"), ("frisbii-media", "media"), ("digital-river", "river")]
    {
        let files = bodies(profile);
        assert!(files.len() > 20, "{profile}");
        for file in files.iter().chain(files.iter().rev()) {
            let reply = post(&relay, source, file).await;
            assert!((200..300).contains(&reply.status), "{}: {reply:?}", file.display());
            let name = file.file_name().unwrap().to_str().unwrap();
            if source != "adyen-main" && name.starts_with("ignored") {
                let outcome = reply.json()["outcome"].clone();
                assert!(outcome == "ignored" || outcome == "repeated", "{name}: {outcome}");
            }
        }
    }
    relay.get("/readyz").await.expect(200);
}

/// Digital River captures in parts: Pending with the captured parts, Succeeded once all parts are captured.
#[tokio::test]
async fn a_payment_in_parts_has_succeeded_when_all_of_it_is_there() {
    let (_transform, relay) = start(Setup::silent()).await;
    let charge = "c4a6e000-0000-4000-8000-000000000001";
    relay.register("payment", "tx-1", &with(payment(charge, "37.81"), "currency", "USD")).await;
    let fixture = |name: &str| body("digital-river", name);
    post(&relay, "river", &fixture("order.charge.capture.complete-part.json")).await.expect(202);
    let part = relay.fetched("Payment", "tx-1").await;
    assert_eq!((&part["status"], part["payments"].as_array().unwrap().len()), (&json!("Pending"), 1));
    assert_eq!(part["payments"][0]["amount"].to_string(), "25.21");
    post(&relay, "river", &fixture("order.charge.capture.completed-rest.json")).await.expect(202);
    let whole = relay.fetched("Payment", "tx-1").await;
    assert_eq!((&whole["status"], whole["payments"].as_array().unwrap().len()), (&json!("Succeeded"), 2));
    assert_eq!(whole["refundableAmount"].to_string(), "37.81");
}

/// Frisbii Media: a direct debit that waits, succeeds, and is returned.
#[tokio::test]
async fn a_direct_debit_waits_until_it_is_confirmed() {
    let (transform, relay) = start(Setup::default()).await;
    let fixture = |name: &str| body("frisbii-media", name);
    let pending = fixture("transaction-sepa-pending.json");
    let entity: Value = serde_json::from_slice(&fs::read(&pending).unwrap()).unwrap();
    let entity = &entity["entity"];
    let body = with(
        payment(entity["transactionId"].as_str().unwrap(), &entity["amount"].to_string()),
        "dueDate",
        "2026-03-05",
    );
    relay.register("payment", "tx-1", &body).await;
    assert_eq!(post(&relay, "media", &pending).await.expect(200).json()["outcome"], "applied");
    transform.told("payment", "tx-1", 1).await;
    let state = relay.fetched("Payment", "tx-1").await;
    assert_eq!(
        (&state["status"], &state["dueDate"], &state["payments"]),
        (&json!("Pending"), &json!("2026-03-05T00:00:00.0000000Z"), &json!([]))
    );
    post(&relay, "media", &fixture("transaction-sepa-changed-to-succeeded.json")).await.expect(200);
    transform.told("payment", "tx-1", 2).await;
    let state = relay.fetched("Payment", "tx-1").await;
    assert_eq!((&state["status"], &state["payments"][0]["amount"]), (&json!("Succeeded"), &entity["amount"]));
}
