//! What Transform reads of an agreement with new means of payment, and of a payment under it.

use serde_json::json;

use crate::support::integrator::with;
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
