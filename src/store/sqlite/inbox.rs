//! The inbox: notifications as received, and their outcomes.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::columns::{Listed, digest, in_row, json, micros, timestamp, unreadable};
use crate::domain::text::shown;
use crate::store::{DeadLetter, Hinted, Kept, Outcome, Taken};

/// The kept notifications with the dedupe key of a notification.
pub(super) enum Seen {
    /// None.
    New,
    /// The very same notification, byte for byte.
    Same {
        /// The id of the first.
        id: Uuid,
        /// The outcome that it was answered with.
        outcome: Outcome,
        /// Whether notifications with the same dedupe key and another content came before.
        further: bool,
    },
    /// The very same notification, which is a dead letter.
    DeadLetter {
        /// The id of the first.
        id: Uuid,
        /// Whether notifications with the same dedupe key and another content came before.
        further: bool,
    },
    /// Only notifications with the same dedupe key and another content.
    KeyOnly {
        /// The id of one of them: the first, unless there are more than [`CONTENTS_MAX`].
        one: Uuid,
        /// Whether there is no room for one more content. Only a content that is signed in parts needs room: all of
        /// them may be made from one captured notification.
        full: bool,
    },
}

impl Seen {
    /// The id of a kept notification with the same dedupe key, if another content of that key came before.
    pub(super) const fn after(&self) -> Option<Uuid> {
        match self {
            Self::KeyOnly { one, .. } => Some(*one),
            Self::Same { id, further: true, .. } | Self::DeadLetter { id, further: true } => Some(*id),
            Self::New | Self::Same { .. } | Self::DeadLetter { .. } => None,
        }
    }
}

/// The number of contents that are kept of one dedupe key, where a signature covers only parts of a body. Anybody with
/// a captured notification can make any number of such contents. A body that is signed as a whole is the PSP's own news
/// and has no limit.
pub(super) const CONTENTS_MAX: u32 = 100;
/// Once the contents after the first have so many bytes, there is no room for another large one. Each content may be as
/// large as `server.max_body`. Without this limit, a hundred times that size could be kept for each captured
/// notification.
pub(super) const FURTHER_BYTES_MAX: i64 = 1024 * 1024;
/// A content up to this size is not large. A small content is kept even where large ones have filled their room. A PSP's
/// item has some 2 KB, with its headers.
const LARGE_BYTES: usize = 10 * 1024;

/// The very same notification: its id, the outcome that it was answered with, and whether it is a dead letter.
const SAME: &str = "SELECT id, ifnull(answered, outcome), outcome = 'dead_letter', further, rowid FROM notifications
     WHERE source = ?1 AND dedupe_key = ?2 AND body_hash = ?3 AND hint = 0";
/// A notification of a key that came after a row.
const FOLLOWED: &str = "SELECT 1 FROM notifications
     WHERE source = ?1 AND dedupe_key = ?2 AND body_hash <> dedupe_key AND rowid > ?3";
/// The number of contents of a key, up to a limit, and the row of one. The index has all of this, so that no body is
/// read. Hints are left out: only hints have the same value in both hashes.
const OF_KEY: &str = "SELECT count(*), min(rowid) FROM (SELECT rowid FROM notifications
     WHERE source = ?1 AND dedupe_key = ?2 AND body_hash <> dedupe_key LIMIT ?3)";
/// The bytes of a key's contents that came after a row. SQLite keeps the lengths at the beginning of a row, so that no
/// body is read.
const FURTHER_BYTES: &str = "SELECT ifnull(sum(octet_length(headers) + octet_length(body)), 0) FROM notifications
     WHERE source = ?1 AND dedupe_key = ?2 AND body_hash <> dedupe_key AND rowid > ?3";

/// The most times that one content counts again where states recur. Each costs a look into the index, and a row. Anybody with
/// two captured notifications could send them in turn without end.
const AGAIN_MAX: u32 = 100;

/// The hash by which a repetition is recognised. It covers the body, and the unsigned parts beside the body that were
/// read with it.
fn content(taken: &Taken) -> [u8; 16] {
    let beside = taken.normalised.beside.as_bytes();
    if beside.is_empty() { digest(&taken.body) } else { digest(&[taken.body.as_slice(), beside].concat()) }
}

/// The hash of a content that is new: where states recur, it may have come before, with others after it. Then it is told
/// from the earlier ones by their number.
fn new_content(connection: &Connection, taken: &Taken) -> rusqlite::Result<[u8; 16]> {
    let key = digest(taken.normalised.dedupe_key.as_bytes());
    let mut content = content(taken);
    if taken.normalised.recurs() {
        let mut is_there = connection.prepare_cached(SAME)?;
        while is_there.exists(params![taken.source, key, content])? {
            content = again(content);
        }
    }
    Ok(content)
}

