//! Findings: one row for each kind, source and type, or for each record. A row is written with what caused it, and goes once
//! nothing like it has come for as long as notifications are kept.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::columns::{Listed, key, micros, timestamp, unreadable};
use crate::domain::text::shown;
use crate::store::{Finding, FindingKind};

/// The step of the schema that adds the table of findings.
pub(super) const STEP: &str = r"
-- What somebody should look at. about: the record, where each record has a finding of its own, else 0; record and notification
-- are the latest of those that are counted. told_on: the day of the last log line, in days since 1970.
CREATE TABLE findings (
    id           INTEGER PRIMARY KEY,
    what         TEXT NOT NULL,
    source       TEXT NOT NULL,
    event_type   TEXT NOT NULL,
    about        INTEGER NOT NULL,
    count        INTEGER NOT NULL,
    notification BLOB,
    record       INTEGER REFERENCES records (id),
    missing      TEXT,
    first_at     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    kept_since   INTEGER NOT NULL,
    told_on      INTEGER NOT NULL,
    UNIQUE (source, what, event_type, about)
) STRICT;
CREATE INDEX findings_by_age ON findings (kept_since);

-- finding: that of a parked event; 0 if it was looked at and names no registered record.
ALTER TABLE parked ADD COLUMN finding INTEGER;
CREATE INDEX parked_unlooked ON parked (ifnull(kept_since, parked_at)) WHERE reason IS NULL AND finding IS NULL;
CREATE INDEX parked_by_finding ON parked (finding) WHERE finding > 0;
";

/// The schema version since which findings are stored.
pub(super) const SINCE: i64 = 14;

/// The time after which a parked event that names a registered record is a finding.
pub(super) const PARKED_FOR: Duration = Duration::from_secs(60 * 60);

/// The number of findings.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let count: i64 = connection.prepare_cached("SELECT count(*) FROM findings")?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

pub(super) const OLD: &str = "SELECT id FROM findings INDEXED BY findings_by_age WHERE kept_since < ?1
    AND NOT EXISTS (SELECT 1 FROM parked WHERE finding = findings.id AND finding > 0) ORDER BY kept_since LIMIT ?2";

/// Deletes findings of which nothing has come since `cutoff`, up to `most`. A finding stays while an event of it waits.
pub(super) fn prune(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<usize> {
    let delete = format!("DELETE FROM findings WHERE id IN ({OLD})");
    connection.prepare_cached(&delete)?.execute(params![micros(cutoff), most])
}

/// The findings after the cursor `after`, the oldest first.
pub(super) fn list(
    connection: &Connection,
    source: Option<&str>,
    after: i64,
    most: u32,
) -> rusqlite::Result<Listed<Finding>> {
    let mut query = connection.prepare_cached(
        "SELECT f.id, f.what, f.source, f.event_type, f.count, f.notification, r.kind, r.transform_id, f.missing, f.first_at,
             f.last_at
         FROM findings f LEFT JOIN records r ON r.id = f.record
         WHERE f.id > ?1 AND (?2 IS NULL OR f.source = ?2) ORDER BY f.id LIMIT ?3",
    )?;
    Listed::read("findings", query.query(params![after, source, most])?, finding)
}

fn finding(row: &Row<'_>) -> rusqlite::Result<Finding> {
    let name: String = row.get(1)?;
    let what = FindingKind::ALL.into_iter().find(|what| what.name() == name);
    let record = match (row.get::<_, Option<u8>>(6)?, row.get::<_, Option<String>>(7)?) {
        (Some(kind), Some(id)) => Some(key(kind, id)?),
        _ => None,
    };
    Ok(Finding {
        cursor: row.get(0)?,
        what: what.ok_or_else(|| unreadable(1, Type::Text, format!("no finding {}", shown(&name))))?,
        source: row.get(2)?,
        event_type: row.get(3)?,
        count: row.get::<_, i64>(4)?.unsigned_abs(),
        notification: row.get::<_, Option<[u8; 16]>>(5)?.map(Uuid::from_bytes),
        record,
        missing: row.get(8)?,
        first_at: timestamp(9, row.get(9)?)?,
        last_at: timestamp(10, row.get(10)?)?,
    })
}

#[cfg(test)]
mod tests;
