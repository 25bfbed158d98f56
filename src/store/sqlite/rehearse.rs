//! The rehearsal (replay, reread): stored notifications are read again, to see what the records would be.
//!
//! The store is only read. A database in memory, the stage, gets the records as they were registered, without any fact
//! from events. The notifications are committed to it in the order in which they came, by the same code that took them.
//! On the stage they come after all registrations; that makes no difference, since the order of arrival leaves no trace
//! (ARCHITECTURE.md).
//!
//! A record holds what its children have confirmed. A child may have that from its registration alone, so that no event brings
//! it. So all children are linked with their parents before the first notification is read.
//!
//! Deleted notifications cannot be read again. Each fact of a record carries the key of its event, and the history
//! knows which notification made which version. A record is not compared if one of its facts or versions comes from a
//! notification that is not read again. The rest of its family is not compared then either, whatever sources its members have.
//!
//! Rows that are damaged are left out. The relatives of a damaged record are not compared either.
//!
//! A relay may run meanwhile. The records are read first, and once more at the end. In between, the notifications are
//! read, up to the latest one at the beginning. A record that changed between beginning and end is not compared.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;

use super::decide::decide;
use super::{first_times, flush, migrations, owners, past, reached};
use crate::domain::due::Moment;
use crate::domain::event::message_key;
use crate::domain::family;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::message::{Meaning, Normalised};
use crate::domain::record::{Record, Registered, Seen};
use crate::store::core::digest::digest;
use crate::store::core::inbound::Inbound;
use crate::store::core::records::{self, Stored};
use crate::store::core::set::WorkingSet;
use crate::store::core::taking::{self, Took};
use crate::store::core::ways::{self, Lead};
use crate::store::core::{inbox, parking};
pub(super) use crate::store::options::without_limits;
use crate::store::rehearsal::{Past, Rehearsal, RehearsalError, Rehearsed, Reread, Wanted};
use crate::store::sureness::Sureness;
use crate::store::{Outcome, StoreOptions, Taken};

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

/// The stage is written after so many notifications.
const WRITE_AFTER: usize = 512;
/// The most rows and answers that are kept beside the stage from one write to the next.
const KEPT: usize = 32_768;

/// The stage: the database in memory with bare records, and beside it the records as they stand in the store.
struct Stage {
    connection: Connection,
    /// What is decided on the stage, before it is written there.
    set: WorkingSet,
    options: StoreOptions,
    /// The records of the sources that are read again, and the rest of their families.
    stand: Vec<Record>,
    /// Records that are not compared: they have a version from a notification that is not read again, or changed
    /// meanwhile.
    others: HashSet<TransformId>,
    /// Digests of the keys of all messages that were read again.
    keys: HashSet<[u8; 16]>,
    /// The notifications that were read again.
    read: HashSet<Uuid>,
    /// The notifications that cannot be read as they were, and digests of their keys.
    left_out: (HashSet<Uuid>, HashSet<[u8; 16]>),
    /// The records of which such a notification has made a version.
    by_left_out: HashSet<TransformId>,
    /// The ids that records were registered with before, each with its record's row. They lead while notifications are read.
    replaced: Vec<(i64, Kind, String)>,
    /// The notifications with events that wait in the store.
    waiting: HashSet<Uuid>,
    /// The records that changed meanwhile.
    meanwhile: HashSet<TransformId>,
    /// The number of damaged rows that were left out.
    damaged: usize,
    /// The record that is to be repaired.
    repaired: Option<RecordKey>,
}