/// The hash of the same content once more.
fn again(content: [u8; 16]) -> [u8; 16] {
    digest(&[content.as_slice(), b"again"].concat())
}

pub(super) fn seen(connection: &Connection, taken: &Taken) -> rusqlite::Result<Seen> {
    let key = digest(taken.normalised.dedupe_key.as_bytes());
    if let Some(same) = same(connection, taken, key)? {
        return Ok(same);
    }
    let Some(kept) = of_key(connection, taken, key)? else { return Ok(Seen::New) };
    let one = connection
        .prepare_cached("SELECT id FROM notifications WHERE rowid = ?1")?
        .query_row([kept.row], |row| row.get(0).map(Uuid::from_bytes))?;
    Ok(Seen::KeyOnly { one, full: taken.partly_signed && is_full(connection, taken, key, &kept)? })
}

/// The very same notification; none where its state recurs and another one of its object came after it. After [`AGAIN_MAX`]
/// times it counts as a repetition.
fn same(connection: &Connection, taken: &Taken, key: [u8; 16]) -> rusqlite::Result<Option<Seen>> {
    let (mut content, mut times) = (content(taken), 0);
    loop {
        let found = connection
            .prepare_cached(SAME)?
            .query_row(params![taken.source, key, content], |row| {
                let (id, answered) = (Uuid::from_bytes(row.get(0)?), row.get::<_, String>(1)?);
                let (is_dead, further, row) = (row.get(2)?, row.get(3)?, row.get::<_, i64>(4)?);
                let seen = match is_dead {
                    true => Seen::DeadLetter { id, further },
                    false => Seen::Same { id, outcome: outcome(1, &answered)?, further },
                };
                Ok((seen, row))
            })
            .optional()?;
        match found {
            Some((_, row))
                if taken.normalised.recurs() && times < AGAIN_MAX && is_followed(connection, taken, key, row)? =>
            {
                content = again(content);
                times += 1;
            }
            found => return Ok(found.map(|(seen, _)| seen)),
        }
    }
}

/// Whether another notification of a dedupe key came after a row.
fn is_followed(connection: &Connection, taken: &Taken, key: [u8; 16], row: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached(FOLLOWED)?.exists(params![taken.source, key, row])
}

/// The contents that are kept of a dedupe key.
pub(super) struct OfKey {
    /// The number of contents, counted up to [`CONTENTS_MAX`].
    contents: u32,
    /// The row of one of them.
    pub(super) row: i64,
}

pub(super) fn of_key(connection: &Connection, taken: &Taken, key: [u8; 16]) -> rusqlite::Result<Option<OfKey>> {
    connection.prepare_cached(OF_KEY)?.query_row(params![taken.source, key, CONTENTS_MAX], |row| {
        let (contents, row): (u32, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(row.map(|row| OfKey { contents, row }))
    })
}

/// Whether a key has no room for this content: the key has too many contents, or this content is large and the contents
/// after the first have too many bytes.
pub(super) fn is_full(connection: &Connection, taken: &Taken, key: [u8; 16], kept: &OfKey) -> rusqlite::Result<bool> {
    let headers = taken.headers.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum::<usize>();
    let is_large = taken.body.len().saturating_add(headers) > LARGE_BYTES;
    if kept.contents >= CONTENTS_MAX || !is_large {
        return Ok(kept.contents >= CONTENTS_MAX);
    }
    let bytes: i64 =
        connection.prepare_cached(FURTHER_BYTES)?.query_row(params![taken.source, key, kept.row], |row| row.get(0))?;
    Ok(bytes >= FURTHER_BYTES_MAX)
}

pub(super) fn outcome(column: usize, name: &str) -> rusqlite::Result<Outcome> {
    let known = Outcome::ALL.into_iter().find(|outcome| outcome.name() == name);
    known.ok_or_else(|| unreadable(column, Type::Text, format!("no outcome {}", shown(name))))
}

pub(super) fn count_repeat(connection: &Connection, id: Uuid) -> rusqlite::Result<()> {
    let mut count = connection.prepare_cached("UPDATE notifications SET repeats = repeats + 1 WHERE id = ?1")?;
    count.execute([id.into_bytes()]).map(drop)
}

/// The outcome of a notification so far.
#[derive(Debug, Clone)]
pub(super) struct Became {
    /// The outcome of the whole notification.
    pub(super) outcome: Outcome,
    /// The outcome of the judged messages, while others wait for fetches.
    pub(super) through: Option<Outcome>,
    /// The reason, if it is a dead letter.
    pub(super) reason: Option<String>,
    /// Whether this notification was the first with one of its signed texts, as far as that is remembered.
    pub(super) tells_first: bool,
}

pub(super) fn insert(connection: &Connection, taken: &Taken, became: &Became) -> rusqlite::Result<()> {
    let headers = serde_json::to_string(&taken.headers).unwrap_or_default();
    connection
        .prepare_cached(
            "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, reason, headers, body,
                 form, signed_at, became, kept_since, tells_first, further)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?16, ?14 AND (?15 OR NOT ?16 AND EXISTS (
                 SELECT 1 FROM notifications WHERE source = ?2 AND dedupe_key = ?4 AND body_hash <> dedupe_key)))",
        )?
        .execute(params![
            taken.id.into_bytes(),
            taken.source,
            micros(taken.received_at.wall),
            digest(taken.normalised.dedupe_key.as_bytes()),
            new_content(connection, taken)?,
            became.outcome.name(),
            became.reason,
            headers,
            taken.body,
            taken.form,
            taken.signed_at,
            became.through.map(Outcome::name),
            micros(taken.received_at.steady),
            taken.partly_signed,
            taken.normalised.is_made_up(),
            became.tells_first,
        ])
        .map(drop)
}

