//! Families of stored records: a registered refund and its payment, a capture and its preauthorization, agreements that share
//! a means of payment.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::findings::{self, FindingSeen};
use super::parked::ReleaseKey;
use super::records::{self, Stored};
use super::set::{Decided, WorkingSet};
use super::ways::{self, Lead};
use super::work::Work;
use crate::domain::attempt::Attempt;
use crate::domain::family;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::{Record, Seen};
use crate::domain::view::{View, is_over_refunded};
use crate::store::FindingKind;
use crate::store::sureness::Sureness;

/// Whether Transform is told of a parent whose sums differ because of a registered child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// It is: the payment stack has answered Transform about the child alone.
    Told,
    /// It is not: Transform knows what is imported.
    Silent,
}

/// Links a registered record with its relatives. The record itself is told of only for what it takes over from events that came
/// before.
pub(super) fn link(work: &mut Work<'_>, stored: Stored, parent: Parent) -> Decided<Stored> {
    let registered = stored.record.registered.psp_id.clone();
    match stored.record.key.kind {
        Kind::Payment => {
            let payment = with_refunds(work, stored, parent)?;
            note_in_parent(work, &payment, parent)?;
            Ok(payment)
        }
        Kind::Refund => match taken_over(work, &stored, registered.as_slice())? {
            Some(refund) => Ok(refund),
            None => note_in_parent(work, &stored, parent).map(|()| stored),
        },
        Kind::Preauth => with_captures(work, stored),
        Kind::Agreement => with_shared_means(work, stored, registered.as_slice()),
    }
}

/// A payment with what its registered refunds have given back. It may have got its money with its registration, too. Transform is told
/// of a payment that was cancelled with its refund: the payment stack has answered something else.
fn with_refunds(work: &mut Work<'_>, stored: Stored, told: Parent) -> Decided<Stored> {
    let mut payment = Arc::clone(&stored.record);
    for refund in records::refunds_of(work.set, &payment.key.id)? {
        payment = Arc::new(family::link(&payment, &refund.record, work.now.wall).0);
    }
    records::update(work.set, stored.row, &payment)?;
    let payment = Stored { row: stored.row, record: payment };
    look_at_refunds(work, &payment, &stored.record)?;
    if told == Parent::Told && View::of(&payment.record).status != View::of(&stored.record).status {
        work.owe(&payment, Vec::new())?;
    }
    Ok(payment)
}

fn with_captures(work: &Work<'_>, stored: Stored) -> Decided<Stored> {
    let mut preauth = Arc::clone(&stored.record);
    for capture in records::captures_of(work.set, &preauth.key.id)? {
        preauth = Arc::new(family::link(&preauth, &capture.record, work.now.wall).0);
    }
    records::update(work.set, stored.row, &preauth)?;
    Ok(Stored { row: stored.row, record: preauth })
}

fn note_in_parent(work: &mut Work<'_>, child: &Stored, told: Parent) -> Decided<()> {
    let Some(parent) = parent_of(work.set, &child.record)? else { return Ok(()) };
    let linked = family::linked(&parent.record, &child.record);
    let mut next = Stored { row: parent.row, record: Arc::new(linked) };
    if told == Parent::Told {
        return changed(work, next, &parent.record).map(drop);
    }
    if View::of(&next.record) != View::of(&parent.record) {
        Arc::make_mut(&mut next.record).bump_in_silence(work.now.wall);
    }
    records::update(work.set, next.row, &next.record)?;
    look_at_refunds(work, &next, &parent.record)
}

/// Notes a child in its parent. If Transform can see a difference in the parent, it is owed a webhook.
pub(super) fn note(work: &mut Work<'_>, child: &Stored) -> Decided<()> {
    let Some(parent) = parent_of(work.set, &child.record)? else { return Ok(()) };
    let (record, changed) = family::link(&parent.record, &child.record, work.now.wall);
    let parent = Stored { row: parent.row, record: Arc::new(record) };
    records::update(work.set, parent.row, &parent.record)?;
    if changed { work.owe(&parent, vec![child.record.key.clone()]) } else { Ok(()) }
}

