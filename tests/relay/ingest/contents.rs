//! Contents of one dedupe key: one caught notification can be made into many, and those give way to each other. So many
//! rows and bytes are kept of them, and no copy keeps out genuine news.

use serde_json::{Value, json};

use super::unsigned_times::{authorised, dated, payment_of, tell};
use crate::support::adyen::beside;
use crate::support::psp::seal_with;
use crate::support::setup::POINTING_SECRET;
use crate::support::{Relay, Setup, adyen, payment, start};

/// If only parts of a body are signed, one caught notification can be made into many.
#[tokio::test]
async fn one_item_makes_so_many_rows_and_no_more() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    let item = authorised();
    let changed = |n: usize| adyen::with(item.clone(), "operations", &n.to_string());
    for n in 0..110 {
        assert_eq!(relay.notify("adyen-main", &changed(n)).await.expect(200).text, "[accepted]");
    }
    assert_eq!(relay.rows().notifications, 100);
    assert_eq!(relay.rows().first_times, 1);
    // A row that has to be kept takes the room of one that changed nothing.
    tell(&relay, &dated(&item, "yesterday")).await;
    relay.program.logged(&["WARN", "adyen-main", "others of its dedupe key gave way"]).await;
    // A batch of an item with itself, or with others, is no other notification either.
    let mut twice = item.clone();
    let items = twice["notificationItems"].as_array_mut().unwrap();
    items.push(items[0].clone());
    tell(&relay, &twice).await;
    assert_eq!(relay.rows().notifications, 100);
    // The very same bodies are repetitions as before.
    relay.notify("adyen-main", &changed(0)).await.expect(200);
    assert_eq!(payment_of(&relay).await["status"], "Succeeded");
}

/// Copies of an item that was caught before the relay has it cannot keep it out.
#[tokio::test]
async fn what_somebody_has_made_of_an_item_gives_way_to_the_item() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    for n in 0..100 {
        tell(&relay, &dated(&authorised(), &format!("no date {n}"))).await;
    }
    relay.notify("adyen-main", &dated(&authorised(), "no date 100")).await.problem(503);
    tell(&relay, &authorised()).await;
    assert_eq!(payment_of(&relay).await["status"], "Succeeded");
    assert_eq!(relay.rows().notifications, 100);
    relay.program.logged(&["WARN", "adyen-main", "others of its dedupe key gave way"]).await;
}

/// A caught item with this many unsigned bytes beside it.
fn padded(item: &Value, bytes: usize, n: usize) -> Value {
    adyen::with(item.clone(), "padding", &format!("{n:03}{}", "x".repeat(bytes)))
}

/// The bytes of all bodies and headers in the inbox.
fn bytes(relay: &Relay) -> usize {
    relay.notifications().iter().map(|kept| kept.body.len() + kept.headers.len()).sum()
}

/// A caught item could otherwise have a hundred bodies kept, each of the largest size.
#[tokio::test]
async fn one_item_takes_so_many_bytes_and_no_more() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    let item = authorised();
    tell(&relay, &item).await;
    for n in 0..20 {
        tell(&relay, &padded(&item, 300_000, n)).await;
    }
    // The first body and four large ones are kept, and no more: the large ones say nothing new.
    assert_eq!(relay.rows().notifications, 5);
    assert!(bytes(&relay) < 1_300_000);
    // A row that has to be kept takes the room of one that changed nothing.
    tell(&relay, &dated(&padded(&item, 20_000, 0), "yesterday")).await;
    assert_eq!(relay.rows().notifications, 5);
    relay.program.logged(&["WARN", "adyen-main", "others of its dedupe key gave way"]).await;
    // A PSP's own items are small, and find room.
    tell(&relay, &dated(&item, "yesterday")).await;
    assert_eq!(relay.rows().notifications, 6);
    // The very same bodies are repetitions as before.
    tell(&relay, &padded(&item, 300_000, 0)).await;
    tell(&relay, &item).await;
    assert_eq!(relay.rows().notifications, 6);
    assert_eq!(payment_of(&relay).await["status"], "Succeeded");
}

/// Copies that were made before the relay has the item give way to it, as many as needed.
#[tokio::test]
async fn large_contents_that_somebody_has_made_give_way_to_a_large_one_that_counts() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    let item = authorised();
    for n in 0..4 {
        tell(&relay, &dated(&padded(&item, 400_000, n), "no date")).await;
    }
    for n in 0..3 {
        tell(&relay, &dated(&padded(&item, 2, n), "no date")).await;
    }
    assert_eq!(relay.rows().notifications, 7);
    let refused = dated(&padded(&item, 400_000, 9), "no date");
    relay.notify("adyen-main", &refused).await.problem(503);
    tell(&relay, &padded(&item, 50_000, 9)).await;
    assert_eq!(payment_of(&relay).await["status"], "Succeeded");
    // The three small ones came last and went first; one large one had to go with them.
    assert_eq!(relay.rows().notifications, 4);
    relay.program.logged(&["WARN", "adyen-main", "others of its dedupe key gave way", "count=4"]).await;
}

