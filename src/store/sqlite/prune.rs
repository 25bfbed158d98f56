//! Housekeeping, in steps so small that no notification waits long behind one. A step deletes rows that were kept long
//! enough, and gives free pages of the file back.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::columns::{damage, micros};
use super::decide::at_once;
use super::findings::PARKED_FOR;
use super::{dead_letters, fetches, findings, parked};
use crate::domain::due::Moment;
use crate::store::core::{self, parking, waited};
use crate::store::{DeadLetterGone, Finding, Pruned, StoreOptions};

/// How long the time of an object's last fetch is remembered.
const FETCHES_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// The number of pages that one step gives back.
const STEP_PAGES: u32 = 256;
/// The number of free pages that stay in the file for coming rows.
const SPARE_PAGES: u32 = 1024;

/// Runs one step, which deletes up to `most` rows of a kind. Returns also the errors of rows that could not be read.
pub(super) fn step(
    connection: &Connection,
    options: &StoreOptions,
    now: Moment,
    most: u32,
) -> rusqlite::Result<(Pruned, Vec<rusqlite::Error>)> {
    let mut damaged = Vec::new();
    let keep = &options.keep;
    // Ages are measured on the store's clock: no row grows old because somebody set the machine's clock.
    let unlooked = parked::unlooked(connection, before(now.steady, PARKED_FOR), most)?;
    let (looked, findings) = (unlooked.len(), look(connection, now, &unlooked)?);
    let now = now.steady;
    let waited_in_vain = apart(expire(connection, before(now, options.parked.max_age), most), &mut damaged)?;
    let dead_letters = apart(old_dead_letters(connection, before(now, keep.dead_letters), most), &mut damaged)?;
    let dead_letters_beyond = apart(dead_letters::beyond(connection, keep.dead_letters_size, most), &mut damaged)?;
    let rows = notifications(connection, before(now, keep.notifications), most)?
        + of_settled(connection, OLD_ATTEMPTS, before(now, keep.attempts), most)?
        + of_settled(connection, OLD_TRANSITIONS, before(now, keep.history), most)?
        + fetches::prune(connection, before(now, FETCHES_KEPT), most)?
        + findings::prune(connection, before(now, keep.notifications), most)?;
    let shrunk = shrink(connection)?;
    Ok((Pruned { waited_in_vain, dead_letters, dead_letters_beyond, looked, findings, rows, shrunk }, damaged))
}

/// Looks at events that have waited for long. Returns the findings that were not told today. An event that cannot be read counts as
/// looked at, so that it is in the way of no other.
fn look(connection: &Connection, now: Moment, rows: &[i64]) -> rusqlite::Result<Vec<Finding>> {
    match at_once(connection, |set| waited::look(set, now, rows)) {
        Err(error) if is_of_a_row(&error) && rows.len() > 1 => {
            let (one, others) = rows.split_at(rows.len() / 2);
            let mut told = look(connection, now, one)?;
            told.extend(look(connection, now, others)?);
            Ok(told)
        }
        Err(error) if is_of_a_row(&error) => {
            let mut looked = connection.prepare_cached("UPDATE parked SET finding = 0 WHERE id = ?1")?;
            rows.iter().try_for_each(|row| looked.execute([row]).map(drop)).map(|()| Vec::new())
        }
        told => told,
    }
}

/// Whether an error is that of an unreadable row, and not of the file itself.
fn is_of_a_row(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code().is_none() && damage(error).is_some()
}

/// Turns events that have waited for their records since before `cutoff` into dead letters, up to `most`. Returns the
/// notifications of these events.
fn expire(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<Vec<Uuid>> {
    let old = parked::waiting_since(connection, cutoff, most)?;
    at_once(connection, |set| parking::expire(set, &old))
}

/// Sets the error of an unreadable row apart: its own kind of row is not deleted then, but all other kinds are. An
/// error of the file itself ends the step.
fn apart<T: Default>(done: rusqlite::Result<T>, damaged: &mut Vec<rusqlite::Error>) -> rusqlite::Result<T> {
    match done {
        Err(error) if is_of_a_row(&error) => {
            damaged.push(error);
            Ok(T::default())
        }
        done => done,
    }
}

fn before(now: Timestamp, span: Duration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

// Each of these statements finds old rows by an index of ages, whatever other rows there are.

const OLD_DEAD_LETTERS: &str = "SELECT id FROM notifications INDEXED BY dead_letters
    WHERE outcome = 'dead_letter' AND ifnull(kept_since, received_at) < ?1
        AND NOT EXISTS (SELECT 1 FROM parked WHERE notification = notifications.id AND reason IS NULL)
        AND NOT EXISTS (SELECT 1 FROM fetch_waiting WHERE notification = notifications.id)
    ORDER BY ifnull(kept_since, received_at) LIMIT ?2";

const OLD_NOTIFICATIONS: &str = "DELETE FROM notifications WHERE rowid IN (
    SELECT rowid FROM notifications
    WHERE outcome NOT IN ('parked', 'dead_letter') AND ifnull(kept_since, received_at) < ?1
        AND NOT EXISTS (SELECT 1 FROM parked WHERE notification = notifications.id AND reason IS NULL)
        AND NOT EXISTS (SELECT 1 FROM fetch_waiting WHERE notification = notifications.id)
    ORDER BY ifnull(kept_since, received_at) LIMIT ?2) RETURNING id";

const OLD_ATTEMPTS: &str = "DELETE FROM attempts WHERE id IN (
    SELECT id FROM attempts WHERE ifnull(kept_since, at) < ?1
        AND NOT EXISTS (SELECT 1 FROM outbox WHERE record = attempts.record AND dead_at IS NULL)
    ORDER BY ifnull(kept_since, at) LIMIT ?2)";

