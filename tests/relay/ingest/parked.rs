//! Parked events, which come before their record: kept, applied when the record is registered, and told then.

use serde_json::json;

use crate::support::integrator::{with, without};
use crate::support::{Relay, Setup, adyen, agreement, payment, refund, start, stripe};

const AT: i64 = 1_700_000_000;

async fn parked(relay: &Relay, event: serde_json::Value) {
    assert_eq!(relay.stripe(&event).await, "parked", "{event}");
}

/// The number of events that still wait.
fn waiting(relay: &Relay) -> i64 {
    relay.rows().parked
}

#[tokio::test]
async fn an_event_waits_for_its_record_by_psp_id() {
    let (transform, relay) = start(Setup::default()).await;
    parked(&relay, stripe::event("payment_intent.processing", AT, stripe::intent("pi_1", 1000))).await;
    parked(&relay, stripe::paid("pi_1", AT + 10, 1000)).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT + 10, 1000)).await, "repeated", "it waits already");
    relay.fetch("Payment", "tx-1").await.problem(404);
    relay.caught_up(&transform).await;
    assert_eq!(transform.hooks().len(), 1, "there is nothing to tell yet");

    let registered = relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(registered["status"], "Succeeded", "the answer shows it at once");
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["payments"][0]["amount"].to_string(), "10");
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 1);
    assert_eq!(waiting(&relay), 0);
    assert_eq!(relay.with_outcome("parked"), 0, "what became of them is noted");
}

#[tokio::test]
async fn an_event_waits_for_its_record_by_the_merchants_reference() {
    let (transform, relay) = start(Setup::default()).await;
    parked(&relay, stripe::referring(stripe::paid("pi_1", AT, 1000), "transactionId", "tx-1")).await;
    parked(&relay, stripe::referring(stripe::paid("pi_2", AT, 1000), "transaction_id", "tx-2")).await;
    let setup = json!({"id": "seti_1", "payment_method": "pm_1", "metadata": {"agreementId": "ag-1"}});
    parked(&relay, stripe::event("setup_intent.succeeded", AT, setup)).await;
    let authorised = adyen::with(adyen::item("AUTHORISATION", "AUTH1", "", 0, 1000), "merchantReference", "tx-3");
    relay.notify("adyen-main", &authorised).await.expect(200);

    for id in ["tx-1", "tx-2", "tx-3"] {
        let stored = relay.register("payment", id, &without(payment("", "10"), "pspTransactionId")).await;
        assert_eq!(stored["status"], "Succeeded", "{id}");
        transform.told("payment", id, 1).await;
    }
    relay.register("agreement", "ag-1", &json!({})).await;
    transform.told("agreement", "ag-1", 1).await;
    assert_eq!(relay.fetched("Agreement", "ag-1").await["status"], "Active");
    assert_eq!(relay.fetched("Payment", "tx-1").await["pspTransactionId"], "pi_1", "learned from the event");
    assert_eq!(waiting(&relay), 0);
}

#[tokio::test]
async fn an_event_waits_until_its_record_gets_its_psp_id() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &without(payment("", "10"), "pspTransactionId")).await;
    parked(&relay, stripe::paid("pi_1", AT, 1000)).await;
    let amended = relay.put("payment", "tx-1", &json!({"pspTransactionId": "pi_1"})).await.expect(200).json();
    assert_eq!(amended["status"], "Succeeded");
    transform.told("payment", "tx-1", 1).await;
}

/// The mandate's event names only the mandate; the setup intent, which comes later, names both.
#[tokio::test]
async fn an_id_that_an_event_teaches_releases_what_waits_for_it() {
    let (transform, relay) = start(Setup::default()).await;
    let mandate = json!({
        "id": "mandate_1", "status": "active",
        "payment_method_details": {"sepa_debit": {"reference": "RELAY0001"}},
    });
    parked(&relay, stripe::event("mandate.updated", AT, mandate)).await;
    relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    let setup = json!({"id": "seti_1", "payment_method": "pm_1", "mandate": "mandate_1"});
    assert_eq!(relay.stripe(&stripe::event("setup_intent.succeeded", AT + 5, setup)).await, "applied");
    transform.told("agreement", "ag-1", 1).await;
    let state = relay.fetched("Agreement", "ag-1").await;
    assert_eq!((&state["status"], &state["bearer"]["mandateReference"]), (&json!("Active"), &json!("RELAY0001")));
    relay.caught_up(&transform).await;
    assert_eq!((transform.count("agreement", "ag-1"), waiting(&relay)), (1, 0));
}

#[tokio::test]
async fn a_refund_that_waited_moves_its_payment_too() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
    transform.told("payment", "tx-1", 1).await;
    parked(&relay, stripe::refund("re_1", AT + 5, 400, "succeeded")).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-1", "4")).await;
    transform.told("refund", "tx-r", 1).await;
    transform.told("payment", "tx-1", 2).await;
    let bodies: Vec<_> = transform.hooks().into_iter().map(|hook| hook.json()["Type"].clone()).collect();
    assert_eq!(bodies, [2, 3, 2].map(serde_json::Value::from), "the refund before what it does to the payment");
    assert_eq!(relay.fetched("Payment", "tx-1").await["refundedAmount"].to_string(), "4");
}

