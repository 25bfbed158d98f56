//! The queue of what is fetched from the PSPs: one row for each object, and who waits for it.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::columns::{in_row, micros, timestamp};
use super::{inbox, strangers};
use crate::domain::due::later;
use crate::store::{Awaiting, Fetch, FetchFailed, FetchesSought};

/// An object is fetched again no sooner than this after its last fetch began, so that a burst of news of it, or somebody who
/// points to it again and again, costs two fetches.
const SPACING: Duration = Duration::from_secs(1);

/// An object that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) fetch: i64,
    /// How often it was asked for by now.
    pub(super) asked: i64,
}

/// Who asks for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker<'a> {
    /// The PSP, or somebody who names an object of ours.
    Trusted,
    /// Anybody.
    Stranger {
        /// Whose place it takes.
        address: &'a str,
        /// It is fetched after what strangers have asked for whose turn is earlier.
        turn: Timestamp,
    },
}

/// Asks for an object: who asks while it is being fetched has it fetched once more. News that can be trusted begins its
/// patience anew; a stranger's does not. No row gets the id of another one that was deleted: a fetch may still be under way
/// for that.
pub(super) fn ask(
    connection: &Connection,
    source: &str,
    path: &str,
    asker: Asker<'_>,
    now: Timestamp,
) -> rusqlite::Result<Asked> {
    let (trusted, address, turn) = match asker {
        Asker::Trusted => (true, "", now),
        Asker::Stranger { address, turn } => (false, address, turn),
    };
    connection
        .prepare_cached(
            "INSERT INTO fetches (id, source, path, trusted, asked, due_at, hinted_by, turn)
             VALUES (max(?4, (SELECT ifnull(max(id), 0) + 1 FROM fetches)), ?1, ?2, ?3, 1, ?4, ?6, ?7)
             ON CONFLICT (source, path) DO UPDATE SET
                 asked = asked + 1,
                 trusted = iif(due_at IS NULL, excluded.trusted, max(trusted, excluded.trusted)),
                 hinted_by = iif(due_at IS NULL, excluded.hinted_by, hinted_by),
                 turn = iif(due_at IS NULL, excluded.turn, turn),
                 failing_since = iif(excluded.trusted, NULL, failing_since),
                 missing_since = iif(excluded.trusted, NULL, missing_since),
                 due_at = ifnull(due_at, min(max(?4, ifnull(began_at, 0) + ?5), ?4 + ?5))
             RETURNING id, asked",
        )?
        .query_row(params![source, path, trusted, micros(now), spacing(), address, micros(turn)], |row| {
            Ok(Asked { fetch: row.get(0)?, asked: row.get(1)? })
        })
}

/// Whether anybody waits for an object.
pub(super) fn is_waited_for(connection: &Connection, source: &str, path: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM fetches WHERE source = ?1 AND path = ?2 AND due_at IS NOT NULL")?
        .exists([source, path])
}

fn spacing() -> i64 {
    i64::try_from(SPACING.as_micros()).unwrap_or(i64::MAX)
}

/// A message waits for an object that it asked for. One that waits already is served by the next answer, and waits on for
/// another: who asks again and again does not wait for ever.
pub(super) fn wait(connection: &Connection, asked: Asked, notification: Uuid, message: usize) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO fetch_waiting (fetch, notification, message, asked) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (fetch, notification, message) DO UPDATE SET again = excluded.asked",
        )?
        .execute(params![asked.fetch, notification.into_bytes(), place(message), asked.asked])
        .map(drop)
}

fn place(message: usize) -> i64 {
    i64::try_from(message).unwrap_or(i64::MAX)
}

/// Whether the notification waits for any fetch.
pub(super) fn awaits(connection: &Connection, notification: Uuid) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM fetch_waiting WHERE notification = ?1")?
        .exists([notification.into_bytes()])
}

/// The notification waits no more: it is judged anew. What nobody waits for is fetched in vain, once.
pub(super) fn forget(connection: &Connection, notification: Uuid) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM fetch_waiting WHERE notification = ?1")?
        .execute([notification.into_bytes()])
        .map(drop)
}

fn fetch(row: &Row<'_>) -> rusqlite::Result<(Fetch, String)> {
    let id: i64 = row.get(0)?;
    fetch_of(row, id).map_err(in_row("fetches", id))
}

