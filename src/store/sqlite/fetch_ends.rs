//! The end of a fetch: waiting messages are read with its response, become dead letters, or wait on.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::columns::micros;
use super::work::{Finished, Work, joined};
use super::{fetches, findings, inbox, outcomes, parked, parking, waiting};
use crate::domain::due::Moment;
use crate::domain::message::Meaning;
use crate::store::{Answered, FetchFailed, FetchSettled, Outcome, StoreOptions};

/// The number of waiting messages that one step ends when a fetch is given up.
const STEP_ROWS: usize = 500;

/// Stores a response and applies its changes, in one piece of work.
pub(super) fn answered(
    connection: &Connection,
    options: &StoreOptions,
    answered: &Answered,
    now: Moment,
) -> rusqlite::Result<FetchSettled> {
    let mut settled = FetchSettled::default();
    let Some((source, _)) = waiting::asked_for(connection, answered.fetch)? else { return Ok(settled) };
    let mut work = Work::new(connection, options, now);
    let mut answer = None;
    for (notification, message, says) in &answered.read {
        let Some(kept) = inbox::kept(connection, *notification)? else { continue };
        let waiter = (*notification, *message);
        // Meanwhile the message may have been judged anew. It then waits for another fetch, or for none.
        if !fetches::serve(connection, answered.fetch, answered.asked, waiter)? {
            continue;
        }
        let answer = match answer {
            Some(answer) => answer,
            None => *answer.insert(insert(connection, answered)?),
        };
        let is_told_again = is_told_again(connection, waiter, &answered.body)?;
        link(connection, waiter, answer)?;
        if kept.hint {
            // The new response contains all news of the earlier responses. Their events may still be parked.
            parked::forget(connection, notification.into_bytes())?;
        }
        if !is_told_again {
            work.note_missing(*notification, &source, says)?;
        }
        findings::understood(connection, &source, *notification, std::slice::from_ref(says))?;
        let (outcome, reasons) = match &says.meaning {
            Meaning::Ignored => (Outcome::Ignored, Vec::new()),
            Meaning::NotUnderstood(reason) => (Outcome::DeadLetter, vec![says.because(reason)]),
            Meaning::Fetch(_) => {
                (Outcome::DeadLetter, vec!["the fetched object only points to another object".to_owned()])
            }
            Meaning::Events(events) => work.place_all(*notification, &source, events)?,
        };
        settled.through.push(outcomes::through(connection, &kept, outcome, joined(&reasons))?);
    }
    settled.crowded_out = parking::crowd_out(connection, &source, options.parked.per_source)?;
    let Finished { owed, led_elsewhere, findings, .. } = work.finish()?;
    settled = FetchSettled { owed, led_elsewhere, findings, ..settled };
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
        settled.through.push(if kept.hint && !trusted && kept.outcome == Outcome::Fetching {
            outcomes::drop_hint(connection, &kept)?
        } else {
            outcomes::through(connection, &kept, Outcome::DeadLetter, Some(failed.reason.clone()))?
        });
    }
    settled.more = fetches::waits(connection, failed.fetch, failed.asked)?;
    if !settled.more {
        fetches::rest(connection, failed.fetch, failed.began, None, false)?;
        fetches::forget_stranger(connection, failed.fetch)?;
    }
    Ok(settled)
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
