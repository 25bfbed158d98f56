//! Verified events that wait, each under all that would release it.

use rusqlite::types::Type;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::columns::{micros, unreadable};
use crate::domain::event::Event;
use crate::domain::ids::TransformId;

/// An event on its way to its record.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) notification: Uuid,
    pub(super) source: String,
    pub(super) event: Event,
    /// Why it was refused, if it waits for room to refund.
    pub(super) reason: Option<String>,
}

/// What releases an event.
#[derive(Debug, Clone)]
pub(super) enum ReleaseKey<'a> {
    /// A record becomes known by this PSP id.
    PspId(crate::domain::ids::Kind, &'a str),
    /// A record is registered.
    Record(&'a TransformId),
    /// A payment has more left to refund.
    Headroom(&'a TransformId),
}

impl ReleaseKey<'_> {
    fn text(&self) -> String {
        match self {
            Self::PspId(kind, id) => format!("psp:{kind}:{id}"),
            Self::Record(id) => format!("record:{id}"),
            Self::Headroom(payment) => format!("headroom:{payment}"),
        }
    }
}

/// Parks an event until its record is known.
pub(super) fn until_known(connection: &Connection, parked: &Placed, at: jiff::Timestamp) -> rusqlite::Result<()> {
    let event = &parked.event;
    let row = insert(connection, parked, at)?;
    for kind in &event.kinds {
        for id in event.psp_ids.iter().chain(&event.shared_ids) {
            add_key(connection, row, &parked.source, &ReleaseKey::PspId(*kind, id))?;
        }
    }
    for id in &event.references {
        add_key(connection, row, &parked.source, &ReleaseKey::Record(id))?;
    }
    Ok(())
}

/// Parks a refund's event until its payment has more left to refund.
pub(super) fn until_headroom(
    connection: &Connection,
    parked: &Placed,
    payment: &TransformId,
    at: jiff::Timestamp,
) -> rusqlite::Result<()> {
    let row = insert(connection, parked, at)?;
    add_key(connection, row, &parked.source, &ReleaseKey::Headroom(payment))
}

fn insert(connection: &Connection, parked: &Placed, at: jiff::Timestamp) -> rusqlite::Result<i64> {
    let event =
        serde_json::to_string(&parked.event).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached(
            "INSERT INTO parked (notification, source, parked_at, event, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .insert(params![parked.notification.into_bytes(), parked.source, micros(at), event, parked.reason])
}

fn add_key(connection: &Connection, row: i64, source: &str, key: &ReleaseKey<'_>) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO parked_keys (key, source, parked) VALUES (?1, ?2, ?3)")?
        .execute(params![key.text(), source, row])
        .map(drop)
}

/// Takes out the events that this releases, of one source or, where the record is bound to none yet, of any.
pub(super) fn release(
    connection: &Connection,
    source: Option<&str>,
    key: &ReleaseKey<'_>,
) -> rusqlite::Result<Vec<Placed>> {
    let rows: Vec<i64> = connection
        .prepare_cached("SELECT parked FROM parked_keys WHERE key = ?1 AND (?2 IS NULL OR source = ?2)")?
        .query_map(params![key.text(), source], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    rows.into_iter().map(|row| take_out(connection, row)).collect()
}

fn take_out(connection: &Connection, row: i64) -> rusqlite::Result<Placed> {
    let parked = connection
        .prepare_cached("SELECT notification, source, event, reason FROM parked WHERE id = ?1")?
        .query_row([row], |columns| {
            let event: String = columns.get(2)?;
            Ok(Placed {
                notification: Uuid::from_bytes(columns.get(0)?),
                source: columns.get(1)?,
                event: serde_json::from_str(&event).map_err(|error| unreadable(2, Type::Text, error))?,
                reason: columns.get(3)?,
            })
        })?;
    connection.prepare_cached("DELETE FROM parked_keys WHERE parked = ?1")?.execute([row])?;
    connection.prepare_cached("DELETE FROM parked WHERE id = ?1")?.execute([row])?;
    Ok(parked)
}
