//! When something was told of first, where nobody signs the time: whoever has caught a notification can send it again with
//! another time, and could so make old news the latest. Kept for ever, as records are: a notification that was caught can
//! be sent again when the inbox has long forgotten it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::columns::{digest, micros, timestamp};
use super::past::PAGE_ROWS;
use crate::domain::event::Event;

/// Dates the events of a message at the time that the first notification with its dedupe key named. Says whether that is
/// another than its own.
pub(super) fn date(
    connection: &Connection,
    source: &str,
    notification: Uuid,
    events: &mut [Event],
) -> rusqlite::Result<bool> {
    let (Some(event), Some(latest)) = (events.first(), events.iter().map(|event| event.at).max()) else {
        return Ok(false);
    };
    let key = digest(event.message_key().as_bytes());
    // As precise as what is stored.
    let own = timestamp(0, micros(latest))?;
    let first = match first(connection, source, key)? {
        Some(first) => first,
        None => {
            insert(connection, source, key, own, notification)?;
            own
        }
    };
    events.iter_mut().for_each(|event| event.date(first));
    Ok(first != own)
}

fn first(connection: &Connection, source: &str, key: [u8; 16]) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT at FROM first_times WHERE source = ?1 AND key = ?2")?
        .query_row(params![source, key], |row| timestamp(0, row.get(0)?))
        .optional()
}

fn insert(
    connection: &Connection,
    source: &str,
    key: [u8; 16],
    at: Timestamp,
    notification: Uuid,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO first_times (source, key, at, notification) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![source, key, micros(at), notification.into_bytes()])
        .map(drop)
}

/// Takes over what another store knows, but for the notifications that `is_read` says are read again: these say
/// themselves.
pub(super) fn take_over(
    connection: &Connection,
    other: &Connection,
    is_read: impl Fn(&str, Uuid) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let mut after = (String::new(), Vec::new());
    loop {
        let page = page(other, &after)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.source.clone(), last.key.to_vec());
        for one in page {
            if !is_read(&one.source, one.notification)? {
                insert(connection, &one.source, one.key, one.at, one.notification)?;
            }
        }
    }
}

struct FirstTime {
    source: String,
    key: [u8; 16],
    at: Timestamp,
    notification: Uuid,
}

fn page(other: &Connection, after: &(String, Vec<u8>)) -> rusqlite::Result<Vec<FirstTime>> {
    other
        .prepare_cached(
            "SELECT source, key, at, notification FROM first_times WHERE (source, key) > (?1, ?2)
             ORDER BY source, key LIMIT ?3",
        )?
        .query_map(params![after.0, after.1, PAGE_ROWS], |row| {
            Ok(FirstTime {
                source: row.get(0)?,
                key: row.get(1)?,
                at: timestamp(2, row.get(2)?)?,
                notification: Uuid::from_bytes(row.get(3)?),
            })
        })?
        .collect()
}
