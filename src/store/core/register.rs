//! Registration of records: a record is registered or amended, and parked events that it releases are applied with it.

use std::sync::Arc;

use super::family::Parent;
use super::parked::ReleaseKey;
use super::records::{self, Stored};
use super::set::{Decided, Order, WorkingSet};
use super::ways::{self, Lead};
use super::work::{Finished, Work};
use super::{family, given_up, parked, placing, removal};
use crate::domain::due::Moment;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::{Record, Registered};
use crate::domain::register::{self, Registering};
use crate::domain::registration::{Refusal, Registration};
use crate::domain::text::shown_id;
use crate::store::sureness::Sureness;
use crate::store::{RegistrationReceipt, StoreOptions, ToImport};

/// Registers or amends a record, and applies the events that waited for it.
pub(in crate::store) fn register(
    set: &WorkingSet,
    options: &StoreOptions,
    key: &RecordKey,
    said: &Registration,
    now: Moment,
) -> Decided<Result<RegistrationReceipt, Refusal>> {
    let done = |existing: Option<&Record>| register::register(key, existing, said, now.wall);
    let work = Work::new(set, options, now);
    let by = By { key, said, parent: Parent::Told };
    let done = write_all(work, &by, done)?;
    Ok(done.map(|done| done.receipt))
}

/// Registers or amends a record as a line of an import says it, and applies the events that waited for it. Transform is told only
/// of what these events changed, or where the answer that the line names may have hidden news.
pub(in crate::store) fn import(
    set: &WorkingSet,
    options: &StoreOptions,
    line: &ToImport,
    now: Moment,
) -> Decided<Result<Done, Refusal>> {
    let ToImport { key, said, moved } = line;
    let done = |existing: Option<&Record>| register::import(key, existing, (said, moved), now.wall);
    write_all(Work::new(set, options, now), &By { key, said, parent: Parent::Silent }, done)
}

/// A registration or a line of an import.
struct By<'a> {
    key: &'a RecordKey,
    said: &'a Registration,
    parent: Parent,
}

/// What came of it.
pub(in crate::store) struct Done {
    pub(in crate::store) receipt: RegistrationReceipt,
    /// Whether the record says anything else than before.
    pub(in crate::store) changed: bool,
}

