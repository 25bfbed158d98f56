//! Findings: one row for each kind, source and type, or for each record. A row is written with what caused it, and goes once
//! nothing like it has come for as long as notifications are kept.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::columns::{Listed, key, micros, timestamp, unreadable};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::message::{Meaning, Message};
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

/// The most findings of one kind that are kept of one source. A stranger who can change the type of a captured notification
/// could make any number of one kind, and leaves the others their room.
const OF_SOURCE_MAX: i64 = 1000;

/// The type of the finding that counts what had no room, and what is missing there, in words. No PSP has such a type.
const OTHERS: (&str, &str) =
    ("(others)", "room: a source has at most 1000 findings of a kind, and this one counts the others");

/// A record that a notification names: its row and its key.
pub(super) type Named = (i64, RecordKey);

/// What was found now.
#[derive(Debug, Clone)]
pub(super) struct FindingSeen {
    pub(super) what: FindingKind,
    pub(super) source: String,
    pub(super) event_type: String,
    pub(super) count: usize,
    pub(super) notification: Option<Uuid>,
    pub(super) record: Option<Named>,
    pub(super) missing: Option<String>,
}

/// A finding as it was noted: its row, and the finding if it was not told today.
pub(super) struct FindingKept {
    pub(super) row: i64,
    pub(super) told: Option<Finding>,
}

/// Notes a finding. If its source has too many of its kind, it is counted among the others of that kind.
pub(super) fn note(connection: &Connection, now: Moment, sighting: &FindingSeen) -> rusqlite::Result<FindingKept> {
    let FindingSeen { what, source, event_type, record, missing, .. } = sighting;
    let row_of_record = record.as_ref().map(|(row, _)| *row);
    let is_others = event_type == OTHERS.0;
    let about = row_of_record.filter(|_| what.is_of_one_record() && !is_others).unwrap_or_default();
    let today = day(now.wall);
    let known: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT id, told_on FROM findings WHERE source = ?1 AND what = ?2 AND event_type = ?3 AND about = ?4",
        )?
        .query_row(params![source, what.name(), event_type, about], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if known.is_none() && !is_others && of_source(connection, source, *what)? >= OF_SOURCE_MAX {
        let (event_type, missing) = (OTHERS.0.to_owned(), Some(OTHERS.1.to_owned()));
        return note(connection, now, &FindingSeen { event_type, missing, ..sighting.clone() });
    }
    let (row, count, first_at): (i64, i64, i64) = connection
        .prepare_cached(
            "INSERT INTO findings (what, source, event_type, about, count, notification, record, missing, first_at, last_at,
                 kept_since, told_on)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)
             ON CONFLICT (source, what, event_type, about) DO UPDATE SET count = count + excluded.count,
                 notification = ifnull(excluded.notification, notification), record = excluded.record,
                 missing = excluded.missing, last_at = excluded.last_at, kept_since = excluded.kept_since,
                 told_on = excluded.told_on
             RETURNING id, count, first_at",
        )?
        .query_row(
            params![
                what.name(),
                source,
                event_type,
                about,
                i64::try_from(sighting.count).unwrap_or(i64::MAX),
                sighting.notification.map(Uuid::into_bytes),
                row_of_record,
                missing,
                micros(now.wall),
                micros(now.steady),
                today,
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
    let told = known.is_none_or(|(_, told_on)| told_on != today).then(|| Finding {
        cursor: row,
        what: *what,
        source: source.clone(),
        event_type: event_type.clone(),
        count: count.unsigned_abs(),
        notification: sighting.notification,
        record: record.as_ref().map(|(_, key)| key.clone()),
        missing: missing.clone(),
        first_at: timestamp(2, first_at).unwrap_or(now.wall),
        last_at: now.wall,
    });
    Ok(FindingKept { row, told })
}

/// The number of the day, from 1970 on.
fn day(at: Timestamp) -> i64 {
    const SECONDS: i64 = 24 * 60 * 60;
    at.as_second().div_euclid(SECONDS)
}

fn of_source(connection: &Connection, source: &str, what: FindingKind) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT count(*) FROM findings WHERE source = ?1 AND what = ?2")?
        .query_row([source, what.name()], |row| row.get(0))
}

