//! The past in a store, for reading it again (replay), even while a relay runs on the store.
//!
//! The store is read in pages, each in a read transaction of its own. While a read transaction is open the WAL cannot
//! be shortened, and reading a whole store may take minutes. So the pages show different moments, and their reader must
//! allow for that.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::columns::{damage, fact, in_row, micros, timestamp, unreadable};
use super::engine::{self, Access};
use super::inbox::unpacked;
use super::pages::each;
use super::records::{record_columns, stored};
use super::whose::{self, Whose};
use super::{files, journal, lock, migrations, placed};
use crate::domain::event::Event;
use crate::domain::ids::{Kind, TransformId};
use crate::domain::record::Record;
use crate::store::core::history::BY_REREAD;
use crate::store::core::parked::ReleaseKey;
use crate::store::rehearsal::{Past, PastAnswer, RehearsalError, Wanted};

/// The schema version since which forms and fetched responses are stored.
const FETCHES_SINCE: i64 = 3;
/// The schema version since which notifications are packed.
const PACKED_SINCE: i64 = 19;
/// The schema version since which first times are stored.
const FIRST_TIMES_SINCE: i64 = 6;

/// Reads a store, at rest if possible. A store with nothing in its WAL is read as a file that nobody changes, so that
/// SQLite makes no files beside it. If there is something in the WAL afterwards, a relay has begun to write meanwhile.
/// Then the store is read again, as one in use.
///
/// A store must have one name, so that its WAL is found. A backup has no WAL and may have any number of names: some
/// tools keep backups of several days as links. If the file is no backup any more afterwards, a relay has made it a
/// store meanwhile.
pub(super) fn at_rest_or_not<T>(
    store: &Path,
    mut read: impl FnMut(&Connection) -> rusqlite::Result<T>,
) -> Result<T, RehearsalError> {
    let failed = |reason: String| RehearsalError::Unreadable { path: store.to_owned(), reason };
    let path = store.canonicalize().map_err(|error| failed(error.to_string()))?;
    journal::check_for_reading(&path).map_err(failed)?;
    let in_use = || files::access(&path) == Access::Read;
    let at_rest = || !in_use() && (files::check(&path).is_ok() || lock::is_backup(&path));
    if at_rest() {
        let done = open(&path, Access::AtRest).and_then(|past| read(&past).map_err(|error| failed(words(&error))));
        if at_rest() {
            return done;
        }
    }
    files::check(&path).map_err(failed)?;
    open(&path, Access::Read).and_then(|past| read(&past).map_err(|error| failed(words(&error))))
}

/// The reason in words. Of damage it names the row.
fn words(error: &rusqlite::Error) -> String {
    damage(error).unwrap_or_else(|| error.to_string())
}

fn open(path: &Path, access: Access) -> Result<Connection, RehearsalError> {
    let failed = |reason: String| RehearsalError::Unreadable { path: path.to_owned(), reason };
    let unreadable = |error: rusqlite::Error| failed(words(&error));
    let past = engine::open(path, access).map_err(unreadable)?;
    match whose::whose(&past).map_err(unreadable)? {
        Whose::Ours(found) if found > migrations::VERSION => {
            Err(RehearsalError::TooNew { path: PathBuf::from(path), found, known: migrations::VERSION })
        }
        Whose::Ours(_) => Ok(past),
        Whose::Nobodys | Whose::Others => Err(failed(whose::NO_STORE.to_owned())),
    }
}

/// A record that cannot be read: its id, and those of its relatives as far as its columns name them.
pub(super) struct DamagedRecord {
    pub(super) id: Option<TransformId>,
    pub(super) relatives: Vec<TransformId>,
}

/// Calls `does` for each record, whether or not it can be read.
pub(super) fn records(
    past: &Connection,
    mut does: impl FnMut(Result<Record, DamagedRecord>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let preauth = if whose::version(past)? >= placed::SINCE { "r.preauth_id" } else { "NULL" };
    let columns = record_columns!();
    let query = format!("SELECT {columns}, {preauth} FROM records r WHERE r.id > ?1 ORDER BY r.id LIMIT ?2");
    let id = |row: &Row<'_>, column: usize| {
        let id = row.get::<_, Option<String>>(column).ok().flatten();
        id.and_then(|id| TransformId::try_from(id).ok())
    };
    let read = |row: &Row<'_>| {
        let relatives = || [4, 5].into_iter().filter_map(|column| id(row, column)).collect();
        or_damaged(stored(row), || DamagedRecord { id: id(row, 2), relatives: relatives() })
    };
    each(past, &query, read, |read| does(read.map(|stored| Arc::unwrap_or_clone(stored.record))))
}