fn write_all(
    mut work: Work<'_>,
    By { key, said, parent }: &By<'_>,
    done: impl FnOnce(Option<&Record>) -> Result<Registering, Refusal>,
) -> Decided<Result<Done, Refusal>> {
    let set = work.set;
    let mut existing = records::by_id(set, &key.id)?;
    if let Some(other) = existing.take_if(|stored| stored.record.key.kind != key.kind)
        && let Err(refusal) = removal::make_room(&mut work, &other, key.kind)?
    {
        return Ok(Err(refusal));
    }
    let stands = existing.as_ref().map(|stored| Arc::clone(&stored.record));
    if let Some(refund) = existing.as_mut().filter(|_| said.payment_transaction_id.is_some()) {
        forget_unknown_payment(set, refund)?;
    }
    let done = match done(existing.as_ref().map(|stored| stored.record.as_ref())) {
        Ok(done) => done,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let changed = stands.is_none_or(|stands| *stands != done.record);
    if !changed && *parent == Parent::Silent {
        let record = done.record;
        let (agreement, owed, findings) = (None, Vec::new(), Vec::new());
        let receipt = RegistrationReceipt { record, agreement, created: false, owed, led_elsewhere: None, findings };
        return Ok(Ok(Done { receipt, changed }));
    }
    let before = existing.as_ref().map(|old| old.record.registered.clone()).unwrap_or_default();
    let source_before = existing.as_ref().and_then(|old| old.record.source.clone());
    let stored = write(set, existing, Arc::new(done.record))?;
    if changed {
        set.order(Order::KeepRegistration { row: stored.row, record: Arc::clone(&stored.record) });
    }
    if let Some(refusal) = other_currency(set, &stored.record)? {
        return Ok(Err(refusal));
    }
    let Displaced { placed_on, given_up_by } = match claim(set, &stored)? {
        Ok(displaced) => displaced,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if done.tells || (*parent == Parent::Told && given_up::is(set, stored.row)?) {
        work.owe(&stored, Vec::new())?;
    }
    let stored = placed(&mut work, stored, &before, &placed_on)?;
    let psp_id = stored.record.registered.psp_id.clone();
    let stored = family::taken_from(&mut work, stored, &given_up_by, psp_id.as_slice())?;
    let stored = family::link(&mut work, stored, *parent)?;
    let moved = stored.record.registered.preauth_id != before.preauth_id || stored.record.source != source_before;
    release(&mut work, &stored.record, &before, moved)?;
    let Finished { owed, led_elsewhere, findings, .. } = work.finish()?;
    let record = records::by_key(set, key)?.map_or(stored.record, |stored| stored.record);
    let record = Arc::unwrap_or_clone(record);
    let agreement = records::agreement_of(set, &record)?.map(Arc::unwrap_or_clone);
    let receipt = RegistrationReceipt { record, agreement, created: done.created, owed, led_elsewhere, findings };
    Ok(Ok(Done { receipt, changed }))
}

/// Forgets the payment of a refund if nobody has registered it, so that another one can be said at any time.
fn forget_unknown_payment(set: &WorkingSet, refund: &mut Stored) -> Decided<()> {
    if let Some(id) = &refund.record.registered.payment_id
        && records::by_key(set, &RecordKey::new(Kind::Payment, id.clone()))?.is_none()
    {
        Arc::make_mut(&mut refund.record).registered.payment_id = None;
    }
    Ok(())
}

/// Lets the registered PSP id lead to the record. Places events anew that were placed before: on the record, on payments that
/// the id led to, or on another capture of its preauthorization.
fn placed(work: &mut Work<'_>, mut stored: Stored, before: &Registered, displaced: &[RecordKey]) -> Decided<Stored> {
    let Registered { psp_id, preauth_id, payment_id, .. } = stored.record.registered.clone();
    if let Some(payment) = before.payment_id.as_ref().filter(|_| payment_id != before.payment_id) {
        family::part(work, &RecordKey::new(Kind::Payment, payment.clone()), &stored.record.key.id)?;
    }
    if let Some(psp_id) = &psp_id {
        ways::learn(work.set, &stored, &Lead { kind: stored.record.key.kind, psp_id, sureness: Sureness::Own })?;
        placing::on(work, displaced)?;
        stored = again(work.set, stored)?;
        parked::look_again(work.set, psp_id)?;
    }
    if stored.record.key.kind == Kind::Preauth {
        placing::with_captures(work, &stored.record.key.id)?;
        stored = again(work.set, stored)?;
    } else if psp_id != before.psp_id {
        placing::on(work, &[stored.record.key.clone()])?;
        stored = again(work.set, stored)?;
    }
    if preauth_id != before.preauth_id {
        if let Some(preauth) = &before.preauth_id {
            let preauth = RecordKey::new(Kind::Preauth, preauth.clone());
            family::part(work, &preauth, &stored.record.key.id)?;
        }
        if let Some(preauth) = &preauth_id {
            placing::with_captures(work, preauth)?;
        }
        stored = again(work.set, stored)?;
    }
    Ok(stored)
}

/// The record as it is stored now: placing events anew may have changed it.
fn again(set: &WorkingSet, stored: Stored) -> Decided<Stored> {
    Ok(records::by_key(set, &stored.record.key)?.unwrap_or(stored))
}

/// Releases the events that waited for the record. `moved` says whether it is new among the captures of its preauthorization.
fn release(work: &mut Work<'_>, record: &Record, before: &Registered, moved: bool) -> Decided<()> {
    let Registered { psp_id, preauth_id, agreement_id, .. } = &record.registered;
    let (kind, id) = (record.key.kind, &record.key.id);
    // A capture with an id of its own may not be meant any more by what could mean several.
    let is_another = moved || *psp_id != before.psp_id;
    let captures = preauth_id.iter().chain(&before.preauth_id).filter(|_| is_another).map(ReleaseKey::captures);
    // An event that names the former id may mean none of the captures now.
    let own = (kind == Kind::Preauth && *psp_id != before.psp_id).then(|| ReleaseKey::captures(id));
    let agreement = agreement_id.as_ref().map(|_| ReleaseKey::agreement_of(id));
    let its = psp_id.as_ref().map(|psp_id| ReleaseKey::psp_id(kind, psp_id));
    let mut keys = captures.chain(own).chain([ReleaseKey::record(id)]).chain(its).chain(agreement);
    keys.try_for_each(|key| work.release(record.source.as_deref(), &key))
}

fn write(set: &WorkingSet, existing: Option<Stored>, record: Arc<Record>) -> Decided<Stored> {
    let stored = match existing {
        Some(old) => {
            records::update(set, old.row, &record)?;
            if let Some(old_id) = &old.record.registered.psp_id
                && record.registered.psp_id.as_ref() != Some(old_id)
                && record.key.kind != Kind::Agreement
            {
                ways::forget(set, old.row, record.key.kind, old_id)?;
            }
            let stored = Stored { row: old.row, record };
            if old.record.source.is_some() && old.record.source != stored.record.source {
                removal::move_leads(set, &stored)?;
            }
            stored
        }
        None => Stored { row: records::insert(set, &record)?, record },
    };
    if let Some(source) = &stored.record.source {
        ways::bind(set, stored.row, source)?;
    }
    Ok(stored)
}

/// The records to which a registered PSP id led before.
#[derive(Default)]
pub(super) struct Displaced {
    /// The payments to which it led because of placed events.
    placed_on: Vec<RecordKey>,
    /// The records that had learned it.
    given_up_by: Vec<RecordKey>,
}

/// Gives the registered PSP id to its record. A record that only learned the id from an event gives it up. Agreements may
/// share a means of payment, and keep the id.
pub(super) fn claim(set: &WorkingSet, stored: &Stored) -> Decided<Result<Displaced, Refusal>> {
    let (kind, registered) = (stored.record.key.kind, stored.record.registered.psp_id.as_deref());
    let Some(psp_id) = registered.filter(|_| kind != Kind::Agreement) else { return Ok(Ok(Displaced::default())) };
    let placed_on = ways::displace(set, stored, &Lead { kind, psp_id, sureness: Sureness::Own })?;
    let mut given_up_by = Vec::new();
    for other in ways::others_of_psp_id(set, stored, psp_id)? {
        if other.record.key.kind == kind && other.record.registered.psp_id.as_deref() == Some(psp_id) {
            let reason = format!("{} belongs to another {kind}, {}", shown_id(psp_id), other.record.key.id);
            return Ok(Err(Refusal::conflict("pspTransactionId", reason)));
        }
        ways::forget(set, other.row, kind, psp_id)?;
        given_up_by.push(other.record.key.clone());
    }
    let placed_on = placed_on.into_iter().map(|other| other.record.key.clone()).collect();
    Ok(Ok(Displaced { placed_on, given_up_by }))
}

/// The refusal of a refund whose payment has another currency, or of a payment whose refunds have another currency.
fn other_currency(set: &WorkingSet, record: &Record) -> Decided<Option<Refusal>> {
    let relatives: Vec<Stored> = match (record.key.kind, record.parent_payment()) {
        (Kind::Payment, _) => records::refunds_of(set, &record.key.id)?,
        (Kind::Refund, Some(id)) => {
            records::by_key(set, &RecordKey::new(Kind::Payment, id.clone()))?.into_iter().collect()
        }
        _ => Vec::new(),
    };
    let other = relatives.into_iter().find(|other| other.record.registered.currency != record.registered.currency);
    Ok(other.and_then(|other| {
        let currency = other.record.registered.currency?;
        Some(Refusal::conflict("currency", format!("{} is in {currency}", other.record.key)))
    }))
}
