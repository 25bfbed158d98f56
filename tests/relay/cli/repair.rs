//! `repair`: a record that cannot be read stands again as it was registered, with what its kept notifications told.

use std::fs;

use serde_json::json;

use crate::support::program::{Ended, run};
use crate::support::{Relay, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;

/// The fields of a payment that Transform reads, but for its version's time.
const FIELDS: [&str; 7] =
    ["status", "payments", "requestedAmount", "refundedAmount", "refundableAmount", "pspTransactionId", "bearer"];

async fn repair(relay: &Relay, record: &str, more: &[&str]) -> Ended {
    let config = relay.file("relay.toml");
    let arguments = [&["repair", record, "--config", config.to_str().unwrap()], more].concat();
    run(&arguments, &relay.setup.environment()).await
}

/// What the first read of the record shows that is not refused, if the relay runs.
async fn first_read(relay: &Relay, runs: bool) -> Option<serde_json::Value> {
    if !runs {
        return None;
    }
    loop {
        let reply = relay.fetch("Payment", "tx-1").await;
        if reply.status == 200 {
            return Some(reply.json());
        }
    }
}

/// Repairs a record with a registration from a file.
async fn repair_as(relay: &Relay, record: &str, registration: &serde_json::Value) -> Ended {
    let file = relay.file("registration.json");
    fs::write(&file, registration.to_string()).unwrap();
    repair(relay, record, &["--registration", file.to_str().unwrap()]).await
}

#[track_caller]
fn says(ended: &Ended, code: i32, part: &str) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(format!("{}{}", ended.stdout, ended.stderr).contains(part), "{part:?} in {ended:?}");
}

#[tokio::test]
async fn a_damaged_record_is_there_again_with_all_that_was_said_of_it() {
    for (what, runs) in [("record", true), ("record", false), ("way", true)] {
        let (transform, mut relay) = start(Setup::default()).await;
        relay.register("payment", "tx-1", &payment("pi_0", "10")).await;
        relay
            .put("payment", "tx-1", &json!({"pspTransactionId": "pi_1", "bearer": {"last4": "1111"}}))
            .await
            .expect(200);
        let refund = json!({"pspTransactionId": "re_1", "paymentTransactionId": "tx-1", "requestedAmount": 3, "currency": "EUR"});
        relay.register("refund", "re-1", &refund).await;
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
        transform.told("payment", "tx-1", 1).await;
        relay.caught_up(&transform).await;
        let before = relay.fetched("Payment", "tx-1").await;
        says(&repair(&relay, "payment/tx-1", &[]).await, 0, "payment/tx-1 can be read; nothing is changed");
        relay.damage(what);
        let named = if what == "record" { "pi_1" } else { "pi_2" };
        relay.notify("stripe-main", &stripe::paid(named, AT + 1, 1000)).await.problem(503);
        if !runs {
            relay.kill().await;
        }
        says(&repair(&relay, "refund/tx-1", &[]).await, 64, "refund/tx-1 is not registered");
        says(&repair_as(&relay, "payment/tx-1", &payment("pi_1", "10")).await, 64, "leave out --registration");
        let (ended, first) = tokio::join!(repair(&relay, "payment/tx-1", &[]), first_read(&relay, runs));
        says(&ended, 0, "payment/tx-1 stands again");
        assert!(first.is_none_or(|first| first["status"] == "Succeeded"), "never as if nothing was paid");
        let told = ended.stdout.contains("status: Initiated -> Succeeded");
        assert_eq!(told, what == "record", "what events told is printed: {ended:?}");
        if runs {
            relay.ready().await.expect(200);
        } else {
            relay.restart().await;
        }
        transform.told("payment", "tx-1", 2).await;
        let after = relay.fetched("Payment", "tx-1").await;
        assert!(after["lastUpdated"].as_str() > before["lastUpdated"].as_str(), "{before} {after}");
        for field in FIELDS {
            assert_eq!(after[field], before[field], "{what}: {field}");
        }
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT + 1, 1000)).await, "repeated", "{what}");
        assert_eq!(relay.outcomes().len(), 3, "the watch's notification, and two of the payment: {what}");
    }
}

/// A damaged row of another record, or of its notification, is not in the way.
#[tokio::test]
async fn other_damaged_rows_are_left_out() {
    for what in ["record", "notification"] {
        let (transform, relay) = start(Setup::default()).await;
        for n in [1, 2] {
            relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
            assert_eq!(relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await, "applied");
            transform.told("payment", &format!("tx-{n}"), 1).await;
        }
        relay.damage("record");
        relay.damage(&format!("{what} of tx-2"));
        says(&repair(&relay, "payment/tx-1", &[]).await, 0, "left out: 1");
        assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded", "{what}");
        if what == "record" {
            says(&repair(&relay, "payment/tx-2", &[]).await, 0, "payment/tx-2 stands again");
            assert_eq!(relay.fetched("Payment", "tx-2").await["status"], "Succeeded");
        }
    }
}