/// QuickPay's older bodies have no type. An unsigned header gives it.
#[tokio::test]
async fn a_body_with_another_header_is_no_repetition() {
    let more = format!("[sources.quickpay]\nprofile = \"quickpay\"\nsecrets = [\"{POINTING_SECRET}\"]\n");
    let (_transform, relay) = start(Setup { more, ..Setup::silent() }).await;
    relay.register("payment", "tx-1", &payment("777", "89.25")).await;
    let operation = json!({
        "id": 1, "type": "capture", "amount": 8925, "pending": false, "qp_status_code": "20000",
        "created_at": "2026-03-02T10:00:00Z",
    });
    let body = json!({"id": 777, "currency": "EUR", "operations": [operation]}).to_string();
    let sealed = seal_with("quickpay", POINTING_SECRET, 0, body.as_bytes());
    let tell = async |kind: Option<String>| {
        let mut headers = sealed.headers.clone();
        headers.extend(kind.map(|kind| ("QuickPay-Resource-Type".to_owned(), kind)));
        relay.post("quickpay", &headers, sealed.body.clone()).await.expect(200)
    };
    tell(Some("Subscription".to_owned())).await;
    tell(None).await;
    for n in 0..120 {
        tell(Some(format!("Made{n}"))).await;
    }
    let taken = tell(Some("Payment".to_owned())).await;
    assert_eq!(taken.json()["outcome"], "applied");
    assert_eq!(relay.fetch("Payment", "tx-1").await.json()["status"], "Succeeded");
    assert_eq!(tell(Some("Payment".to_owned())).await.header("idempotent-replayed"), "true");
    assert_eq!(relay.rows().notifications, 100);
}

/// A caught item cannot be kept out by any number of copies, whether they changed something or nothing.
#[tokio::test]
async fn what_changed_something_or_nothing_gives_way() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    let refused = adyen::with(adyen::item("AUTHORISATION", "PSP1", "", 0, 8925), "success", "false");
    for n in 0..105 {
        tell(&relay, &adyen::with(refused.clone(), "reason", &format!("made up {n}"))).await;
    }
    tell(&relay, &adyen::with(refused.clone(), "reason", "Refused")).await;
    // A dead letter needs a row, and takes the row of a copy that changed nothing.
    tell(&relay, &adyen::with(refused, "eventDate", "no date")).await;
    assert_eq!(relay.rows().notifications, 100);
    assert_eq!(relay.dead_letters().await.len(), 1);
    relay.program.logged(&["WARN", "adyen-main", "others of its dedupe key gave way"]).await;
}

/// Waiting copies keep out no further copy that has to wait, where credentials vouch for their unsigned parts.
#[tokio::test]
async fn what_waits_already_needs_no_row_and_what_waits_longest_gives_way() {
    let (_transform, relay) = start(Setup::with_known_adyen()).await;
    let tell = async |notification: &Value| {
        relay.notify("adyen-known", notification).await.expect(200);
    };
    let item = adyen::item("AUTHORISATION", "PSP1", "", 0, 8925);
    for n in 0..100 {
        tell(&adyen::with(item.clone(), "made", &n.to_string())).await;
    }
    let ids: Vec<_> = relay.notifications().into_iter().map(|kept| kept.id).collect();
    // It says the same as a waiting copy.
    tell(&item).await;
    assert_eq!(relay.parked().await.len(), 100);
    // It says something else than the waiting copies.
    tell(&beside(item.clone(), "cardSummary", "1142")).await;
    let (kept, waiting) = (relay.notifications(), relay.waiting());
    let is_there = |id: &String| kept.iter().any(|kept| kept.id == *id) && waiting.contains(id);
    assert!(is_there(&ids[0]) && !is_there(&ids[1]));
    assert_eq!(relay.rows().notifications, 100);
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    let state = relay.fetch("Payment", "tx-1").await.json();
    assert_eq!(state["status"], "Succeeded");
}

/// A batch of these items.
fn batch(items: &[&Value]) -> Value {
    let mut all = items[0].clone();
    let more = items[1..].iter().map(|item| item["notificationItems"][0].clone());
    all["notificationItems"].as_array_mut().unwrap().extend(more);
    all
}

/// A batch has the dedupe key of its first item. The items behind it are news of other things.
#[tokio::test]
async fn what_is_made_of_an_item_pushes_out_no_news_that_came_behind_it() {
    let (_transform, relay) = start(Setup::silent()).await;
    let caught = adyen::item("AUTHORISATION", "PSP1", "", 0, 8925);
    tell(&relay, &caught).await;
    let unclear = adyen::with(adyen::item("AUTHORISATION", "PSP3", "", 0, 8925), "eventDate", "no date");
    let behind = adyen::item("AUTHORISATION", "PSP2", "", 0, 8925);
    tell(&relay, &batch(&[&caught, &behind])).await;
    tell(&relay, &batch(&[&caught, &unclear])).await;
    let made = |item: &Value, n: usize| beside(item.clone(), "cardSummary", &format!("{:04}", 1000 + n));
    for n in 0..150 {
        tell(&relay, &made(&caught, n)).await;
    }
    assert_eq!(relay.dead_letters().await.len(), 1);
    // The same item behind another copy is not kept once more.
    for n in 0..50 {
        tell(&relay, &batch(&[&made(&caught, n), &made(&behind, n)])).await;
    }
    assert_eq!(relay.rows().notifications, 100);
    relay.register("payment", "tx-2", &payment("PSP2", "89.25")).await;
    assert_eq!(relay.fetch("Payment", "tx-2").await.json()["status"], "Succeeded");
}
