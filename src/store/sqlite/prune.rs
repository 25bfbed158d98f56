//! Housekeeping in small steps, so that no notification waits long behind one: what was kept long enough goes, and the
//! file gives back the pages that are free.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::columns::{in_row, key, micros};
use super::{fetches, parked};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::store::{Pruned, StoreOptions};

/// How many rows of a kind one step looks at.
const STEP_ROWS: u32 = 500;
/// How long it is remembered when an object was fetched last.
const FETCHES_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many pages one step gives back.
const STEP_PAGES: u32 = 256;
/// So many free pages stay for what comes next.
const SPARE_PAGES: u32 = 1024;

/// One step.
pub(super) fn step(connection: &Connection, options: &StoreOptions, now: Moment) -> rusqlite::Result<Pruned> {
    let keep = &options.keep;
    // Nothing has grown old because somebody set the clock forth for a moment.
    let now = now.wall.min(now.steady);
    let waited_in_vain = parked::expire(connection, before(now, options.parked.max_age), STEP_ROWS)?;
    let dead_letters = dead_letters(connection, before(now, keep.dead_letters))?;
    let given_up = given_up(connection, before(now, keep.dead_letters))?;
    let rows = notifications(connection, before(now, keep.notifications))?
        + of_settled(connection, "attempts", before(now, keep.attempts))?
        + of_settled(connection, "transitions", before(now, keep.history))?
        + fetches::prune(connection, before(now, FETCHES_KEPT), STEP_ROWS)?;
    Ok(Pruned { waited_in_vain, dead_letters, given_up, rows, shrunk: shrink(connection)? })
}

fn before(now: Timestamp, span: Duration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// Dead letters, with the events that wait for room to refund; but not while another event of theirs waits for its
/// record.
fn dead_letters(connection: &Connection, cutoff: Timestamp) -> rusqlite::Result<Vec<Uuid>> {
    let old: Vec<[u8; 16]> = connection
        .prepare_cached(
            "SELECT id FROM notifications WHERE outcome = 'dead_letter' AND received_at < ?1
                 AND NOT EXISTS (SELECT 1 FROM parked WHERE notification = notifications.id AND reason IS NULL)
                 AND NOT EXISTS (SELECT 1 FROM fetch_waiting WHERE notification = notifications.id)
             ORDER BY received_at LIMIT ?2",
        )?
        .query_map(params![micros(cutoff), STEP_ROWS], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &old {
        parked::forget(connection, *id)?;
        connection.prepare_cached("DELETE FROM notifications WHERE id = ?1")?.execute([id])?;
    }
    Ok(old.into_iter().map(Uuid::from_bytes).collect())
}

fn given_up(connection: &Connection, cutoff: Timestamp) -> rusqlite::Result<Vec<RecordKey>> {
    let old: Vec<(i64, RecordKey)> = connection
        .prepare_cached(
            "SELECT o.record, r.kind, r.transform_id FROM outbox o JOIN records r ON r.id = o.record
             WHERE o.dead_at IS NOT NULL AND o.dead_at < ?1 LIMIT ?2",
        )?
        .query_map(params![micros(cutoff), STEP_ROWS], |row| {
            let record: i64 = row.get(0)?;
            let key = row.get(1).and_then(|kind| key(kind, row.get(2)?));
            Ok((record, key.map_err(in_row("outbox", record))?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (row, _) in &old {
        connection.prepare_cached("DELETE FROM outbox WHERE record = ?1")?.execute([row])?;
    }
    Ok(old.into_iter().map(|(_, key)| key).collect())
}

/// Notifications that are over: no event of theirs waits any more, and nothing is fetched for them.
fn notifications(connection: &Connection, cutoff: Timestamp) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM notifications WHERE rowid IN (
                 SELECT rowid FROM notifications
                 WHERE outcome NOT IN ('parked', 'dead_letter') AND received_at < ?1
                     AND NOT EXISTS (SELECT 1 FROM parked WHERE notification = notifications.id)
                     AND NOT EXISTS (SELECT 1 FROM fetch_waiting WHERE notification = notifications.id)
                 ORDER BY received_at LIMIT ?2)",
        )?
        .execute(params![micros(cutoff), STEP_ROWS])
}

/// Attempts or transitions of records that Transform is owed nothing of.
fn of_settled(connection: &Connection, table: &str, cutoff: Timestamp) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(&format!(
            "DELETE FROM {table} WHERE id IN (
                 SELECT id FROM (SELECT id, at FROM {table}
                     WHERE record NOT IN (SELECT record FROM outbox) ORDER BY id LIMIT ?2)
                 WHERE at < ?1)"
        ))?
        .execute(params![micros(cutoff), STEP_ROWS])
}

/// Gives back some of the pages that are free, but for a few. Says whether there were any.
fn shrink(connection: &Connection) -> rusqlite::Result<bool> {
    let free: u32 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let excess = free.saturating_sub(SPARE_PAGES).min(STEP_PAGES);
    if excess > 0 {
        // One page goes with each step of the statement.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({excess})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(excess > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::due::{Debounce, later};
    use crate::store::{Keep, ParkedLimits};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn nothing_is_old_because_the_clock_steps_forth() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let rows = "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
             VALUES (x'00000000000000000000000000000001', 's', 0, x'', x'', 'applied', '[]', x''), (x'00000000000000000000000000000002', 's', 0, x'', x'', 'parked', '[]', x'');
             INSERT INTO parked (notification, source, parked_at, event) VALUES (x'00000000000000000000000000000002', 's', 0, '{}');";
        connection.execute_batch(rows).unwrap();
        let options = StoreOptions {
            path: "none".into(),
            must_exist: false,
            debounce: Debounce { quiet: DAY, max_wait: DAY },
            max_waiting: 1,
            parked: ParkedLimits { per_source: 1, max_age: DAY },
            keep: Keep { notifications: DAY, dead_letters: DAY, attempts: DAY, history: DAY },
        };
        let (soon, far) = (later(Timestamp::UNIX_EPOCH, DAY / 2), later(Timestamp::UNIX_EPOCH, DAY * 400));
        for (wall, steady) in [(far, soon), (soon, far)] {
            assert!(step(&connection, &options, Moment { wall, steady }).unwrap().is_empty());
        }
        assert_eq!(step(&connection, &options, Moment { wall: far, steady: far }).unwrap().rows, 1);
    }
}
