//! Retention of rows in the store: expired rows are deleted, and the file gives their pages back.

use rusqlite::Connection;
use serde_json::Value;

use crate::support::letters::letters;
use crate::support::{Answer, Setup, adyen, payment, refund, start, stripe};

const AT: i64 = 1_700_000_000;
const KEEP_NOTHING: &str =
    "[store.keep]\nnotifications = \"1ms\"\ndead_letters = \"1ms\"\nattempts = \"1ms\"\nhistory = \"1ms\"";
const KEEP_DEAD_LETTERS: &str = "[store.keep]\nnotifications = \"1ms\"\nattempts = \"1ms\"\nhistory = \"1ms\"";

/// A told record, an owed record, a parked event and a dead letter, when the retention times become short.
#[tokio::test]
async fn what_is_over_goes_and_what_is_not_stays() {
    let (transform, mut relay) = start(Setup::default()).await;
    for n in 1..=2 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
    }
    let told = stripe::paid("pi_1", AT, 1000);
    relay.stripe(&told).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    relay.terminate().await;
    (relay.setup.quiet, relay.setup.max_wait) = ("1h", "1h");
    relay.restart().await;
    relay.stripe(&stripe::paid("pi_2", AT, 1000)).await;
    relay.stripe(&stripe::paid("pi_nobody", AT, 1000)).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-1", "10")).await;
    let mut dollars = stripe::refund("re_1", AT, 1000, "succeeded");
    dollars["data"]["object"]["currency"] = "usd".into();
    assert_eq!(relay.stripe(&dollars).await, "dead_letter");
    relay.terminate().await;

    relay.setup.more = KEEP_DEAD_LETTERS.to_owned();
    relay.restart().await;
    relay.program.logged(&["housekeeping: expired rows are deleted"]).await;
    assert_eq!(relay.outcome_counts(), ["dead_letter 1", "parked 1"]);
    assert_eq!(relay.history("payment", "tx-1").await["versions"], Value::Array(Vec::new()));
    assert_eq!(relay.history("payment", "tx-1").await["attempts"], Value::Array(Vec::new()));
    assert_eq!(relay.history("payment", "tx-2").await["versions"].as_array().unwrap().len(), 1, "it is owed");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    // After a notification is deleted, a repetition of it is judged by its content.
    assert_eq!(relay.notify("stripe-main", &told).await.expect(200).json()["outcome"], "repeated");
    relay.terminate().await;

    relay.setup.more = KEEP_NOTHING.to_owned();
    relay.restart().await;
    relay.program.logged(&["expired dead letter deleted", "source=", "reason="]).await;
    relay.program.logged(&["housekeeping"]).await;
    assert_eq!(relay.outcome_counts(), ["parked 1"]);
    assert_eq!(relay.rows().outbox, 1);
    assert_eq!(relay.rows().parked, 1);
    assert_eq!(transform.count("payment", "tx-2"), 0);
}

/// A flood of large dead letters; then there is room for some of them only.
#[tokio::test]
async fn past_their_size_the_oldest_dead_letters_go() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    let mut ids = Vec::new();
    for n in 0..30 {
        let object = serde_json::json!({"id": "pi_1", "amount_received": 10.5, "description": "x".repeat(10_000)});
        let mut odd = stripe::event("payment_intent.succeeded", AT, object);
        odd["id"] = format!("evt_{n}").into();
        let taken = relay.notify("stripe-main", &odd).await.expect(200).json();
        assert_eq!(taken["outcome"], "dead_letter");
        ids.push(taken["notification"].as_str().unwrap().to_owned());
    }
    // A verified event of an unknown record is parked: it is no dead letter.
    relay.stripe(&stripe::paid("pi_nobody", AT, 1000)).await;
    relay.terminate().await;
    relay.setup.more = "[store.keep]\ndead_letters_size = \"100KB\"".to_owned();
    relay.restart().await;
    relay.program.logged(&["store.keep.dead_letters_size", &ids[0]]).await;
    relay.program.logged_times(&["store.keep.dead_letters_size"], 21).await;
    assert_eq!(relay.with_outcome("dead_letter"), 9, "of a little more than 10,000 bytes each");
    assert!(!relay.program.log().contains(&format!("notification={} ", ids[21])), "the newest stay");
    assert_eq!(relay.outcome_counts(), ["dead_letter 9", "parked 1"]);
}

