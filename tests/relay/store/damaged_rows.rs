//! Damaged rows: the database is sound, but the row's content is not what a relay wrote.

use reqwest::Method;
use rusqlite::Connection;

use crate::support::api::Api;
use crate::support::pointing::{SOURCE, has_paid, setup};
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{PATIENCE, Relay, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;

/// Changes rows under a running relay.
fn damage(relay: &Relay, sql: &str) {
    let store = Connection::open(relay.file("relay.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    assert_eq!(store.execute(sql, []).unwrap(), 1, "{sql}");
}

/// The relay is not ready and names this row, but not the row's content.
async fn names(relay: &Relay, row: &str) {
    let ready = relay.get("/readyz").await;
    assert_eq!(ready.status, 503, "{ready:?}");
    relay.program.logged(&["ERROR", "the store is damaged", row, "restore a backup"]).await;
    for secret in ["pi_1", "Jane Doe"] {
        let line = relay.program.logged(&["the store is damaged", row]).await;
        assert!(!line.contains(secret), "{line}");
    }
}

/// With one wrong bit in a key, the fact behind it would count as absent.
#[tokio::test]
async fn a_record_of_which_a_bit_is_wrong_is_damage() {
    for (column, good, bad) in [
        ("record", "requested_amount", "requested_amoun4"),
        ("record", "\"items\"", "\"itemq\""),
        ("record", "\"stamp\"", "\"stamr\""),
        ("record", "\"version\"", "\"versiom\""),
        ("record", "\"id\":\"tx-1\"", "\"id\":\"tx-3\""),
        ("record", "{", "["),
        ("transform_id", "tx-1", "tx-1\u{1}"),
    ] {
        let (_transform, relay) = start(Setup::silent()).await;
        let mut body = payment("pi_1", "10");
        body["bearer"] = serde_json::json!({"name": "Jane Doe"});
        relay.register("payment", "tx-1", &body).await;
        relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 900)).await, "applied");
        assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Pending");
        if column == "record" {
            // As relays before version 19 of the schema wrote it: without a checksum.
            let text = &relay.stored_records()[0];
            relay.write_record(0, &text.replacen(good, bad, 1));
        } else {
            damage(&relay, "UPDATE records SET transform_id = 'tx-1' || char(1) WHERE transform_id = 'tx-1'");
        }
        if column == "record" {
            relay.fetch("Payment", "tx-1").await.problem(503);
        }
        relay.notify("stripe-main", &stripe::paid("pi_1", AT + 1, 1000)).await.problem(503);
        names(&relay, "table records, row 1").await;
        assert_eq!(relay.fetched("Payment", "tx-2").await["status"], "Initiated", "{bad}: the others are well");
    }
}

/// A flipped bit could turn a fact into another one: an amount, for example. The checksum of the row shows it, wherever it is.
#[tokio::test]
async fn a_sealed_row_of_which_a_bit_is_wrong_is_damage() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 900)).await, "applied");
    let sealed: Vec<u8> = relay.stored("SELECT record FROM records");
    let other = Connection::open(relay.file("relay.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    for bit in (0..sealed.len() * 8).step_by(37) {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        other.execute("UPDATE records SET record = ?1", [flipped]).unwrap();
        relay.fetch("Payment", "tx-1").await.problem(503);
    }
    relay.notify("stripe-main", &stripe::paid("pi_1", AT + 1, 1000)).await.problem(503);
    names(&relay, "table records, row 1").await;
    other.execute("UPDATE records SET record = ?1", [sealed]).unwrap();
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Pending");
}

#[tokio::test]
async fn a_parked_event_that_cannot_be_read_does_not_hide_the_others() {
    let (_transform, relay) = start(Setup::silent()).await;
    for n in 1..=4 {
        assert_eq!(relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await, "parked");
    }
    damage(&relay, "UPDATE parked SET event = replace(event, '\"event_type\"', '\"event_typd\"') WHERE id = 2");
    damage(&relay, "UPDATE parked SET event = '{' WHERE id = 3");
    let list = async |query: &str| {
        let request = relay.request(Method::GET, &format!("/parked?{query}")).bearer_auth(INTEGRATOR_TOKEN);
        relay.send(request).await.expect(200).json()
    };
    assert_eq!(list("limit=100").await["parked"].as_array().unwrap().len(), 2);
    names(&relay, "table parked, row 2").await;
    // A page is full even if rows are left out, so that the next page is found.
    let first = list("limit=1").await;
    let second = list(&format!("limit=1&after={}", first["next"])).await;
    assert_eq!(second["parked"][0]["waitsFor"][0], "psp:payment:pi_4", "{second}");
    // The record that the damaged row waits for cannot be made from the known facts.
    relay.put("payment", "tx-2", &payment("pi_2", "10")).await.problem(503);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
}

