//! Registration of records: a record is registered or amended, and parked events that it releases are applied with it.

use rusqlite::Connection;

use super::parked::ReleaseKey;
use super::records::{self, Lead, Stored};
use super::work::{Finished, Work};
use super::{family, parked, placing};
use crate::domain::due::Moment;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::{Record, Registered};
use crate::domain::registration::{self, Refusal, Registration};
use crate::domain::text::shown_id;
use crate::store::{RegistrationReceipt, StoreOptions};

/// Registers or amends a record, and applies the events that waited for it.
pub(super) fn register(
    connection: &Connection,
    options: &StoreOptions,
    key: &RecordKey,
    said: &Registration,
    now: Moment,
) -> rusqlite::Result<Result<RegistrationReceipt, Refusal>> {
    let existing = records::by_id(connection, &key.id)?;
    if let Some(other) = existing.as_ref().filter(|stored| stored.record.key.kind != key.kind) {
        let reason = format!("{} is registered as a {}", key.id, other.record.key.kind);
        return Ok(Err(Refusal::conflict("kind", reason)));
    }
    let done = match registration::register(key, existing.as_ref().map(|stored| &stored.record), said, now.wall) {
        Ok(done) => done,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let before = existing.as_ref().map(|old| old.record.registered.clone()).unwrap_or_default();
    let stored = write(connection, existing, done.record)?;
    if let Some(refusal) = other_currency(connection, &stored.record)? {
        return Ok(Err(refusal));
    }
    let psp_id = stored.record.registered.psp_id.clone();
    if let Some(psp_id) = &psp_id
        && let Some(refusal) = claim(connection, &stored, psp_id)?
    {
        return Ok(Err(refusal));
    }
    let mut work = Work::new(connection, options, now);
    let stored = placed(&mut work, stored, &before)?;
    let stored = family::link(&mut work, stored)?;
    release(&mut work, &stored.record, &before)?;
    let Finished { owed, led_elsewhere, findings } = work.finish()?;
    let record = records::by_key(connection, key)?.map_or(stored.record, |stored| stored.record);
    let agreement = records::agreement_of(connection, &record)?;
    Ok(Ok(RegistrationReceipt { record, agreement, created: done.created, owed, led_elsewhere, findings }))
}

/// Lets the registered PSP id lead to the record, and places events anew that were placed before on it, or on another capture
/// of its preauthorization.
fn placed(work: &mut Work<'_>, mut stored: Stored, before: &Registered) -> rusqlite::Result<Stored> {
    let Registered { psp_id, preauth_id, .. } = stored.record.registered.clone();
    if let Some(psp_id) = &psp_id {
        records::learn(work.connection, &stored, &Lead { kind: stored.record.key.kind, psp_id, placed: false })?;
        parked::look_again(work.connection, psp_id)?;
    }
    if stored.record.key.kind == Kind::Preauth {
        placing::with_captures(work, &stored.record.key.id)?;
        stored = again(work.connection, stored)?;
    } else if psp_id != before.psp_id {
        stored = placing::anew(work, stored)?;
    }
    if preauth_id != before.preauth_id {
        if let Some(preauth) = &before.preauth_id {
            family::part(work, preauth, &stored.record.key.id)?;
        }
        if let Some(preauth) = &preauth_id {
            placing::with_captures(work, preauth)?;
        }
        stored = again(work.connection, stored)?;
    }
    Ok(stored)
}

/// The record as it is stored now: placing events anew may have changed it.
fn again(connection: &Connection, stored: Stored) -> rusqlite::Result<Stored> {
    Ok(records::by_key(connection, &stored.record.key)?.unwrap_or(stored))
}

/// Releases the events that waited for the record.
fn release(work: &mut Work<'_>, record: &Record, before: &Registered) -> rusqlite::Result<()> {
    let Registered { psp_id, preauth_id, agreement_id, .. } = &record.registered;
    let (kind, id) = (record.key.kind, &record.key.id);
    let moved = *preauth_id != before.preauth_id;
    let captures = preauth_id.iter().chain(&before.preauth_id).filter(|_| moved).map(ReleaseKey::captures);
    let agreement = agreement_id.as_ref().map(|_| ReleaseKey::agreement_of(id));
    let its = psp_id.as_ref().map(|psp_id| ReleaseKey::psp_id(kind, psp_id));
    let mut keys = captures.chain([ReleaseKey::record(id)]).chain(its).chain(agreement);
    keys.try_for_each(|key| work.release(record.source.as_deref(), &key))
}

fn write(connection: &Connection, existing: Option<Stored>, record: Record) -> rusqlite::Result<Stored> {
    let stored = match existing {
        Some(old) => {
            records::update(connection, old.row, &record)?;
            if let Some(old_id) = &old.record.registered.psp_id
                && record.registered.psp_id.as_ref() != Some(old_id)
                && record.key.kind != Kind::Agreement
            {
                records::forget(connection, old.row, record.key.kind, old_id)?;
            }
            Stored { row: old.row, record }
        }
        None => Stored { row: records::insert(connection, &record)?, record },
    };
    if let Some(source) = &stored.record.source {
        records::bind(connection, &stored, source)?;
    }
    Ok(stored)
}

/// Gives a PSP id to the record that is registered with it. A record that only learned the id from an event gives it up.
/// Agreements may share a means of payment, and keep the id.
fn claim(connection: &Connection, stored: &Stored, psp_id: &str) -> rusqlite::Result<Option<Refusal>> {
    let kind = stored.record.key.kind;
    if kind == Kind::Agreement {
        return Ok(None);
    }
    for other in records::others_of_psp_id(connection, stored, psp_id)? {
        if other.record.key.kind == kind && other.record.registered.psp_id.as_deref() == Some(psp_id) {
            let reason = format!("{} belongs to another {kind}", shown_id(psp_id));
            return Ok(Some(Refusal::conflict("pspTransactionId", reason)));
        }
        records::forget(connection, other.row, kind, psp_id)?;
    }
    Ok(None)
}

/// The refusal of a refund whose payment has another currency, or of a payment whose refunds have another currency.
fn other_currency(connection: &Connection, record: &Record) -> rusqlite::Result<Option<Refusal>> {
    let relatives: Vec<Stored> = match (record.key.kind, record.parent_payment()) {
        (Kind::Payment, _) => records::refunds_of(connection, &record.key.id)?,
        (Kind::Refund, Some(id)) => {
            records::by_key(connection, &RecordKey::new(Kind::Payment, id.clone()))?.into_iter().collect()
        }
        _ => Vec::new(),
    };
    let other = relatives.into_iter().find(|other| other.record.registered.currency != record.registered.currency);
    Ok(other.and_then(|other| {
        let currency = other.record.registered.currency?;
        Some(Refusal::conflict("currency", format!("{} is in {currency}", other.record.key)))
    }))
}
