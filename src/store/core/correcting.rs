//! Corrections of a reread: records get the claims that they have on the stage of the rehearsal, and notifications are judged
//! anew. A record or a notification that has changed since the rehearsal is left as it is.

use std::sync::Arc;

use uuid::Uuid;

use super::digest::digest;
use super::history::{self, BY_REREAD};
use super::inbox::{self, Became};
use super::parked::Pending;
use super::records::{self, Stored};
use super::set::rows::parked::Key;
use super::set::{Decided, WorkingSet};
use super::ways::{self, Lead};
use super::{fetches, findings, first_times, owing, parked, placed, taking};
use crate::domain::due::Moment;
use crate::domain::event::Event;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::Record;
use crate::domain::view::View;
use crate::store::rehearsal::{Learned, PlacedEvent};
use crate::store::{
    Corrected, Correction, Corrections, Judgement, LedElsewhere, Made, Outcome, Owed, Receipt, StoreOptions, Taken,
};

/// The results of corrections that are reported once they are on disk.
#[derive(Default)]
pub(in crate::store) struct Done {
    /// What was corrected.
    pub(in crate::store) corrected: Corrected,
    /// What Transform is owed.
    pub(in crate::store) owed: Vec<Owed>,
    /// The events without effect.
    pub(in crate::store) led_elsewhere: Vec<LedElsewhere>,
}

/// Makes corrections.
pub(in crate::store) fn correct(
    set: &WorkingSet,
    options: &StoreOptions,
    corrections: &Corrections,
    now: Moment,
) -> Decided<Done> {
    let mut done = Done::default();
    for family in &corrections.families {
        let (made, owed) = correct_family(set, options, Of { family, repaired: None }, now)?;
        done.corrected.families.push(made);
        done.owed.extend(owed);
    }
    for judgement in &corrections.judgements {
        let (made, receipt) = judge_anew(set, options, judgement, now)?;
        done.corrected.judgements.push(made);
        if let Some(receipt) = receipt {
            done.owed.extend(receipt.owed);
            done.led_elsewhere.extend(receipt.led_elsewhere);
            if receipt.crowded_out > 0 {
                *done.corrected.crowded_out.entry(judgement.source.clone()).or_default() += receipt.crowded_out;
            }
        }
    }
    Ok(done)
}

/// The corrections of a family.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) family: &'a [Correction],
    /// The record among them that could not be read, and stands as it was registered now.
    pub(super) repaired: Option<&'a RecordKey>,
}

/// Corrects the records of a family, if each is as its correction knows it. Returns the webhooks that Transform is owed; the
/// payment's comes after its refunds'.
pub(super) fn correct_family(
    set: &WorkingSet,
    options: &StoreOptions,
    Of { family, repaired }: Of<'_>,
    now: Moment,
) -> Decided<(Made, Vec<Owed>)> {
    let mut pairs = Vec::new();
    for correction in family {
        match records::by_key(set, &correction.key)? {
            Some(stands) => pairs.push((correction, stands)),
            None => return Ok((Made::Not, Vec::new())),
        }
    }
    let is_other = |(correction, stands): &(&Correction, Stored)| {
        repaired != Some(&correction.key) && digest_of(&stands.record) != correction.stands
    };
    if pairs.iter().any(is_other) {
        let is_made = |(correction, stands): &(&Correction, Stored)| claimed(stands, correction) == *stands.record;
        return Ok((if pairs.iter().all(is_made) { Made::Before } else { Made::Not }, Vec::new()));
    }
    let mut owed: Vec<Owed> = Vec::new();
    for (correction, stands) in pairs {
        owed.extend(correct_record(set, options, correction, stands, now)?);
    }
    let refunds: Vec<_> = owed.iter().map(|one| one.key.clone()).filter(|key| key.kind == Kind::Refund).collect();
    owed.iter_mut().filter(|one| one.key.kind == Kind::Payment).for_each(|one| one.after.clone_from(&refunds));
    Ok((Made::Now, owed))
}

/// A stored record with the claims of its correction.
fn claimed(stands: &Stored, correction: &Correction) -> Record {
    let stands = &stands.record;
    Record {
        key: stands.key.clone(),
        registered_at: stands.registered_at,
        registered: stands.registered.clone(),
        version: stands.version,
        last_updated: stands.last_updated,
        ..correction.would.clone()
    }
}

