//! The end of a fetch: waiting messages are read with its response, become dead letters, or wait on.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::columns::micros;
use super::decide::at_once;
use super::{fetches, inbox, waiting};
use crate::domain::due::Moment;
use crate::store::core::fetched::{self, Served};
use crate::store::core::inbox as notifications;
use crate::store::core::outcomes;
use crate::store::{Answered, FetchFailed, FetchSettled, Outcome, StoreOptions, Through};

/// The number of waiting messages that one step ends when a fetch is given up.
const STEP_ROWS: usize = 500;

/// Stores a response and applies its changes, in one piece of work.
pub(super) fn answered(
    connection: &Connection,
    options: &StoreOptions,
    answered: &Answered,
    now: Moment,
) -> rusqlite::Result<FetchSettled> {
    let Some((source, _)) = waiting::asked_for(connection, answered.fetch)? else { return Ok(FetchSettled::default()) };
    let (mut answer, mut served) = (None, Vec::new());
    for (notification, message, says) in &answered.read {
        let waiter = (*notification, *message);
        // Meanwhile the message may have been judged anew. It then waits for another fetch, or for none.
        if inbox::kept(connection, *notification)?.is_none()
            || !fetches::serve(connection, answered.fetch, answered.asked, waiter)?
        {
            continue;
        }
        let answer = match answer {
            Some(answer) => answer,
            None => *answer.insert(insert(connection, answered)?),
        };
        let is_told_again = is_told_again(connection, waiter, &answered.body)?;
        link(connection, waiter, answer)?;
        served.push(Served { notification: *notification, says, is_told_again });
    }
    let mut settled = at_once(connection, |set| fetched::apply(set, options, &source, &served, now))?;
    settled.more = fetches::waits(connection, answered.fetch, answered.asked)?;
    if !settled.more {
        fetches::rest(connection, answered.fetch, answered.began, Some(answered.fetched_at), !settled.owed.is_empty())?;
    }
    Ok(settled)
}

/// Settles a failed fetch: it is tried again later, or is given up.
pub(super) fn failed(connection: &Connection, failed: &FetchFailed) -> rusqlite::Result<FetchSettled> {
    let mut settled = FetchSettled::default();
    if let Some(again) = failed.again {
        fetches::retry(connection, failed, again)?;
        return Ok(settled);
    }
    let Some((_, trusted)) = waiting::asked_for(connection, failed.fetch)? else { return Ok(settled) };
    for waiting in waiting::awaiting(connection, failed.fetch, failed.asked, STEP_ROWS)? {
        let kept = waiting.notification;
        let waiter = (kept.id, waiting.message);
        fetches::serve(connection, failed.fetch, failed.asked, waiter)?;
        // A message that has asked again since is judged by the next fetch. As a dead letter it would stay one,
        // whatever that fetch brings.
        if fetches::waits_on(connection, failed.fetch, waiter)? {
            continue;
        }
        // A stranger may have made up the object, so that its hint is dropped. But if the object is known, a dropped
        // hint would be lost news.
        let is_dropped = kept.hint && !trusted && kept.outcome == Outcome::Fetching;
        settled.through.push(if is_dropped {
            drop_hint(connection, kept.id)?
        } else {
            in_vain(connection, kept.id, &failed.reason)?
        });
    }
    settled.more = fetches::waits(connection, failed.fetch, failed.asked)?;
    if !settled.more {
        fetches::rest(connection, failed.fetch, failed.began, None, false)?;
        fetches::forget_stranger(connection, failed.fetch)?;
    }
    Ok(settled)
}

/// Makes a notification a dead letter, since its fetch was given up.
fn in_vain(connection: &Connection, id: Uuid, reason: &str) -> rusqlite::Result<Through> {
    at_once(connection, |set| match notifications::find(set, id)? {
        Some(kept) => outcomes::through(set, &kept, Outcome::DeadLetter, Some(reason.to_owned())),
        None => Ok(Through { notification: id, outcome: None, reason: None }),
    })
}

/// Deletes a hint that brought nothing new, unless it still waits for a fetch.
pub(super) fn drop_hint(connection: &Connection, id: Uuid) -> rusqlite::Result<Through> {
    at_once(connection, |set| match notifications::find(set, id)? {
        Some(kept) => outcomes::drop_hint(set, &kept),
        None => Ok(Through { notification: id, outcome: None, reason: None }),
    })
}

fn insert(connection: &Connection, answered: &Answered) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO answers (fetched_at, body) VALUES (?1, ?2)")?
        .insert(params![micros(answered.fetched_at), answered.body])
}

/// Whether a message was read with the same response before: it is judged anew, and is no news.
fn is_told_again(
    connection: &Connection,
    (notification, message): (Uuid, usize),
    body: &[u8],
) -> rusqlite::Result<bool> {
    let message = i64::try_from(message).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT 1 FROM answered d JOIN answers a ON a.id = d.answer
             WHERE d.notification = ?1 AND d.message = ?2 AND a.body = ?3",
        )?
        .exists(params![notification.into_bytes(), message, body])
}

/// Links a message to the response that it was read with, instead of an earlier one.
fn link(connection: &Connection, (notification, message): (Uuid, usize), answer: i64) -> rusqlite::Result<()> {
    let message = i64::try_from(message).unwrap_or(i64::MAX);
    connection
        .prepare_cached("DELETE FROM answered WHERE notification = ?1 AND message = ?2")?
        .execute(params![notification.into_bytes(), message])?;
    connection
        .prepare_cached("INSERT INTO answered (notification, message, answer) VALUES (?1, ?2, ?3)")?
        .execute(params![notification.into_bytes(), message, answer])
        .map(drop)
}
