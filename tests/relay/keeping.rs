//! Retention of rows in the store, and copies of the store.

use std::os::unix::fs::PermissionsExt;

use reqwest::Method;
use rusqlite::Connection;
use serde_json::Value;

use crate::support::program::{Program, run};
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Answer, Relay, Setup, adyen, payment, refund, start, stripe};

const AT: i64 = 1_700_000_000;
const KEEP_NOTHING: &str =
    "[store.keep]\nnotifications = \"1ms\"\ndead_letters = \"1ms\"\nattempts = \"1ms\"\nhistory = \"1ms\"";
const KEEP_DEAD_LETTERS: &str = "[store.keep]\nnotifications = \"1ms\"\nattempts = \"1ms\"\nhistory = \"1ms\"";

async fn history(relay: &Relay, id: &str) -> Value {
    let request = relay.request(Method::GET, &format!("/records/payment/{id}/history")).bearer_auth(INTEGRATOR_TOKEN);
    relay.send(request).await.expect(200).json()
}

#[tokio::test]
async fn a_records_history_says_what_made_it_and_how_transform_was_told() {
    let (transform, relay) = start(Setup::default()).await;
    transform.script([Answer::status(503)]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let receipt = relay.notify("stripe-main", &stripe::paid("pi_1", AT, 1000)).await.expect(200).json();
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    let history = history(&relay, "tx-1").await;
    let made = &history["versions"][0];
    assert_eq!((&made["version"].to_string(), &made["notification"]), (&"2".to_owned(), &receipt["notification"]));
    assert_eq!((&made["type"], &made["status"]), (&"payment_intent.succeeded".into(), &"Succeeded".into()));
    let attempts = history["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "the newest first");
    assert_eq!((&attempts[0]["failure"], &attempts[1]["failure"]), (&Value::Null, &"HTTP 503".into()));
}

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
    assert_eq!(relay.stripe(&stripe::refund("re_1", AT, 2000, "succeeded")).await, "dead_letter");
    relay.terminate().await;

    relay.setup.more = KEEP_DEAD_LETTERS.to_owned();
    relay.restart().await;
    relay.program.logged(&["housekeeping: expired rows are deleted"]).await;
    assert_eq!(outcomes(&relay), ["dead_letter 1", "parked 1"]);
    assert_eq!(history(&relay, "tx-1").await["versions"], Value::Array(Vec::new()));
    assert_eq!(history(&relay, "tx-1").await["attempts"], Value::Array(Vec::new()));
    assert_eq!(history(&relay, "tx-2").await["versions"].as_array().unwrap().len(), 1, "it is owed");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    // After a notification is deleted, a repetition of it is judged by its content.
    assert_eq!(relay.notify("stripe-main", &told).await.expect(200).json()["outcome"], "repeated");
    relay.terminate().await;

    relay.setup.more = KEEP_NOTHING.to_owned();
    relay.restart().await;
    relay.program.logged(&["expired dead letter deleted", "source=", "reason="]).await;
    relay.program.logged(&["housekeeping"]).await;
    assert_eq!(outcomes(&relay), ["parked 1"]);
    assert_eq!(relay.stored::<i64>("SELECT count(*) FROM outbox"), 1);
    assert_eq!(relay.stored::<i64>("SELECT count(*) FROM parked"), 1, "what waited for room to refund went with it");
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
    let kept = "SELECT count(*) FROM notifications WHERE outcome = 'dead_letter'";
    relay.program.logged_times(&["store.keep.dead_letters_size"], 21).await;
    assert_eq!(relay.stored::<u32>(kept), 9, "of a little more than 10,000 bytes each");
    assert!(!relay.program.log().contains(&format!("notification={} ", ids[21])), "the newest stay");
    assert_eq!(outcomes(&relay), ["dead_letter 9", "parked 1"]);
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
    assert_eq!(outcomes(&relay), ["applied 1", "dead_letter 21"]);
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

fn outcomes(relay: &Relay) -> Vec<String> {
    let store = relay.store();
    let mut query =
        store.prepare("SELECT outcome || ' ' || count(*) FROM notifications GROUP BY outcome ORDER BY 1").unwrap();
    query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_delivery_that_was_given_up_is_listed_and_not_forgotten_without_a_word() {
    let (transform, mut relay) = start(Setup { give_up_after: "0s", ..Setup::default() }).await;
    transform.script([Answer::status(500), Answer::status(500)]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    relay.program.logged(&["gave up telling Transform"]).await;
    let letters = relay.request(Method::GET, "/dead-letters/deliveries").bearer_auth(INTEGRATOR_TOKEN);
    let letters = async { relay.send(letters.try_clone().unwrap()).await.expect(200).json() };
    let delivery = letters.await["deliveries"][0].clone();
    assert_eq!((&delivery["id"], &delivery["reason"]), (&"tx-1".into(), &"HTTP 500".into()));
    relay.terminate().await;
    relay.setup.more = KEEP_NOTHING.to_owned();
    relay.restart().await;
    relay.program.logged(&["undelivered change expired", "record=payment/tx-1"]).await;
}

#[tokio::test]
async fn the_file_gives_its_pages_back() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    let mut event = stripe::event("customer.created", AT, serde_json::json!({"id": "cus_1"}));
    event["data"]["object"]["description"] = "x".repeat(500_000).into();
    for n in 0..20 {
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

/// A copy is taken while notifications come in. A relay on the copy has everything that was answered before the copy
/// began, and tells the owed changes.
#[tokio::test]
async fn a_backup_is_taken_while_the_relay_runs_and_can_be_restored() {
    let (transform, mut relay) = start(Setup::silent()).await;
    for n in 0..30 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
    }
    for n in 0..15 {
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    let (config, copy) = (relay.file("relay.toml"), relay.file("copy.db"));
    let arguments = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let environment = relay.setup.environment();
    let during = async {
        for n in 15..30 {
            relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
        }
    };
    let (ended, ()) = tokio::join!(run(&arguments, &environment), during);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let again = run(&arguments, &environment).await;
    assert_eq!(again.code, Some(74), "{}", again.stderr);
    assert!(again.stderr.contains("copy.db is there already"), "{}", again.stderr);

    // The disk is lost; the copy takes its place, as the documents describe.
    relay.kill().await;
    for name in ["relay.db-wal", "relay.db-shm"] {
        drop(std::fs::remove_file(relay.file(name)));
    }
    std::fs::rename(&copy, relay.file("relay.db")).unwrap();
    (relay.setup.quiet, relay.setup.max_wait) = ("30ms", "1s");
    relay.restart().await;
    for n in 0..15 {
        assert_eq!(relay.fetched("Payment", &format!("tx-{n}")).await["status"], "Succeeded", "tx-{n}");
        transform.told("payment", &format!("tx-{n}"), 1).await;
    }
    // The PSP sends the notifications again that came after the copy.
    for n in 15..30 {
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
        transform.told("payment", &format!("tx-{n}"), 1).await;
    }
}

#[tokio::test]
async fn a_backup_of_nothing_says_so_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let store = ("RELAY_STORE__PATH".to_owned(), folder.path().join("none.db").to_str().unwrap().to_owned());
    let ended = run(&["backup", copy.to_str().unwrap()], &[store]).await;
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("none.db"), "{}", ended.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A killed backup leaves a file; a running backup has its file locked.
#[tokio::test]
async fn what_a_killed_backup_left_is_removed() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let unfinished = |copy: &str, digit: &str| relay.file(&format!("{copy}.unfinished-{}", digit.repeat(32)));
    let dead = [unfinished("copy.db", "4"), unfinished("copy.db", "a")];
    let (living, other) = (unfinished("copy.db", "5"), unfinished("other.db", "4"));
    // A file with so short a number is no backup.
    let accounts = relay.file("accounts.unfinished-1");
    let journal = relay.file(&format!("copy.db.unfinished-{}-journal", "4".repeat(32)));
    let half = b"SQLite format 3\0 and half of everything";
    for file in dead.iter().chain([&living, &other, &accounts, &journal]) {
        std::fs::write(file, half).unwrap();
    }
    let writes = std::fs::File::open(&living).unwrap();
    writes.lock().unwrap();
    let (config, copy) = (relay.file("relay.toml"), relay.file("copy.db"));
    let arguments = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let ended = run(&arguments, &relay.setup.environment()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(copy.exists() && living.exists() && !other.exists() && !dead.iter().any(|file| file.exists()));
    assert!(!journal.exists());
    // The relay does the same in the folder of its store.
    std::fs::write(&other, half).unwrap();
    relay.terminate().await;
    relay.restart().await;
    relay.program.logged(&["a backup was killed", "other.db.unfinished-4444"]).await;
    assert!(copy.exists() && living.exists() && !other.exists());
    drop(writes);
    relay.terminate().await;
    relay.restart().await;
    assert!(copy.exists() && accounts.exists() && !living.exists());
}

/// A cancelled backup leaves no half of a copy: it would hold payer data.
#[tokio::test]
async fn a_backup_that_is_cancelled_leaves_nothing() {
    let (_transform, relay) = start(Setup::silent()).await;
    // So many rows that the backup is not over before the signal has come.
    let rows = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50000)
         INSERT INTO attempts (record, version, at, millis, failure) SELECT 1, n, unixepoch() * 1000000, 1, hex(zeroblob(1000)) FROM n";
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    Connection::open(relay.file("relay.db")).unwrap().execute_batch(rows).unwrap();
    let (config, copy) = (relay.file("relay.toml"), relay.file("copy.db"));
    let arguments = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let unfinished = || {
        let names = std::fs::read_dir(relay.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.into_iter().any(|name| name.to_str().unwrap().contains("unfinished"))
    };
    let cancelled = async |signal: &str| {
        let backup = Program::start(&arguments, &relay.setup.environment());
        while backup.runs() && !unfinished() {
            tokio::task::yield_now().await;
        }
        backup.signal(signal);
        backup.ended().await
    };
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut ended = cancelled(signal).await;
        for _ in 0..5 {
            // On a busy machine the backup may be over before the signal arrives.
            if ended.code == Some(0) {
                std::fs::remove_file(&copy).unwrap();
                ended = cancelled(signal).await;
            }
        }
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains("cancelled") && ended.stderr.contains("copy.db"), "{ended:?}");
        assert!(!copy.exists() && !unfinished());
    }
    let ended = run(&arguments, &relay.setup.environment()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn of_two_backups_to_one_file_one_is_there_and_whole() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let (config, copy) = (relay.file("relay.toml"), relay.file("copy.db"));
    let arguments = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let environment = relay.setup.environment();
    let (one, other) = tokio::join!(run(&arguments, &environment), run(&arguments, &environment));
    let mut codes = [one.code, other.code];
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(74)], "{one:?} {other:?}");
    let loser = if one.code == Some(0) { other } else { one };
    assert!(loser.stderr.contains("copy.db is there already"), "{}", loser.stderr);
    let whole = Connection::open(&copy).unwrap();
    assert_eq!(whole.query_row("SELECT count(*) FROM records", [], |row| row.get::<_, i64>(0)), Ok(1));
    let names = std::fs::read_dir(relay.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_str().unwrap().contains("unfinished")));
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