/// Without a copy of its registration, the payment stack says it again.
#[tokio::test]
async fn a_record_whose_registration_is_lost_as_well_is_registered_anew() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
    relay.damage("copy");
    let ended = repair(&relay, "payment/tx-1", &[]).await;
    says(&ended, 0, "the copy of its registration could not be, and is made anew");
    relay.damage("record");
    relay.damage("copy");
    says(&repair(&relay, "payment/tx-1", &[]).await, 64, "give the registration as --registration FILE");
    let wrong = json!({"requestedAmount": "ten"});
    says(&repair_as(&relay, "payment/tx-1", &wrong).await, 64, "requestedAmount: \"ten\" is not a decimal number");
    says(&repair_as(&relay, "payment/tx-1", &payment("pi_9", "10")).await, 1, "or do not find it");
    relay.fetch("Payment", "tx-1").await.expect(503);
    says(&repair_as(&relay, "payment/tx-1", &payment("pi_1", "10")).await, 0, "payment/tx-1 stands again");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
}

/// What is not kept any more cannot be read again. The command changes nothing by itself then.
#[tokio::test]
async fn what_is_not_kept_is_named() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
    relay.forget(&relay.notifications());
    relay.damage("record");
    says(&repair(&relay, "payment/tx-1", &[]).await, 1, "Nothing is changed; --partly takes what is kept");
    relay.fetch("Payment", "tx-1").await.expect(503);
    says(&repair(&relay, "payment/tx-1", &["--partly"]).await, 1, "import it, or let the PSP send");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Initiated");
}

/// The older notification of a record is deleted with its version, and the later one is kept.
#[tokio::test]
async fn a_gap_in_the_history_is_seen() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
    let older = relay.notifications();
    let refund = stripe::event(
        "refund.created",
        AT + 10,
        json!({"id": "re_1", "payment_intent": "pi_1", "amount": 300, "currency": "eur", "status": "succeeded"}),
    );
    assert_eq!(relay.stripe(&refund).await, "applied");
    assert_eq!(relay.fetched("Payment", "tx-1").await["refundedAmount"], 3);
    relay.forget(&older);
    relay.damage("oldest version");
    relay.damage("record");
    says(&repair(&relay, "payment/tx-1", &[]).await, 1, "Nothing is changed; --partly takes what is kept");
    relay.fetch("Payment", "tx-1").await.expect(503);
}

/// What events told of the id that a payment was registered with before is there again, and its events still reach the payment.
#[tokio::test]
async fn a_former_id_of_a_transaction_is_not_forgotten() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let failed = |id: &str, kind: &str, at| {
        let object = json!({"id": id, "object": "payment_intent", "amount": 1000, "currency": "eur", "latest_charge": format!("ch_{id}"),
            "last_payment_error": {"code": "card_declined", "decline_code": "insufficient_funds"}});
        stripe::event(kind, at, object)
    };
    assert_eq!(relay.stripe(&failed("pi_1", "payment_intent.payment_failed", AT)).await, "applied");
    relay.put("payment", "tx-1", &json!({"pspTransactionId": "pi_2"})).await.expect(200);
    relay.stripe(&failed("pi_2", "payment_intent.canceled", AT - 10)).await;
    let before = relay.fetch("Payment", "tx-1").await.json();
    let ids = relay.psp_ids();
    relay.damage("record");
    says(&repair(&relay, "payment/tx-1", &[]).await, 0, "payment/tx-1 stands again");
    let after = relay.fetch("Payment", "tx-1").await.json();
    assert_eq!((&after["status"], &after["errorCode"]), (&before["status"], &before["errorCode"]));
    assert_eq!(relay.psp_ids(), ids);
}

/// All versions stay later than the stack's own answer, and a copy that is missing is made anew.
#[tokio::test]
async fn versions_stay_later_than_the_answer_of_the_stack() {
    let (_transform, relay) = start(Setup::silent()).await;
    let answered = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(50);
    let mut registration = payment("pi_1", "10");
    registration["answeredAt"] = answered.to_string().into();
    relay.register("payment", "tx-1", &registration).await;
    relay.damage("copy row");
    says(&repair(&relay, "payment/tx-1", &[]).await, 0, "is made anew: there is none");
    relay.damage("record");
    says(&repair(&relay, "payment/tx-1", &[]).await, 0, "payment/tx-1 stands again");
    let seen: jiff::Timestamp =
        relay.fetched("Payment", "tx-1").await["lastUpdated"].as_str().unwrap().parse().unwrap();
    assert!(seen > answered, "{seen} {answered}");
}

/// An event that waits, and whose row is damaged or gone, waits again.
#[tokio::test]
async fn an_event_that_waits_comes_again_by_a_reread() {
    for what in ["parked", "parked row"] {
        let (_transform, relay) = start(Setup::silent()).await;
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "parked");
        relay.damage(what);
        let config = relay.file("relay.toml");
        let ended = run(&["reread", "--config", config.to_str().unwrap()], &relay.setup.environment()).await;
        says(&ended, 0, "1 notifications judged anew");
        relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
        assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded", "{what}");
    }
}