#[tokio::test]
async fn lists_leave_out_what_cannot_be_read() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    for (n, amount) in [(0, 900), (1, 1000)] {
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT + n, amount)).await, "applied");
    }
    damage(&relay, "UPDATE transitions SET notification = x'00' WHERE version = 2");
    let history = relay.request(Method::GET, "/records/payment/tx-1/history").bearer_auth(INTEGRATOR_TOKEN);
    let history = relay.send(history).await.expect(200).json();
    assert_eq!(history["versions"].as_array().unwrap().len(), 1, "{history}");
    names(&relay, "table transitions, row 1").await;
    // An unknown kind: the other records are told after a restart.
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_2", AT, 1000)).await, "applied");
    damage(&relay, "UPDATE records SET kind = 7 WHERE transform_id = 'tx-1'");
    let mut relay = relay;
    relay.kill().await;
    relay.restart().await;
    relay.program.logged(&["a damaged row is left out of a list", "table outbox, row 1", "no kind 7"]).await;
    relay.program.logged(&["records that Transform has yet to hear of", "owed=2"]).await;
}

/// The fetches of a source do not wait for an unreadable row.
#[tokio::test]
async fn a_fetch_that_cannot_be_read_stops_no_other() {
    for (trusted, broken) in [
        (true, "attempts = -1"),
        (true, "failing_since = -9223372036854775808"),
        (false, "attempts = -1"),
        (true, "due_at = 9223372036854775807"),
    ] {
        let api = Api::start();
        let (transform, relay) = start(setup(&api, "concurrency = 2\ntimeout = \"1h\"")).await;
        for id in ["tx-1", "tx-2"] {
            relay.register("payment", id, &payment(&id.replace("tx-", "tr_"), "10")).await;
        }
        has_paid(&api, "tr_2", "10.00");
        api.hangs_at(if trusted { "tr_1" } else { "made_up" });
        if trusted {
            relay.point(SOURCE, "tr_1", 1).await.expect(200);
        } else {
            relay.hint("tr_made_up").await.expect(200);
        }
        api.nth(1).await;
        damage(&relay, &format!("UPDATE fetches SET {broken}"));
        relay.point(SOURCE, "tr_2", 1).await.expect(200);
        transform.told("payment", "tx-2", 1).await;
        names(&relay, "table fetches, row 1").await;
        assert_eq!(relay.fetched("Payment", "tx-2").await["status"], "Succeeded", "{broken}");
    }
}

/// Damages a store that no process has open.
fn damage_at_rest(relay: &Relay, sql: &str) {
    let store = Connection::open(relay.file("relay.db")).unwrap();
    store.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    assert_eq!(store.execute(sql, []).unwrap(), 1, "{sql}");
}

/// A record is told even if one of its times has a wrong bit.
#[tokio::test]
async fn what_is_owed_is_told_whatever_its_times_are() {
    for broken in [
        "due_at = -9223372036854775808",
        "due_at = 9223372036854775807",
        "not_before = 9223372036854775807, attempts = 1",
        "failing_since = -9223372036854775808",
        "owed_since = -9223372036854775808",
        "attempts = -1",
    ] {
        let (transform, mut relay) = start(Setup { quiet: "1h", max_wait: "1h", ..Setup::default() }).await;
        relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
        relay.kill().await;
        damage_at_rest(&relay, &format!("UPDATE outbox SET {broken}"));
        (relay.setup.quiet, relay.setup.max_wait) = ("20ms", "20ms");
        (relay.setup.retry_first, relay.setup.retry_max) = ("20ms", "20ms");
        relay.restart().await;
        relay.program.logged(&["WARN", "were damaged, and were brought back", "records=1"]).await;
        transform.told("payment", "tx-1", 1).await;
    }
}

/// The outbox may owe a change of a missing record: that is damage, and is not silently left out.
#[tokio::test]
async fn what_is_owed_of_a_missing_record_is_damage() {
    let (transform, mut relay) = start(Setup { quiet: "1h", max_wait: "1h", ..Setup::default() }).await;
    for n in [1, 2] {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        assert_eq!(relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await, "applied");
    }
    relay.kill().await;
    damage_at_rest(&relay, "DELETE FROM records WHERE transform_id = 'tx-1'");
    (relay.setup.quiet, relay.setup.max_wait) = ("20ms", "20ms");
    relay.restart().await;
    names(&relay, "table outbox, row 1: its record is missing").await;
    transform.told("payment", "tx-2", 1).await;
    relay.program.logged(&["a round of housekeeping is over"]).await;
    assert_eq!(relay.stored::<i64>("SELECT count(*) FROM outbox WHERE record = 1"), 1, "nothing owed goes");
}

/// Nobody asked for the row: a check of all rows finds the damage.
#[tokio::test]
async fn a_damaged_row_is_found_before_it_is_needed() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    for n in [1, 2] {
        assert_eq!(relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await, "parked");
    }
    relay.register("payment", "tx-3", &payment("pi_3", "10")).await;
    relay.kill().await;
    for (sql, row) in [
        ("UPDATE parked SET event = '{' WHERE id = 1", "table parked, row 1"),
        ("DELETE FROM notifications WHERE rowid = 2", "table parked, row 2: its notification is missing"),
        ("UPDATE records SET record = '{' WHERE id = 1", "table records, row 1"),
        ("UPDATE notifications SET outcome = 'done' WHERE rowid = 1", "table notifications, row 1"),
    ] {
        damage_at_rest(&relay, sql);
        relay.restart().await;
        relay.program.logged(&["ERROR", "the store is damaged", row]).await;
        relay.kill().await;
    }
}
