//! First times: the time at which a message with an unsigned time was told of first. A captured notification can be
//! sent again with another time, so that old news would count as the latest. First times are kept for ever, as records
//! are: a captured notification can be sent again after the inbox has deleted it.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::columns::{micros, timestamp};
use super::pages::PAGE_ROWS;

/// The first time of a message.
struct FirstTime {
    key: [u8; 16],
    fields: [u8; 16],
    at: Timestamp,
    notification: Uuid,
}

fn insert(connection: &Connection, source: &str, one: &FirstTime) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO first_times (source, key, fields, at, notification) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![source, one.key, one.fields, micros(one.at), one.notification.into_bytes()])
        .map(drop)
}

/// Takes over the first times of another store, except the ones of notifications that are read again (`is_read`):
/// reading sets them anew.
pub(super) fn take_over(
    connection: &Connection,
    other: &Connection,
    is_read: impl Fn(&str, Uuid) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let mut after = (String::new(), Vec::new());
    loop {
        let page = page(other, &after)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.0.clone(), last.1.key.to_vec());
        for (source, one) in page {
            if !is_read(&source, one.notification)? {
                insert(connection, &source, &one)?;
            }
        }
    }
}

fn page(other: &Connection, after: &(String, Vec<u8>)) -> rusqlite::Result<Vec<(String, FirstTime)>> {
    other
        .prepare_cached(
            "SELECT source, key, at, notification, fields FROM first_times WHERE (source, key) > (?1, ?2)
             ORDER BY source, key LIMIT ?3",
        )?
        .query_map(params![after.0, after.1, PAGE_ROWS], |row| {
            let (at, notification) = (timestamp(2, row.get(2)?)?, Uuid::from_bytes(row.get(3)?));
            Ok((row.get(0)?, FirstTime { key: row.get(1)?, fields: row.get(4)?, at, notification }))
        })?
        .collect()
}
