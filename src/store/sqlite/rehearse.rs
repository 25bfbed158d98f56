//! The rehearsal (replay, reread): stored notifications are read again, to see what the records would be.
//!
//! The store is only read. A database in memory, the stage, gets the records as they were registered, without any fact
//! from events. The notifications are committed to it in the order in which they came, by the same code that took them.
//! On the stage they come after all registrations; that makes no difference, since the order of arrival leaves no trace
//! (ARCHITECTURE.md).
//!
//! Deleted notifications cannot be read again. Each fact of a record carries the key of its event, and the history
//! knows which notification made which version. A record is not compared if one of its facts or versions comes from a
//! notification that is not read again. The refunds and the payment of its family are not compared then either.
//!
//! A relay may run meanwhile. The records are read first, and once more at the end. In between, the notifications are
//! read, up to the latest one at the beginning. A record that changed between beginning and end is not compared.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use uuid::Uuid;

use super::columns::digest;
use super::records::{self, Lead, Stored};
use super::taking::{self, Took};
use super::{first_times, migrations, parking, past, reached};
use crate::domain::due::{Debounce, Moment};
use crate::domain::event::message_key;
use crate::domain::family;
use crate::domain::ids::TransformId;
use crate::domain::record::{Record, Seen};
use crate::store::rehearsal::{Past, Rehearsal, RehearsalError, Rehearsed, Reread, Wanted};
use crate::store::{Keep, Outcome, ParkedLimits, StoreOptions, Taken};

/// Reads the wanted notifications again, each by `read`, and returns the records and outcomes as they would be. The
/// store is not written. If its relay has ended in order, no file is made beside it. A running relay is not disturbed.
///
/// # Errors
/// The store cannot be read.
pub fn rehearse(
    store: &Path,
    wanted: &Wanted,
    mut read: impl FnMut(&Past) -> Reread,
) -> Result<Rehearsal, RehearsalError> {
    past::at_rest_or_not(store, |past| {
        let latest = past::latest(past)?;
        let stage = Stage::of(past, wanted, latest)?;
        stage.play(past, wanted, latest, &mut read)
    })
}

/// The sources that have notifications in the store.
///
/// # Errors
/// The store cannot be read.
pub fn sources(store: &Path) -> Result<Vec<String>, RehearsalError> {
    past::at_rest_or_not(store, |past| {
        past.prepare("SELECT DISTINCT source FROM notifications ORDER BY source")?
            .query_map([], |row| row.get(0))?
            .collect()
    })
}

/// The stage: the database in memory with bare records, and beside it the records as they stand in the store.
struct Stage {
    connection: Connection,
    options: StoreOptions,
    stand: Vec<Record>,
    /// Records that are not compared: they have a version from a notification that is not read again, or changed
    /// meanwhile.
    others: HashSet<TransformId>,
    /// Digests of the keys of all messages that were read again.
    keys: HashSet<[u8; 16]>,
    /// The notifications that were read again.
    read: HashSet<Uuid>,
    /// The notifications with events that wait in the store.
    waiting: HashSet<Uuid>,
    /// The number of records that changed meanwhile.
    meanwhile: usize,
}

