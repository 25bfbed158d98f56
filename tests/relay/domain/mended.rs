//! A registration that was wrong: while no event has been applied, it can be mended or taken back.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::integrator::with;
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Reply, Setup, agreement, payment, preauth, refund, start, stripe};

const AT: i64 = 1_700_000_000;

async fn remove(relay: &Relay, kind: &str, id: &str) -> Reply {
    let path = format!("/records/{kind}/{id}");
    relay.send(relay.request(Method::DELETE, &path).bearer_auth(INTEGRATOR_TOKEN)).await
}

async fn put(relay: &Relay, kind: &str, id: &str, body: &Value) -> Value {
    relay.put(kind, id, body).await.expect(200).json()
}

#[tokio::test]
async fn currency_and_source_can_be_mended_until_an_event_is_applied() {
    let more = "[sources.stripe-other]\nprofile = \"stripe\"\nsecrets = [\"whsec_other\"]".to_owned();
    let (_transform, relay) = start(Setup { more, ..Setup::silent() }).await;
    let wrong = with(with(payment("pi_1", "10"), "currency", "USD"), "source", "stripe-other");
    let first = relay.register("payment", "tx-1", &wrong).await;
    let mended = put(&relay, "payment", "tx-1", &json!({"currency": "EUR", "source": "stripe-main"})).await;
    assert_eq!((&mended["currency"], &mended["source"]), (&json!("EUR"), &json!("stripe-main")));
    assert!(first["lastUpdated"].as_str() < mended["lastUpdated"].as_str());
    assert_eq!(
        relay.stripe(&stripe::paid("pi_1", AT, 1000)).await,
        "applied",
        "the id leads to it from the right source"
    );
    for (field, value) in [("currency", "USD"), ("source", "stripe-other")] {
        relay.put("payment", "tx-1", &json!({ field: value })).await.names(409, field);
    }
}

/// An event that waited at the right source is applied by the mend.
#[tokio::test]
async fn an_event_of_the_right_source_that_waited_is_applied_by_the_mend() {
    let more = "[sources.stripe-other]\nprofile = \"stripe\"\nsecrets = [\"whsec_other\"]".to_owned();
    let (transform, relay) = start(Setup { more, ..Setup::default() }).await;
    relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "source", "stripe-other")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "parked");
    put(&relay, "payment", "tx-1", &json!({"source": "stripe-main"})).await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
}

#[tokio::test]
async fn a_refund_of_the_wrong_payment_moves_to_the_right_one() {
    let (transform, relay) = start(Setup::default()).await;
    for n in [1, 2] {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
        transform.told("payment", &format!("tx-{n}"), 1).await;
    }
    relay.register("refund", "tx-r", &with(refund("re_1", "tx-1", "4"), "status", "Succeeded")).await;
    transform.told("payment", "tx-1", 2).await;
    put(&relay, "refund", "tx-r", &json!({"paymentTransactionId": "tx-2"})).await;
    // Both payments have other sums now.
    transform.told("payment", "tx-1", 3).await;
    transform.told("payment", "tx-2", 2).await;
    for (id, left) in [("tx-1", "10"), ("tx-2", "6")] {
        assert_eq!(relay.fetched("Payment", id).await["refundableAmount"].to_string(), left, "{id}");
    }
}

#[tokio::test]
async fn a_record_of_the_wrong_kind_becomes_the_right_one() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.put("preauth", "tx-1", &preauth("pi_1", "10")).await.expect(201);
    remove(&relay, "payment", "tx-1").await.problem(404);
    let reserved = stripe::event("payment_intent.amount_capturable_updated", AT, stripe::manual("pi_1", 1000));
    assert_eq!(relay.stripe(&reserved).await, "applied");
    assert_eq!(relay.fetched("Preauth", "tx-1").await["status"], "Succeeded");
    relay.put("payment", "tx-1", &payment("pi_1", "10")).await.names(409, "kind");
}

/// An event that names the record waits while it has the wrong kind.
#[tokio::test]
async fn the_right_kind_releases_what_waited_for_it() {
    let (transform, relay) = start(Setup::default()).await;
    let mut paid = stripe::paid("pi_1", AT, 1000);
    paid["data"]["object"]["metadata"] = json!({"transactionId": "tx-1"});
    let bare = json!({"requestedAmount": "10", "currency": "EUR", "source": "stripe-main"});
    assert_eq!(relay.stripe(&paid).await, "parked");
    relay.register("refund", "tx-1", &with(bare.clone(), "paymentTransactionId", "tx-0")).await;
    relay.put("payment", "tx-1", &bare).await.expect(201);
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
}

#[tokio::test]
async fn a_record_without_events_can_be_removed() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "tell", true)).await;
    transform.told("payment", "tx-1", 1).await;
    for path in ["/records/payment/tx-1", "/records/refund/tx-1"] {
        relay.send(relay.request(Method::DELETE, path)).await.problem(401);
    }
    remove(&relay, "refund", "tx-1").await.problem(404);
    assert_eq!(remove(&relay, "payment", "tx-1").await.expect(204).text, "");
    relay.program.logged(&["INFO", "record removed", "payment/tx-1"]).await;
    remove(&relay, "payment", "tx-1").await.problem(404);
    relay.fetch("Payment", "tx-1").await.problem(404);
    // Its PSP id is free, and what comes waits.
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "parked");
    relay.register("payment", "tx-2", &payment("pi_1", "10")).await;
    transform.told("payment", "tx-2", 1).await;
    assert_eq!(relay.fetched("Payment", "tx-2").await["status"], "Succeeded");
}

