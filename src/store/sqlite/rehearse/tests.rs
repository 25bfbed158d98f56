//! Tests of the rehearsal: a store is read again while a relay runs on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::*;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::message::Normalised;
use crate::domain::register::register;
use crate::domain::registration::Registration;
use crate::store::sqlite::connection::{self, Opened};
use crate::store::sqlite::decide::at_once;
use crate::store::sqlite::engine::{self, Access};

const SOURCE: &str = "stripe-main";

/// A store with a record and this many notifications that say nothing.
fn store(path: &Path, notifications: u8) -> Opened {
    let opened = connection::open(path, false).unwrap();
    put(&opened.connection, "tx-1");
    for n in 1..=notifications {
        notified(&opened.connection, n);
    }
    opened
}

fn record(id: &str) -> Record {
    let said: Registration = serde_json::from_str(r#"{"requestedAmount": 10, "currency": "EUR"}"#).unwrap();
    let key = RecordKey::new(Kind::Payment, id.parse().unwrap());
    let mut record = register(&key, None, &said, Timestamp::UNIX_EPOCH).unwrap().record;
    // The record has a refund from an event, and so it is compared.
    record.refunds.insert("re-1".parse().unwrap(), 0.into());
    record
}

fn put(connection: &Connection, id: &str) {
    let record = Record { source: Some(SOURCE.to_owned()), refunds: BTreeMap::new(), ..record(id) };
    let record = Arc::new(record);
    at_once(connection, |set| records::insert(set, &record)).unwrap();
}

fn notified(connection: &Connection, n: u8) {
    let insert = "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
        VALUES (?1, ?2, ?3, ?4, ?4, 'ignored', '[]', ?5)";
    let id = Uuid::from_u128(n.into()).into_bytes();
    // Each notification is larger than a page.
    let body = vec![n; 5 * 1024 * 1024];
    connection.execute(insert, rusqlite::params![id, SOURCE, i64::from(n), [n; 16], body]).unwrap();
}

fn wanted() -> Wanted {
    Wanted { sources: BTreeSet::from([SOURCE.to_owned()]), since: None, repaired: None }
}

fn nothing(past: &Past) -> Reread {
    Reread {
        normalised: Normalised { dedupe_key: past.id.to_string(), beside: String::new(), messages: Vec::new() },
        keys: Vec::new(),
        left_out: false,
    }
}

/// A reader that takes minutes must not keep the WAL from beginning anew. Otherwise the WAL would grow by all that is
/// written meanwhile.
#[test]
fn the_wal_begins_anew_while_a_store_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    let writer = store(&path, 3).connection;
    let mut reread = 0;
    rehearse(&path, &wanted(), |past| {
        writer.execute("UPDATE probe SET at = at + 1", []).unwrap();
        let busy = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        assert_eq!(busy, Ok(0), "somebody reads");
        writer.execute("UPDATE probe SET at = at + 1", []).unwrap();
        reread += 1;
        nothing(past)
    })
    .unwrap();
    assert_eq!(reread, 3);
}

/// A notification that comes in meanwhile makes no difference: it is neither read again nor compared.
#[test]
fn what_changes_meanwhile_is_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    let writer = store(&path, 2).connection;
    put(&writer, "tx-2");
    let mut reread = 0;
    let rehearsal = rehearse(&path, &wanted(), |past| {
        if reread == 0 {
            notified(&writer, 9);
            at_once(&writer, |set| records::update(set, 1, &Arc::new(record("tx-1")))).unwrap();
        }
        reread += 1;
        nothing(past)
    })
    .unwrap();
    assert_eq!(reread, 2);
    assert_eq!((rehearsal.partly.len(), rehearsal.meanwhile, rehearsal.notifications.len()), (1, 1, 2));
    assert!(rehearsal.differing.is_empty(), "{:?}", rehearsal.differing);
}

/// The notification came after the beginning, but before the records were read. Its record has changed meanwhile, too.
#[test]
fn what_came_before_the_records_were_read_is_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relay.db");
    let writer = store(&path, 1).connection;
    let past = engine::open(&path, Access::Read).unwrap();
    let latest = past::latest(&past).unwrap();
    notified(&writer, 9);
    let version =
        "INSERT INTO transitions (record, version, at, notification, event_type, status) VALUES (1, 2, 0, ?1, '', '')";
    writer.execute(version, [Uuid::from_u128(9).into_bytes()]).unwrap();
    let stage = Stage::of(&past, &wanted(), latest).unwrap();
    let rehearsal = stage.play(&past, &wanted(), latest, &mut nothing).unwrap();
    assert_eq!((rehearsal.partly.len(), rehearsal.meanwhile, rehearsal.notifications.len()), (1, 1, 1));
}