/// The first registered record that one of these texts leads to, as a PSP id of any kind or as a Transform id.
pub(super) fn named<'n>(
    connection: &Connection,
    source: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> rusqlite::Result<Option<Named>> {
    for name in names {
        for query in [BY_PSP_ID, BY_TRANSFORM_ID] {
            let mut find = connection.prepare_cached(query)?;
            let found = find.query_row(params![name, source], |row| Ok((row.get(0)?, key(row.get(1)?, row.get(2)?)?)));
            if let Some(found) = found.optional()? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

const BY_PSP_ID: &str = "SELECT r.id, r.kind, r.transform_id FROM psp_ids p JOIN records r ON r.id = p.record
    WHERE p.psp_id = ?1 AND p.source IN (?2, '') LIMIT 1";

/// A damaged record counts as bound to no source: a finding must not keep a notification out.
const BY_TRANSFORM_ID: &str = "SELECT id, kind, transform_id FROM records
    WHERE transform_id = ?1 AND ifnull(iif(json_valid(record), json_extract(record, '$.source'), NULL), ?2) = ?2";

/// Takes a parked event out of its finding, since it does not wait any more. The finding goes with the last one.
pub(super) fn withdraw(connection: &Connection, row: i64, notification: [u8; 16]) -> rusqlite::Result<()> {
    let left: Option<(i64, Option<[u8; 16]>)> = connection
        .prepare_cached("UPDATE findings SET count = count - 1 WHERE id = ?1 RETURNING count, notification")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match left {
        Some((count, _)) if count <= 0 => {
            connection.prepare_cached("DELETE FROM findings WHERE id = ?1")?.execute([row]).map(drop)
        }
        Some((_, Some(example))) if example == notification => connection
            .prepare_cached(
                "UPDATE findings SET notification =
                     ifnull((SELECT notification FROM parked WHERE finding = ?1 ORDER BY id DESC LIMIT 1), notification)
                 WHERE id = ?1",
            )?
            .execute([row])
            .map(drop),
        _ => Ok(()),
    }
}

/// Deletes the finding of one record, since what was found is so no more.
pub(super) fn is_over(connection: &Connection, what: FindingKind, record: i64) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM findings WHERE what = ?1 AND about = ?2")?;
    delete.execute(params![what.name(), record]).map(drop)
}

/// Deletes the findings of which a notification is the latest, if it is understood by now, or ignored on purpose. Others of its
/// type may have another shape, which no rule reads yet. A message that points shows only that its source fetches.
pub(super) fn understood(
    connection: &Connection,
    source: &str,
    notification: Uuid,
    messages: &[Message],
) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM findings WHERE source = ?1 AND event_type = ?2 AND what IN ('not_fetched', ?4)
             AND (notification = ?3 OR NOT EXISTS (SELECT 1 FROM notifications WHERE id = findings.notification))",
    )?;
    for message in messages.iter().filter(|message| message.missing.is_none()) {
        let points = matches!(message.meaning, Meaning::Fetch(_));
        let what = if points { FindingKind::NotFetched } else { FindingKind::NoRule };
        delete.execute(params![source, message.event_type, notification.into_bytes(), what.name()])?;
    }
    Ok(())
}

/// The number of findings.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let count: i64 = connection.prepare_cached("SELECT count(*) FROM findings")?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Names another notification in the place of one that is not kept.
pub(super) fn rename(connection: &Connection, from: Uuid, to: Uuid) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE findings SET notification = ?2 WHERE notification = ?1")?
        .execute(params![from.into_bytes(), to.into_bytes()])
        .map(drop)
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
