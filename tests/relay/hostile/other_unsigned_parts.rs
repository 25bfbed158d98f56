//! Caught notifications with other unsigned parts: a signed text belongs to the first content that came with it, in a record
//! and while it waits. The source has the secret only, unless a test says otherwise.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::adyen::{beside, item, with};
use crate::support::psp::seal_with;
use crate::support::setup::{INTEGRATOR_TOKEN, POINTING_SECRET};
use crate::support::{Relay, Setup, payment, start};

const WITHOUT_EFFECT: &[&str] =
    &["WARN", "adyen-main", "without effect", "came before with other unsigned parts", "owner="];

/// A PSP must get the answer to an accepted notification, whatever became of it.
async fn tell(relay: &Relay, notification: &Value) {
    assert_eq!(relay.notify("adyen-main", notification).await.expect(200).text, "[accepted]");
}

async fn paid(relay: &Relay, n: usize) {
    relay.register("payment", &format!("tx-{n}"), &payment(&format!("PSP{n}"), "89.25")).await;
    tell(relay, &item("AUTHORISATION", &format!("PSP{n}"), "", 0, 8925)).await;
}

async fn chargebacks(relay: &Relay, id: &str) -> usize {
    relay.fetched("Payment", id).await["chargebacks"].as_array().map_or(0, Vec::len)
}

async fn status(relay: &Relay, kind: &str, id: &str) -> Value {
    relay.fetched(kind, id).await["status"].take()
}

/// The refund is not registered, so that it is the payment's: the signed text has reached the payment.
#[tokio::test]
async fn a_refund_is_not_told_again_as_a_cancellation_of_its_payment() {
    let (_transform, relay) = start(Setup::silent()).await;
    paid(&relay, 1).await;
    let told = |action| beside(item("CANCEL_OR_REFUND", "RE1", "PSP1", 20, 2000), "modification.action", action);
    tell(&relay, &told("refund")).await;
    let before = relay.fetched("Payment", "tx-1").await;
    assert_eq!((&before["status"], &before["refundedAmount"]), (&json!("Succeeded"), &json!(20)), "{before}");
    tell(&relay, &told("cancel")).await;
    tell(&relay, &with(told("cancel"), "eventDate", "2026-03-02T10:40:00+01:00")).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await, before);
    relay.program.logged(WITHOUT_EFFECT).await;
}

fn chargeback(capture: &str) -> Value {
    beside(item("CHARGEBACK", "DISPUTE1", "UNKNOWN", 10, 8925), "capturePspReference", capture)
}

/// The capture that a chargeback is about is unsigned.
#[tokio::test]
async fn a_chargeback_that_waits_is_not_moved_to_another_payment() {
    let (_transform, relay) = start(Setup::silent()).await;
    paid(&relay, 2).await;
    tell(&relay, &chargeback("CAPTURE1")).await;
    let waiting = relay.parked().await;
    tell(&relay, &chargeback("PSP2")).await;
    tell(&relay, &beside(chargeback("CAPTURE1"), "captureMerchantReference", "tx-2")).await;
    assert_eq!(chargebacks(&relay, "tx-2").await, 0);
    assert_eq!(relay.parked().await, waiting);
    relay.register("payment", "tx-1", &payment("CAPTURE1", "89.25")).await;
    assert_eq!((chargebacks(&relay, "tx-1").await, chargebacks(&relay, "tx-2").await), (1, 0));
    relay.program.logged(WITHOUT_EFFECT).await;
}

/// The token of a contract is unsigned, where pspReference is that of the request.
#[tokio::test]
async fn a_contract_that_waits_is_not_moved_to_another_agreement() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("agreement", "ag-2", &json!({"pspAgreementId": "TOKEN2"})).await;
    let contract = |token: &str| {
        beside(item("RECURRING_CONTRACT", "REQUEST1", "PAY1", 0, 0), "recurring.recurringDetailReference", token)
    };
    tell(&relay, &contract("TOKEN1")).await;
    tell(&relay, &contract("TOKEN2")).await;
    assert_eq!(status(&relay, "Agreement", "ag-2").await, "Initiated");
    relay.register("agreement", "ag-1", &json!({"pspAgreementId": "TOKEN1"})).await;
    assert_eq!(status(&relay, "Agreement", "ag-1").await, "Active");
    assert_eq!(status(&relay, "Agreement", "ag-2").await, "Initiated");
}

