//! The history of a record: the notification that made each version, and the attempts to tell Transform.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::columns::{Listed, timestamp};
use crate::store::core::history::BY_REREAD;
use crate::store::{AttemptMade, VersionMade};

/// The latest `most` versions and attempts of a record, the newest first.
pub(super) fn of_record(
    connection: &Connection,
    record: i64,
    most: u32,
) -> rusqlite::Result<(Listed<VersionMade>, Listed<AttemptMade>)> {
    let mut versions = connection.prepare_cached(
        "SELECT id, version, at, notification, event_type, status FROM transitions
         WHERE record = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let versions = Listed::read("transitions", versions.query(params![record, most])?, version_made)?;
    let mut attempts = connection.prepare_cached(
        "SELECT id, version, at, millis, failure FROM attempts WHERE record = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let attempts = Listed::read("attempts", attempts.query(params![record, most])?, attempt_made)?;
    Ok((versions, attempts))
}

fn version_made(row: &Row<'_>) -> rusqlite::Result<VersionMade> {
    Ok(VersionMade {
        version: row.get::<_, i64>(1)?.unsigned_abs(),
        at: timestamp(2, row.get(2)?)?,
        notification: Some(Uuid::from_bytes(row.get(3)?)).filter(|id| *id != BY_REREAD),
        event_type: row.get(4)?,
        status: row.get(5)?,
    })
}

fn attempt_made(row: &Row<'_>) -> rusqlite::Result<AttemptMade> {
    Ok(AttemptMade {
        version: row.get::<_, i64>(1)?.unsigned_abs(),
        at: timestamp(2, row.get(2)?)?,
        millis: row.get::<_, i64>(3)?.unsigned_abs(),
        failure: row.get(4)?,
    })
}

/// Reads a page of versions, to find damage in them.
pub(super) fn look_at_versions(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT id, version, at, notification, event_type, status FROM transitions WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    Listed::read("transitions", query.query(params![after, most])?, |row| version_made(row).map(drop))
}

/// Reads a page of attempts, to find damage in them.
pub(super) fn look_at_attempts(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection
        .prepare_cached("SELECT id, version, at, millis, failure FROM attempts WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    Listed::read("attempts", query.query(params![after, most])?, |row| attempt_made(row).map(drop))
}
