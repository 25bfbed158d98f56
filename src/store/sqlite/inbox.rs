//! The inbox: notifications as received, and their outcomes.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::columns::{Listed, check_sum, in_row, json, micros, timestamp, unreadable};
use crate::domain::text::shown;
use crate::store::core::digest::digest;
use crate::store::core::set::rows::notification::sum;
use crate::store::encoding::notification;
use crate::store::{DeadLetter, Hinted, Kept, Outcome};

pub(super) fn outcome(column: usize, name: &str) -> rusqlite::Result<Outcome> {
    let known = Outcome::ALL.into_iter().find(|outcome| outcome.name() == name);
    known.ok_or_else(|| unreadable(column, Type::Text, format!("no outcome {}", shown(name))))
}

/// The id of the notification that is kept for the hints at an object.
pub(super) fn hint(connection: &Connection, source: &str, path: &str) -> rusqlite::Result<Option<Uuid>> {
    connection
        .prepare_cached(
            "SELECT id FROM notifications WHERE substr(dedupe_key, 1, 8) = substr(?2, 1, 8) AND substr(body_hash, 1, 4) = substr(?2, 1, 4)
                 AND source = ?1 AND dedupe_key = ?2 AND body_hash = ?2 AND hint = 1",
        )?
        .query_row(params![source, digest(path.as_bytes())], |row| row.get(0).map(Uuid::from_bytes))
        .optional()
}

/// Inserts the notification of a hint. Only its call is kept, in the column of the body.
pub(super) fn insert_hint(connection: &Connection, id: Uuid, hinted: &Hinted, path: &str) -> rusqlite::Result<()> {
    let hash = digest(path.as_bytes());
    connection
        .prepare_cached(
            "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body, form, hint,
                 kept_since)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, '[]', ?6, ?7, 1, ?8)",
        )?
        .execute(params![
            id.into_bytes(),
            hinted.source,
            micros(hinted.received_at.wall),
            hash,
            Outcome::Fetching.name(),
            path.as_bytes(),
            hinted.form,
            micros(hinted.received_at.steady),
        ])
        .map(drop)
}

/// The headers and the body of a notification.
type Unpacked = (Vec<(String, String)>, Vec<u8>);

/// The headers and the body of a notification, from their two columns.
pub(super) fn unpacked(row: &Row<'_>, (headers, body): (usize, usize), packing: i64) -> rusqlite::Result<Unpacked> {
    let unpacked = notification::unpack(packing, row.get_ref(headers)?.as_str()?, row.get_ref(body)?.as_blob()?);
    let (json_of_headers, bytes) = unpacked.map_err(|error| unreadable(body, Type::Blob, error))?;
    Ok((json(headers, &json_of_headers)?, bytes))
}

/// A notification as it is kept.
pub(super) fn kept(connection: &Connection, id: Uuid) -> rusqlite::Result<Option<Kept>> {
    connection
        .prepare_cached(
            "SELECT source, received_at, headers, body, form, signed_at, hint, outcome, packing FROM notifications WHERE id = ?1",
        )?
        .query_row([id.into_bytes()], |row| {
            let (headers, body) = unpacked(row, (2, 3), row.get(8)?)?;
            Ok(Kept {
                id,
                source: row.get(0)?,
                received_at: timestamp(1, row.get(1)?)?,
                headers,
                body,
                form: row.get(4)?,
                signed_at: row.get(5)?,
                hint: row.get(6)?,
                outcome: outcome(7, &row.get::<_, String>(7)?)?,
            })
        })
        .map_err(in_row("notifications", id))
        .optional()
}

/// Reads a page of rows, to find damage in them.
pub(super) fn look(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT rowid, id, source, received_at, headers, outcome, answered, body, packing, kept_since, dedupe_key, body_hash,
             sum
         FROM notifications WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
    )?;
    Listed::read("notifications", query.query(params![after, most])?, |row| {
        let (id, source, at) = (Uuid::from_bytes(row.get(1)?), row.get_ref(2)?.as_str()?, row.get(3)?);
        timestamp(3, at)?;
        let digests = (row.get_ref(10)?.as_blob()?, row.get_ref(11)?.as_blob()?);
        check_sum(row, 12, sum(id, source, (at, row.get::<_, Option<i64>>(9)?.unwrap_or_default()), digests))?;
        unpacked(row, (4, 7), row.get(8)?)?;
        outcome(5, &row.get::<_, String>(5)?)?;
        row.get::<_, Option<String>>(6)?.map_or(Ok(()), |answered| outcome(6, &answered).map(drop))
    })
}

/// The dead letters after the cursor `after`, the oldest first.
pub(super) fn dead_letters(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<DeadLetter>> {
    let mut query = connection.prepare_cached(
        "SELECT rowid, id, source, received_at, reason FROM notifications
         WHERE outcome = 'dead_letter' AND rowid > ?1 ORDER BY rowid LIMIT ?2",
    )?;
    Listed::read("notifications", query.query(params![after, most])?, |row| {
        Ok(DeadLetter {
            cursor: row.get(0)?,
            notification: Uuid::from_bytes(row.get(1)?),
            source: row.get(2)?,
            received_at: timestamp(3, row.get(3)?)?,
            reason: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::load::{CONTENT, OF_KEY};
    use super::*;

    fn plan(connection: &Connection, question: &str) -> String {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
        let rows = plan.query_map(params!["s", [0_u8; 16], 1], |row| row.get::<_, String>(3)).unwrap();
        rows.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("\n")
    }

    #[test]
    fn a_notification_is_found_without_looking_at_others_of_its_key() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let same = plan(&connection, CONTENT);
        assert!(same.contains("INDEX notifications_by_content (<expr>=? AND <expr>=?)"), "{same}");
        let of_key = plan(&connection, OF_KEY);
        assert!(
            !of_key.contains("SCAN notifications") && of_key.contains("INDEX notifications_by_content (<expr>=?)"),
            "{of_key}"
        );
    }
}
