//! Loading of events that wait, and of placed events.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, ToSql, params};
use uuid::Uuid;

use super::super::columns::{fact, in_row, json, unreadable};
use super::read::readable;
use crate::domain::event::Event;
use crate::store::core::set::rows::parked::{self, ParkedRow};
use crate::store::core::set::rows::placed::{self, PlacedRow};
use crate::store::core::set::rows::state::OldestRow;
use crate::store::core::set::{Readable, WorkingSet};

macro_rules! question {
    ($row:literal, $of:literal) => {
        concat!(
            "SELECT ",
            $row,
            ", p.notification, p.source, p.event, p.reason, p.finding,
                 (SELECT json_group_array(key) FROM parked_keys WHERE parked = p.id)
             FROM ",
            $of
        )
    };
}

fn event(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<Event>> {
    fact(row, column).map(Arc::new)
}

fn parked_row(row: &Row<'_>) -> rusqlite::Result<ParkedRow> {
    let number = row.get(0)?;
    let read = || {
        let missing = || unreadable(0, Type::Null, "the event that a key leads to is missing");
        let notification: Option<[u8; 16]> = row.get(1)?;
        let mut keys: Vec<String> = json(6, row.get_ref(6)?.as_str()?)?;
        keys.sort_unstable();
        Ok(ParkedRow {
            row: number,
            notification: notification.map(Uuid::from_bytes).ok_or_else(missing)?,
            source: row.get(2)?,
            event: readable(event(row, 3).map_err(in_row("parked", number)))?,
            silent: row.get::<_, Option<String>>(4)?.is_some(),
            finding: row.get(5)?,
            keys,
            parked_at: None,
        })
    };
    read().map_err(in_row("parked", number))
}

pub(super) fn parked(connection: &Connection, set: &WorkingSet, wanted: &parked::Key) -> rusqlite::Result<()> {
    use parked::Key;
    let by = |question: &str, value: &dyn ToSql| -> rusqlite::Result<Vec<ParkedRow>> {
        connection.prepare_cached(question)?.query_map([value], parked_row)?.collect()
    };
    let found = match wanted {
        Key::Row(row) => by(question!("p.id", "parked p WHERE p.id = ?1"), row)?,
        Key::By(key) => {
            by(question!("k.parked", "parked_keys k LEFT JOIN parked p ON p.id = k.parked WHERE k.key = ?1"), key)?
        }
        Key::Of(notification) => {
            by(question!("p.id", "parked p WHERE p.notification = ?1"), &notification.into_bytes())?
        }
        Key::In(finding) => by(question!("p.id", "parked p WHERE p.finding = ?1 AND p.finding > 0"), finding)?,
        Key::From(source) => by(question!("p.id", "parked p WHERE p.source = ?1 AND p.reason IS NULL"), source)?,
    };
    let rows: Vec<i64> = found.iter().map(|row| row.row).collect();
    set.parked.absorb(wanted.clone(), found);
    rows.into_iter().for_each(|row| set.parked.know(Key::Row(row)));
    Ok(())
}

/// The number of the oldest events that are loaded at once.
const OLDEST: u32 = 500;

/// Loads the next of a source's oldest events.
pub(super) fn oldest(connection: &Connection, set: &WorkingSet, source: &str, after: i64) -> rusqlite::Result<()> {
    let found: Vec<ParkedRow> = connection
        .prepare_cached(question!(
            "p.id",
            "parked p WHERE p.source = ?1 AND p.reason IS NULL AND p.id > ?2 ORDER BY p.id LIMIT ?3"
        ))?
        .query_map(params![source, after, OLDEST], parked_row)?
        .collect::<rusqlite::Result<_>>()?;
    let is_all = found.len() < usize::try_from(OLDEST).unwrap_or(usize::MAX);
    let until = found.last().map_or(i64::MAX, |row| if is_all { i64::MAX } else { row.row });
    for row in found {
        set.parked.absorb(parked::Key::Row(row.row), [row]);
    }
    set.oldest.know(source.to_owned());
    set.oldest.put(OldestRow { source: source.to_owned(), until });
    Ok(())
}

fn placed_row(row: &Row<'_>) -> rusqlite::Result<PlacedRow> {
    let record = row.get(1)?;
    let event: Readable<Arc<Event>> = readable(event(row, 4).map_err(in_row("placed", record)))?;
    Ok(PlacedRow { row: row.get(0)?, record, notification: Uuid::from_bytes(row.get(2)?), source: row.get(3)?, event })
}

pub(super) fn placed(connection: &Connection, set: &WorkingSet, wanted: &placed::Key) -> rusqlite::Result<()> {
    use placed::Key;
    let found: Vec<PlacedRow> = match wanted {
        Key::On(record) => connection
            .prepare_cached("SELECT id, record, notification, source, event FROM placed WHERE record = ?1")?
            .query_map([record], placed_row)?
            .collect::<rusqlite::Result<_>>()?,
        Key::Of(notification) => connection
            .prepare_cached("SELECT id, record, notification, source, event FROM placed WHERE notification = ?1")?
            .query_map([notification.into_bytes()], placed_row)?
            .collect::<rusqlite::Result<_>>()?,
    };
    set.placed.absorb(wanted.clone(), found);
    Ok(())
}