fn fetch_of(row: &Row<'_>, id: i64) -> rusqlite::Result<(Fetch, String)> {
    let at = |column: usize| row.get::<_, Option<i64>>(column)?.map(|at| timestamp(column, at)).transpose();
    let fetch = Fetch {
        id,
        path: row.get(1)?,
        asked: row.get(2)?,
        attempts: row.get(3)?,
        failing_since: at(4)?,
        missing_since: at(5)?,
        fetched_at: at(6)?,
        trusted: row.get(7)?,
        scarce: false,
    };
    Ok((fetch, row.get(8)?))
}

/// The fetches that are sought: those that can be trusted first, by their due times; then strangers', by their turns.
pub(super) fn due(connection: &Connection, sought: &FetchesSought) -> rusqlite::Result<Vec<Fetch>> {
    const OF: &str = "SELECT id, path, asked, attempts, failing_since, missing_since, fetched_at, trusted, hinted_by
         FROM fetches WHERE source = ?1 AND due_at <= ?2 AND";
    let now = micros(sought.now);
    let trusted: Vec<_> = connection
        .prepare_cached(&format!("{OF} trusted = 1 ORDER BY due_at LIMIT ?3"))?
        .query_map(params![sought.source, now, place(sought.most)], fetch)?
        .collect::<rusqlite::Result<_>>()?;
    let left = sought.strangers.min(sought.most.saturating_sub(trusted.len()));
    let strangers: Vec<_> = connection
        .prepare_cached(&format!("{OF} trusted = 0 ORDER BY max(turn, due_at) LIMIT ?3"))?
        .query_map(params![sought.source, now, place(left)], fetch)?
        .collect::<rusqlite::Result<_>>()?;
    let mut due: Vec<Fetch> = trusted.into_iter().map(|(fetch, _)| fetch).collect();
    for (fetch, address) in strangers {
        let (all, own) = strangers::held(connection, &sought.source, &address)?;
        due.push(Fetch { scarce: sought.places.scarce(all, own), ..fetch });
    }
    Ok(due)
}

/// When the next fetch of a source is due that is not due yet.
pub(super) fn next_due(connection: &Connection, source: &str, now: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
    let mut query = connection
        .prepare_cached("SELECT min(due_at) FROM fetches WHERE source = ?1 AND trusted = ?2 AND due_at > ?3")?;
    let mut next = None;
    for trusted in [true, false] {
        let due: Option<i64> = query.query_row(params![source, trusted, micros(now)], |row| row.get(0))?;
        let due = due.map(|at| timestamp(0, at)).transpose()?;
        next = next.into_iter().chain(due).min();
    }
    Ok(next)
}