impl Stage {
    fn of(past: &Connection, wanted: &Wanted, latest: i64) -> rusqlite::Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        migrations::migrate(&mut connection)?;
        let mut stage = Self {
            connection,
            options: without_limits(),
            stand: Vec::new(),
            others: HashSet::new(),
            keys: HashSet::new(),
            read: HashSet::new(),
            waiting: HashSet::new(),
            meanwhile: 0,
        };
        if past::knows_first_times(past)? {
            first_times::take_over(&stage.connection, past, |source, id| {
                past::is_read(past, wanted, latest, source, id)
            })?;
        }
        past::records(past, |record| stage.set(record, wanted))?;
        reached::take_over(&stage.connection, past)?;
        past::waiting(past, |notification, _, _| {
            stage.waiting.insert(notification);
            Ok(())
        })?;
        Ok(stage)
    }

    /// Puts a record on the stage: bare, or as it stands if its source is not read again.
    fn set(&mut self, stands: Record, wanted: &Wanted) -> rusqlite::Result<()> {
        let is_bare = stands.source.as_ref().is_none_or(|source| wanted.sources.contains(source));
        let record = if is_bare { bare(&stands) } else { stands.clone() };
        let row = records::insert(&self.connection, &record)?;
        if let Some(psp_id) = record.registered.psp_id.clone() {
            let lead = Lead { kind: record.key.kind, psp_id: &psp_id, placed: false };
            records::learn(&self.connection, &Stored { row, record }, &lead)?;
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
        latest: i64,
        read: &mut impl FnMut(&Past) -> Reread,
    ) -> rusqlite::Result<Rehearsal> {
        let mut notifications = Vec::new();
        past::notifications(past, wanted, latest, |one, dedupe_key| {
            let reread = read(&one);
            if !reread.left_out {
                self.know(&one, &reread, dedupe_key);
            }
            let taken = Taken {
                id: one.id,
                source: one.source,
                received_at: Moment { wall: one.received_at, steady: one.received_at },
                headers: Vec::new(),
                // Bodies are only compared here, so that the digest is enough.
                body: digest(&one.body).to_vec(),
                form: one.form.unwrap_or_default(),
                signed_at: None,
                partly_signed: false,
                is_pointer: false,
                normalised: reread.normalised,
            };
            let (Took::In(receipt) | Took::OneTooMany(receipt) | Took::PointsElsewhere(receipt)) =
                taking::take(&self.connection, &self.options, &taken)?;
            let now = (receipt.outcome, receipt.reason);
            let another = !reread.left_out && is_another((&one.outcome, one.reason.as_deref()), now.0);
            let anew = (another || self.waiting.contains(&one.id)) && !reread.left_out;
            let anew = Some(taken.normalised).filter(|_| anew && one.outcome != Outcome::Fetching.name());
            let was = (one.outcome, one.reason);
            notifications.push(Rehearsed { id: one.id, source: taken.source, was, now, another, anew });
            Ok(())
        })?;
        self.look_again(past, latest)?;
        self.compare(past, notifications)
    }

    /// Finds the records that cannot be compared, once all notifications are read.
    fn look_again(&mut self, past: &Connection, latest: i64) -> rusqlite::Result<()> {
        let (others, mut later) = (&mut self.others, HashSet::new());
        past::made_by_others(past, &self.read, latest, |id, is_later| {
            if is_later {
                later.insert(id)
            } else {
                others.insert(id)
            };
        })?;
        let mut changed: HashMap<&TransformId, &Record> =
            self.stand.iter().map(|record| (&record.key.id, record)).collect();
        past::records(past, |now| {
            if !later.contains(&now.key.id) && changed.get(&now.key.id).is_some_and(|before| **before == now) {
                changed.remove(&now.key.id);
            }
            Ok(())
        })?;
        self.meanwhile = changed.len();
        self.others.extend(changed.into_keys().cloned());
        Ok(())
    }

    /// Notes a notification that is read again, and its keys. The stored key is of one message, or of all messages of the
    /// batch together.
    fn know(&mut self, one: &Past, reread: &Reread, dedupe_key: [u8; 16]) {
        self.read.insert(one.id);
        self.keys.insert(dedupe_key);
        self.keys.extend(reread.keys.iter().map(|key| digest(key.as_bytes())));
    }

    /// The records that cannot be compared by themselves (see the module's head).
    fn uncovered(&self) -> HashSet<TransformId> {
        let is_uncovered = |record: &&Record| {
            let unknown = |key: &str| !self.keys.contains(&digest(key.as_bytes()));
            // What was placed on a record is kept event by event, which a correction does not carry.
            let is_placed = !record.placed.is_empty();
            is_placed || self.others.contains(&record.key.id) || keys(record).any(unknown)
        };
        self.stand.iter().filter(is_uncovered).map(|record| record.key.id.clone()).collect()
    }

    /// Adds the other records of their families to records that cannot be compared.
    fn with_families(&self, mut partly: HashSet<TransformId>) -> HashSet<TransformId> {
        let parents = self.parents();
        let mut families: BTreeMap<&TransformId, Vec<&TransformId>> = BTreeMap::new();
        for record in &self.stand {
            families.entry(head(&parents, &record.key.id)).or_default().push(&record.key.id);
        }
        for (head, members) in families {
            if partly.contains(head) || members.iter().any(|member| partly.contains(*member)) {
                partly.extend(members.into_iter().cloned());
            }
        }
        partly
    }

    /// The parents of the records: of a refund its payment, of a capture its preauthorization.
    fn parents(&self) -> Parents {
        let parent = |record: &Record| Some((record.key.id.clone(), family::parent(record)?.1.clone()));
        self.stand.iter().filter_map(parent).collect()
    }
}

/// The parents of records, by the records' ids.
type Parents = HashMap<TransformId, TransformId>;

/// The head of a record's family: its parent's parent, if it has one.
fn head<'a>(parents: &'a Parents, id: &'a TransformId) -> &'a TransformId {
    parents.get(id).map_or(id, |parent| parents.get(parent).unwrap_or(parent))
}

/// Whether an outcome of today means something else than the stored one. An event's outcome depends on earlier events, but
/// its being an event does not. An event that waited in vain was understood: in a rehearsal nothing is too late.
fn is_another((was, reason): (&str, Option<&str>), now: Outcome) -> bool {
    let in_vain = was == Outcome::DeadLetter.name() && reason.is_some_and(parking::is_in_vain);
    means(was) != means(now.name()) && !(in_vain && now == Outcome::Parked)
}

fn means(outcome: &str) -> &'static str {
    match outcome {
        "ignored" => "nothing",
        "dead_letter" => "not understood",
        _ => "events",
    }
}

/// A record as it was registered. It keeps its source, which the registration or the first event has named.
fn bare(record: &Record) -> Record {
    Record {
        seen: Seen::default(),
        placed: Seen::default(),
        refunds: BTreeMap::new(),
        unconfirmed: BTreeMap::new(),
        captures: BTreeMap::new(),
        version: 1,
        ..record.clone()
    }
}

/// The keys of the messages whose facts stand in a record: an event's key begins with its message's key.
fn keys(record: &Record) -> impl Iterator<Item = &str> {
    record.seen.stamps().chain(record.placed.stamps()).map(|stamp| message_key(&stamp.tie))
}

/// Options without limits: on the stage nothing is told and nothing grows old.
pub(super) fn without_limits() -> StoreOptions {
    let ever = Duration::MAX;
    StoreOptions {
        path: PathBuf::new(),
        must_exist: false,
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

mod compare;
#[cfg(test)]
mod tests;
