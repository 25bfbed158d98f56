//! Care of the queue of fetches: wrong times are brought back, and rows are looked over for damage.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, params};

use super::columns::{Listed, micros, timestamp, unreadable};
use super::fetches::{IN_VAIN_MAX, fetch};
use super::{held, strangers};
use crate::domain::due::later;

/// The rows with times that no wait has made.
const WRONG: &str = "WHERE typeof(due_at) NOT IN ('integer', 'null') OR due_at < 0 OR due_at > ?3 + ?2
    OR failing_since < 0 OR failing_since > ?3 + ?1 OR missing_since < 0 OR missing_since > ?3 + ?1
    OR began_at < 0 OR began_at > ?3 + ?1 OR fetched_at NOT BETWEEN 0 AND ?4
    OR attempts NOT BETWEEN 0 AND 4294967295";

fn asked(now: Timestamp, longest: Duration, slack: Duration) -> [i64; 4] {
    let slack = i64::try_from(slack.as_micros()).unwrap_or(i64::MAX);
    [micros(now), micros(later(now, longest)), slack, micros(Timestamp::MAX)]
}

/// Whether anything is to be brought back or counted anew. A reader looks for that, so that the writer is not held up.
pub(super) fn is_any_wrong(
    connection: &Connection,
    now: Timestamp,
    longest: Duration,
    slack: Duration,
) -> rusqlite::Result<bool> {
    let times = format!("SELECT 1 FROM fetches {WRONG} OR in_vain NOT BETWEEN 0 AND {IN_VAIN_MAX}");
    Ok(connection.prepare_cached(&times)?.exists(asked(now, longest, slack))?
        || held::is_any_wrong(connection, later(now, slack))?)
}

/// Brings back times that no wait has made, as [`super::outbox::clamp`] does, and counts the slots of hints anew. Times
/// that were written after `now` was read may lie further ahead by the slack. Returns the number of fetches with such
/// times.
pub(super) fn clamp(
    connection: &Connection,
    now: Timestamp,
    longest: Duration,
    slack: Duration,
) -> rusqlite::Result<usize> {
    strangers::clamp(connection, later(now, slack))?;
    // A fetch with a number out of range would never be found.
    connection.execute("UPDATE fetches SET in_vain = 0 WHERE in_vain NOT BETWEEN 0 AND ?1", [IN_VAIN_MAX])?;
    let clamped = connection.execute(
        &format!(
            "UPDATE fetches SET
             due_at = iif(typeof(due_at) IN ('integer', 'null') AND ifnull(due_at, 0) >= 0, min(due_at, ?2), ?1),
             failing_since = iif(failing_since < 0, ?1, min(failing_since, ?1)),
             missing_since = iif(missing_since < 0, ?1, min(missing_since, ?1)),
             began_at = iif(began_at < 0, ?1, min(began_at, ?1)),
             fetched_at = iif(fetched_at BETWEEN 0 AND ?4, fetched_at, NULL),
             attempts = iif(attempts BETWEEN 0 AND 4294967295, attempts, 0)
         {WRONG}"
        ),
        asked(now, longest, slack),
    )?;
    held::recount_all(connection)?;
    Ok(clamped)
}

/// Reads a page of rows, to find damage in them.
pub(super) fn look(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT id, path, asked, attempts, failing_since, missing_since, fetched_at, trusted, due_at, source FROM fetches
         WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    Listed::read("fetches", query.query(params![after, most])?, |row| {
        fetch(row, false)?;
        row.get::<_, Option<i64>>(8)?.map(|at| timestamp(8, at)).transpose()?;
        row.get::<_, String>(9).map(drop)
    })
}

/// Reads waiting messages whose fetch or notification is missing. They would wait for ever.
pub(super) fn look_at_waiting(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT w.fetch, f.id IS NULL FROM fetch_waiting w LEFT JOIN fetches f ON f.id = w.fetch
             LEFT JOIN notifications n ON n.id = w.notification
         WHERE w.fetch > ?1 AND (f.id IS NULL OR n.id IS NULL) ORDER BY w.fetch LIMIT ?2",
    )?;
    Listed::read("fetch_waiting", query.query(params![after, most])?, |row| {
        let missing = if row.get(1)? { "its fetch is missing" } else { "its notification is missing" };
        Err(unreadable(0, Type::Null, missing))
    })
}