impl Stage {
    fn of(past: &Connection, wanted: &Wanted, latest: i64) -> rusqlite::Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        migrations::migrate(&mut connection)?;
        let mut stage = Self {
            connection,
            set: WorkingSet::default(),
            options: without_limits(),
            stand: Vec::new(),
            others: HashSet::new(),
            keys: HashSet::new(),
            read: HashSet::new(),
            left_out: (HashSet::new(), HashSet::new()),
            by_left_out: HashSet::new(),
            replaced: Vec::new(),
            waiting: HashSet::new(),
            meanwhile: HashSet::new(),
            damaged: 0,
            repaired: wanted.repaired.as_ref().map(|record| record.key.clone()),
        };
        if past::knows_first_times(past)? {
            first_times::take_over(&stage.connection, past, |source, id| {
                past::is_read(past, wanted, latest, source, id)
            })?;
        }
        past::records(past, |record| match record {
            Ok(record) => stage.set(record, past, wanted),
            Err(damaged) => match wanted.repaired.as_ref().filter(|one| Some(&one.key.id) == damaged.id.as_ref()) {
                Some(repaired) => stage.set(repaired.clone(), past, wanted),
                None => {
                    stage.damaged += 1;
                    stage.others.extend(damaged.id.into_iter().chain(damaged.relatives));
                    Ok(())
                }
            },
        })?;
        if let Some(repaired) = &wanted.repaired
            && !(is_read(repaired, wanted) && past::has_history(past, &repaired.key.id)?)
        {
            stage.others.insert(repaired.key.id.clone());
        }
        stage.keep_families(wanted);
        stage.link()?;
        reached::take_over(&stage.connection, past)?;
        owners::take_over(&stage.connection, past)?;
        past::waiting(past, |notification, waits| {
            stage.damaged += usize::from(waits.is_none());
            stage.waiting.insert(notification);
            Ok(())
        })?;
        Ok(stage)
    }

    /// Puts a record on the stage: bare, or as it stands if its source is not read again.
    fn set(&mut self, stands: Record, past: &Connection, wanted: &Wanted) -> rusqlite::Result<()> {
        let is_read = is_read(&stands, wanted);
        let record = if is_read { bare(&stands) } else { stands.clone() };
        let connection = &self.connection;
        let record = Arc::new(record);
        let row = decide(connection, &self.set, |set| records::insert(set, &record))?;
        let stored = Stored { row, record };
        // Events of a former means of payment still reach their agreement, and do not count there. Events of an attempt whose id
        // was replaced have reached their record while it was registered.
        let is_damaged = self.repaired.as_ref() == Some(&stands.key);
        let replaced = past::replaced(past, &stands, is_damaged)?;
        let Registered { psp_id, former, .. } = &stored.record.registered;
        decide(connection, &self.set, |set| {
            for psp_id in psp_id.iter().chain(former).chain(&replaced) {
                let lead = Lead { kind: stored.record.key.kind, psp_id, sureness: Sureness::Own };
                ways::learn(set, &stored, &lead)?;
            }
            Ok(())
        })?;
        let kind = stored.record.key.kind;
        self.replaced.extend(replaced.into_iter().map(|psp_id| (row, kind, psp_id)));
        let has_facts = !stands.seen.is_empty() || !stands.placed.is_empty();
        if !is_read && has_facts {
            self.others.insert(stands.key.id.clone());
        }
        self.stand.push(stands);
        Ok(())
    }

    /// Leaves out the families of which no record is read again.
    fn keep_families(&mut self, wanted: &Wanted) {
        let parents = self.parents();
        let read = self.stand.iter().filter(|record| is_read(record, wanted));
        let heads: HashSet<TransformId> = read.map(|record| head(&parents, &record.key.id).clone()).collect();
        self.stand.retain(|record| heads.contains(head(&parents, &record.key.id)));
    }

    /// Links each child on the stage with its parent, as its registration did.
    fn link(&self) -> rusqlite::Result<()> {
        for child in &self.stand {
            let Some((kind, id)) = family::parent(child) else { continue };
            decide(&self.connection, &self.set, |set| {
                let Some(child) = records::by_key(set, &child.key)? else { return Ok(()) };
                let Some(parent) = records::by_key(set, &RecordKey::new(kind, id.clone()))? else { return Ok(()) };
                let linked = Arc::new(family::linked(&parent.record, &child.record));
                if linked == parent.record { Ok(()) } else { records::update(set, parent.row, &linked) }
            })?;
        }
        self.write()
    }

    /// Writes to the stage what was decided. The set is not kept, so that it does not grow with the past.
    fn write(&self) -> rusqlite::Result<()> {
        flush::flush(&self.connection, &self.set)?;
        self.set.rest(KEPT);
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
            let one = match one {
                Ok(one) => one,
                Err(id) => {
                    self.damaged += 1;
                    self.left_out.0.insert(id);
                    self.left_out.1.insert(dedupe_key);
                    return Ok(());
                }
            };
            let reread = read(&one);
            self.know(&one, &reread, dedupe_key);
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
                vouched: false,
                is_pointer: false,
                normalised: reread.normalised,
            };
            let inbound = Inbound::of(taken.clone());
            let (Took::In(receipt) | Took::OneTooMany(receipt) | Took::PointsElsewhere(receipt)) =
                decide(&self.connection, &self.set, |set| taking::take(set, &self.options, &inbound))?;
            if notifications.len() % WRITE_AFTER == 0 {
                self.write()?;
            }
            let now = (receipt.outcome, receipt.reason);
            let is_silent = now.0 == Outcome::Ignored && has_events(&taken.normalised);
            let another = !reread.left_out && is_another((&one.outcome, one.reason.as_deref()), now.0, is_silent);
            // Of an event that waits the row may be gone.
            let waits = one.outcome == Outcome::Parked.name() || self.waiting.contains(&one.id);
            let anew = (another || is_silent || waits) && !reread.left_out;
            let anew = Some(taken.normalised).filter(|_| anew && one.outcome != Outcome::Fetching.name());
            let was = (one.outcome, one.reason);
            notifications.push(Rehearsed { id: one.id, source: taken.source, was, now, another, anew });
            Ok(())
        })?;
        for (row, kind, psp_id) in self.replaced.drain(..) {
            decide(&self.connection, &self.set, |set| ways::forget(set, row, kind, &psp_id))?;
        }
        self.write()?;
        self.look_again(past, latest)?;
        for one in &mut notifications {
            self.judge_at_the_end(one)?;
        }
        self.compare(past, notifications)
    }

    /// Judges a notification by its outcome at the end: what came later may have released its events, or taken them back.
    fn judge_at_the_end(&self, one: &mut Rehearsed) -> rusqlite::Result<()> {
        let now = decide(&self.connection, &self.set, |set| match inbox::find(set, one.id)? {
            Some(row) => Ok(Some((*row.outcome.get()?, row.reason.clone()))),
            None => Ok(None),
        })?;
        let Some(now) = now.filter(|now| now.0 != one.now.0) else { return Ok(()) };
        let is_silent = now.0 == Outcome::Ignored && one.anew.as_ref().is_some_and(has_events);
        one.another &= is_another((&one.was.0, one.was.1.as_deref()), now.0, is_silent);
        one.now = now;
        Ok(())
    }

    /// Finds the records that cannot be compared, once all notifications are read.
    fn look_again(&mut self, past: &Connection, latest: i64) -> rusqlite::Result<()> {
        let (others, mut later) = (&mut self.others, HashSet::new());
        let (left_out, by_left_out) = (&self.left_out.0, &mut self.by_left_out);
        past::made_by_others(past, &self.read, latest, |id, by, is_later| {
            if left_out.contains(&by) {
                by_left_out.insert(id.clone());
            }
            if is_later {
                later.insert(id)
            } else {
                others.insert(id)
            };
        })?;
        let mut changed: HashMap<&TransformId, &Record> =
            self.stand.iter().map(|record| (&record.key.id, record)).collect();
        past::records(past, |now| {
            match now {
                Ok(now) if later.contains(&now.key.id) => {}
                Ok(now) if changed.get(&now.key.id).is_some_and(|before| **before == now) => {
                    changed.remove(&now.key.id);
                }
                Ok(_) => {}
                // Nothing changes what cannot be read.
                Err(past::DamagedRecord { id: Some(id), .. }) => {
                    changed.remove(&id);
                }
                Err(_) => {}
            }
            Ok(())
        })?;
        self.meanwhile = changed.into_keys().cloned().collect();
        self.others.extend(self.meanwhile.iter().cloned());
        Ok(())
    }

    /// Notes a notification that is read again, or left out, and its keys. The stored key is of one message, or of all
    /// messages of the batch together.
    fn know(&mut self, one: &Past, reread: &Reread, dedupe_key: [u8; 16]) {
        let (left, left_keys) = &mut self.left_out;
        let (ids, keys) = if reread.left_out { (left, left_keys) } else { (&mut self.read, &mut self.keys) };
        ids.insert(one.id);
        keys.insert(dedupe_key);
        keys.extend(reread.keys.iter().map(|key| digest(key.as_bytes())));
    }

    /// The records that cannot be compared by themselves (see the module's head).
    fn uncovered(&self) -> HashSet<TransformId> {
        let is_uncovered = |record: &&Record| {
            let unknown = |key: &str| !self.keys.contains(&digest(key.as_bytes()));
            self.others.contains(&record.key.id) || keys(record).any(unknown)
        };
        self.stand.iter().filter(is_uncovered).map(|record| record.key.id.clone()).collect()
    }

    /// Whether a notification of a record was left out.
    fn has_left_out(&self, record: &Record) -> bool {
        let mut keys = keys(record).map(|key| digest(key.as_bytes()));
        self.by_left_out.contains(&record.key.id)
            || keys.any(|key| self.left_out.1.contains(&key) && !self.keys.contains(&key))
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
/// its being an event does not. An event that waited in vain was understood: in a rehearsal nothing is too late. A companion
/// that waits in silence is an event, although nothing comes of it yet.
fn is_another((was, reason): (&str, Option<&str>), now: Outcome, is_silent: bool) -> bool {
    let in_vain = was == Outcome::DeadLetter.name() && reason.is_some_and(parking::is_in_vain);
    if is_silent {
        return was == Outcome::DeadLetter.name() && !in_vain;
    }
    means(was) != means(now.name()) && !(in_vain && now == Outcome::Parked)
}

fn has_events(normalised: &Normalised) -> bool {
    let mut messages = normalised.messages.iter();
    messages.any(|message| matches!(&message.meaning, Meaning::Events(events) if !events.is_empty()))
}

fn means(outcome: &str) -> &'static str {
    match outcome {
        "ignored" => "nothing",
        "dead_letter" => "not understood",
        _ => "events",
    }
}

/// Whether the notifications of a record are read again: those of its source, or of any source that may bind it.
fn is_read(record: &Record, wanted: &Wanted) -> bool {
    record.source.as_ref().is_none_or(|source| wanted.sources.contains(source))
}

/// A record as it was registered, not yet linked with its children. It keeps its source, which the registration or the
/// first event has named.
fn bare(record: &Record) -> Record {
    Record {
        seen: Seen::default(),
        placed: Seen::default(),
        refunds: BTreeMap::new(),
        unconfirmed: BTreeMap::new(),
        cancelled_by: BTreeSet::new(),
        captures: BTreeMap::new(),
        version: 1,
        ..record.clone()
    }
}

/// The keys of the messages whose facts stand in a record: an event's key begins with its message's key.
fn keys(record: &Record) -> impl Iterator<Item = &str> {
    record.seen.stamps().chain(record.placed.stamps()).map(|stamp| message_key(&stamp.tie))
}

mod compare;
#[cfg(test)]
mod tests;