/// What waited in vain keeps its text: it can still be replayed, or sent again with another date.
#[tokio::test]
async fn what_waited_in_vain_is_not_moved_either_and_can_be_sent_again() {
    let more = "[store.parked]\nper_source = 1\n".to_owned();
    let (_transform, relay) = start(Setup { more, ..Setup::silent() }).await;
    paid(&relay, 2).await;
    tell(&relay, &chargeback("CAPTURE1")).await;
    tell(&relay, &item("CHARGEBACK", "DISPUTE2", "OTHER", 10, 100)).await;
    let dead = relay.dead_letters().await[0]["notification"].take();
    for n in 0..120 {
        tell(&relay, &beside(chargeback("PSP2"), "made", &n.to_string())).await;
    }
    assert_eq!(chargebacks(&relay, "tx-2").await, 0);
    relay.register("payment", "tx-1", &payment("CAPTURE1", "89.25")).await;
    assert_eq!(chargebacks(&relay, "tx-1").await, 0, "it does not wait any more");
    tell(&relay, &with(chargeback("CAPTURE1"), "eventDate", "2026-03-02T11:00:00+01:00")).await;
    assert_eq!((chargebacks(&relay, "tx-1").await, chargebacks(&relay, "tx-2").await), (1, 0));
    let path = format!("/dead-letters/notifications/{}/replay", dead.as_str().unwrap());
    let replay = relay.request(Method::POST, &path).bearer_auth(INTEGRATOR_TOKEN);
    assert_eq!(relay.send(replay).await.expect(200).json()["outcome"], "repeated");
}

/// Payment data are unsigned. Of two contents with the same time, chance would decide.
#[tokio::test]
async fn the_payment_data_of_an_item_stay_those_that_were_told_first() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    let card = |digits: &str| beside(item("AUTHORISATION", "PSP1", "", 0, 8925), "cardSummary", digits);
    tell(&relay, &card("1111")).await;
    let before = relay.fetched("Payment", "tx-1").await;
    assert_eq!(before["bearer"]["last4"], "1111");
    for n in 2000..2016 {
        tell(&relay, &card(&n.to_string())).await;
        tell(&relay, &with(card("1111"), "paymentMethod", &format!("made{n}"))).await;
    }
    assert_eq!(relay.fetched("Payment", "tx-1").await, before);
    relay.program.logged(WITHOUT_EFFECT).await;
}

/// The owner of a text is kept when its notification is deleted.
#[tokio::test]
async fn what_was_told_first_counts_when_the_inbox_has_forgotten_it() {
    let (_transform, relay) = start(Setup::silent()).await;
    paid(&relay, 1).await;
    let before = relay.fetched("Payment", "tx-1").await;
    relay.forget(&relay.notifications());
    for n in 0..16 {
        tell(&relay, &beside(item("AUTHORISATION", "PSP1", "", 0, 8925), "cardSummary", &format!("{n:04}"))).await;
    }
    assert_eq!(relay.fetched("Payment", "tx-1").await, before);
}

/// QuickPay's older bodies have no type, and an unsigned header gives it.
#[tokio::test]
async fn a_body_with_another_header_is_of_no_other_record() {
    let more = format!("[sources.quickpay]\nprofile = \"quickpay\"\nsecrets = [\"{POINTING_SECRET}\"]\n");
    let (_transform, relay) = start(Setup { more, ..Setup::silent() }).await;
    let operation = json!({
        "id": 1, "type": "authorize", "amount": 8925, "pending": false, "qp_status_code": "20000",
        "created_at": "2026-03-02T10:00:00Z",
    });
    let body = json!({"id": 777, "currency": "EUR", "operations": [operation]}).to_string();
    let sealed = seal_with("quickpay", POINTING_SECRET, 0, body.as_bytes());
    let tell = async |kind: &str| {
        let mut headers = sealed.headers.clone();
        headers.push(("QuickPay-Resource-Type".to_owned(), kind.to_owned()));
        relay.post("quickpay", &headers, sealed.body.clone()).await.expect(200).json()["outcome"].take()
    };
    assert_eq!(tell("Payment").await, "parked");
    relay.register("agreement", "ag-1", &json!({"pspAgreementId": "777"})).await;
    assert_eq!(tell("Subscription").await, "repeated");
    assert_eq!(status(&relay, "Agreement", "ag-1").await, "Initiated");
    relay.register("payment", "tx-1", &payment("777", "89.25")).await;
    assert_eq!(status(&relay, "Payment", "tx-1").await, "Pending");
}

/// Credentials vouch for the unsigned parts as well. Then a later content is the PSP's own, and counts.
#[tokio::test]
async fn where_credentials_vouch_for_the_unsigned_parts_later_ones_count() {
    let (_transform, relay) = start(Setup::with_known_adyen()).await;
    relay.register("payment", "tx-1", &payment("CAPTURE1", "89.25")).await;
    let tell = async |notification: &Value| {
        relay.notify("adyen-known", notification).await.expect(200);
    };
    tell(&chargeback("TYPED-WRONG")).await;
    tell(&chargeback("CAPTURE1")).await;
    assert_eq!(chargebacks(&relay, "tx-1").await, 1);
}