/// Corrects a record. Transform is owed a webhook if it can see a difference.
fn correct_record(
    set: &WorkingSet,
    options: &StoreOptions,
    correction: &Correction,
    stands: Stored,
    now: Moment,
) -> Decided<Option<Owed>> {
    let mut corrected = Stored { row: stands.row, record: Arc::new(claimed(&stands, correction)) };
    let status = View::of(&corrected.record).status;
    let mut owed = None;
    if View::of(&corrected.record) != View::of(&stands.record) {
        Arc::make_mut(&mut corrected.record).bump(now.wall);
        let version = (corrected.row, corrected.record.version);
        history::changed(set, version, (BY_REREAD, "reread"), status, now)?;
        let due = owing::owe(set, &options.debounce, &corrected, now.steady)?;
        owed = Some(Owed { key: corrected.record.key.clone(), due, after: Vec::new() });
    }
    records::update(set, corrected.row, &corrected.record)?;
    if let Some(source) = &corrected.record.source {
        ways::bind(set, corrected.row, source)?;
    }
    for learned in &correction.learns {
        learn(set, &corrected, learned)?;
    }
    place(set, &corrected, correction)?;
    Ok(owed)
}

/// Notes the events that are placed on a record, in the place of those that were. Their ids lead to it.
fn place(set: &WorkingSet, corrected: &Stored, correction: &Correction) -> Decided<()> {
    placed::forget(set, corrected.row)?;
    ways::forget_placed(set, corrected.row)?;
    for PlacedEvent { notification, source, event } in &correction.placed {
        let pending = Pending::of(*notification, source.clone(), event.clone());
        placed::note(set, corrected.row, &pending)?;
    }
    for Learned { kind, psp_id, sureness } in &correction.shown {
        ways::learn(set, corrected, &Lead { kind: *kind, psp_id, sureness: *sureness })?;
    }
    Ok(())
}

/// Lets a PSP id lead to a record. Another record that has only learned the id gives it up, unless both may have it.
fn learn(set: &WorkingSet, corrected: &Stored, learned: &Learned) -> Decided<()> {
    let Learned { kind, psp_id, sureness } = learned;
    let source = corrected.record.source.as_deref().unwrap_or_default();
    for other in ways::by_psp_id(set, *kind, source, psp_id)? {
        let other = other.stored;
        let is_own = other.record.registered.psp_id.as_ref() == Some(psp_id) && other.record.key.kind == *kind;
        if !ways::is_shared(*kind, psp_id) && other.row != corrected.row && !is_own {
            ways::forget(set, other.row, *kind, psp_id)?;
        }
    }
    ways::learn(set, corrected, &Lead { kind: *kind, psp_id, sureness: *sureness }).map(drop)
}

/// Judges a notification anew, if it is as the judgement knows it.
fn judge_anew(
    set: &WorkingSet,
    options: &StoreOptions,
    judgement: &Judgement,
    now: Moment,
) -> Decided<(Made, Option<Receipt>)> {
    let id = judgement.notification;
    let before = found(set, id)?;
    if before.as_ref().map(|before| &before.0) != Some(&judgement.was) {
        return Ok((Made::Not, None));
    }
    parked::forget(set, id)?;
    findings::understood(set, &judgement.source, id, &judgement.normalised.messages)?;
    // Reading it again sets the first times of its messages anew.
    for identity in judgement.normalised.messages.iter().filter_map(|message| message.identity.as_ref()) {
        first_times::forget(set, &judgement.source, id, identity)?;
    }
    let taken = Taken {
        id,
        source: judgement.source.clone(),
        received_at: now,
        headers: Vec::new(),
        body: Vec::new(),
        form: String::new(),
        signed_at: None,
        partly_signed: false,
        vouched: false,
        is_pointer: false,
        normalised: judgement.normalised.clone(),
    };
    let receipt = taking::judge(set, options, &taken, id, |became, _| {
        let has_its_events = matches!(became.outcome, Outcome::Repeated | Outcome::Stale);
        let outcome =
            if has_its_events && judgement.now == Outcome::Applied { Outcome::Applied } else { became.outcome };
        inbox::set(set, id, &Became { outcome, ..became.clone() })
    })?;
    let made = if found(set, id)? == before { Made::Before } else { Made::Now };
    Ok((made, Some(receipt)))
}

/// A notification in the store: its outcome, the reason if it is a dead letter, and its events that wait, each with whether it
/// does so in silence.
type Found = ((String, Option<String>), Vec<(Event, bool)>);

/// The notification as it is now. None if it is not kept, or waits for a fetch.
fn found(set: &WorkingSet, id: Uuid) -> Decided<Option<Found>> {
    let Some(row) = inbox::find(set, id)? else { return Ok(None) };
    if fetches::awaits(set, id)? {
        return Ok(None);
    }
    let outcome = row.outcome.get()?.name().to_owned();
    let mut waiting: Vec<_> = Vec::new();
    for row in set.parked.rows(&Key::Of(id))? {
        // An event that cannot be read comes anew.
        waiting.extend(row.event.sound().map(|event| (event.as_ref().clone(), row.silent)));
    }
    // An event that is parked anew has another row.
    waiting.sort_by_key(|(event, silent)| (event.key.clone(), *silent));
    Ok(Some(((outcome, row.reason.clone()), waiting)))
}

/// The digest of a record, by which a correction knows it again.
pub(in crate::store) fn digest_of(record: &Record) -> [u8; 16] {
    digest(&serde_json::to_vec(record).unwrap_or_default())
}
