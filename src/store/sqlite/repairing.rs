//! The repair of a record that cannot be read.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{damage, timestamp};
use super::decide::at_once;
use super::store::Store;
use super::writer::unavailable;
use super::{load, migrations, past, records, registrations, whose};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::registration_copy::RegistrationCopy;
use crate::store::core::records::Stored;
use crate::store::core::repairing::{Known, repair};
use crate::store::core::set::keys::way;
use crate::store::core::set::{Want, WorkingSet};
use crate::store::rehearsal::RehearsalError;
use crate::store::{Correction, Damaged, Made, Owed, RepairError, Repaired, StoreOptions};

/// Whether a record is damaged in a store. The store is only read.
///
/// # Errors
/// The store cannot be read.
pub fn damaged(store: &Path, key: &RecordKey, now: Moment) -> Result<Damaged, RehearsalError> {
    let found = past::at_rest_or_not(store, |past| match whose::version(past)? {
        migrations::VERSION => looked_at(past, key, now).map(Ok),
        found => Ok(Err(found)),
    })?;
    found.map_err(|found| {
        let reason =
            format!("its schema has version {found}, and not {}: start this relay on it once", migrations::VERSION);
        RehearsalError::Unreadable { path: store.to_owned(), reason }
    })
}

fn looked_at(connection: &Connection, key: &RecordKey, now: Moment) -> rusqlite::Result<Damaged> {
    let Some(row) = row_of(connection, key)? else { return Ok(Damaged::NotThere) };
    let Look { record, ways, copy } = Look::at(connection, row, key)?;
    let copied = |copy: RegistrationCopy<'_>| Box::new(copy.into_owned().into_record(now.wall));
    Ok(match (record, ways, copy) {
        (Ok(_), Ok(()), Ok(Some(_))) => Damaged::No,
        (Ok(_), Ok(()), _) => Damaged::ItsCopy,
        (Ok(record), Err(reason), _) => {
            let registered = record.map(|stored| copied(RegistrationCopy::of(&stored.record)));
            Damaged::Yes { reason, registered }
        }
        (Err(reason), _, copy) => Damaged::Yes { reason, registered: copy.ok().flatten().map(copied) },
    })
}

/// What can be read of a record, or why it cannot.
struct Look {
    record: Result<Option<Stored>, String>,
    ways: Result<(), String>,
    /// None if there is no copy.
    copy: Result<Option<RegistrationCopy<'static>>, String>,
}

impl Look {
    fn at(connection: &Connection, row: i64, key: &RecordKey) -> rusqlite::Result<Self> {
        let ways = load::load(connection, &WorkingSet::default(), &Want::Ways(way::Key::To(row)));
        Ok(Self {
            record: readable(records::by_key(connection, key))?,
            ways: readable(ways)?,
            copy: readable(registrations::of_row(connection, row, key))?,
        })
    }
}

impl Store {
    /// Repairs a record that cannot be read, or whose ways cannot be: it stands as it was registered, and its family is corrected. If
    /// only the copy of its registration cannot be read, it gets a new one. Transform is owed a webhook for it.
    ///
    /// # Errors
    /// The registration is refused, or the store cannot take it now; nothing was written.
    pub async fn repair(&self, key: RecordKey, family: Vec<Correction>, now: Moment) -> Result<Repaired, RepairError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let work = move |connection: &Connection| repaired(connection, &options, (&key, &family), now);
        let after = move |(_, owed): &(Repaired, Vec<Owed>)| wake.each(owed);
        let (repaired, _) = self.writer.write(work, after).await.inspect_err(|error| {
            if let RepairError::Store(error) = error {
                self.met(error);
            }
        })?;
        if let Repaired::Now { reason } | Repaired::Copied { reason } = &repaired {
            self.mended(reason);
        }
        Ok(repaired)
    }
}

fn repaired(
    connection: &Connection,
    options: &StoreOptions,
    (key, family): (&RecordKey, &[Correction]),
    now: Moment,
) -> Result<(Repaired, Vec<Owed>), RepairError> {
    let failed = |error| RepairError::Store(unavailable(error));
    let Some(row) = row_of(connection, key).map_err(failed)? else { return Ok((Repaired::NotThere, Vec::new())) };
    let look = Look::at(connection, row, key).map_err(failed)?;
    let reason = match (look.record, look.ways, look.copy) {
        (Err(reason), ..) | (Ok(_), Err(reason), _) => reason,
        (Ok(Some(stands)), Ok(()), copy) if !matches!(copy, Ok(Some(_))) => {
            let reason = copy.err().unwrap_or_else(|| "there is none".to_owned());
            registrations::keep(connection, row, &stands.record).map_err(failed)?;
            return Ok((Repaired::Copied { reason }, Vec::new()));
        }
        (Ok(_), Ok(()), _) => return Ok((Repaired::NotDamaged, Vec::new())),
    };
    let known = forget(connection, row).map_err(failed)?;
    let decided = at_once(connection, |set| repair(set, options, (key, family), known, now));
    match decided.map_err(failed)?? {
        (Made::Now, owed) => Ok((Repaired::Now { reason }, owed)),
        // What is written so far is undone.
        _ => Err(RepairError::Meanwhile),
    }
}

/// The value, or why it cannot be read.
fn readable<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Result<T, String>> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(error) => damage(&error).map_or(Err(error), |reason| Ok(Err(reason))),
    }
}

fn row_of(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM records WHERE transform_id = ?1 AND kind = ?2")?
        .query_row(params![key.id.as_str(), key.kind.code()], |row| row.get(0))
        .optional()
}

/// Forgets the ways to a record, and what was placed on it: a reread shows both again. Returns what is still known of it.
fn forget(connection: &Connection, row: i64) -> rusqlite::Result<Known> {
    for forgotten in ["DELETE FROM psp_ids WHERE record = ?1", "DELETE FROM placed WHERE record = ?1"] {
        connection.prepare_cached(forgotten)?.execute([row])?;
    }
    let told = "SELECT max(version), max(at) FROM (
            SELECT t.version, t.at FROM records r JOIN transitions t ON t.id = r.last_transition WHERE r.id = ?1
            UNION ALL SELECT version, at FROM transitions WHERE record = ?1 AND previous IS NULL
            UNION ALL SELECT version, at FROM attempts WHERE record = ?1
            UNION ALL SELECT version, NULL FROM outbox WHERE record = ?1)";
    let (version, at): (Option<i64>, Option<i64>) =
        connection.prepare_cached(told)?.query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let last_updated = at.map_or(Ok(Timestamp::MIN), |at| timestamp(1, at))?;
    Ok(Known { row, version: version.unwrap_or_default().unsigned_abs(), last_updated })
}