#[tokio::test]
async fn an_event_waits_for_a_record_of_its_own_source() {
    let (_transform, relay) = start(Setup::silent()).await;
    parked(&relay, stripe::paid("pi_1", AT, 1000)).await;
    let other = with(payment("pi_1", "10"), "source", "stripe-two");
    assert_eq!(relay.register("payment", "tx-1", &other).await["status"], "Initiated");
    assert_eq!(waiting(&relay), 1);
    let own = with(payment("pi_1", "10"), "source", "stripe-main");
    assert_eq!(relay.register("payment", "tx-2", &own).await["status"], "Succeeded");
    assert_eq!(waiting(&relay), 0);
}

#[tokio::test]
async fn what_waits_outlives_the_relay() {
    let (transform, mut relay) = start(Setup::default()).await;
    parked(&relay, stripe::paid("pi_1", AT, 1000)).await;
    relay.kill().await;
    relay.restart().await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
}

/// An everyday race: the event and the registration come at the same time, in whatever order the relay sees them.
#[tokio::test]
async fn registering_and_notifying_at_once_lose_nothing() {
    let (transform, relay) = start(Setup::default()).await;
    for n in 0..20 {
        let (id, psp_id) = (format!("tx-{n}"), format!("pi_{n}"));
        let (body, event) = (payment(&psp_id, "10"), stripe::paid(&psp_id, AT, 1000));
        let (registered, notified) = tokio::join!(relay.put("payment", &id, &body), relay.stripe(&event));
        registered.expect(201);
        assert!(["applied", "parked"].contains(&notified.as_str()), "{notified}");
    }
    for n in 0..20 {
        let id = format!("tx-{n}");
        transform.told("payment", &id, 1).await;
        assert_eq!(relay.fetched("Payment", &id).await["status"], "Succeeded");
    }
    relay.caught_up(&transform).await;
    assert_eq!(transform.hooks().len(), 21);
}

/// Two agreements use one payment method. Its id leads to the agreement that was registered with it, not to the one
/// that learned it first from an event.
#[tokio::test]
async fn agreements_with_one_means_of_payment_end_together() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("agreement", "ag-1", &agreement("seti_1")).await;
    let setup = json!({"object": "setup_intent", "id": "seti_1", "payment_method": "pm_1", "status": "succeeded"});
    assert_eq!(relay.stripe(&stripe::event("setup_intent.succeeded", AT, setup)).await, "applied");
    relay.register("agreement", "ag-2", &agreement("pm_1")).await;
    let detached = json!({"object": "payment_method", "id": "pm_1"});
    assert_eq!(relay.stripe(&stripe::event("payment_method.detached", AT + 10, detached)).await, "applied");
    for id in ["ag-1", "ag-2"] {
        assert_eq!(relay.fetched("Agreement", id).await["status"], "Inactive", "{id}");
    }
}

/// Two items in one notification: one is applied, the other waits in vain. The notification is then a dead letter,
/// whatever became of the first item. After the registration, the same notification sent again is applied.
#[tokio::test]
async fn a_dead_letter_of_a_batch_is_not_lost() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    let mut batch = adyen::item("AUTHORISATION", "PSP1", "", 1, 1000);
    let other = adyen::item("AUTHORISATION", "PSP2", "", 1, 1000)["notificationItems"][0].clone();
    batch["notificationItems"].as_array_mut().unwrap().push(other);
    relay.notify("adyen-main", &batch).await.expect(200);
    assert_eq!(relay.outcomes(), ["applied"]);
    relay.terminate().await;
    relay.setup.more = "[store.parked]\nmax_age = \"1ms\"\n[store.keep]\nnotifications = \"1ms\"".to_owned();
    relay.restart().await;
    relay.program.logged(&["was not registered in time"]).await;
    // The retention is short: the round of housekeeping would delete a notification that comes during it.
    relay.program.logged(&["a round of housekeeping is over"]).await;
    assert_eq!(relay.outcomes(), ["dead_letter"]);
    relay.register("payment", "tx-2", &payment("PSP2", "10")).await;
    relay.notify("adyen-main", &batch).await.expect(200);
    assert_eq!(relay.fetched("Payment", "tx-2").await["status"], "Succeeded");
    let kept = relay.notifications();
    assert_eq!((kept.len(), kept[0].outcome.as_str(), kept[0].repeats), (1, "applied", 1));
    assert_eq!(waiting(&relay), 0);
}

/// One item contradicts known facts, the other waits for its record: it goes on waiting when dead letters are not kept.
#[tokio::test]
async fn what_waits_outlives_the_dead_letter_that_it_came_with() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    let mut batch = adyen::item("AUTHORISATION", "PSP1", "", 1, 1000);
    batch["notificationItems"][0]["NotificationRequestItem"]["amount"]["currency"] = "USD".into();
    let other = adyen::item("AUTHORISATION", "PSP2", "", 1, 1000)["notificationItems"][0].clone();
    batch["notificationItems"].as_array_mut().unwrap().push(other);
    relay.notify("adyen-main", &batch).await.expect(200);
    let ignored = adyen::item("REPORT_AVAILABLE", "PSP3", "", 0, 0);
    relay.notify("adyen-main", &ignored).await.expect(200);
    relay.terminate().await;
    relay.setup.more = "[store.keep]\nnotifications = \"1ms\"\ndead_letters = \"1ms\"".to_owned();
    relay.restart().await;
    relay.program.logged(&["housekeeping"]).await;
    relay.register("payment", "tx-2", &payment("PSP2", "10")).await;
    assert_eq!(relay.fetched("Payment", "tx-2").await["status"], "Succeeded");
}
