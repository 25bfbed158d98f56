//! A store as the first version of the relay left it.

use std::path::Path;

use rusqlite::Connection;
use uuid::Uuid;

use super::judge::{Answered, Known, Promised};

/// The source of the migration: the steps of released versions are never edited.
const STEPS: &str = include_str!("../../../../src/store/sqlite/migrations.rs");
const RECORD: &str = include_str!("../../../../fixtures/stored/1/record.json");
const EVENT: &str = include_str!("../../../../fixtures/stored/1/event.json");

pub(in crate::store) const RECORDS: u32 = 40;
/// Enough for a WAL that is brought into the store in the middle of the migration.
pub(in crate::store) const NOTIFICATIONS: u32 = 400;

/// Makes the store. Everything in it has to outlive its migration.
pub(in crate::store) fn make(store: &Path) -> Known {
    let (_, first) = STEPS.split_once("const FIRST: &str = r\"").unwrap();
    let (first, _) = first.split_once("\";").unwrap();
    let mut store = Connection::open(store).unwrap();
    // The pragma returns the mode.
    store.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    store.execute_batch(first).unwrap();
    let rows = store.transaction().unwrap();
    let mut known = Vec::new();
    for n in 0..NOTIFICATIONS {
        let id = Uuid::now_v7();
        let is_parked = n.is_multiple_of(10);
        let body = format!("{{\"id\": \"evt_{n}\", \"padding\": \"{}\"}}", "x".repeat(6000));
        let row = "INSERT INTO notifications VALUES (?1, 'stripe-main', ?2, ?3, ?3, ?4, NULL, 0, '[]', ?5)";
        let outcome = if is_parked { "parked" } else { "applied" };
        rows.execute(row, (id.into_bytes(), 1_700_000_000_000_000_i64, n.to_be_bytes(), outcome, body.as_bytes()))
            .unwrap();
        known.push(Promised::Kept(id));
        if is_parked {
            let row = "INSERT INTO parked VALUES (?1, ?2, 'stripe-main', 1700000000000000, ?3, NULL)";
            rows.execute(row, (n + 1, id.into_bytes(), EVENT)).unwrap();
            let key = format!("psp:payment:pi_parked_{n}");
            rows.execute("INSERT INTO parked_keys VALUES (?1, 'stripe-main', ?2)", (key, n + 1)).unwrap();
            known.push(Promised::Waits { notification: id, record: "none".to_owned() });
        }
    }
    for n in 0..RECORDS {
        let id = format!("old-{n}");
        let text = RECORD.replace("tx-7", &id).replace("pi_7", &format!("pi_old_{n}"));
        rows.execute("INSERT INTO records VALUES (?1, ?2, 2, 'pay-7', ?3)", (n + 1, &id, text)).unwrap();
        let due = 4_000_000_000_000_000_i64;
        let row = "INSERT INTO outbox (record, version, first_untold_at, due_at) VALUES (?1, 7, 1, ?2)";
        rows.execute(row, (n + 1, due)).unwrap();
        let record = format!("payment/{id}");
        known.push(Promised::Shows { record: record.clone(), place: "/transactionId", value: id });
        known.push(Promised::Owed { record, since: 0 });
    }
    rows.pragma_update(None, "user_version", 1).unwrap();
    rows.commit().unwrap();
    Known { answered: known.into_iter().map(|what| Answered { at: 0, what }).collect(), told: Vec::new() }
}
