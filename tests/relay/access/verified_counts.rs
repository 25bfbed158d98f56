//! Counts of verified notifications per secret: only new notifications show that a PSP still signs with a secret.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::psp::seal_with;
use crate::support::{Relay, Reply, Setup, adyen, payment, refund, start, stripe};

const AT: i64 = 1_700_000_000;
const STRIPE: [&str; 2] = ["whsec_vouched_old", "whsec_vouched_new"];
const ADYEN: [&str; 2] = ["11AA22BB33CC44DD55EE66FF77AA88BB", "99AA22BB33CC44DD55EE66FF77AA88CC"];
const OLD: usize = 0;
const NEW: usize = 1;

/// A relay with two sources that each have an old secret beside a new one.
fn rotating() -> Setup {
    let source = |name: &str, profile: &str, [old, new]: [&str; 2]| {
        format!(
            "[sources.{name}]\nprofile = \"{profile}\"\nsecrets = [\n\
             {{ name = \"old\", value = \"{old}\", expires_at = \"2099-01-01T00:00:00Z\" }},\n\
             {{ name = \"new\", value = \"{new}\" }},\n]\n"
        )
    };
    let more = source("cards", "stripe", STRIPE) + &source("items", "adyen", ADYEN);
    Setup { more, ..Setup::silent() }
}

/// Posts as Stripe, signed now.
async fn event(relay: &Relay, secret: usize, event: &Value) -> Reply {
    let now = jiff::Timestamp::now().as_second();
    let sealed = seal_with("stripe", STRIPE[secret], now, event.to_string().as_bytes());
    relay.post("cards", &sealed.headers, sealed.body).await
}

/// A signed item of Adyen's.
fn item(secret: usize, notification: &Value) -> Value {
    let sealed = seal_with("adyen", ADYEN[secret], 0, notification.to_string().as_bytes());
    serde_json::from_slice(&sealed.body).unwrap()
}

/// Posts signed items together, as anybody can who has them.
async fn items(relay: &Relay, signed: &[&Value]) {
    let all: Vec<Value> =
        signed.iter().flat_map(|one| one["notificationItems"].as_array().unwrap().iter().cloned()).collect();
    let body = json!({"live": "false", "notificationItems": all}).to_string();
    relay.post("items", &[("content-type".to_owned(), "application/json".to_owned())], body).await.expect(200);
}

/// How often the old and the new secret of a source are said to have verified, and when the old one last did.
async fn verified(relay: &Relay, source: &str) -> (i64, i64, Value) {
    let sources = relay.sources().await;
    let source = sources.as_array().unwrap().iter().find(|one| one["name"] == source).unwrap();
    let secrets: BTreeMap<&str, &Value> =
        source["secrets"].as_array().unwrap().iter().map(|one| (one["name"].as_str().unwrap(), one)).collect();
    let times = |name: &str| secrets[name]["verified"].as_i64().unwrap();
    (times("old"), times("new"), secrets["old"]["lastVerifiedAt"].clone())
}

async fn counts(relay: &Relay, source: &str) -> (i64, i64) {
    let (old, new, _) = verified(relay, source).await;
    (old, new)
}

/// A stranger sends again what the old secret signed, so that it seems to be in use.
#[tokio::test]
async fn what_is_sent_again_is_no_sign_of_a_secret_in_use() {
    let (_transform, relay) = start(rotating()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-1", "10")).await;
    let paid = stripe::paid("pi_1", AT, 1000);
    event(&relay, OLD, &paid).await.expect(200);
    let (old, new, last) = verified(&relay, "cards").await;
    assert_eq!((old, new), (1, 0));
    let again = event(&relay, OLD, &paid).await.expect(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(verified(&relay, "cards").await, (1, 0, last), "a repetition");
    // A dead letter that is sent again is judged anew, but does not count as new.
    let mut contradictory = stripe::refund("re_1", AT, 1000, "succeeded");
    contradictory["data"]["object"]["currency"] = "usd".into();
    for _ in 0..2 {
        let judged = event(&relay, OLD, &contradictory).await.expect(200).json();
        assert_eq!(judged["outcome"], "dead_letter");
    }
    assert_eq!(counts(&relay, "cards").await, (2, 0));
    // Only the PSP can sign another content as a whole.
    let mut other = paid.clone();
    other["data"]["object"]["description"] = "another".into();
    event(&relay, OLD, &other).await.expect(200);
    assert_eq!(counts(&relay, "cards").await, (3, 0));
    event(&relay, NEW, &stripe::paid("pi_2", AT, 1000)).await.expect(200);
    assert_eq!(counts(&relay, "cards").await, (3, 1));
    relay.program.logged_times(&["verified by an older secret", "source=\"cards\"", "secret=\"old\""], 3).await;
    let lines = relay.program.log().lines().filter(|line| line.contains("verified by an older secret")).count();
    assert_eq!(lines, 3, "{}", relay.program.log());
}

/// A notification that was not acknowledged is new when the PSP sends it again.
#[tokio::test]
async fn what_could_not_be_taken_counts_once_it_is() {
    let (_transform, relay) = start(rotating()).await;
    let held = relay.hold_store();
    let paid = stripe::paid("pi_1", AT, 1000);
    event(&relay, OLD, &paid).await.problem(503);
    assert_eq!(counts(&relay, "cards").await, (0, 0));
    drop(held);
    event(&relay, OLD, &paid).await.expect(200);
    assert_eq!(counts(&relay, "cards").await, (1, 0));
}

/// Adyen signs parts of an item: anybody can change the other parts, and put items together.
#[tokio::test]
async fn what_is_made_of_a_caught_item_is_no_sign_of_a_secret_in_use() {
    let (_transform, relay) = start(rotating()).await;
    let authorised = |n: u8| adyen::item("AUTHORISATION", &format!("PSP{n}"), "", n, 8925);
    let caught = item(OLD, &authorised(1));
    items(&relay, &[&caught]).await;
    assert_eq!(counts(&relay, "items").await, (1, 0));
    for (field, value) in [("eventDate", "2026-03-02T11:00:00+01:00"), ("reason", "another")] {
        items(&relay, &[&adyen::with(caught.clone(), field, value)]).await;
    }
    // A batch with a new item before or behind the caught one.
    items(&relay, &[&caught, &item(NEW, &authorised(2))]).await;
    assert_eq!(counts(&relay, "items").await, (1, 0));
    items(&relay, &[&item(NEW, &authorised(3)), &caught]).await;
    assert_eq!(counts(&relay, "items").await, (1, 1), "the PSP's own item is the first");
    // The item that came behind another one is known, too.
    items(&relay, &[&item(OLD, &authorised(4)), &item(OLD, &authorised(5))]).await;
    assert_eq!(counts(&relay, "items").await, (2, 1));
    items(&relay, &[&item(OLD, &authorised(5))]).await;
    assert_eq!(counts(&relay, "items").await, (2, 1));
    // Notifications are deleted after a while; the first time of an item is kept.
    relay.forget(&relay.notifications());
    items(&relay, &[&caught]).await;
    assert_eq!(counts(&relay, "items").await, (2, 1));
}
