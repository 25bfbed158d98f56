//! Reads stored notifications again and says what records would be.
//!
//! The store is only read. In a database of its own in memory the records stand as they were registered, bare of all that
//! events said; the notifications are committed to it in the order in which they came, by the very code that took them.
//! That they came after all registrations makes no difference: the order of arrival leaves no trace (ARCHITECTURE.md).
//!
//! What is gone cannot be read again. Each fact of a record carries the key of its event, and the history knows which
//! notification made which version; a record of which one cannot be led back to a notification that is read again is not
//! compared, and neither are the refunds and the payment that it shares money with.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, params};
use uuid::Uuid;

use super::columns::{digest, micros, timestamp, unreadable};
use super::records::{self, Stored};
use super::taking::{self, Took};
use super::{connection, first_times, migrations};
use crate::domain::due::{Debounce, Moment};
use crate::domain::event::message_key;
use crate::domain::ids::TransformId;
use crate::domain::record::{Record, Seen};
use crate::store::rehearsal::{Past, PastAnswer, Rehearsal, RehearsalError, Rehearsed, Reread, Wanted};
use crate::store::{Keep, ParkedLimits, StoreOptions, Taken};

/// Reads what is wanted again, each notification as `read` does, and says what would be. Nothing is written, neither to the
/// store nor beside it, if no relay runs on it and it was stopped in order; a relay that runs is not disturbed.
///
/// # Errors
/// The store cannot be read.
pub fn rehearse(
    store: &Path,
    wanted: &Wanted,
    mut read: impl FnMut(&Past) -> Reread,
) -> Result<Rehearsal, RehearsalError> {
    at_rest_or_not(store, |past| {
        let stage = Stage::of(past, wanted)?;
        stage.play(past, wanted, &mut read)
    })
}

/// The sources of which the store has notifications.
///
/// # Errors
/// The store cannot be read.
pub fn sources(store: &Path) -> Result<Vec<String>, RehearsalError> {
    at_rest_or_not(store, |past| {
        past.prepare("SELECT DISTINCT source FROM notifications ORDER BY source")?
            .query_map([], |row| row.get(0))?
            .collect()
    })
}

/// A store in which nothing waits in a WAL is read as a file that nobody changes, so that SQLite makes none of the files
/// beside it. If there is a WAL afterwards, somebody has begun to write meanwhile, and it is read again as a store in use.
fn at_rest_or_not<T>(
    store: &Path,
    mut read: impl FnMut(&Connection) -> rusqlite::Result<T>,
) -> Result<T, RehearsalError> {
    let wal = PathBuf::from(format!("{}-wal", store.display()));
    let in_use = || std::fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0);
    if !in_use() {
        let done = snapshot(store, true, &mut read);
        if !in_use() {
            return done;
        }
    }
    snapshot(store, false, &mut read)
}

/// What a path may not hold in a `file:` URI.
const IN_URI: &AsciiSet = &CONTROLS.add(b' ').add(b'?').add(b'#').add(b'%');

/// One read transaction: the state of one moment.
fn snapshot<T>(
    store: &Path,
    at_rest: bool,
    read: &mut impl FnMut(&Connection) -> rusqlite::Result<T>,
) -> Result<T, RehearsalError> {
    let failed = |reason: String| RehearsalError::Unreadable { path: store.to_owned(), reason };
    let path = store.canonicalize().map_err(|error| failed(error.to_string()))?;
    let path = path.to_str().ok_or_else(|| failed("its name is not UTF-8".to_owned()))?;
    let immutable = if at_rest { "&immutable=1" } else { "" };
    let uri = format!("file:{}?mode=ro{immutable}", utf8_percent_encode(path, IN_URI));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let unreadable = |error: rusqlite::Error| failed(error.to_string());
    let mut connection = Connection::open_with_flags(uri, flags).map_err(unreadable)?;
    connection::wait_for_locks(&connection).map_err(unreadable)?;
    let transaction = connection.transaction().map_err(unreadable)?;
    let found = migrations::version(&transaction).map_err(unreadable)?;
    if found > migrations::VERSION {
        return Err(RehearsalError::TooNew { path: store.to_owned(), found, known: migrations::VERSION });
    }
    read(&transaction).map_err(unreadable)
}

/// The records as they stand, and the database in memory in which they are bare.
struct Stage {
    connection: Connection,
    options: StoreOptions,
    stand: Vec<Record>,
    /// The records that a notification outside of what is read again made a version of.
    others: HashSet<TransformId>,
    /// Digests of the keys of all messages that were read again.
    keys: HashSet<[u8; 16]>,
}