/// The parent of a record, if it is registered.
fn parent_of(set: &WorkingSet, child: &Record) -> Decided<Option<Stored>> {
    match family::parent(child) {
        Some((kind, id)) => records::by_key(set, &RecordKey::new(kind, id.clone())),
        None => Ok(None),
    }
}

/// Takes a child out of the parent with which it was registered by mistake. If Transform can see a difference in the parent, it is
/// owed a webhook.
pub(super) fn part(work: &mut Work<'_>, parent: &RecordKey, child: &TransformId) -> Decided<()> {
    let Some(old) = records::by_key(work.set, parent)? else { return Ok(()) };
    let mut next = Record::clone(&old.record);
    next.captures.remove(child);
    next.refunds.remove(child);
    next.unconfirmed.remove(child);
    if let Some(imported) = &mut next.registered.imported {
        imported.note_refund(child, &BTreeSet::new());
    }
    changed(work, Stored { row: old.row, record: Arc::new(next) }, &old.record).map(drop)
}

/// A refund with all that events told of it before it was registered, or known by these ids; none if they told nothing. Its
/// payment had that as an unregistered refund. If Transform can see a difference in the payment, it is owed a webhook for the
/// payment as well.
pub(super) fn taken_over(work: &mut Work<'_>, stored: &Stored, psp_ids: &[String]) -> Decided<Option<Stored>> {
    let Some(parent) = parent_of(work.set, &stored.record)? else { return Ok(None) };
    let Some((refund, payment)) = take_over(work, stored, &parent, psp_ids)? else { return Ok(None) };
    let payment = family::linked(&payment, &refund.record);
    changed(work, Stored { row: parent.row, record: Arc::new(payment) }, &parent.record)?;
    Ok(Some(refund))
}

/// A refund with all that events told of it by these ids before it was registered, if they told it of other payments than the
/// registered one.
pub(super) fn taken_from(
    work: &mut Work<'_>,
    mut stored: Stored,
    holders: &[RecordKey],
    psp_ids: &[String],
) -> Decided<Stored> {
    let payment_id = stored.record.registered.payment_id.clone();
    for holder in
        holders.iter().filter(|holder| holder.kind == Kind::Payment && Some(&holder.id) != payment_id.as_ref())
    {
        let Some(holder) = records::by_key(work.set, holder)? else { continue };
        if let Some((refund, payment)) = take_over(work, &stored, &holder, psp_ids)? {
            changed(work, Stored { row: holder.row, record: Arc::new(payment) }, &holder.record)?;
            stored = refund;
        }
    }
    Ok(stored)
}

/// A refund with what a payment knows of it by these ids, and the payment without that; none if it knows nothing.
fn take_over(
    work: &mut Work<'_>,
    stored: &Stored,
    holder: &Stored,
    psp_ids: &[String],
) -> Decided<Option<(Stored, Record)>> {
    let mut payment = Record::clone(&holder.record);
    let attempts = payment.give_up_refund(&stored.record.key.id, psp_ids);
    if attempts.is_empty() {
        return Ok(None);
    }
    for id in attempts.iter().flat_map(|attempt| &attempt.ids) {
        ways::forget(work.set, holder.row, Kind::Refund, id)?;
    }
    let mut refund = bound(work.set, stored, holder.record.source.as_ref())?;
    learn(work, &refund, &attempts)?;
    Arc::make_mut(&mut refund.record).take_over(attempts);
    let refund = changed(work, refund, &stored.record)?;
    Ok(Some((refund, payment)))
}

