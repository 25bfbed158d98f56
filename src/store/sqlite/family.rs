//! Families of stored records: a registered refund and its payment, a capture and its preauthorization, agreements that share
//! a means of payment.

use rusqlite::Connection;

use super::findings;
use super::parked::ReleaseKey;
use super::records::{self, Lead, Stored};
use super::work::Work;
use crate::domain::attempt::Attempt;
use crate::domain::family;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::{Record, Seen};
use crate::domain::view::{View, is_over_refunded};
use crate::store::FindingKind;

/// Links a registered record with its relatives. The link itself never owes Transform a webhook; what the record takes over
/// from events that came before does.
pub(super) fn link(work: &mut Work<'_>, stored: Stored) -> rusqlite::Result<Stored> {
    let registered = stored.record.registered.psp_id.clone();
    match stored.record.key.kind {
        Kind::Payment => {
            let payment = with_refunds(work, stored)?;
            note_in_parent(work, &payment)?;
            Ok(payment)
        }
        Kind::Refund => match taken_over(work, &stored, registered.as_slice())? {
            Some(refund) => Ok(refund),
            None => note_in_parent(work, &stored).map(|()| stored),
        },
        Kind::Preauth => with_captures(work, stored),
        Kind::Agreement => with_shared_means(work, stored, registered.as_slice()),
    }
}

fn with_refunds(work: &Work<'_>, stored: Stored) -> rusqlite::Result<Stored> {
    let mut payment = stored.record.clone();
    for refund in records::refunds_of(work.connection, &payment.key.id)? {
        payment = family::link(&payment, &refund.record, work.now.wall).0;
    }
    records::update(work.connection, stored.row, &payment)?;
    Ok(Stored { row: stored.row, record: payment })
}

fn with_captures(work: &Work<'_>, stored: Stored) -> rusqlite::Result<Stored> {
    let mut preauth = stored.record.clone();
    for capture in records::captures_of(work.connection, &preauth.key.id, records::stored)? {
        preauth = family::link(&preauth, &capture.record, work.now.wall).0;
    }
    records::update(work.connection, stored.row, &preauth)?;
    Ok(Stored { row: stored.row, record: preauth })
}

fn note_in_parent(work: &Work<'_>, child: &Stored) -> rusqlite::Result<()> {
    let Some(parent) = parent_of(work.connection, &child.record)? else { return Ok(()) };
    let (record, _) = family::link(&parent.record, &child.record, work.now.wall);
    records::update(work.connection, parent.row, &record)
}

/// Notes a child in its parent. If Transform can see a difference in the parent, it is owed a webhook.
pub(super) fn note(work: &mut Work<'_>, child: &Stored) -> rusqlite::Result<()> {
    let Some(parent) = parent_of(work.connection, &child.record)? else { return Ok(()) };
    let (record, changed) = family::link(&parent.record, &child.record, work.now.wall);
    let parent = Stored { row: parent.row, record };
    records::update(work.connection, parent.row, &parent.record)?;
    if changed { work.owe(&parent, vec![child.record.key.clone()]) } else { Ok(()) }
}

/// The parent of a record, if it is registered.
fn parent_of(connection: &Connection, child: &Record) -> rusqlite::Result<Option<Stored>> {
    match family::parent(child) {
        Some((kind, id)) => records::by_key(connection, &RecordKey::new(kind, id.clone())),
        None => Ok(None),
    }
}

/// Takes a payment out of the preauthorization that it was registered to capture by mistake.
pub(super) fn part(work: &Work<'_>, preauth: &TransformId, payment: &TransformId) -> rusqlite::Result<()> {
    let Some(old) = records::by_key(work.connection, &RecordKey::new(Kind::Preauth, preauth.clone()))? else {
        return Ok(());
    };
    let mut next = old.record.clone();
    next.captures.remove(payment);
    if View::of(&next) != View::of(&old.record) {
        next.bump(work.now.wall);
    }
    records::update(work.connection, old.row, &next)
}

/// A refund with all that events told of it before it was registered, or known by these ids; none if they told nothing. Its
/// payment had that as an unregistered refund. If Transform can see a difference in the payment, it is owed a webhook for the
/// payment as well.
pub(super) fn taken_over(work: &mut Work<'_>, stored: &Stored, psp_ids: &[String]) -> rusqlite::Result<Option<Stored>> {
    let Some(parent) = parent_of(work.connection, &stored.record)? else { return Ok(None) };
    let mut payment = parent.record.clone();
    let attempts = payment.give_up_refund(&stored.record.key.id, psp_ids);
    if attempts.is_empty() {
        return Ok(None);
    }
    let mut refund = stored.record.clone();
    for id in attempts.iter().flat_map(|attempt| &attempt.ids) {
        records::forget(work.connection, parent.row, Kind::Refund, id)?;
    }
    learn(work, stored, &attempts)?;
    refund.take_over(attempts);
    let refund = changed(work, Stored { row: stored.row, record: refund }, &stored.record)?;
    let payment = family::linked(&payment, &refund.record);
    changed(work, Stored { row: parent.row, record: payment }, &parent.record)?;
    Ok(Some(refund))
}

/// Lets the PSP ids of attempts lead to the record that took them over.
fn learn(work: &mut Work<'_>, stored: &Stored, attempts: &[Attempt]) -> rusqlite::Result<()> {
    let kind = stored.record.key.kind;
    for psp_id in attempts.iter().flat_map(|attempt| &attempt.ids).filter(|id| !id.is_empty()) {
        if records::learn(work.connection, stored, &Lead { kind, psp_id, placed: false })? {
            work.release(stored.record.source.as_deref(), &ReleaseKey::psp_id(kind, psp_id))?;
        }
    }
    Ok(())
}

/// An agreement with all that events told of these means of payment while only other agreements had them.
fn with_shared_means(work: &mut Work<'_>, stored: Stored, psp_ids: &[String]) -> rusqlite::Result<Stored> {
    let mut agreement = stored.record.clone();
    for psp_id in psp_ids {
        for other in records::others_of_psp_id(work.connection, &stored, psp_id)? {
            let Seen { attempts, mut customers, .. } = other.record.seen;
            let its: Vec<_> = attempts.into_iter().filter(|attempt| attempt.ids.contains(psp_id)).collect();
            learn(work, &stored, &its)?;
            // The end of the customer may have been told long ago.
            customers.retain(|id, _| its.iter().any(|attempt| attempt.customers.contains(id)));
            agreement.take_over(its);
            agreement.seen.join(Seen { customers, ..Seen::default() });
        }
    }
    let customers: Vec<String> = agreement.seen.attempts.iter().flat_map(|one| one.customers.clone()).collect();
    let agreement = changed(work, Stored { row: stored.row, record: agreement }, &stored.record)?;
    for customer in customers {
        work.learn_customer(&agreement, &customer)?;
    }
    Ok(agreement)
}

/// Writes a record that took something over. If Transform can see a difference, it is owed a webhook.
pub(super) fn changed(work: &mut Work<'_>, mut stored: Stored, before: &Record) -> rusqlite::Result<Stored> {
    let is_visible = View::of(&stored.record) != View::of(before);
    if is_visible {
        stored.record.bump(work.now.wall);
    }
    records::update(work.connection, stored.row, &stored.record)?;
    if is_over_refunded(before) && !is_over_refunded(&stored.record) {
        findings::is_over(work.connection, FindingKind::OverRefunded, stored.row)?;
    }
    if is_visible {
        work.owe(&stored, Vec::new())?;
    }
    Ok(stored)
}
