//! Availability of the store: refusals at the start with a clear message, later with 503.

use std::io::Write;
use std::net::TcpStream;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::support::program::{Ended, run};
use crate::support::{PATIENCE, Relay, Setup, Transform, attempt_in_flight, payment, psp, start, stripe};

const AT: i64 = 1_700_000_000;

/// Starts another relay with the configuration of this one.
async fn another(relay: &Relay) -> Ended {
    let file = relay.file("relay.toml");
    run(&["serve", "--config", file.to_str().unwrap()], &relay.setup.environment()).await
}

#[tokio::test]
async fn a_second_relay_on_the_same_store_does_not_start() {
    let (transform, mut relay) = start(Setup::default()).await;
    let ended = another(&relay).await;
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("relay.db is in use by another relay"), "{}", ended.stderr);
    // The first relay has noticed nothing.
    relay.caught_up(&transform).await;
    // A killed relay leaves nothing that keeps the next relay out.
    relay.kill().await;
    relay.restart().await;
}

#[tokio::test]
async fn a_store_of_a_later_relay_is_left_alone() {
    let (_transform, relay) = start(Setup::default()).await;
    relay.terminate().await;
    let store = Connection::open(relay.file("relay.db")).unwrap();
    store.pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    let ended = another(&relay).await;
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("schema version 99"), "{}", ended.stderr);
    assert_eq!(relay.stored::<i64>("PRAGMA user_version"), 99);
}

#[tokio::test]
async fn a_file_that_is_no_store_is_left_alone() {
    let (_transform, relay) = start(Setup::default()).await;
    relay.terminate().await;
    for name in ["relay.db-wal", "relay.db-shm"] {
        drop(std::fs::remove_file(relay.file(name)));
    }
    let text = "These are somebody's notes. ".repeat(200);
    std::fs::write(relay.file("relay.db"), &text).unwrap();
    let ended = another(&relay).await;
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("relay.db"), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(relay.file("relay.db")).unwrap(), text);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let (_transform, relay) = start(Setup::default()).await;
    let path = relay.file("missing").join("relay.db");
    let mut environment = relay.setup.environment();
    environment.push(("RELAY_STORE__PATH".to_owned(), path.to_str().unwrap().to_owned()));
    let file = relay.file("relay.toml");
    let ended = run(&["serve", "--config", file.to_str().unwrap()], &environment).await;
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("missing/relay.db"), "{}", ended.stderr);
}

/// A foreign lock on the database: nothing can be committed, so nothing is answered 2xx.
#[tokio::test]
async fn what_cannot_be_stored_now_is_503_and_taken_later() {
    let (transform, relay) = start(Setup::default()).await;
    let before = relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let mut other = Connection::open(relay.file("relay.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();

    let event = stripe::paid("pi_1", AT, 1000);
    let body = payment("pi_2", "10");
    let (notified, put, ready) =
        tokio::join!(relay.notify("stripe-main", &event), relay.put("payment", "tx-2", &body), relay.ready());
    for reply in [&notified, &put] {
        reply.problem(503);
        assert_eq!(reply.header("retry-after"), "1", "{reply:?}");
    }
    assert_eq!((ready.status, ready.header("retry-after")), (503, "1"), "{ready:?}");
    assert!(ready.json()["store"].as_str().is_some_and(|store| store != "writable"), "{ready:?}");
    assert_eq!(ready.json()["delivery"], "running");
    // The process is up, and stored data can be read.
    relay.get("/healthz").await.expect(200);
    assert_eq!(relay.record("payment", "tx-1").await, before);
    relay.fetch("Payment", "tx-2").await.problem(404);

    lock.rollback().unwrap();
    assert_eq!(relay.stripe(&event).await, "applied", "the first one left nothing");
    assert_eq!(relay.put("payment", "tx-2", &body).await.status, 201);
    transform.told("payment", "tx-1", 1).await;
}

/// A relay that has told a record, but cannot note it because of a foreign lock.
async fn told_but_not_settled<'a>(other: &'a mut Option<Connection>) -> (Transform, Relay, Transaction<'a>) {
    let (transform, relay, gate) = attempt_in_flight(200).await;
    let other = other.insert(Connection::open(relay.file("relay.db")).unwrap());
    other.busy_timeout(PATIENCE).unwrap();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    gate.open();
    relay.program.logged(&["the store is in trouble", "record=payment/tx-1 "]).await;
    (transform, relay, lock)
}

#[tokio::test]
async fn an_attempt_is_settled_as_soon_as_the_store_can() {
    let mut other = None;
    let (transform, relay, lock) = told_but_not_settled(&mut other).await;
    lock.rollback().unwrap();
    relay.caught_up(&transform).await;
    // The record may change meanwhile; Transform is told of that change.
    relay.stripe(&stripe::paid("pi_1", AT + 10, 900)).await;
    transform.told("payment", "tx-1", 2).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 ", "version=3 "]).await;
    relay.caught_up(&transform).await;
    relay.terminate().await;
    assert_eq!(relay.rows().outbox, 0);
    assert_eq!(transform.count("payment", "tx-1"), 2, "once for each change");
}

/// A webhook that was not noted as told is told again: twice is better than never.
#[tokio::test]
async fn an_attempt_that_was_not_settled_before_a_kill_is_made_again() {
    let mut other = None;
    let (transform, mut relay, lock) = told_but_not_settled(&mut other).await;
    relay.kill().await;
    lock.rollback().unwrap();
    relay.restart().await;
    transform.told("payment", "tx-1", 2).await;
}

/// If a PSP hangs up before its answer, its notification still counts: committed changes are told to Transform.
#[tokio::test]
async fn a_client_that_hangs_up_during_the_commit_changes_nothing() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let mut other = Connection::open(relay.file("relay.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    let sealed = psp::seal("stripe-main", stripe::paid("pi_1", AT, 1000).to_string().as_bytes());
    let (name, value) = &sealed.headers[0];
    let head = format!("POST /notifications/stripe-main HTTP/1.1\r\nhost: relay\r\n{name}: {value}\r\n");
    let head = format!("{head}content-length: {}\r\n\r\n", sealed.body.len());
    let mut stream = TcpStream::connect(relay.url.strip_prefix("http://").unwrap()).unwrap();
    let before = b"GET /healthz HTTP/1.1\r\nhost: relay\r\n\r\n";
    stream.write_all(&[before, head.as_bytes(), &sealed.body].concat()).unwrap();
    // An unread answer makes the connection end with a reset, which a server cannot overlook.
    stream.peek(&mut [0]).unwrap();
    // A reading route is another route: it answers when the relay has had a moment for the first request.
    relay.fetched("Payment", "tx-1").await;
    drop(stream);
    relay.fetched("Payment", "tx-1").await;
    lock.rollback().unwrap();
    // Writes are done in turn: once this one is written, so is the notification.
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    assert_eq!(relay.rows().notifications, 1, "it was taken");
    assert_eq!(relay.verified("stripe-main").await, 1, "and its secret was noted");
    transform.told("payment", "tx-1", 1).await;
}
