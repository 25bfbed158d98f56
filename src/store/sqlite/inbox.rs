//! The inbox: notifications as received, and what became of them.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::columns::{digest, micros, timestamp, unreadable};
use crate::domain::text::shown;
use crate::store::{DeadLetter, Outcome, Taken};

/// What is known of a notification's dedupe key.
pub(super) enum Seen {
    /// Nothing.
    New,
    /// The very same notification, byte for byte: the id of the first, and what it was answered.
    Same(Uuid, Outcome),
    /// The same, and it came to nothing so far: the id of the first.
    DeadLetter(Uuid),
    /// Others of that key, with another content.
    KeyOnly,
}

pub(super) fn seen(connection: &Connection, taken: &Taken) -> rusqlite::Result<Seen> {
    let key = digest(taken.normalised.dedupe_key.as_bytes());
    let same = connection
        .prepare_cached(
            "SELECT id, ifnull(answered, outcome), outcome = 'dead_letter' FROM notifications
             WHERE source = ?1 AND dedupe_key = ?2 AND body_hash = ?3",
        )?
        .query_row(params![taken.source, key, digest(&taken.body)], |row| {
            let (id, answered) = (Uuid::from_bytes(row.get(0)?), row.get::<_, String>(1)?);
            Ok(if row.get(2)? { Seen::DeadLetter(id) } else { Seen::Same(id, outcome(1, &answered)?) })
        })
        .optional()?;
    if let Some(same) = same {
        return Ok(same);
    }
    let used = connection
        .prepare_cached("SELECT 1 FROM notifications WHERE source = ?1 AND dedupe_key = ?2 LIMIT 1")?
        .exists(params![taken.source, key])?;
    Ok(if used { Seen::KeyOnly } else { Seen::New })
}

fn outcome(column: usize, name: &str) -> rusqlite::Result<Outcome> {
    let known = Outcome::ALL.into_iter().find(|outcome| outcome.name() == name);
    known.ok_or_else(|| unreadable(column, Type::Text, format!("no outcome {}", shown(name))))
}

pub(super) fn count_repeat(connection: &Connection, id: Uuid) -> rusqlite::Result<()> {
    let mut count = connection.prepare_cached("UPDATE notifications SET repeats = repeats + 1 WHERE id = ?1")?;
    count.execute([id.into_bytes()]).map(drop)
}

pub(super) fn insert(
    connection: &Connection,
    taken: &Taken,
    outcome: Outcome,
    reason: Option<&str>,
) -> rusqlite::Result<()> {
    let headers = serde_json::to_string(&taken.headers).unwrap_or_default();
    connection
        .prepare_cached(
            "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, reason, headers, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            taken.id.into_bytes(),
            taken.source,
            micros(taken.received_at.wall),
            digest(taken.normalised.dedupe_key.as_bytes()),
            digest(&taken.body),
            outcome.name(),
            reason,
            headers,
            taken.body,
        ])
        .map(drop)
}

/// A parked event of this notification was let go: the notification's outcome follows once no other event of it
/// waits for its record. What `waited_as` says was the event's own reason; those of other events stay.
pub(super) fn released(
    connection: &Connection,
    id: Uuid,
    waited_as: Option<&str>,
    outcome: Outcome,
    reason: Option<&str>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE notifications SET outcome = ?3, reason = ?4, answered = ifnull(answered, outcome)
             WHERE id = ?1 AND (outcome = 'parked' OR reason = ?2)
               AND NOT EXISTS (SELECT 1 FROM parked WHERE notification = ?1 AND reason IS NULL)",
        )?
        .execute(params![id.into_bytes(), waited_as, outcome.name(), reason])
        .map(drop)
}

/// An event of this notification waited for its record in vain. A dead letter keeps the reason that it has.
pub(super) fn waited_in_vain(connection: &Connection, id: Uuid, reason: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE notifications SET outcome = 'dead_letter', reason = ?2, answered = ifnull(answered, outcome)
             WHERE id = ?1 AND outcome <> 'dead_letter'",
        )?
        .execute(params![id.into_bytes(), reason])
        .map(drop)
}

/// A dead letter was sent again and judged anew.
pub(super) fn judged(
    connection: &Connection,
    id: Uuid,
    outcome: Outcome,
    reason: Option<&str>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE notifications SET outcome = ?2, reason = ?3, answered = ?2 WHERE id = ?1")?
        .execute(params![id.into_bytes(), outcome.name(), reason])
        .map(drop)
}

/// The dead letters, the oldest first, from the one after `after` on.
pub(super) fn dead_letters(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Vec<DeadLetter>> {
    connection
        .prepare_cached(
            "SELECT rowid, id, source, received_at, reason FROM notifications
             WHERE outcome = 'dead_letter' AND rowid > ?1 ORDER BY rowid LIMIT ?2",
        )?
        .query_map(params![after, most], |row| {
            Ok(DeadLetter {
                place: row.get(0)?,
                notification: Uuid::from_bytes(row.get(1)?),
                source: row.get(2)?,
                received_at: timestamp(3, row.get(3)?)?,
                reason: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            })
        })?
        .collect()
}