const OLD_TRANSITIONS: &str = "DELETE FROM transitions WHERE id IN (
    SELECT id FROM transitions WHERE ifnull(kept_since, at) < ?1
        AND NOT EXISTS (SELECT 1 FROM outbox WHERE record = transitions.record)
    ORDER BY ifnull(kept_since, at) LIMIT ?2)";

/// Deletes old dead letters, with their events that wait in silence. A dead letter stays while another event of it
/// waits for its record.
fn old_dead_letters(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<Vec<DeadLetterGone>> {
    let old: Vec<[u8; 16]> = connection
        .prepare_cached(OLD_DEAD_LETTERS)?
        .query_map(params![micros(cutoff), most], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    old.into_iter().map(|id| dead_letters::delete(connection, id)).collect()
}

/// Deletes old notifications that are over: none of their events waits any more, and nothing is fetched for them.
///
/// Events that wait in silence go with their notification.
fn notifications(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<usize> {
    let gone: Vec<[u8; 16]> = connection
        .prepare_cached(OLD_NOTIFICATIONS)?
        .query_map(params![micros(cutoff), most], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let gone: Vec<Uuid> = gone.into_iter().map(Uuid::from_bytes).collect();
    at_once(connection, |set| gone.iter().try_for_each(|id| core::parked::forget(set, *id)))?;
    Ok(gone.len())
}

/// Deletes old attempts or transitions of records for which Transform is owed no webhook.
fn of_settled(connection: &Connection, old: &str, cutoff: Timestamp, most: u32) -> rusqlite::Result<usize> {
    connection.prepare_cached(old)?.execute(params![micros(cutoff), most])
}

/// Gives back some of the free pages, and keeps a few. Returns whether there were any to give back.
fn shrink(connection: &Connection) -> rusqlite::Result<bool> {
    let free: u32 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let excess = free.saturating_sub(SPARE_PAGES).min(STEP_PAGES);
    if excess > 0 {
        // Each step of the statement gives back one page.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({excess})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(excess > 0)
}

#[cfg(test)]
mod tests {
    use super::super::parked;
    use super::*;
    use crate::domain::due::{Debounce, later};
    use crate::store::{Keep, ParkedLimits};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        connection
    }

    fn options() -> StoreOptions {
        StoreOptions {
            path: "none".into(),
            must_exist: false,
            debounce: Debounce { quiet: DAY, max_wait: DAY },
            max_waiting: 1,
            parked: ParkedLimits { per_source: 1, max_age: DAY },
            keep: Keep {
                notifications: DAY,
                dead_letters: DAY,
                dead_letters_size: u64::MAX,
                attempts: DAY,
                history: DAY,
            },
        }
    }

    /// This number of days after 1970-01-01.
    fn day(days: u32) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, DAY * days)
    }

    fn count(connection: &Connection, table: &str) -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn what_is_old_is_old_on_the_stores_clock() {
        let connection = store();
        let rows = "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
             VALUES (x'00000000000000000000000000000001', 's', 0, x'', x'', 'applied', '[]', x''), (x'00000000000000000000000000000002', 's', 0, x'', x'', 'parked', '[]', x'');
             INSERT INTO parked (notification, source, parked_at, event) VALUES (x'00000000000000000000000000000002', 's', 0, '{}');";
        connection.execute_batch(rows).unwrap();
        let now = Moment { wall: day(400), steady: day(1) };
        let done = step(&connection, &options(), now, 500).unwrap().0;
        assert_eq!((done.rows, done.waited_in_vain.len(), done.looked), (0, 0, 1), "it is looked at once");
        let done = step(&connection, &options(), Moment { wall: day(0), steady: day(2) }, 500).unwrap().0;
        assert_eq!((done.rows, done.waited_in_vain.len()), (1, 1));
    }

    /// An event that waits in silence keeps neither its notification nor a dead letter.
    #[test]
    fn what_waits_in_silence_goes_with_its_notification() {
        let connection = store();
        let rows = "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
             VALUES (x'00000000000000000000000000000001', 's', 0, x'', x'', 'applied', '[]', x''), (x'00000000000000000000000000000002', 's', 0, x'', x'', 'dead_letter', '[]', x'');
             INSERT INTO parked (id, notification, source, parked_at, event, reason) SELECT rowid, id, 's', 0, '{}', 'companion' FROM notifications;
             INSERT INTO parked_keys (key, source, parked) SELECT 'record:x', 's', id FROM parked;";
        connection.execute_batch(rows).unwrap();
        let done = step(&connection, &options(), Moment { wall: day(2), steady: day(2) }, 500).unwrap().0;
        assert_eq!((done.rows, done.dead_letters.len(), done.waited_in_vain.len()), (1, 1, 0));
        let left = ["notifications", "parked", "parked_keys"].map(|table| count(&connection, table));
        assert_eq!(left, [0, 0, 0]);
    }

    /// More rows than a step deletes stand before the old rows: rows of the year 2046, and rows of a record that
    /// Transform is owed.
    #[test]
    fn what_is_old_goes_whatever_stands_before_it() {
        let connection = store();
        let rows = "INSERT INTO records (id, transform_id, kind, payment_id, record) VALUES (1, 'tx-1', 2, NULL, '{}'), (2, 'tx-2', 2, NULL, '{}');
            INSERT INTO outbox (record, version, due_at) VALUES (2, 2, 0);
            CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 700) SELECT n FROM n;
            INSERT INTO attempts (record, version, at, millis, kept_since)
                SELECT 1, 1, 2400000000000000, 1, 2400000000000000 FROM n UNION ALL
                SELECT 2, 1, 0, 1, 0 FROM n UNION ALL SELECT 1, 1, 2400000000000000, 1, 0 FROM n;
            INSERT INTO transitions (record, version, at, notification, event_type, status, kept_since)
                SELECT record, version, at, x'', '', '', kept_since FROM attempts ORDER BY id;";
        connection.execute_batch(rows).unwrap();
        let now = Moment { wall: day(2), steady: day(2) };
        let steps = std::iter::from_fn(|| {
            Some(step(&connection, &options(), now, 500).unwrap().0.rows).filter(|rows| *rows > 0)
        });
        assert_eq!(steps.collect::<Vec<_>>(), [1000, 400]);
        assert_eq!((count(&connection, "attempts"), count(&connection, "transitions")), (1400, 1400));
    }

    #[test]
    fn what_is_old_is_found_by_an_index_of_ages() {
        let connection = store();
        for (question, index) in [
            (OLD_DEAD_LETTERS, "dead_letters (<expr><?)"),
            (OLD_NOTIFICATIONS, "notifications_over (<expr><?)"),
            (OLD_ATTEMPTS, "attempts_by_age (<expr><?)"),
            (OLD_TRANSITIONS, "transitions_by_age (<expr><?)"),
            (parked::WAITED_TOO_LONG, "parked_by_age (<expr><?)"),
            (parked::UNLOOKED, "parked_unlooked (<expr><?)"),
            (findings::OLD, "findings_by_age (kept_since<?)"),
            (fetches::FORGOTTEN, "fetches_idle (began_at<?)"),
        ] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
            let plan: Vec<String> = plan.query_map([0, 0], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            assert!(plan.iter().any(|line| line.contains(index)), "{question}: {plan:#?}");
            assert!(plan.iter().all(|line| !line.starts_with("SCAN") && !line.contains("B-TREE")), "{plan:#?}");
        }
    }

    /// One damaged row keeps only rows of its own kind from being deleted.
    #[test]
    fn what_cannot_be_read_keeps_nothing_else() {
        let connection = store();
        let rows = "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
                 VALUES (x'00000000000000000000000000000001', 's', 0, x'', x'', 'applied', '[]', x'');
             INSERT INTO parked (notification, source, parked_at, event) VALUES (x'01', 's', 0, '{}');";
        connection.execute_batch(rows).unwrap();
        let far = later(Timestamp::UNIX_EPOCH, DAY * 400);
        let (pruned, damaged) = step(&connection, &options(), Moment { wall: far, steady: far }, 100).unwrap();
        assert_eq!((pruned.waited_in_vain.len(), pruned.rows, damaged.len()), (0, 1, 1));
    }
}
