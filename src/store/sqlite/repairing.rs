//! The `Store`'s method for the repair of a record that cannot be read.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{damage, timestamp};
use super::decide::at_once;
use super::store::Store;
use super::writer::unavailable;
use super::{load, records};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::registration::Registration;
use crate::store::core::repairing::{Known, repair};
use crate::store::core::set::keys::way;
use crate::store::core::set::{Want, WorkingSet};
use crate::store::{Owed, RegisterError, Repaired, StoreOptions};

impl Store {
    /// Registers a record anew that cannot be read, or whose ways cannot be. Transform is owed a webhook for it.
    ///
    /// # Errors
    /// The registration is refused, or the store cannot take it now; nothing was written.
    pub async fn repair(&self, key: RecordKey, said: Registration, now: Moment) -> Result<Repaired, RegisterError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let work = move |connection: &Connection| repaired(connection, &options, (&key, &said), now);
        let after = move |(_, owed): &(Repaired, Vec<Owed>)| wake.each(owed);
        let done = self.writer.write(work, after).await.inspect_err(|error| {
            if let RegisterError::Store(error) = error {
                self.met(error);
            }
        });
        Ok(done?.0)
    }
}

fn repaired(
    connection: &Connection,
    options: &StoreOptions,
    (key, said): (&RecordKey, &Registration),
    now: Moment,
) -> Result<(Repaired, Vec<Owed>), RegisterError> {
    let failed = |error| RegisterError::Store(unavailable(error));
    let Some(row) = row_of(connection, key).map_err(failed)? else { return Ok((Repaired::NotThere, Vec::new())) };
    let Some(reason) = damaged(connection, key, row).map_err(failed)? else {
        return Ok((Repaired::NotDamaged, Vec::new()));
    };
    let known = forget(connection, row).map_err(failed)?;
    let owed = at_once(connection, |set| repair(set, options, (key, said), known, now)).map_err(failed)??;
    Ok((Repaired::Now { reason }, owed))
}

fn row_of(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM records WHERE transform_id = ?1 AND kind = ?2")?
        .query_row(params![key.id.as_str(), key.kind.code()], |row| row.get(0))
        .optional()
}

/// Why a record or a way to it cannot be read; none if all can.
fn damaged(connection: &Connection, key: &RecordKey, row: i64) -> rusqlite::Result<Option<String>> {
    let ways = || load::load(connection, &WorkingSet::default(), &Want::Ways(way::Key::To(row)));
    let read = records::by_key(connection, key).and_then(|_| ways());
    match read {
        Ok(()) => Ok(None),
        Err(error) => damage(&error).map_or(Err(error), |reason| Ok(Some(reason))),
    }
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