/// A record bound to the source of what it takes over, as if the events had reached it. It may be bound to one already.
fn bound(set: &WorkingSet, stored: &Stored, source: Option<&String>) -> Decided<Stored> {
    let mut bound = Stored { row: stored.row, record: Arc::clone(&stored.record) };
    if let (None, Some(source)) = (&stored.record.source, source) {
        Arc::make_mut(&mut bound.record).source = Some(source.clone());
    }
    if let (None, Some(source)) = (&stored.record.source, &bound.record.source) {
        ways::bind(set, bound.row, source)?;
    }
    Ok(bound)
}

/// Lets the PSP ids of attempts lead to the record that took them over.
fn learn(work: &mut Work<'_>, stored: &Stored, attempts: &[Attempt]) -> Decided<()> {
    let kind = stored.record.key.kind;
    for psp_id in attempts.iter().flat_map(|attempt| &attempt.ids).filter(|id| !id.is_empty()) {
        if ways::learn(work.set, stored, &Lead { kind, psp_id, sureness: Sureness::Own })? {
            work.release(stored.record.source.as_deref(), &ReleaseKey::psp_id(kind, psp_id))?;
        }
    }
    Ok(())
}

/// An agreement with all that events told of these means of payment while only other agreements had them.
fn with_shared_means(work: &mut Work<'_>, stored: Stored, psp_ids: &[String]) -> Decided<Stored> {
    let mut agreement = Stored { row: stored.row, record: Arc::clone(&stored.record) };
    for psp_id in psp_ids {
        for other in ways::others_of_psp_id(work.set, &stored, psp_id)? {
            let Record { source, seen: Seen { attempts, mut customers, .. }, .. } = Arc::unwrap_or_clone(other.record);
            let its: Vec<_> = attempts.into_iter().filter(|attempt| attempt.is_under(psp_id)).collect();
            if its.is_empty() {
                continue;
            }
            agreement = bound(work.set, &agreement, source.as_ref())?;
            learn(work, &agreement, &its)?;
            // The end of the customer may have been told long ago.
            customers.retain(|id, _| its.iter().any(|attempt| attempt.customers.contains(id)));
            let record = Arc::make_mut(&mut agreement.record);
            record.take_over(its);
            record.seen.join(Seen { customers, ..Seen::default() });
        }
    }
    let customers: Vec<String> = agreement.record.seen.attempts.iter().flat_map(|one| one.customers.clone()).collect();
    let agreement = changed(work, agreement, &stored.record)?;
    for customer in customers {
        work.learn_customer(&agreement, &customer)?;
    }
    Ok(agreement)
}

/// Writes a record that took something over. If Transform can see a difference, it is owed a webhook.
pub(super) fn changed(work: &mut Work<'_>, mut stored: Stored, before: &Record) -> Decided<Stored> {
    let is_visible = View::of(&stored.record) != View::of(before);
    if is_visible {
        Arc::make_mut(&mut stored.record).bump(work.now.wall);
    }
    records::update(work.set, stored.row, &stored.record)?;
    look_at_refunds(work, &stored, before)?;
    if is_visible {
        work.owe(&stored, Vec::new())?;
    }
    Ok(stored)
}

/// Finds a payment whose refunds exceed what was paid from now on, or no more.
fn look_at_refunds(work: &mut Work<'_>, stored: &Stored, before: &Record) -> Decided<()> {
    match (is_over_refunded(before), is_over_refunded(&stored.record)) {
        (false, true) => work.found(&over_refunded(stored)),
        (true, false) => findings::is_over(work.set, FindingKind::OverRefunded, stored.row),
        _ => Ok(()),
    }
}

/// The finding that the refunds of a payment exceed what was paid, although no event of its own has made them so.
fn over_refunded(stored: &Stored) -> FindingSeen {
    FindingSeen {
        what: FindingKind::OverRefunded,
        source: stored.record.source.clone().unwrap_or_default(),
        event_type: "refund".to_owned(),
        count: 1,
        notification: None,
        record: Some((stored.row, stored.record.key.clone())),
        missing: None,
    }
}