/// What was read, or what stands for it if its row is damaged.
fn or_damaged<T, D>(read: rusqlite::Result<T>, stands: impl FnOnce() -> D) -> rusqlite::Result<Result<T, D>> {
    match read {
        Ok(read) => Ok(Ok(read)),
        Err(error) if damage(&error).is_some() => Ok(Err(stands())),
        Err(error) => Err(error),
    }
}

/// Whether the history of a record has any version by an event.
pub(super) fn has_versions(past: &Connection, id: &TransformId) -> rusqlite::Result<bool> {
    let any = "SELECT 1 FROM records r JOIN transitions t ON t.record = r.id WHERE r.transform_id = ?1 LIMIT 1";
    past.prepare_cached(any)?.exists([id.as_str()])
}

/// Whether the history of a record is there from its first version to its latest. In versions of an earlier relay no gap can be seen.
pub(super) fn has_history(past: &Connection, id: &TransformId) -> rusqlite::Result<bool> {
    if whose::version(past)? < PACKED_SINCE {
        return Ok(true);
    }
    let whole = "WITH RECURSIVE chain (record, previous) AS (
            SELECT r.id, r.last_transition FROM records r WHERE r.transform_id = ?1
            UNION SELECT c.record, t.previous FROM chain c JOIN transitions t ON t.id = c.previous AND t.record = c.record)
        SELECT 1 FROM chain WHERE ifnull(previous, 0) = 0";
    past.prepare_cached(whole)?.exists([id.as_str()])
}

/// The PSP ids of a transaction's attempts that lead to no record any more: it was registered with another id since. If its attempts
/// cannot be read, they are the former ids for which no event waits.
pub(super) fn replaced(past: &Connection, record: &Record, is_damaged: bool) -> rusqlite::Result<Vec<String>> {
    let kind = record.key.kind;
    let mut replaced = Vec::new();
    if kind == Kind::Agreement {
        return Ok(replaced);
    }
    let mut leads = past.prepare_cached("SELECT 1 FROM psp_ids WHERE psp_id = ?1 AND kind = ?2")?;
    for name in record.seen.attempts.iter().filter_map(|attempt| attempt.name.as_ref()) {
        if !leads.exists(params![name.value, kind.code()])? {
            replaced.push(name.value.clone());
        }
    }
    let mut awaited = past.prepare_cached("SELECT 1 FROM parked_keys WHERE key = ?1")?;
    for id in record.registered.replaced.iter().filter(|_| is_damaged) {
        let waits = awaited.exists([ReleaseKey::psp_id(kind, id).as_str()])?;
        if !waits && !leads.exists(params![id, kind.code()])? {
            replaced.push(id.clone());
        }
    }
    Ok(replaced)
}

/// The row number of the latest notification.
pub(super) fn latest(past: &Connection) -> rusqlite::Result<i64> {
    past.query_row("SELECT ifnull(max(rowid), 0) FROM notifications", [], |row| row.get(0))
}

/// Calls `does` for each record with a version from a notification that is not among these: it is deleted, for example. The
/// last value says whether the notification came after the row number `latest`. Versions that a reread has made do not
/// count: all that made them was read again.
pub(super) fn made_by_others(
    past: &Connection,
    read: &HashSet<Uuid>,
    latest: i64,
    mut does: impl FnMut(TransformId, Uuid, bool),
) -> rusqlite::Result<()> {
    let query = "SELECT t.id, r.transform_id, t.notification, ifnull(n.rowid, 0) FROM transitions t
         JOIN records r ON r.id = t.record LEFT JOIN notifications n ON n.id = t.notification
         WHERE t.id > ?1 ORDER BY t.id LIMIT ?2";
    let by = |row: &Row<'_>| Ok((row.get::<_, String>(1)?, Uuid::from_bytes(row.get(2)?), row.get::<_, i64>(3)?));
    each(past, query, by, |(id, by, number)| {
        if by != BY_REREAD && !read.contains(&by) {
            let id = id.try_into().map_err(|error: String| unreadable(1, rusqlite::types::Type::Text, error))?;
            does(id, by, number > latest);
        }
        Ok(())
    })
}

/// Whether the schema of this store has first times.
pub(super) fn knows_first_times(past: &Connection) -> rusqlite::Result<bool> {
    Ok(whose::version(past)? >= FIRST_TIMES_SINCE)
}

