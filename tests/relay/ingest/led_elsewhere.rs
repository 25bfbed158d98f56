//! Caught notifications that are led elsewhere: a signed text counts for the records that it reached first. Where credentials
//! vouch for unsigned parts (`adyen-known`), later ones count as well, but for no other record.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::adyen::beside;
use crate::support::integrator::with;
use crate::support::program::run;
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Setup, adyen, payment, refund, start};

async fn tell(relay: &Relay, notification: &Value) {
    relay.notify("adyen-main", notification).await.expect(200);
}

async fn tell_known(relay: &Relay, notification: &Value) {
    relay.notify("adyen-known", notification).await.expect(200);
}

async fn payments(relay: &Relay, most: usize) {
    payments_at("adyen-main", relay, most).await;
}

async fn payments_at(source: &str, relay: &Relay, most: usize) {
    for n in 1..=most {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("PSP{n}"), "89.25")).await;
        relay.notify(source, &adyen::item("AUTHORISATION", &format!("PSP{n}"), "", 0, 8925)).await.expect(200);
    }
}

fn chargeback() -> Value {
    adyen::item("CHARGEBACK", "DISPUTE1", "OTHER", 10, 8925)
}

/// How many chargebacks each of the first payments has, up to this many payments.
async fn chargebacks(relay: &Relay, most: usize) -> Vec<usize> {
    let mut counts = Vec::new();
    for n in 1..=most {
        let state = relay.fetch("Payment", &format!("tx-{n}")).await.json();
        counts.push(state["chargebacks"].as_array().map_or(0, Vec::len));
    }
    counts
}

/// Adyen signs the dispute, but not the capture that it concerns.
#[tokio::test]
async fn one_chargeback_takes_the_money_of_one_payment() {
    let (_transform, relay) = start(Setup::silent()).await;
    payments(&relay, 3).await;
    for n in [2, 1, 3] {
        tell(&relay, &beside(chargeback(), "captureMerchantReference", &format!("tx-{n}"))).await;
        tell(&relay, &beside(chargeback(), "capturePspReference", &format!("PSP{n}"))).await;
    }
    assert_eq!(chargebacks(&relay, 3).await, [0, 1, 0]);
}

/// An item that a record refuses for good has reached nothing: the genuine item still has its effect.
#[tokio::test]
async fn what_a_record_refused_has_not_reached_it() {
    let (_transform, relay) = start(Setup::silent()).await;
    payments(&relay, 1).await;
    relay.register("payment", "tx-usd", &with(payment("USD1", "89.25"), "currency", "USD")).await;
    let led = |id: &str| beside(chargeback(), "captureMerchantReference", id);
    tell(&relay, &led("tx-usd")).await;
    assert_eq!(relay.dead_letters().await.len(), 1);
    tell(&relay, &led("tx-1")).await;
    assert_eq!(chargebacks(&relay, 1).await, [1]);
}

/// A waiting item is led only to the record that an earlier copy reached.
#[tokio::test]
async fn a_chargeback_that_waits_takes_no_money_that_another_one_of_it_has_taken() {
    let (_transform, relay) = start(Setup::with_known_adyen()).await;
    payments_at("adyen-known", &relay, 1).await;
    let led = |id: &str| beside(chargeback(), "captureMerchantReference", id);
    tell_known(&relay, &led("20260302-65e2f1a0b3c4d5e6f7081921")).await;
    tell_known(&relay, &led("tx-1")).await;
    tell_known(&relay, &led("20260302-65e2f1a0b3c4d5e6f7081922")).await;
    for n in 1..=2 {
        let id = format!("20260302-65e2f1a0b3c4d5e6f708192{n}");
        relay.register("payment", &id, &payment(&format!("LATER{n}"), "89.25")).await;
        assert_eq!(relay.fetch("Payment", &id).await.json()["chargebacks"], json!([]));
    }
    assert_eq!(chargebacks(&relay, 1).await, [1]);
    assert_eq!(relay.rows().parked, 0);
}

