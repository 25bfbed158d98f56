//! Placing anew: events that were placed on the only capture of a preauthorization find their way once more, since there is
//! another capture, or the capture has got an id of the PSP.

use rusqlite::Connection;

use super::parked::Pending;
use super::records::{self, Lead, Stored};
use super::unwritten::Unwritten;
use super::way::{self, Found, Target};
use super::work::Work;
use super::{family, placed};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::{Record, Seen};
use crate::domain::transition::{self, Layer};

/// Places anew what was placed on the captures of a preauthorization, since there is another capture, or the preauthorization
/// is registered only now.
pub(super) fn with_captures(work: &mut Work<'_>, preauth: &TransformId) -> rusqlite::Result<()> {
    let connection = work.connection;
    let mut captures = records::captures_of(connection, preauth, records::stored)?;
    if let Some(stored) = records::by_key(connection, &RecordKey::new(Kind::Preauth, preauth.clone()))? {
        let Record { source, registered, seen, .. } = &stored.record;
        let ids = registered.psp_id.iter().chain(seen.attempts.iter().flat_map(|attempt| &attempt.ids));
        for id in ids {
            captures.extend(known(work, source.as_deref().unwrap_or_default(), id)?);
        }
    }
    all_anew(work, captures)
}

/// Places anew what was placed on the captures of the authorization with this PSP id, since an event has told of another
/// capture, or that the id is a preauthorization's.
pub(super) fn with_captures_known(work: &mut Work<'_>, source: &str, authorization: &str) -> rusqlite::Result<()> {
    let mut captures = known(work, source, authorization)?;
    for preauth in work.unwritten.by_psp_id(work.connection, Kind::Preauth, source, authorization)? {
        captures.extend(work.unwritten.captures_of(work.connection, &preauth.stored.record.key.id)?);
    }
    all_anew(work, captures)
}

/// The payments that captured the authorization with this PSP id by what events tell.
fn known(work: &Work<'_>, source: &str, authorization: &str) -> rusqlite::Result<Vec<Stored>> {
    let original = records::original(authorization);
    let known = work.unwritten.by_psp_id(work.connection, Kind::Payment, source, &original)?;
    Ok(known.into_iter().map(|known| known.stored).collect())
}

/// Places anew what was placed on these payments.
fn all_anew(work: &mut Work<'_>, mut captures: Vec<Stored>) -> rusqlite::Result<()> {
    captures.retain(|stored| !stored.record.placed.is_empty());
    if captures.is_empty() {
        return Ok(());
    }
    work.unwritten.write(work.connection)?;
    captures.sort_by_key(|stored| stored.row);
    captures.dedup_by_key(|stored| stored.row);
    captures.into_iter().try_for_each(|capture| anew(work, capture).map(drop))
}

/// Places anew what was placed on a payment. Events that lead elsewhere now are applied with the released events.
pub(super) fn anew(work: &mut Work<'_>, payment: Stored) -> rusqlite::Result<Stored> {
    let connection = work.connection;
    if payment.record.placed.is_empty() {
        return Ok(payment);
    }
    records::forget_placed(connection, payment.row)?;
    let mut bare = Stored { row: payment.row, record: Record { placed: Seen::default(), ..payment.record.clone() } };
    records::update(connection, bare.row, &bare.record)?;
    let mut taken_back = Vec::new();
    for pending in placed::take_out(connection, bare.row)? {
        match again(connection, &bare, &pending)? {
            Some(record) => bare.record = record,
            None => taken_back.push(pending),
        }
        records::update(connection, bare.row, &bare.record)?;
    }
    let payment = family::changed(work, bare, &payment.record)?;
    family::note(work, &payment)?;
    if !taken_back.is_empty() {
        work.take_back((payment.row, payment.record.key.clone()), taken_back);
    }
    Ok(payment)
}

/// The payment with the event, if the event still leads to it.
fn again(connection: &Connection, payment: &Stored, pending: &Pending) -> rusqlite::Result<Option<Record>> {
    let found = way::of_event(connection, &Unwritten::default(), &pending.source, &pending.event)?;
    let Found::Targets(targets, _) = found else { return Ok(None) };
    let Some(Target { layer, .. }) = targets.into_iter().find(|target| target.stored.row == payment.row) else {
        return Ok(None);
    };
    let mut record = payment.record.clone();
    if transition::write(&mut record, &pending.event, layer).is_err() {
        return Ok(None);
    }
    let is_placed = layer == Layer::Placed;
    if is_placed {
        placed::note(connection, payment.row, pending)?;
    }
    let kind = if pending.event.is_refund() { Kind::Refund } else { Kind::Payment };
    for psp_id in &pending.event.psp_ids {
        records::learn(connection, payment, &Lead { kind, psp_id, placed: is_placed })?;
    }
    Ok(Some(record))
}