/// How much waits, by source.
pub(super) fn backlog(connection: &Connection) -> rusqlite::Result<Vec<(String, u32)>> {
    let mut query =
        connection.prepare("SELECT source, count(*) FROM fetches WHERE due_at IS NOT NULL GROUP BY source")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Up to `most` messages that had asked by then.
pub(super) fn awaiting(
    connection: &Connection,
    fetch: i64,
    asked: i64,
    most: usize,
) -> rusqlite::Result<Vec<Awaiting>> {
    let waiting: Vec<([u8; 16], i64)> = connection
        .prepare_cached("SELECT notification, message FROM fetch_waiting WHERE fetch = ?1 AND asked <= ?2 LIMIT ?3")?
        .query_map(params![fetch, asked, place(most)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut awaiting = Vec::new();
    for (id, message) in waiting {
        let notification = inbox::kept(connection, Uuid::from_bytes(id))?;
        let message = usize::try_from(message).unwrap_or_default();
        awaiting.extend(notification.map(|notification| Awaiting { notification, message }));
    }
    Ok(awaiting)
}

/// Whether a message waits for this fetch.
pub(super) fn waits_on(
    connection: &Connection,
    fetch: i64,
    (notification, message): (Uuid, usize),
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM fetch_waiting WHERE fetch = ?1 AND notification = ?2 AND message = ?3")?
        .exists(params![fetch, notification.into_bytes(), place(message)])
}

/// Who had asked by then waits no more; but who has asked once more since waits on. Says whether it had waited.
pub(super) fn serve(
    connection: &Connection,
    fetch: i64,
    asked: i64,
    (notification, message): (Uuid, usize),
) -> rusqlite::Result<bool> {
    let key = params![fetch, notification.into_bytes(), place(message), asked];
    let waits_on = connection
        .prepare_cached(
            "UPDATE fetch_waiting SET asked = again, again = NULL
             WHERE fetch = ?1 AND notification = ?2 AND message = ?3 AND asked <= ?4 AND again > ?4",
        )?
        .execute(key)?;
    let done = connection
        .prepare_cached(
            "DELETE FROM fetch_waiting WHERE fetch = ?1 AND notification = ?2 AND message = ?3 AND asked <= ?4",
        )?
        .execute(params![fetch, notification.into_bytes(), place(message), asked])?;
    Ok(waits_on + done > 0)
}

/// Whether anybody who had asked by then still waits.
pub(super) fn waits(connection: &Connection, fetch: i64, asked: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM fetch_waiting WHERE fetch = ?1 AND asked <= ?2")?
        .exists(params![fetch, asked])
}

/// The object was fetched, and all who had asked by then are served: whoever asked since has it fetched once more.
pub(super) fn rest(
    connection: &Connection,
    fetch: i64,
    began: Timestamp,
    fetched_at: Option<Timestamp>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE fetches SET attempts = 0, failing_since = NULL, missing_since = NULL, reason = NULL,
                 began_at = ?2, fetched_at = ifnull(?3, fetched_at),
                 due_at = iif(EXISTS (SELECT 1 FROM fetch_waiting WHERE fetch = ?1), ?2 + ?4, NULL)
             WHERE id = ?1",
        )?
        .execute(params![fetch, micros(began), fetched_at.map(micros), spacing()])
        .map(drop)
}

/// Nothing is remembered of what a stranger may have made up.
pub(super) fn forget_stranger(connection: &Connection, fetch: i64) -> rusqlite::Result<()> {
    let mut delete =
        connection.prepare_cached("DELETE FROM fetches WHERE id = ?1 AND trusted = 0 AND due_at IS NULL")?;
    delete.execute([fetch]).map(drop)
}

/// A fetch failed, and is tried again.
pub(super) fn retry(connection: &Connection, failed: &FetchFailed, again: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE fetches SET attempts = attempts + 1, failing_since = ifnull(failing_since, ?2),
                 missing_since = iif(?3, ifnull(missing_since, ?2), NULL), reason = ?4, due_at = ?5, began_at = ?2
             WHERE id = ?1",
        )?
        .execute(params![failed.fetch, micros(failed.began), failed.missing, failed.reason, micros(again)])
        .map(drop)
}

/// The source and the call of a fetch, and whether others than strangers have spoken of its object.
pub(super) fn asked_for(connection: &Connection, fetch: i64) -> rusqlite::Result<Option<(String, bool)>> {
    let found: Option<(String, String, bool)> = connection
        .prepare_cached("SELECT source, path, trusted FROM fetches WHERE id = ?1")?
        .query_row([fetch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((source, path, trusted)) = found else { return Ok(None) };
    let trusted = trusted || strangers::is_known(connection, &source, &path)?;
    Ok(Some((source, trusted)))
}

/// Brings back times that lie further ahead than any wait is long, and failures of times to come: see [`super::outbox::clamp`].
pub(super) fn clamp(connection: &Connection, now: Timestamp, longest: Duration) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE fetches SET due_at = min(due_at, ?2), failing_since = min(failing_since, ?1),
             missing_since = min(missing_since, ?1), began_at = min(began_at, ?1)
         WHERE due_at > ?2 OR failing_since > ?1 OR missing_since > ?1 OR began_at > ?1",
        [micros(now), micros(later(now, longest))],
    )
}

pub(super) const FORGOTTEN: &str = "DELETE FROM fetches WHERE id IN (
    SELECT id FROM fetches WHERE due_at IS NULL AND began_at < ?1 ORDER BY began_at LIMIT ?2)";

/// Forgets when objects were fetched that nobody has asked for since.
pub(super) fn prune(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<usize> {
    connection.prepare_cached(FORGOTTEN)?.execute(params![micros(cutoff), most])
}