impl Stage {
    fn of(past: &Connection, wanted: &Wanted) -> rusqlite::Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        migrations::migrate(&mut connection)?;
        let mut stage = Self {
            connection,
            options: without_limits(),
            stand: Vec::new(),
            others: others(past, wanted)?,
            keys: HashSet::new(),
        };
        if migrations::version(past)? >= FIRST_TIMES_SINCE {
            first_times::take_over(&stage.connection, past, |source, id| is_read(past, wanted, source, id))?;
        }
        let mut every = past.prepare("SELECT record FROM records ORDER BY id")?;
        let mut rows = every.query([])?;
        while let Some(row) = rows.next()? {
            let text: String = row.get(0)?;
            let record = serde_json::from_str(&text).map_err(|error| unreadable(0, Type::Text, error))?;
            stage.set(record, wanted)?;
        }
        Ok(stage)
    }

    /// Puts a record on the stage: bare, or as it stands if its source is not read again.
    fn set(&mut self, stands: Record, wanted: &Wanted) -> rusqlite::Result<()> {
        let is_bare = stands.source.as_ref().is_none_or(|source| wanted.sources.contains(source));
        let record = if is_bare { bare(&stands) } else { stands.clone() };
        let row = records::insert(&self.connection, &record)?;
        if let Some(psp_id) = record.registered.psp_id.clone() {
            records::learn(&self.connection, &Stored { row, record }, &psp_id)?;
        }
        if is_bare {
            self.stand.push(stands);
        }
        Ok(())
    }

    fn play(
        mut self,
        past: &Connection,
        wanted: &Wanted,
        read: &mut impl FnMut(&Past) -> Reread,
    ) -> rusqlite::Result<Rehearsal> {
        let mut notifications = Vec::new();
        each_past(past, wanted, |one, dedupe_key| {
            let reread = read(&one);
            self.know(&reread, dedupe_key);
            let taken = Taken {
                id: one.id,
                source: one.source.clone(),
                received_at: Moment { wall: one.received_at, steady: one.received_at },
                headers: Vec::new(),
                // All that matters of it here is whether it is the same.
                body: digest(&one.body).to_vec(),
                form: one.form.clone().unwrap_or_default(),
                signed_at: None,
                partly_signed: false,
                normalised: reread.normalised,
            };
            let (Took::In(receipt) | Took::OneTooMany(receipt)) =
                taking::take(&self.connection, &self.options, &taken)?;
            let now = (receipt.outcome, receipt.reason);
            notifications.push(Rehearsed { id: one.id, was: (one.outcome, one.reason), now });
            Ok(())
        })?;
        self.compare(notifications)
    }

    /// A stored key may be that of one message or of all the batch's together.
    fn know(&mut self, reread: &Reread, dedupe_key: [u8; 16]) {
        self.keys.insert(dedupe_key);
        self.keys.extend(reread.keys.iter().map(|key| digest(key.as_bytes())));
    }

    fn compare(self, notifications: Vec<Rehearsed>) -> rusqlite::Result<Rehearsal> {
        let partly = self.partly();
        let mut rehearsal = Rehearsal { notifications, ..Rehearsal::default() };
        for stands in self.stand {
            if partly.contains(&stands.key.id) {
                rehearsal.partly += 1;
            } else if let Some(would) = records::by_key(&self.connection, &stands.key)? {
                let untouched = stands.seen == Seen::default() && would.record.seen == Seen::default();
                if !untouched || stands.refunds != would.record.refunds {
                    rehearsal.records.push((stands, would.record));
                }
            }
        }
        Ok(rehearsal)
    }

    /// The records that are made of more than what was read again, and those that share money with one.
    fn partly(&self) -> HashSet<TransformId> {
        let is_partly = |record: &&Record| {
            let unknown = |key: &str| !self.keys.contains(&digest(key.as_bytes()));
            self.others.contains(&record.key.id) || keys(record).any(unknown)
        };
        let mut partly: HashSet<TransformId> =
            self.stand.iter().filter(is_partly).map(|record| record.key.id.clone()).collect();
        let mut families: BTreeMap<&TransformId, Vec<&TransformId>> = BTreeMap::new();
        for record in &self.stand {
            if let Some(payment) = record.parent_payment() {
                families.entry(payment).or_default().push(&record.key.id);
            }
        }
        for (payment, refunds) in families {
            if partly.contains(payment) || refunds.iter().any(|refund| partly.contains(*refund)) {
                partly.insert(payment.clone());
                partly.extend(refunds.into_iter().cloned());
            }
        }
        partly
    }
}

/// A record as it was registered. It stays with its source: which one that is was said or is said by the first event.
fn bare(record: &Record) -> Record {
    Record { seen: Seen::default(), refunds: BTreeMap::new(), version: 1, ..record.clone() }
}

