//! The history of a record: the notification that made each version, and the attempts to tell Transform.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::columns::{Listed, check_sum, timestamp};
use crate::store::core::history::{BY_REREAD, sum_of_attempt, sum_of_version};
use crate::store::{AttemptMade, VersionMade};

/// Whether a record has versions of an earlier relay.
pub(super) const HAS_EARLIER: &str = "SELECT 1 FROM transitions WHERE record = ?1 AND previous IS NULL LIMIT 1";

/// The versions of a record, the newest first: those that know each other, then those of earlier relays. A damaged link leads to no
/// other record's versions, and never in a circle.
const CHAIN: &str = "WITH RECURSIVE chain (id, previous) AS (
        SELECT t.id, t.previous FROM records r JOIN transitions t ON t.id = r.last_transition AND t.record = r.id
        WHERE r.id = ?1
        UNION ALL
        SELECT t.id, t.previous FROM chain c JOIN transitions t ON t.id = c.previous AND t.record = ?1
        WHERE c.previous < c.id LIMIT ?2)
    SELECT id FROM chain
    UNION ALL
    SELECT id FROM (SELECT id FROM transitions WHERE record = ?1 AND previous IS NULL ORDER BY id DESC LIMIT ?2)";

/// Deletes the versions of a record, which is removed.
pub(super) fn forget(connection: &Connection, record: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!("DELETE FROM transitions WHERE id IN ({CHAIN})"))?
        .execute(params![record, -1])
        .map(drop)
}

/// The latest `most` versions and attempts of a record, the newest first.
pub(super) fn of_record(
    connection: &Connection,
    record: i64,
    most: u32,
) -> rusqlite::Result<(Listed<VersionMade>, Listed<AttemptMade>)> {
    let mut versions = connection.prepare_cached(&format!(
        "SELECT id, version, at, notification, event_type, status, record, sum FROM transitions
         WHERE id IN ({CHAIN}) ORDER BY id DESC LIMIT ?2"
    ))?;
    let versions = Listed::read("transitions", versions.query(params![record, most])?, version_made)?;
    let mut attempts = connection.prepare_cached(
        "SELECT id, version, at, millis, failure, record, sum FROM attempts WHERE record = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let attempts = Listed::read("attempts", attempts.query(params![record, most])?, attempt_made)?;
    Ok((versions, attempts))
}

fn version_made(row: &Row<'_>) -> rusqlite::Result<VersionMade> {
    let (version, at, notification) = (row.get(1)?, row.get(2)?, Uuid::from_bytes(row.get(3)?));
    let (event_type, status): (String, String) = (row.get(4)?, row.get(5)?);
    check_sum(row, 7, sum_of_version((row.get(6)?, version, at), notification, &event_type, &status))?;
    Ok(VersionMade {
        version: version.unsigned_abs(),
        at: timestamp(2, at)?,
        notification: Some(notification).filter(|id| *id != BY_REREAD),
        event_type,
        status,
    })
}

fn attempt_made(row: &Row<'_>) -> rusqlite::Result<AttemptMade> {
    let (version, at, millis, failure): (_, _, i64, Option<String>) =
        (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
    check_sum(row, 6, sum_of_attempt((row.get(5)?, version, at), millis, failure.as_deref()))?;
    Ok(AttemptMade { version: version.unsigned_abs(), at: timestamp(2, at)?, millis: millis.unsigned_abs(), failure })
}

/// Reads a page of versions, to find damage in them.
pub(super) fn look_at_versions(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT id, version, at, notification, event_type, status, record, sum FROM transitions WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    Listed::read("transitions", query.query(params![after, most])?, |row| version_made(row).map(drop))
}

/// Reads a page of attempts, to find damage in them.
pub(super) fn look_at_attempts(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT id, version, at, millis, failure, record, sum FROM attempts WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    Listed::read("attempts", query.query(params![after, most])?, |row| attempt_made(row).map(drop))
}
