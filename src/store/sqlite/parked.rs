//! Parked events in lists, and those that have waited for long.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::columns::{Listed, fact, json, micros, timestamp, unreadable};
use super::decide::at_once;
use crate::domain::event::Event;
use crate::store::{ParkedEvent, core};

pub(super) const WAITED_TOO_LONG: &str = "SELECT id FROM parked
    WHERE reason IS NULL AND ifnull(kept_since, parked_at) < ?1 ORDER BY ifnull(kept_since, parked_at) LIMIT ?2";

/// The events that have waited for their records since before `cutoff`, up to `most`.
pub(super) fn waiting_since(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<Vec<i64>> {
    let mut query = connection.prepare_cached(WAITED_TOO_LONG)?;
    query.query_map(params![micros(cutoff), most], |row| row.get(0))?.collect()
}

pub(super) const UNLOOKED: &str = "SELECT id FROM parked INDEXED BY parked_unlooked
    WHERE reason IS NULL AND finding IS NULL AND ifnull(kept_since, parked_at) < ?1
    ORDER BY ifnull(kept_since, parked_at) LIMIT ?2";

/// The events that have waited for their records since before `cutoff` and were not looked at, up to `most`.
pub(super) fn unlooked(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<Vec<i64>> {
    let mut query = connection.prepare_cached(UNLOOKED)?;
    query.query_map(params![micros(cutoff), most], |row| row.get(0))?.collect()
}

/// The parked events after the cursor `after`, the oldest first.
pub(super) fn list(
    connection: &Connection,
    source: Option<&str>,
    after: i64,
    most: u32,
) -> rusqlite::Result<Listed<ParkedEvent>> {
    let mut query = connection.prepare_cached(
        "SELECT id, notification, source, parked_at, event,
                 (SELECT json_group_array(key) FROM parked_keys WHERE parked = parked.id)
             FROM parked WHERE id > ?1 AND (?2 IS NULL OR source = ?2) AND reason IS NULL ORDER BY id LIMIT ?3",
    )?;
    Listed::read("parked", query.query(params![after, source, most])?, |row| {
        let event: Event = fact(row, 4)?;
        Ok(ParkedEvent {
            cursor: row.get(0)?,
            notification: Uuid::from_bytes(row.get(1)?),
            source: row.get(2)?,
            parked_at: timestamp(3, row.get(3)?)?,
            event_type: event.event_type,
            waits_for: json(5, row.get_ref(5)?.as_str()?)?,
        })
    })
}

/// Reads a page of rows, to find damage in them.
pub(super) fn look(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT p.id, p.notification, p.source, p.event, p.parked_at, p.kept_since, n.id IS NULL
         FROM parked p LEFT JOIN notifications n ON n.id = p.notification WHERE p.id > ?1 ORDER BY p.id LIMIT ?2",
    )?;
    Listed::read("parked", query.query(params![after, most])?, |row| {
        row.get::<_, [u8; 16]>(1)?;
        row.get::<_, String>(2)?;
        fact::<Event>(row, 3)?;
        timestamp(4, row.get(4)?)?;
        row.get::<_, Option<i64>>(5)?;
        if row.get(6)? { Err(unreadable(6, Type::Null, "its notification is missing")) } else { Ok(()) }
    })
}

/// Deletes the parked events of a notification that is deleted.
pub(super) fn forget(connection: &Connection, notification: Uuid) -> rusqlite::Result<()> {
    at_once(connection, |set| core::parked::forget(set, notification))
}