/// Notifications are deleted after a while. The records that a signed text reached stay known, for a replay too.
#[tokio::test]
async fn what_a_chargeback_reached_is_known_when_the_inbox_has_forgotten_it() {
    let (_transform, relay) = start(Setup::silent()).await;
    payments(&relay, 2).await;
    let led = |n: usize| beside(chargeback(), "captureMerchantReference", &format!("tx-{n}"));
    tell(&relay, &led(1)).await;
    let store = relay.file("relay.db");
    relay.forget(&relay.notifications()[2..]);
    tell(&relay, &led(2)).await;
    assert_eq!(chargebacks(&relay, 2).await, [1, 0]);
    let replay = ["profile", "replay", "adyen", "--store", store.to_str().unwrap()];
    let ended = run(&replay, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(": 0 would differ"), "{ended:?}");
}

/// A dead letter that waited in vain is not led elsewhere when it is judged anew.
#[tokio::test]
async fn a_dead_letter_that_is_judged_anew_is_led_nowhere_else() {
    let known = Setup::with_known_adyen();
    let more = format!("{}[store.parked]\nper_source = 1\n", known.more);
    let (_transform, relay) = start(Setup { more, ..known }).await;
    payments_at("adyen-known", &relay, 1).await;
    let id = "20260302-65e2f1a0b3c4d5e6f7081921";
    tell_known(&relay, &beside(chargeback(), "captureMerchantReference", id)).await;
    tell_known(&relay, &adyen::item("AUTHORISATION", "PSP9", "", 0, 8925)).await;
    tell_known(&relay, &beside(chargeback(), "captureMerchantReference", "tx-1")).await;
    relay.register("payment", id, &payment("LATER", "89.25")).await;
    let dead = relay.dead_letters().await[0]["notification"].take();
    let path = format!("/dead-letters/notifications/{}/replay", dead.as_str().unwrap());
    let replay = relay.request(Method::POST, &path).bearer_auth(INTEGRATOR_TOKEN);
    assert_eq!(relay.send(replay).await.expect(200).json()["outcome"], "repeated");
    assert_eq!(relay.fetch("Payment", id).await.json()["chargebacks"], json!([]));
    assert_eq!(chargebacks(&relay, 1).await, [1]);
}

/// Adyen signs the token, but not its owner.
#[tokio::test]
async fn one_token_is_the_token_of_one_agreement() {
    let (_transform, relay) = start(Setup::silent()).await;
    for n in 1..=3 {
        relay.register("agreement", &format!("ag-{n}"), &json!({})).await;
    }
    let contract = || adyen::item("RECURRING_CONTRACT", "TOKEN1", "PAY1", 0, 0);
    let of = |n: usize| beside(contract(), "recurring.shopperReference", &format!("ag-{n}"));
    tell(&relay, &of(1)).await;
    tell(&relay, &of(2)).await;
    tell(&relay, &beside(of(3), "recurring.recurringDetailReference", "TOKEN3")).await;
    // The agreement does not learn another customer's token either.
    tell(&relay, &beside(of(1), "recurring.recurringDetailReference", "TOKEN2")).await;
    for (n, status) in [(1, "Active"), (2, "Initiated"), (3, "Initiated")] {
        assert_eq!(relay.fetch("Agreement", &format!("ag-{n}")).await.json()["status"], status, "{n}");
    }
    assert_eq!(relay.psp_ids(), ["TOKEN1"]);
    // The token that the agreement has learned leads to it, whatever the unsigned fields say.
    let later = adyen::item("RECURRING_CONTRACT", "TOKEN1", "PAY2", 5, 0);
    tell(&relay, &beside(later, "recurring.shopperReference", "ag-2")).await;
    assert_eq!(relay.fetch("Agreement", "ag-2").await.json()["status"], "Initiated");
}

fn action(action: &str) -> Value {
    beside(adyen::item("CANCEL_OR_REFUND", "RE1", "PSP1", 20, 8925), "modification.action", action)
}

/// The choice between a refund and a cancellation is not signed.
#[tokio::test]
async fn what_was_a_refund_is_no_cancellation_as_well() {
    let (_transform, relay) = start(Setup::with_known_adyen()).await;
    payments_at("adyen-known", &relay, 1).await;
    relay.register("refund", "re-1", &refund("RE1", "tx-1", "89.25")).await;
    tell_known(&relay, &action("refund")).await;
    tell_known(&relay, &action("cancel")).await;
    assert_eq!(relay.fetch("Refund", "re-1").await.json()["status"], "Succeeded");
    assert_eq!(relay.fetch("Payment", "tx-1").await.json()["status"], "Succeeded");
    relay.program.logged(&["WARN", "adyen-known", "without effect", "record=payment/tx-1"]).await;
}

