//! Outcomes of notifications that change later: once their events are released or taken back, or have waited in vain.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::columns::in_row;
use super::inbox::{kept, outcome};
use super::parked;
use super::way::ANY_CAPTURE;
use crate::store::Outcome;

/// The outcome of a notification, and its reason if it is a dead letter.
pub(super) fn outcome_of(connection: &Connection, id: Uuid) -> rusqlite::Result<Option<(Outcome, Option<String>)>> {
    connection
        .prepare_cached("SELECT outcome, reason FROM notifications WHERE id = ?1")?
        .query_row([id.into_bytes()], |row| Ok((outcome(0, &row.get::<_, String>(0)?)?, row.get(1)?)))
        .map_err(in_row("notifications", id))
        .optional()
}

/// Whether a notification is a dead letter since an event of it could be meant for any of several captures.
pub(super) fn is_of_any_capture(connection: &Connection, id: Uuid) -> rusqlite::Result<bool> {
    let kept = outcome_of(connection, id)?;
    Ok(kept.is_some_and(|(outcome, reason)| {
        outcome == Outcome::DeadLetter && reason.is_some_and(|reason| reason.contains(ANY_CAPTURE))
    }))
}

/// Sets the outcome of a notification after one of its parked events was released. The outcome stays while another of
/// its events waits for a record. A companion changes only an outcome that says that nothing changed, or that its event could
/// be meant for any of several captures.
pub(super) fn released(
    connection: &Connection,
    id: Uuid,
    companion: bool,
    outcome: Outcome,
    reason: Option<&str>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE notifications SET outcome = ?3, reason = ?4, answered = ifnull(answered, outcome)
             WHERE id = ?1 AND (outcome = 'parked' AND NOT ?2 OR ?2 AND outcome IN ('ignored', 'repeated', 'stale')
               OR ?2 AND outcome = 'dead_letter' AND instr(reason, ?5) AND NOT instr(reason, '; '))
               AND (?3 = 'parked' OR NOT EXISTS (SELECT 1 FROM parked WHERE notification = ?1 AND reason IS NULL))",
        )?
        .execute(params![id.into_bytes(), companion, outcome.name(), reason, ANY_CAPTURE])
        .map(drop)
}

/// Sets the outcome of a notification after an event of it was taken back from a record. What became of the event now counts
/// only if it waits, or is a dead letter. Nothing can wait any more for a notification that was deleted.
pub(super) fn taken_back(
    connection: &Connection,
    id: Uuid,
    outcome: Outcome,
    reason: Option<&str>,
) -> rusqlite::Result<()> {
    match outcome {
        Outcome::DeadLetter | Outcome::Parked if kept(connection, id)?.is_none() => {
            parked::forget(connection, id.into_bytes())
        }
        Outcome::DeadLetter => waited_in_vain(connection, id, reason.unwrap_or_default()),
        Outcome::Parked => connection
            .prepare_cached(
                "UPDATE notifications SET outcome = 'parked', answered = ifnull(answered, outcome)
                 WHERE id = ?1 AND outcome NOT IN ('dead_letter', 'fetching')",
            )?
            .execute([id.into_bytes()])
            .map(drop),
        _ => Ok(()),
    }
}

/// Makes a notification a dead letter, since an event of it waited for its record in vain. A dead letter keeps the reason
/// that it has.
pub(super) fn waited_in_vain(connection: &Connection, id: Uuid, reason: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE notifications SET outcome = 'dead_letter', reason = ?2, answered = ifnull(answered, outcome)
             WHERE id = ?1 AND outcome <> 'dead_letter'",
        )?
        .execute(params![id.into_bytes(), reason])
        .map(drop)
}