/// The id of the notification that is kept for the hints at an object.
pub(super) fn hint(connection: &Connection, source: &str, path: &str) -> rusqlite::Result<Option<Uuid>> {
    connection
        .prepare_cached(
            "SELECT id FROM notifications WHERE source = ?1 AND dedupe_key = ?2 AND body_hash = ?2 AND hint = 1",
        )?
        .query_row(params![source, digest(path.as_bytes())], |row| row.get(0).map(Uuid::from_bytes))
        .optional()
}

/// Inserts the notification of a hint. Only its call is kept, in the column of the body.
pub(super) fn insert_hint(connection: &Connection, id: Uuid, hinted: &Hinted, path: &str) -> rusqlite::Result<()> {
    let hash = digest(path.as_bytes());
    connection
        .prepare_cached(
            "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body, form, hint,
                 kept_since)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, '[]', ?6, ?7, 1, ?8)",
        )?
        .execute(params![
            id.into_bytes(),
            hinted.source,
            micros(hinted.received_at.wall),
            hash,
            Outcome::Fetching.name(),
            path.as_bytes(),
            hinted.form,
            micros(hinted.received_at.steady),
        ])
        .map(drop)
}

/// A notification as it is kept.
pub(super) fn kept(connection: &Connection, id: Uuid) -> rusqlite::Result<Option<Kept>> {
    connection
        .prepare_cached(
            "SELECT source, received_at, headers, body, form, signed_at, hint, outcome FROM notifications WHERE id = ?1",
        )?
        .query_row([id.into_bytes()], |row| {
            Ok(Kept {
                id,
                source: row.get(0)?,
                received_at: timestamp(1, row.get(1)?)?,
                headers: json(2, row.get_ref(2)?.as_str()?)?,
                body: row.get(3)?,
                form: row.get(4)?,
                signed_at: row.get(5)?,
                hint: row.get(6)?,
                outcome: outcome(7, &row.get::<_, String>(7)?)?,
            })
        })
        .map_err(in_row("notifications", id))
        .optional()
}

/// Whether a notification is kept.
pub(super) fn is_kept(connection: &Connection, id: Uuid) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM notifications WHERE id = ?1")?.exists([id.into_bytes()])
}

/// The outcome of a notification's judged messages while others wait for fetches, and the reason if it is a dead
/// letter.
pub(super) fn through(connection: &Connection, id: Uuid) -> rusqlite::Result<(Option<Outcome>, Option<String>)> {
    let (through, reason): (Option<String>, Option<String>) = connection
        .prepare_cached("SELECT became, reason FROM notifications WHERE id = ?1")?
        .query_row([id.into_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(in_row("notifications", id))?;
    let through = through.map(|name| outcome(0, &name)).transpose().map_err(in_row("notifications", id))?;
    Ok((through, reason))
}

/// Deletes a notification. Its rows in other tables must be deleted before.
pub(super) fn delete(connection: &Connection, id: Uuid) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM notifications WHERE id = ?1")?.execute([id.into_bytes()]).map(drop)
}

/// Sets a notification's outcome. `answered` keeps the first outcome: the PSP was answered with that one.
pub(super) fn set(connection: &Connection, id: Uuid, became: &Became) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE notifications SET outcome = ?2, became = ?3, reason = ?4, answered = ifnull(answered, outcome)
             WHERE id = ?1",
        )?
        .execute(params![id.into_bytes(), became.outcome.name(), became.through.map(Outcome::name), became.reason,])
        .map(drop)
}

