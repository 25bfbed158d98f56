//! `repair`: a record that cannot be read is registered anew, and what its kept notifications told is read again.

use std::fs;

use serde_json::json;

use crate::support::program::{Ended, run};
use crate::support::{Relay, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;

async fn repair(relay: &Relay, record: &str, registration: &serde_json::Value) -> Ended {
    let (config, file) = (relay.file("relay.toml"), relay.file("registration.json"));
    fs::write(&file, registration.to_string()).unwrap();
    let arguments = ["repair", record, "--registration", file.to_str().unwrap(), "--config", config.to_str().unwrap()];
    run(&arguments, &relay.setup.environment()).await
}

#[track_caller]
fn says(ended: &Ended, code: i32, part: &str) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(format!("{}{}", ended.stdout, ended.stderr).contains(part), "{part:?} in {ended:?}");
}

#[tokio::test]
async fn a_damaged_record_is_there_again_with_all_that_its_notifications_told() {
    for (what, runs) in [("record", true), ("record", false), ("way", true)] {
        let (transform, mut relay) = start(Setup::default()).await;
        let registration = payment("pi_1", "10");
        relay.register("payment", "tx-1", &registration).await;
        relay
            .register(
                "refund",
                "re-1",
                &json!({"pspTransactionId": "re_1", "paymentTransactionId": "tx-1",
            "requestedAmount": 3, "currency": "EUR"}),
            )
            .await;
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
        transform.told("payment", "tx-1", 1).await;
        relay.caught_up(&transform).await;
        let before = relay.fetched("Payment", "tx-1").await;
        says(&repair(&relay, "payment/tx-1", &registration).await, 0, "payment/tx-1 can be read");
        relay.damage(what);
        let named = if what == "record" { "pi_1" } else { "pi_2" };
        relay.notify("stripe-main", &stripe::paid(named, AT + 1, 1000)).await.problem(503);
        if !runs {
            relay.kill().await;
        }
        says(&repair(&relay, "refund/tx-1", &registration).await, 64, "refund/tx-1 is not registered");
        says(&repair(&relay, "payment/tx-1", &json!({"requestedAmount": "ten"})).await, 64, "nothing is changed");
        says(&repair(&relay, "payment/tx-1", &registration).await, 0, "payment/tx-1 is registered anew");
        if !runs {
            relay.restart().await;
        }
        transform.told("payment", "tx-1", 2).await;
        let after = relay.fetched("Payment", "tx-1").await;
        assert!(after["lastUpdated"].as_str() > before["lastUpdated"].as_str(), "{before} {after}");
        for field in ["status", "payments", "requestedAmount", "refundedAmount", "refundableAmount", "pspTransactionId"]
        {
            assert_eq!(after[field], before[field], "{what}: {field}");
        }
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT + 1, 1000)).await, "repeated", "{what}");
        assert_eq!(relay.outcomes().len(), 3, "the watch's notification, and two of the payment: {what}");
    }
}

/// What is not kept any more cannot be read again, and the command says so.
#[tokio::test]
async fn what_is_not_kept_is_named() {
    let (_transform, relay) = start(Setup::silent()).await;
    let registration = payment("pi_1", "10");
    relay.register("payment", "tx-1", &registration).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
    relay.forget(&relay.notifications());
    relay.damage("record");
    says(&repair(&relay, "payment/tx-1", &registration).await, 1, "notifications that are not kept any more");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Initiated");
}
