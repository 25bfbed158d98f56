//! Removal of a record that was registered by mistake: it goes with all that the store knows of it, while no event has been
//! applied to it.

use rusqlite::{Connection, OptionalExtension};

use super::parked::ReleaseKey;
use super::records::{self, Lead, Stored};
use super::work::{Finished, Work};
use super::{family, parked, placing};
use crate::domain::due::Moment;
use crate::domain::family::parent;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::Record;
use crate::domain::registration::Refusal;
use crate::store::sureness::Sureness;
use crate::store::{Removed, StoreOptions};

/// The tables with rows of a record.
const TABLES: [&str; 6] = ["psp_ids", "outbox", "transitions", "attempts", "placed", "reached"];

/// Removes a record; none if there is no such record.
pub(super) fn remove(
    connection: &Connection,
    options: &StoreOptions,
    key: &RecordKey,
    now: Moment,
) -> rusqlite::Result<Result<Option<Removed>, Refusal>> {
    let Some(stored) = records::by_key(connection, key)? else { return Ok(Ok(None)) };
    let reason = match kept_because(connection, &stored, now)? {
        None if is_named(connection, &stored)? => Some("a parked event names it (GET /parked)".to_owned()),
        reason => reason,
    };
    if let Some(reason) = reason {
        return Ok(Err(Refusal::conflict("id", format!("{} cannot be removed: {reason}", key.id))));
    }
    let mut work = Work::new(connection, options, now);
    take_out(&mut work, &stored)?;
    let Finished { owed, led_elsewhere, findings, .. } = work.finish()?;
    Ok(Ok(Some(Removed { owed, led_elsewhere, findings })))
}

/// Takes a record out of the store and out of its family.
pub(super) fn take_out(work: &mut Work<'_>, stored: &Stored) -> rusqlite::Result<()> {
    let (connection, key) = (work.connection, &stored.record.key);
    if let Some((kind, id)) = parent(&stored.record) {
        family::part(work, &RecordKey::new(kind, id.clone()), &key.id)?;
    }
    for table in TABLES {
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE record = ?1"))?.execute([stored.row])?;
    }
    // Other findings only name the record as an example.
    connection.prepare_cached("DELETE FROM findings WHERE record = ?1 AND about = ?1")?.execute([stored.row])?;
    connection.prepare_cached("UPDATE findings SET record = NULL WHERE record = ?1")?.execute([stored.row])?;
    connection.prepare_cached("DELETE FROM records WHERE id = ?1")?.execute([stored.row])?;
    // What was placed on another capture may be meant for it alone now, or for none.
    let Some(preauth) = &stored.record.registered.preauth_id else { return Ok(()) };
    placing::with_captures(work, preauth)?;
    // What could be meant for any of several captures may be meant for only one now.
    work.release(stored.record.source.as_deref(), &ReleaseKey::captures(preauth))
}

/// Why a record has to stay, if it has to.
fn kept_because(connection: &Connection, stored: &Stored, now: Moment) -> rusqlite::Result<Option<String>> {
    let Record { key, last_updated, .. } = &stored.record;
    let child: Option<String> = connection
        .prepare_cached("SELECT transform_id FROM records WHERE payment_id = ?1 OR preauth_id = ?1 LIMIT 1")?
        .query_row([key.id.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(child) = child {
        return Ok(Some(format!("{child} is registered with it; remove that first")));
    }
    let mut changes = connection.prepare_cached("SELECT 1 FROM transitions WHERE record = ?1 LIMIT 1")?;
    if !stored.record.is_untouched() || changes.exists([stored.row])? {
        return Ok(Some("events have been applied to it".to_owned()));
    }
    // The next record of this id would be older than what Transform may have read.
    Ok((*last_updated >= now.wall).then(|| format!("its lastUpdated lies ahead; wait until {last_updated}")))
}

/// Whether an event waits that names the record.
fn is_named(connection: &Connection, stored: &Stored) -> rusqlite::Result<bool> {
    let key = &stored.record.key;
    let its = stored.record.registered.psp_id.as_ref().map(|psp_id| ReleaseKey::psp_id(key.kind, psp_id));
    let own = [ReleaseKey::record(&key.id), ReleaseKey::captures(&key.id), ReleaseKey::agreement_of(&key.id)];
    for key in own.iter().chain(&its) {
        if parked::is_awaited(connection, key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes room for a record of another kind under the same Transform id: it was registered as this one by mistake.
pub(super) fn make_room(work: &mut Work<'_>, stored: &Stored, kind: Kind) -> rusqlite::Result<Result<(), Refusal>> {
    if let Some(reason) = kept_because(work.connection, stored, work.now)? {
        let key = &stored.record.key;
        let reason = format!("{} is registered with kind {}, and cannot get kind {kind}: {reason}", key.id, key.kind);
        return Ok(Err(Refusal::conflict("kind", reason)));
    }
    take_out(work, stored).map(Ok)
}

/// Lets PSP ids lead to the record from its source alone: it was registered with another one by mistake. The registered id is
/// learned by the registration.
pub(super) fn move_leads(connection: &Connection, stored: &Stored) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM psp_ids WHERE record = ?1")?.execute([stored.row])?;
    for psp_id in &stored.record.registered.former {
        records::learn(connection, stored, &Lead { kind: stored.record.key.kind, psp_id, sureness: Sureness::Own })?;
    }
    Ok(())
}