#[tokio::test]
async fn what_others_lean_on_stays() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.register("refund", "tx-r", &with(refund("re_1", "tx-1", "4"), "status", "Succeeded")).await;
    remove(&relay, "payment", "tx-1").await.names(409, "tx-r");
    remove(&relay, "refund", "tx-r").await.expect(204);
    let paid = stripe::paid("pi_1", AT, 1000);
    relay.stripe(&paid).await;
    assert_eq!(
        relay.fetched("Payment", "tx-1").await["refundableAmount"].to_string(),
        "10",
        "the refund left no trace"
    );
    remove(&relay, "payment", "tx-1").await.names(409, "events have been applied");
    // An event of another source names the agreement, and waits for it.
    let more = "[sources.stripe-other]\nprofile = \"stripe\"\nsecrets = [\"whsec_other\"]".to_owned();
    let (_transform, relay) = start(Setup { more, ..Setup::silent() }).await;
    relay.register("agreement", "ag-1", &with(agreement("pm_1"), "source", "stripe-other")).await;
    let attached =
        json!({"id": "seti_1", "payment_method": "pm_1", "status": "succeeded", "metadata": {"agreementId": "ag-1"}});
    assert_eq!(relay.stripe(&stripe::event("setup_intent.succeeded", AT, attached)).await, "parked");
    remove(&relay, "agreement", "ag-1").await.names(409, "a parked event names it");
}

#[tokio::test]
async fn refunds_whose_payment_is_unknown_are_listed_until_it_is_registered() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.register("preauth", "tx-2", &preauth("pi_2", "10")).await;
    relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    for (id, of) in [("tx-r", "tx-1"), ("tx-s", "tx-2"), ("tx-t", "tx-none")] {
        relay.register("refund", id, &refund(&format!("re_{id}"), of, "4")).await;
    }
    let listed = async |query: &str| -> Vec<String> {
        relay.records(query).await.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed("").await, ["tx-1", "tx-2", "ag-1", "tx-r", "tx-s", "tx-t"]);
    assert_eq!(listed("payment=unknown").await, ["tx-s", "tx-t"], "a preauthorization is no payment");
    let record = relay.record("refund", "tx-t").await;
    let expected = json!({
        "kind": "refund", "id": "tx-t", "source": null, "pspId": "re_tx-t", "status": "Initiated",
        "paymentTransactionId": "tx-none",
    });
    let mut short = relay.records("payment=unknown").await.pop().unwrap();
    let times = ["registeredAt", "lastUpdated"].map(|name| short.as_object_mut().unwrap().remove(name).unwrap());
    let version: Timestamp = record["lastUpdated"].as_str().unwrap().parse().unwrap();
    assert_eq!((short, times[1].as_str().unwrap().parse::<Timestamp>().unwrap()), (expected, version));

    put(&relay, "refund", "tx-s", &json!({"paymentTransactionId": "tx-1"})).await;
    assert_eq!(listed("payment=unknown").await, ["tx-t"]);
    relay.register("payment", "tx-none", &payment("pi_3", "10")).await;
    assert_eq!(listed("payment=unknown").await, Vec::<String>::new());
}

/// A refund of 4.00 of pi_1 that succeeded.
fn given_back() -> Value {
    let mut event = stripe::refund("re_1", AT + 60, 400, "succeeded");
    event["data"]["object"]["payment_intent"] = "pi_1".into();
    event
}

async fn refundable(relay: &Relay, id: &str) -> String {
    relay.fetched("Payment", id).await["refundableAmount"].to_string()
}

#[tokio::test]
async fn a_refund_that_is_registered_with_another_payment_than_the_psps_ends_the_same_in_either_order() {
    for is_first in [false, true] {
        let (_transform, relay) = start(Setup::silent()).await;
        for (id, psp_id) in [("tx-1", "pi_1"), ("tx-2", "pi_2")] {
            relay.register("payment", id, &payment(psp_id, "10")).await;
            relay.stripe(&stripe::paid(psp_id, AT, 1000)).await;
        }
        if is_first {
            assert_eq!(relay.stripe(&given_back()).await, "applied");
            assert_eq!(refundable(&relay, "tx-1").await, "6");
        }
        relay.register("refund", "tx-r", &refund("re_1", "tx-2", "4")).await;
        relay.stripe(&given_back()).await;
        assert_eq!(relay.fetched("Refund", "tx-r").await["status"], "Succeeded", "{is_first}");
        assert_eq!((refundable(&relay, "tx-1").await, refundable(&relay, "tx-2").await), ("10".into(), "6".into()));
    }
}

#[tokio::test]
async fn a_refund_whose_payment_is_unknown_can_get_another_one_also_after_its_events() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-l", "4")).await;
    assert_eq!(relay.stripe(&given_back()).await, "applied");
    put(&relay, "refund", "tx-r", &json!({"paymentTransactionId": "tx-1"})).await;
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(refundable(&relay, "tx-1").await, "6");
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    relay.put("refund", "tx-r", &json!({"paymentTransactionId": "tx-2"})).await.names(409, "paymentTransactionId");
}