/// A copy does not wait for its payment, to become a cancellation later.
#[tokio::test]
async fn a_cancellation_does_not_wait_for_a_payment_when_it_was_a_refund() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-2", &payment("PSP2", "89.25")).await;
    tell(&relay, &adyen::item("AUTHORISATION", "PSP2", "", 0, 8925)).await;
    relay.register("refund", "re-1", &refund("RE1", "tx-2", "89.25")).await;
    tell(&relay, &action("refund")).await;
    tell(&relay, &action("cancel")).await;
    assert_eq!(relay.fetch("Refund", "re-1").await.json()["status"], "Succeeded");
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    assert_eq!(relay.fetch("Payment", "tx-1").await.json()["status"], "Initiated");
    relay.program.logged(&["WARN", "adyen-main", "without effect"]).await;
    // A changed profile is tried on the kept notifications, and the result stays the same.
    let replay = ["profile", "replay", "adyen", "--store", relay.file("relay.db").to_str().unwrap()].map(str::to_owned);
    let ended = run(&replay.each_ref().map(String::as_str), &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(": 0 would differ"), "{ended:?}");
}

/// One caught item can be made into any number of copies; the log has twenty lines a minute of each kind.
#[tokio::test]
async fn a_flood_that_is_made_of_one_item_is_summed_up() {
    let (_transform, relay) = start(Setup::with_known_adyen()).await;
    payments_at("adyen-known", &relay, 1).await;
    relay.register("refund", "re-1", &refund("RE1", "tx-1", "89.25")).await;
    tell_known(&relay, &action("refund")).await;
    let led = adyen::with(action("cancel"), "eventDate", "2026-03-02T10:00:01Z");
    for n in 0..150 {
        tell_known(&relay, &beside(led.clone(), "made", &n.to_string())).await;
    }
    // Each of these copies says something new and has to wait, so an older one gives way.
    for n in 0..150 {
        let waits = adyen::item("AUTHORISATION", "PSP9", "", 0, 8925);
        tell_known(&relay, &beside(waits, "cardSummary", &format!("{:04}", 1000 + n))).await;
    }
    let ended = relay.terminate().await;
    let lines =
        |parts: &[&str]| ended.stderr.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count();
    assert_eq!(lines(&["without effect", "adyen-known"]), 20, "{}", ended.stderr);
    assert_eq!(lines(&["came before with another time", "adyen-known"]), 20, "{}", ended.stderr);
    assert_eq!(lines(&["notification taken", "outcome=\"repeated\""]), 20, "{}", ended.stderr);
    assert_eq!(lines(&["130 more repetitions", "adyen-known", "outcome=\"repeated\""]), 1, "{}", ended.stderr);
    // The first waiting copy is no repetition.
    assert_eq!(lines(&["notification taken", "outcome=\"parked\""]), 21, "{}", ended.stderr);
    assert_eq!(lines(&["129 more repetitions", "adyen-known", "outcome=\"parked\""]), 1, "{}", ended.stderr);
    // A waiting copy that gave way has reached no record, so each loss has a line of its own.
    assert_eq!(lines(&["gave way", "adyen-known", "parked"]), 50, "{}", ended.stderr);
    assert_eq!(lines(&["came before with another content"]), 40, "{}", ended.stderr);
    assert!(ended.stderr.lines().count() - lines(&["gave way"]) < 180, "{}", ended.stderr);
}

/// Adyen signs the reference, but not the token. A token that the named agreement does not have leads to no other one.
#[tokio::test]
async fn a_token_that_a_stranger_has_changed_ends_no_other_agreement() {
    let (_transform, relay) = start(Setup::silent()).await;
    for n in 1..=3 {
        let token = if n == 3 { "TOKEN3" } else { "TOKEN1" };
        relay.register("agreement", &format!("ag-{n}"), &json!({"pspAgreementId": token, "status": "Active"})).await;
    }
    let ended = |token: &str| {
        let mut item =
            beside(adyen::item("RECURRING_CONTRACT", "RC1", "PAY1", 0, 0), "recurring.recurringDetailReference", token);
        item["merchantReference"] = "ag-1".into();
        item["success"] = "false".into();
        item
    };
    tell(&relay, &ended("TOKEN3")).await;
    for n in 2..=3 {
        assert_eq!(relay.fetch("Agreement", &format!("ag-{n}")).await.json()["status"], "Active", "{n}");
    }
}