/// One caught item can be made into many dead letters. They push out no dead letter that cannot be made of it.
#[tokio::test]
async fn dead_letters_that_are_made_of_one_item_push_out_no_other() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    let object = serde_json::json!({"id": "pi_1", "amount_received": 10.5, "description": "x".repeat(10_000)});
    let genuine = relay.notify("stripe-main", &stripe::event("payment_intent.succeeded", AT, object)).await.expect(200);
    assert_eq!(genuine.json()["outcome"], "dead_letter");
    let id = genuine.json()["notification"].as_str().unwrap().to_owned();
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    let caught = adyen::item("AUTHORISATION", "PSP1", "", 0, 8925);
    relay.notify("adyen-main", &caught).await.expect(200);
    for n in 0..20 {
        let made =
            adyen::with(adyen::with(caught.clone(), "eventDate", "never"), "padding", &n.to_string().repeat(5_000));
        relay.notify("adyen-main", &made).await.expect(200);
    }
    assert_eq!(relay.outcome_counts(), ["applied 1", "dead_letter 21"]);
    relay.terminate().await;
    relay.setup.more = "[store.keep]\ndead_letters_size = \"50KB\"".to_owned();
    relay.restart().await;
    relay.program.logged(&["a round of housekeeping is over"]).await;
    let bytes: i64 = relay.stored("SELECT bytes FROM dead_letter_bytes");
    assert!((10_000..=50_000).contains(&bytes), "{bytes}");
    let gone = relay.program.log();
    let gone: Vec<_> = gone.lines().filter(|line| line.contains("store.keep.dead_letters_size")).collect();
    assert!(!gone.is_empty() && !gone.iter().any(|line| line.contains(&id)), "{gone:?}");
}

#[tokio::test]
async fn a_delivery_that_was_given_up_is_listed_and_never_forgotten() {
    let (transform, mut relay) = start(Setup { give_up_after: "0s", ..Setup::default() }).await;
    transform.script([Answer::status(404), Answer::status(404)]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    relay.program.logged(&["gave up telling Transform"]).await;
    let delivery = relay.given_up().await.remove(0);
    assert_eq!((&delivery["id"], &delivery["reason"]), (&"tx-1".into(), &"HTTP 404".into()));
    relay.terminate().await;
    relay.setup.more = KEEP_NOTHING.to_owned();
    relay.restart().await;
    relay.program.logged(&["a round of housekeeping is over"]).await;
    assert_eq!(relay.given_up().await.len(), 1);
}

#[tokio::test]
async fn the_file_gives_its_pages_back() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    let mut event = stripe::event("customer.created", AT, serde_json::json!({"id": "cus_1"}));
    event["data"]["object"]["description"] = letters(500_000).into();
    for n in 0..40 {
        event["id"] = format!("evt_{n}").into();
        assert_eq!(relay.stripe(&event).await, "ignored");
    }
    relay.terminate().await;
    let before: i64 = relay.stored("PRAGMA page_count");
    relay.setup.more = KEEP_DEAD_LETTERS.to_owned();
    relay.restart().await;
    relay.program.logged(&["housekeeping"]).await;
    relay.terminate().await;
    let after: i64 = relay.stored("PRAGMA page_count");
    assert!(after * 2 < before, "{before} pages before, {after} after");
}

/// The first version made files that cannot give unused pages back (`auto_vacuum`).
#[tokio::test]
async fn an_older_file_learns_to_give_pages_back() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    let store = Connection::open(relay.file("relay.db")).unwrap();
    store.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM;").unwrap();
    drop(store);
    assert_eq!(relay.stored::<i64>("PRAGMA auto_vacuum"), 0);
    relay.restart().await;
    assert_eq!(relay.stored::<i64>("PRAGMA auto_vacuum"), 2);
}
