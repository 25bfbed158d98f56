//! Outcomes of notifications that change later: once their events are released or taken back, or have waited in vain.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::columns::in_row;
use super::inbox::{kept, outcome};
use super::parked::{self, Pending};
use super::way::ANY_CAPTURE;
use crate::domain::event::Event;
use crate::store::Outcome;

/// The outcome of a notification, and its reason if it is a dead letter.
pub(super) fn outcome_of(connection: &Connection, id: Uuid) -> rusqlite::Result<Option<(Outcome, Option<String>)>> {
    connection
        .prepare_cached("SELECT outcome, reason FROM notifications WHERE id = ?1")?
        .query_row([id.into_bytes()], |row| Ok((outcome(0, &row.get::<_, String>(0)?)?, row.get(1)?)))
        .map_err(in_row("notifications", id))
        .optional()
}

/// Whether a notification is a dead letter since this event of it could be meant for any of several captures.
pub(super) fn is_of_any_capture(connection: &Connection, pending: &Pending) -> rusqlite::Result<bool> {
    let Some((Outcome::DeadLetter, Some(reason))) = outcome_of(connection, pending.notification)? else {
        return Ok(false);
    };
    Ok(Reasons::of(&reason).of_any_capture(&pending.event).is_some())
}

/// The reasons of a dead letter.
struct Reasons(Vec<String>);

impl Reasons {
    fn of(joined: &str) -> Self {
        Self(joined.split("; ").filter(|reason| !reason.is_empty()).map(str::to_owned).collect())
    }

    /// The place of the reason that this event could be meant for any of several captures.
    fn of_any_capture(&self, event: &Event) -> Option<usize> {
        let begins = format!("{}{ANY_CAPTURE}", event.event_type);
        self.0.iter().position(|reason| reason.starts_with(&begins))
    }

    fn joined(&self) -> Option<String> {
        Some(self.0.join("; ")).filter(|joined| !joined.is_empty())
    }
}

/// Sets the outcome of a notification after one of its parked events was released. It stays a dead letter while it has another
/// reason, and parked while another of its events waits for a record. What waited in silence changes only an outcome that says that
/// nothing changed, or takes its own reason from a dead letter.
pub(super) fn released(
    connection: &Connection,
    pending: &Pending,
    outcome: Outcome,
    reason: Option<&str>,
) -> rusqlite::Result<()> {
    let (id, is_silent) = (pending.notification, pending.event.companion);
    let Some((was, known)) = outcome_of(connection, id)? else { return Ok(()) };
    let mut reasons = Reasons::of(known.as_deref().unwrap_or_default());
    let solved = reasons.of_any_capture(&pending.event).filter(|_| is_silent);
    let counts = match was {
        Outcome::Parked => !is_silent,
        Outcome::Ignored | Outcome::Repeated | Outcome::Stale => is_silent,
        Outcome::DeadLetter => solved.is_some() || !is_silent && outcome == Outcome::DeadLetter,
        _ => false,
    };
    if !counts {
        return Ok(());
    }
    solved.map(|solved| reasons.0.remove(solved));
    reasons.0.extend(reason.map(str::to_owned));
    let outcome = match outcome {
        _ if !reasons.0.is_empty() => Outcome::DeadLetter,
        _ if parked::holds_in_view(connection, id)? => Outcome::Parked,
        outcome => outcome,
    };
    set(connection, id, outcome, reasons.joined())
}

fn set(connection: &Connection, id: Uuid, outcome: Outcome, reason: Option<String>) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE notifications SET outcome = ?2, reason = ?3, answered = ifnull(answered, outcome) WHERE id = ?1",
        )?
        .execute(params![id.into_bytes(), outcome.name(), reason])
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
        Outcome::DeadLetter => match outcome_of(connection, id)? {
            // It waits in silence, and takes its own reason away once that is solved.
            Some((Outcome::DeadLetter, Some(known))) => {
                let mut reasons = Reasons::of(&known);
                reasons.0.extend(reason.map(str::to_owned));
                set(connection, id, outcome, reasons.joined())
            }
            _ => waited_in_vain(connection, id, reason.unwrap_or_default()),
        },
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