/// Sets the outcome of a dead letter that was sent again, or replayed, and judged anew.
pub(super) fn judged(connection: &Connection, taken: &Taken, id: Uuid, became: &Became) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE notifications SET outcome = ?2, reason = ?3, answered = ?2, became = ?4, form = ?5, signed_at = ?6
             WHERE id = ?1",
        )?
        .execute(params![
            id.into_bytes(),
            became.outcome.name(),
            became.reason,
            became.through.map(Outcome::name),
            taken.form,
            taken.signed_at,
        ])
        .map(drop)
}

/// Reads a page of rows, without their bodies, to find damage in them.
pub(super) fn look(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT rowid, id, source, received_at, headers, outcome, answered FROM notifications
         WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
    )?;
    Listed::read("notifications", query.query(params![after, most])?, |row| {
        row.get::<_, [u8; 16]>(1)?;
        row.get::<_, String>(2)?;
        timestamp(3, row.get(3)?)?;
        json::<Vec<(String, String)>>(4, row.get_ref(4)?.as_str()?)?;
        outcome(5, &row.get::<_, String>(5)?)?;
        row.get::<_, Option<String>>(6)?.map_or(Ok(()), |answered| outcome(6, &answered).map(drop))
    })
}

/// The dead letters after the cursor `after`, the oldest first.
pub(super) fn dead_letters(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<DeadLetter>> {
    let mut query = connection.prepare_cached(
        "SELECT rowid, id, source, received_at, reason FROM notifications
         WHERE outcome = 'dead_letter' AND rowid > ?1 ORDER BY rowid LIMIT ?2",
    )?;
    Listed::read("notifications", query.query(params![after, most])?, |row| {
        Ok(DeadLetter {
            cursor: row.get(0)?,
            notification: Uuid::from_bytes(row.get(1)?),
            source: row.get(2)?,
            received_at: timestamp(3, row.get(3)?)?,
            reason: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        })
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::due::Moment;
    use crate::domain::message::{Meaning, Message, Normalised};

    fn plan(connection: &Connection, question: &str) -> String {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
        let rows = plan.query_map(params!["s", [0_u8; 16], 1], |row| row.get::<_, String>(3)).unwrap();
        rows.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("\n")
    }

    /// Two contents of one object in turn, without end.
    #[test]
    fn a_content_recurs_so_often_and_is_a_repetition_then() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let message = Message { recurs: true, ..Message::new("state".to_owned(), Meaning::Ignored) };
        let at = Moment { wall: Timestamp::UNIX_EPOCH, steady: Timestamp::UNIX_EPOCH };
        let told = |n: u32| Taken {
            id: Uuid::from_u128(u128::from(n)),
            source: "s".to_owned(),
            received_at: at,
            headers: Vec::new(),
            body: vec![u8::from(n.is_multiple_of(2))],
            form: "form".to_owned(),
            signed_at: None,
            partly_signed: false,
            vouched: false,
            is_pointer: false,
            normalised: Normalised {
                dedupe_key: "object".to_owned(),
                beside: String::new(),
                messages: vec![message.clone()],
            },
        };
        let is_same = |n| matches!(seen(&connection, &told(n)).unwrap(), Seen::Same { .. });
        let judged = Became { outcome: Outcome::Ignored, through: None, reason: None, tells_first: false };
        let most = 2 * (AGAIN_MAX + 1);
        for n in 0..most {
            assert!(!is_same(n), "{n}");
            insert(&connection, &told(n), &judged).unwrap();
        }
        assert!(is_same(most) && is_same(most + 1));
    }

    #[test]
    fn a_notification_is_found_without_looking_at_others_of_its_key() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let same = plan(&connection, SAME);
        assert!(same.contains("notifications_by_content (source=? AND dedupe_key=? AND body_hash=?)"), "{same}");
        let of_key = plan(&connection, OF_KEY);
        assert!(of_key.contains("COVERING INDEX notifications_by_content"), "{of_key}");
        let followed = plan(&connection, FOLLOWED);
        assert!(followed.contains("INDEX notifications_by_content (source=? AND dedupe_key=?"), "{followed}");
        let bytes = plan(&connection, FURTHER_BYTES);
        assert!(bytes.contains("INDEX notifications_by_content (source=? AND dedupe_key=?"), "{bytes}");
    }
}
