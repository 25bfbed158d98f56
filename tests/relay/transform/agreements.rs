//! What Transform reads of an agreement with new means of payment, and of a payment under it.

use serde_json::json;

use crate::support::integrator::with;
use crate::support::psp::seal_with;
use crate::support::{Setup, agreement, payment, start, stripe};

const AT: i64 = 1_700_000_000;

#[tokio::test]
async fn a_payment_shows_the_payer_data_of_its_agreement_under_its_own() {
    let (_transform, relay) = start(Setup::silent()).await;
    let card = json!({"last4": "1111", "cardType": "visa", "holder": "of the agreement"});
    relay.register("agreement", "ag-1", &with(agreement("pm_1"), "bearer", card)).await;
    let under = with(payment("pi_1", "100"), "agreementId", "ag-1");
    relay.register("payment", "tx-1", &with(under, "bearer", json!({"last4": "2222"}))).await;
    let bearer = relay.fetched("Payment", "tx-1").await["bearer"].take();
    assert_eq!(bearer, json!({"last4": "2222", "cardType": "visa", "holder": "of the agreement"}));
}

/// The end of the card that was replaced is not the end of the agreement.
#[tokio::test]
async fn an_agreement_with_another_means_of_payment_outlives_the_former_one() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    let setup = json!({"id": "seti_1", "payment_method": "pm_1", "status": "succeeded"});
    assert_eq!(relay.stripe(&stripe::event("setup_intent.succeeded", AT, setup)).await, "applied");
    relay.put("agreement", "ag-1", &with(agreement("pm_2"), "status", "Active")).await.expect(200);
    let detached = |id: &str| json!({"object": "payment_method", "id": id});
    relay.stripe(&stripe::event("payment_method.detached", AT + 10, detached("pm_1"))).await;
    assert_eq!(relay.fetched("Agreement", "ag-1").await["status"], "Active");
    relay.caught_up(&transform).await;
    assert_eq!(relay.stripe(&stripe::event("payment_method.detached", AT + 20, detached("pm_2"))).await, "applied");
    assert_eq!(relay.fetched("Agreement", "ag-1").await["status"], "Inactive");
}

/// A mandate goes over to another bank account. Nothing in the record differs: the stack has registered that account before.
#[tokio::test]
async fn an_amendment_that_changes_nothing_is_told_once() {
    let secret = "a-secret-of-gocardless";
    let more = format!(
        "[sources.gocardless]\nprofile = \"gocardless\"\nsecrets = [\"{secret}\"]\nfetch = {{ mode = \"never\" }}\n"
    );
    let (transform, relay) = start(Setup { more, ..Setup::default() }).await;
    let bearer = json!({"mandateId": "MD1", "customerBankAccount": "BA2"});
    let registered = json!({"pspAgreementId": "MD1", "status": "Active", "bearer": bearer});
    relay.register("agreement", "ag-1", &registered).await;
    let transferred = |id: &str, at: &str| {
        let links = json!({"mandate": "MD1", "new_customer_bank_account": "BA2"});
        let event =
            json!({"id": id, "created_at": at, "resource_type": "mandates", "action": "transferred", "links": links});
        json!({"events": [event], "meta": {"webhook_id": format!("WB{at}")}}).to_string()
    };
    let tell = async |id: &str, at: &str, webhook: &str| {
        let body = transferred(id, at).replace("WB", webhook);
        let sealed = seal_with("gocardless", secret, 0, body.as_bytes());
        relay.post("gocardless", &sealed.headers, body).await.expect(200).json()["outcome"].clone()
    };
    assert_eq!(tell("EV1", "2026-03-01T10:00:00.000Z", "WB1").await, "applied");
    transform.told("agreement", "ag-1", 1).await;
    let read = relay.fetched("agreement", "ag-1").await;
    assert_eq!((&read["status"], &read["bearer"]), (&json!("Active"), &bearer));
    // The same event in another webhook, and an earlier amendment.
    tell("EV1", "2026-03-01T10:00:00.000Z", "WB2").await;
    assert_eq!(tell("EV0", "2026-02-01T10:00:00.000Z", "WB3").await, "stale");
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("agreement", "ag-1"), 1, "once for the amendment, and never for a repetition");
    assert_eq!(tell("EV2", "2026-04-01T10:00:00.000Z", "WB4").await, "applied");
    transform.told("agreement", "ag-1", 2).await;
    assert!(relay.fetched("agreement", "ag-1").await["lastUpdated"].as_str() >= read["lastUpdated"].as_str());
}
