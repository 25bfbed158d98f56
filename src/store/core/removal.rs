//! Removal of a record that was registered by mistake: it goes with all that the store knows of it, while no event has been
//! applied to it.

use super::parked::ReleaseKey;
use super::records::{self, Stored};
use super::set::{Decided, WorkingSet};
use super::ways::{self, Lead};
use super::work::{Finished, Work};
use super::{family, findings, history, outbox, parked, placed, placing, reached};
use crate::domain::due::Moment;
use crate::domain::family::parent;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::Record;
use crate::domain::registration::Refusal;
use crate::store::sureness::Sureness;
use crate::store::{Removed, StoreOptions};

/// Removes a record; none if there is no such record.
pub(in crate::store) fn remove(
    set: &WorkingSet,
    options: &StoreOptions,
    key: &RecordKey,
    now: Moment,
) -> Decided<Result<Option<Removed>, Refusal>> {
    let Some(stored) = records::by_key(set, key)? else { return Ok(Ok(None)) };
    let reason = match kept_because(set, &stored, now)? {
        None if is_named(set, &stored)? => Some("a parked event names it (GET /parked)".to_owned()),
        reason => reason,
    };
    if let Some(reason) = reason {
        return Ok(Err(Refusal::conflict("id", format!("{} cannot be removed: {reason}", key.id))));
    }
    let mut work = Work::new(set, options, now);
    take_out(&mut work, &stored)?;
    let Finished { owed, led_elsewhere, findings, .. } = work.finish()?;
    Ok(Ok(Some(Removed { owed, led_elsewhere, findings })))
}

/// Takes a record out of the store and out of its family.
pub(super) fn take_out(work: &mut Work<'_>, stored: &Stored) -> Decided<()> {
    let (set, key) = (work.set, &stored.record.key);
    if let Some((kind, id)) = parent(&stored.record) {
        family::part(work, &RecordKey::new(kind, id.clone()), &key.id)?;
    }
    ways::forget_all(set, stored.row)?;
    outbox::delete(set, stored.row)?;
    history::forget(set, stored.row);
    placed::forget(set, stored.row)?;
    reached::forget(set, stored.row)?;
    findings::forget(set, stored.row)?;
    records::delete(set, stored.row);
    // What was placed on another capture may be meant for it alone now, or for none.
    let Some(preauth) = &stored.record.registered.preauth_id else { return Ok(()) };
    placing::with_captures(work, preauth)?;
    // What could be meant for any of several captures may be meant for only one now.
    work.release(stored.record.source.as_deref(), &ReleaseKey::captures(preauth))
}

/// Why a record has to stay, if it has to.
fn kept_because(set: &WorkingSet, stored: &Stored, now: Moment) -> Decided<Option<String>> {
    let Record { key, last_updated, .. } = stored.record.as_ref();
    if let Some(child) = records::child_of(set, &key.id)? {
        return Ok(Some(format!("{child} is registered with it; remove that first")));
    }
    if let Some(reason) = stored.record.touched_by() {
        return Ok(Some(reason));
    }
    if history::has(set, stored.row)? {
        return Ok(Some("events have been applied to it".to_owned()));
    }
    // The next record of this id would be older than what Transform may have read.
    Ok((*last_updated >= now.wall).then(|| format!("its lastUpdated lies ahead; wait until {last_updated}")))
}

/// Whether an event waits that names the record.
fn is_named(set: &WorkingSet, stored: &Stored) -> Decided<bool> {
    let key = &stored.record.key;
    let its = stored.record.registered.psp_id.as_ref().map(|psp_id| ReleaseKey::psp_id(key.kind, psp_id));
    let own = [ReleaseKey::record(&key.id), ReleaseKey::captures(&key.id), ReleaseKey::agreement_of(&key.id)];
    for key in own.iter().chain(&its) {
        if parked::is_awaited(set, key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes room for a record of another kind under the same Transform id: it was registered as this one by mistake.
pub(super) fn make_room(work: &mut Work<'_>, stored: &Stored, kind: Kind) -> Decided<Result<(), Refusal>> {
    if let Some(reason) = kept_because(work.set, stored, work.now)? {
        let key = &stored.record.key;
        let reason = format!("{} is registered with kind {}, and cannot get kind {kind}: {reason}", key.id, key.kind);
        return Ok(Err(Refusal::conflict("kind", reason)));
    }
    take_out(work, stored).map(Ok)
}

/// Lets PSP ids lead to the record from its source alone: it was registered with another one by mistake. The registered id is
/// learned by the registration.
pub(super) fn move_leads(set: &WorkingSet, stored: &Stored) -> Decided<()> {
    ways::forget_all(set, stored.row)?;
    for psp_id in &stored.record.registered.former {
        ways::learn(set, stored, &Lead { kind: stored.record.key.kind, psp_id, sureness: Sureness::Own })?;
    }
    Ok(())
}
