//! Placing anew: events that were placed on the only capture of a preauthorization find their way once more, since there is
//! another capture, or the capture has got an id of the PSP.

use rusqlite::Connection;

use super::parked::Pending;
use super::records::{self, Lead, Stored};
use super::unwritten::Unwritten;
use super::way::{self, Found, Target};
use super::work::Work;
use super::{family, placed};
use crate::domain::due::Moment;
use crate::domain::ids::{Kind, TransformId};
use crate::domain::record::{Record, Seen};
use crate::domain::transition::{self, Layer};
use crate::store::Finding;

/// Places anew what was placed on the captures of a preauthorization, since there is another capture.
pub(super) fn with_captures(
    work: &mut Work<'_>,
    connection: &Connection,
    preauth: &TransformId,
    now: Moment,
) -> rusqlite::Result<()> {
    let captures = records::captures_of(connection, preauth, records::stored)?;
    captures.into_iter().try_for_each(|capture| anew(work, connection, capture, now).map(drop))
}

/// Places anew what was placed on a payment. Events that lead elsewhere now are applied with the released events.
pub(super) fn anew(
    work: &mut Work<'_>,
    connection: &Connection,
    payment: Stored,
    now: Moment,
) -> rusqlite::Result<Stored> {
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
    let payment = family::changed(work, connection, bare, &payment.record, now)?;
    family::note(work, connection, &payment, now)?;
    if !taken_back.is_empty() {
        work.found(Finding::TakenBack { payment: payment.record.key.clone(), events: taken_back.len() });
        work.take_back(taken_back);
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