/// Whether a notification is among the notifications that are read again.
pub(super) fn is_read(
    past: &Connection,
    wanted: &Wanted,
    latest: i64,
    source: &str,
    id: Uuid,
) -> rusqlite::Result<bool> {
    let query = format!("SELECT 1 FROM notifications n WHERE n.id = ?1 AND n.rowid <= ?2 AND {}", since(wanted));
    let mut kept = past.prepare_cached(&query)?;
    Ok(wanted.sources.contains(source) && kept.exists(params![id.into_bytes(), latest])?)
}

/// The condition for a notification `n` that is recent enough, or has events that wait.
fn since(wanted: &Wanted) -> String {
    let since = wanted.since.map_or(i64::MIN, micros);
    format!("(n.received_at >= {since} OR EXISTS (SELECT 1 FROM parked p WHERE p.notification = n.id))")
}

/// An event that waits, and the reason with which it waits for room to refund; none if it cannot be read.
type Waits = Option<(Event, Option<String>)>;

/// Calls `does` for each event that waits, with its notification.
pub(super) fn waiting(
    past: &Connection,
    mut does: impl FnMut(Uuid, Waits) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let query = "SELECT id, notification, event, reason FROM parked WHERE id > ?1 ORDER BY id LIMIT ?2";
    let read = |row: &Row<'_>| {
        let waits = || Ok((fact(row, 2)?, row.get(3)?));
        let id = Uuid::from_bytes(row.get(1).map_err(in_row("parked", row.get::<_, i64>(0)?))?);
        Ok((id, or_damaged(waits(), || ())?.ok()))
    };
    each(past, query, read, |(notification, waits)| does(notification, waits))
}

/// A notification, or its id if it cannot be read, with the digest of its dedupe key.
type Read = (Result<Past, Uuid>, [u8; 16]);

/// Calls `does` for each wanted notification up to the row number `latest`, with the digest of its dedupe key. They
/// come in the order in which they were taken.
pub(super) fn notifications(
    past: &Connection,
    wanted: &Wanted,
    latest: i64,
    mut does: impl FnMut(Result<Past, Uuid>, [u8; 16]) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let version = whose::version(past)?;
    let fetches = version >= FETCHES_SINCE;
    let more = if fetches { "form, signed_at, hint" } else { "NULL, NULL, 0" };
    let packing = if version >= PACKED_SINCE { "packing" } else { "0" };
    let query = format!(
        "SELECT rowid, id, source, received_at, headers, body, outcome, reason, dedupe_key, {more}, {packing} FROM notifications n
         WHERE rowid > ?1 AND rowid <= {latest} AND {} ORDER BY rowid LIMIT ?2",
        since(wanted)
    );
    let read = |row: &Row<'_>| {
        let source: String = row.get(2)?;
        if !wanted.sources.contains(&source) {
            return Ok(None);
        }
        notification(row, source).map(Some).map_err(in_row("notifications", row.get::<_, i64>(0)?))
    };
    each(past, &query, read, |one| {
        let Some((mut one, dedupe_key)) = one else { return Ok(()) };
        if let (true, Ok(one)) = (fetches, &mut one) {
            one.answers = answers(past, one.id)?;
        }
        does(one, dedupe_key)
    })
}

fn notification(row: &Row<'_>, source: String) -> rusqlite::Result<Read> {
    let (id, dedupe_key) = (Uuid::from_bytes(row.get(1)?), row.get(8)?);
    Ok((or_damaged(sound_notification(row, id, source), || id)?, dedupe_key))
}

fn sound_notification(row: &Row<'_>, id: Uuid, source: String) -> rusqlite::Result<Past> {
    let (headers, body) = unpacked(row, (4, 5), row.get(12)?)?;
    Ok(Past {
        id,
        source,
        received_at: timestamp(3, row.get(3)?)?,
        headers,
        body,
        outcome: row.get(6)?,
        reason: row.get(7)?,
        form: row.get(9)?,
        signed_at: row.get(10)?,
        hint: row.get(11)?,
        answers: Vec::new(),
    })
}

fn answers(past: &Connection, notification: Uuid) -> rusqlite::Result<Vec<PastAnswer>> {
    past.prepare_cached(
        "SELECT d.message, a.fetched_at, a.body FROM answered d JOIN answers a ON a.id = d.answer
         WHERE d.notification = ?1 ORDER BY d.message",
    )?
    .query_map(params![notification.into_bytes()], |row| {
        Ok(PastAnswer {
            message: usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX),
            fetched_at: timestamp(1, row.get(1)?)?,
            body: row.get(2)?,
        })
    })?
    .collect()
}
