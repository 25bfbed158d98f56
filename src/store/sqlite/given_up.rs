//! Deliveries that were given up: their list, their number, and their return to those that are owed. Such a debt is never
//! deleted.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::columns::{Listed, micros, timestamp};
use super::outbox::key_of;
use crate::store::{GivenUp, GivenUpSought};

/// The step of the schema that adds the hosts. What earlier versions gave up has an unknown host, which is empty.
pub(super) const STEP: &str = r"
-- host: the host and port of the last attempt that failed. awaits_host: of a delivery that was given up, whether its host failed,
-- so that it is told again once the host responds; none while it is owed.
ALTER TABLE outbox ADD COLUMN host TEXT;
ALTER TABLE outbox ADD COLUMN awaits_host INTEGER;
UPDATE outbox SET host = '', awaits_host = reason IS NOT NULL AND reason NOT LIKE 'webhook target %'
        AND (reason NOT LIKE 'HTTP %' OR reason GLOB 'HTTP 5[0-9][0-9]' OR reason IN ('HTTP 408', 'HTTP 429'))
    WHERE dead_at IS NOT NULL;
CREATE INDEX outbox_by_host ON outbox (host, awaits_host, dead_at) WHERE host IS NOT NULL;
";

/// The deliveries that were given up, after the cursor `after`, in the order in which their records were registered.
pub(super) fn list(
    connection: &Connection,
    sought: &GivenUpSought,
    after: i64,
    most: u32,
) -> rusqlite::Result<Listed<GivenUp>> {
    let mut query = connection.prepare_cached(
        "SELECT o.record, r.kind, r.transform_id, o.version, ifnull(o.given_up_at, o.dead_at), o.attempts, o.reason, o.host
         FROM outbox o LEFT JOIN records r ON r.id = o.record
         WHERE o.dead_at IS NOT NULL AND o.record > ?1
             AND (?3 IS NULL OR o.host = ?3 OR substr(o.host, 1, length(?3) + 1) = ?3 || ':')
             AND (?4 IS NULL OR ifnull(o.given_up_at, o.dead_at) >= ?4) AND (?5 IS NULL OR o.dead_at <= ?5)
         ORDER BY o.record LIMIT ?2",
    )?;
    let GivenUpSought { host, since, until } = sought;
    let rows = query.query(params![after, most, host, since.map(micros), until.map(micros)])?;
    Listed::read("outbox", rows, |row| {
        Ok(GivenUp {
            cursor: row.get(0)?,
            key: key_of(row, 1)?,
            version: row.get::<_, i64>(3)?.unsigned_abs(),
            at: timestamp(4, row.get(4)?)?,
            attempts: row.get(5)?,
            reason: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
            host: row.get::<_, Option<String>>(7)?.filter(|host| !host.is_empty()),
        })
    })
}

const ANY: &str = "SELECT 1 FROM outbox WHERE dead_at IS NOT NULL LIMIT 1";
const COUNT: &str = "SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL";
const AWAITED: &str = "SELECT DISTINCT host FROM outbox WHERE host IS NOT NULL AND awaits_host = 1";
const IS_ASKED: &str = "SELECT 1 FROM outbox WHERE host = ?1 AND awaits_host IS NULL LIMIT 1";
const OF_HOST: &str = "SELECT o.record, r.kind, r.transform_id FROM outbox o JOIN records r ON r.id = o.record
    WHERE o.host = ?1 AND o.awaits_host = 1 AND o.dead_at <= ?2 ORDER BY o.dead_at LIMIT ?3";

/// Whether any delivery was given up: nearly always none was, and no record needs to be looked at.
pub(super) fn is_any(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached(ANY)?.exists([])
}

/// The number of deliveries that were given up.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached(COUNT)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// The hosts that deliveries wait for, since they were given up because of them. An unknown host is empty.
pub(super) fn awaited(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(AWAITED)?.query_map([], |row| row.get(0))?.collect()
}

/// The rows of deliveries that wait for this host and were given up by `until`, the earliest first.
pub(super) fn of_host(
    connection: &Connection,
    host: &str,
    until: Timestamp,
    most: u32,
) -> rusqlite::Result<Listed<i64>> {
    let mut query = connection.prepare_cached(OF_HOST)?;
    Listed::read("outbox", query.query(params![host, micros(until), most])?, |row| {
        key_of(row, 1)?;
        row.get(0)
    })
}

/// Whether a delivery that is owed had its last attempt at this host: it asks whether the host responds again.
pub(super) fn is_asked(connection: &Connection, host: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached(IS_ASKED)?.exists([host])
}

/// The questions that must not look at other rows, with the indexes that they go by.
#[cfg(test)]
pub(super) const BY_INDEX: [(&str, &str); 5] = [
    (ANY, "COVERING INDEX given_up"),
    (COUNT, "COVERING INDEX given_up"),
    (AWAITED, "COVERING INDEX outbox_by_host"),
    (IS_ASKED, "COVERING INDEX outbox_by_host (host=? AND awaits_host=?)"),
    (OF_HOST, "INDEX outbox_by_host (host=? AND awaits_host=? AND dead_at<?)"),
];