/// The keys of the messages whose facts stand: an event's key begins with its message's. The PSP's id as the first event
/// named it stands for nothing where one was registered.
fn keys(record: &Record) -> impl Iterator<Item = &str> {
    let Seen {
        status,
        psp_id,
        authorized,
        expires_at,
        refunded,
        bearer,
        items,
        chargebacks,
        chargeback_amounts,
        chargeback_reasons,
    } = &record.seen;
    let single = [
        status.as_ref().map(|fact| &fact.stamp),
        psp_id.as_ref().filter(|_| record.registered.psp_id.is_none()).map(|fact| &fact.stamp),
        authorized.as_ref().map(|fact| &fact.stamp),
        expires_at.as_ref().map(|fact| &fact.stamp),
        refunded.as_ref().map(|fact| &fact.stamp),
        bearer.as_ref().map(|fact| &fact.stamp),
    ];
    let booked = items
        .values()
        .map(|fact| &fact.stamp)
        .chain(chargebacks.values().map(|fact| &fact.stamp))
        .chain(chargeback_amounts.values().map(|fact| &fact.stamp))
        .chain(chargeback_reasons.values().map(|fact| &fact.stamp));
    single.into_iter().flatten().chain(booked).map(|stamp| message_key(&stamp.tie))
}

/// The records of which a version was made by a notification that is not read again.
fn others(past: &Connection, wanted: &Wanted) -> rusqlite::Result<HashSet<TransformId>> {
    let mut made = past.prepare(
        "SELECT DISTINCT r.transform_id, n.source, n.received_at FROM transitions t
         JOIN records r ON r.id = t.record LEFT JOIN notifications n ON n.id = t.notification",
    )?;
    let mut rows = made.query([])?;
    let mut others = HashSet::new();
    while let Some(row) = rows.next()? {
        let source: Option<String> = row.get(1)?;
        let received_at: Option<i64> = row.get(2)?;
        let is_read = source.is_some_and(|source| wanted.sources.contains(&source))
            && received_at.is_some_and(|at| at >= since(wanted));
        if !is_read {
            let id: String = row.get(0)?;
            others.insert(id.try_into().map_err(|error: String| unreadable(0, Type::Text, error))?);
        }
    }
    Ok(others)
}

/// Whether a notification is read again.
fn is_read(past: &Connection, wanted: &Wanted, source: &str, id: Uuid) -> rusqlite::Result<bool> {
    let mut kept = past.prepare_cached("SELECT 1 FROM notifications WHERE id = ?1 AND received_at >= ?2")?;
    Ok(wanted.sources.contains(source) && kept.exists(params![id.into_bytes(), since(wanted)])?)
}

fn since(wanted: &Wanted) -> i64 {
    wanted.since.map_or(i64::MIN, micros)
}

/// All notifications that are wanted, in the order in which they came, each with the digest of its dedupe key.
fn each_past(
    past: &Connection,
    wanted: &Wanted,
    mut does: impl FnMut(Past, [u8; 16]) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let fetches = migrations::version(past)? >= FETCHES_SINCE;
    let more = if fetches { "form, signed_at, hint" } else { "NULL, NULL, 0" };
    let mut every = past.prepare(&format!(
        "SELECT id, source, received_at, headers, body, outcome, reason, dedupe_key, {more} FROM notifications
         WHERE received_at >= ?1 ORDER BY received_at, rowid"
    ))?;
    let mut rows = every.query([since(wanted)])?;
    while let Some(row) = rows.next()? {
        let source: String = row.get(1)?;
        if !wanted.sources.contains(&source) {
            continue;
        }
        let id = Uuid::from_bytes(row.get(0)?);
        let headers: String = row.get(3)?;
        let one = Past {
            id,
            source,
            received_at: timestamp(2, row.get(2)?)?,
            headers: serde_json::from_str(&headers).map_err(|error| unreadable(3, Type::Text, error))?,
            body: row.get(4)?,
            form: row.get(8)?,
            signed_at: row.get(9)?,
            hint: row.get(10)?,
            outcome: row.get(5)?,
            reason: row.get(6)?,
            answers: if fetches { answers(past, id)? } else { Vec::new() },
        };
        does(one, row.get(7)?)?;
    }
    Ok(())
}

/// The schema version since which forms and fetched answers are stored.
const FETCHES_SINCE: i64 = 3;
/// The schema version since which first times are stored.
const FIRST_TIMES_SINCE: i64 = 6;

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

/// In memory nothing is told and nothing grows old.
fn without_limits() -> StoreOptions {
    let ever = Duration::MAX;
    StoreOptions {
        path: PathBuf::new(),
        debounce: Debounce { quiet: Duration::ZERO, max_wait: Duration::ZERO },
        max_waiting: usize::MAX,
        parked: ParkedLimits { per_source: u32::MAX, max_age: ever },
        keep: Keep {
            notifications: ever,
            dead_letters: ever,
            dead_letters_size: u64::MAX,
            attempts: ever,
            history: ever,
        },
    }
}
