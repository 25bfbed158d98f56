//! Corrections of a reread: records get the claims that they have on the stage of the rehearsal, and notifications are judged
//! anew. A record or a notification that has changed since the rehearsal is left as it is.

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::columns::digest;
use super::history::{self, BY_REREAD};
use super::inbox::{self, Became};
use super::parked::Pending;
use super::records::{self, Lead, Stored};
use super::store::Store;
use super::writer::unavailable;
use super::{findings, first_times, owing, parked, placed, taking};
use crate::domain::due::Moment;
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::view::View;
use crate::store::rehearsal::{Differing, Learned, PlacedEvent};
use crate::store::{
    Corrected, Correction, Corrections, Judgement, LedElsewhere, Made, Outcome, Owed, Receipt, StoreError,
    StoreOptions, Taken,
};

impl Correction {
    /// The correction of a record that would differ.
    #[must_use]
    pub fn of(differing: Differing) -> Self {
        let Differing { stands, would, learns, placed, shown } = differing;
        Self { key: stands.key.clone(), stands: digest_of(&stands), would, learns, placed, shown }
    }
}

impl Store {
    /// Makes corrections. Corrections that were made for another state of the store are left out.
    ///
    /// # Errors
    /// The store cannot take them now; nothing was written.
    pub async fn correct(&self, corrections: Corrections, now: Moment) -> Result<Corrected, StoreError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let work = move |connection: &Connection| correct(connection, &options, &corrections, now).map_err(unavailable);
        let after = move |done: &Done| {
            wake.each(&done.owed);
            done.led_elsewhere.iter().for_each(LedElsewhere::log);
        };
        Ok(self.writer.write(work, after).await.inspect_err(|error| self.met(error))?.corrected)
    }
}

/// The results of corrections that are reported once they are on disk.
#[derive(Default)]
struct Done {
    corrected: Corrected,
    owed: Vec<Owed>,
    led_elsewhere: Vec<LedElsewhere>,
}

fn correct(
    connection: &Connection,
    options: &StoreOptions,
    corrections: &Corrections,
    now: Moment,
) -> rusqlite::Result<Done> {
    let mut done = Done::default();
    for family in &corrections.families {
        let (made, owed) = correct_family(connection, options, family, now)?;
        done.corrected.families.push(made);
        done.owed.extend(owed);
    }
    for judgement in &corrections.judgements {
        let (made, receipt) = judge_anew(connection, options, judgement, now)?;
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

/// Corrects the records of a family, if each is as its correction knows it. Returns the webhooks that Transform is owed; the
/// payment's comes after its refunds'.
fn correct_family(
    connection: &Connection,
    options: &StoreOptions,
    family: &[Correction],
    now: Moment,
) -> rusqlite::Result<(Made, Vec<Owed>)> {
    let mut pairs = Vec::new();
    for correction in family {
        match records::by_key(connection, &correction.key)? {
            Some(stands) => pairs.push((correction, stands)),
            None => return Ok((Made::Not, Vec::new())),
        }
    }
    if pairs.iter().any(|(correction, stands)| digest_of(&stands.record) != correction.stands) {
        let is_made = |(correction, stands): &(&Correction, Stored)| claimed(stands, correction) == stands.record;
        return Ok((if pairs.iter().all(is_made) { Made::Before } else { Made::Not }, Vec::new()));
    }
    let mut owed: Vec<Owed> = Vec::new();
    for (correction, stands) in pairs {
        owed.extend(correct_record(connection, options, correction, stands, now)?);
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
    connection: &Connection,
    options: &StoreOptions,
    correction: &Correction,
    stands: Stored,
    now: Moment,
) -> rusqlite::Result<Option<Owed>> {
    let mut corrected = Stored { row: stands.row, record: claimed(&stands, correction) };
    let status = View::of(&corrected.record).status;
    let mut owed = None;
    if View::of(&corrected.record) != View::of(&stands.record) {
        corrected.record.bump(now.wall);
        let version = (corrected.row, corrected.record.version);
        history::changed(connection, version, (BY_REREAD, "reread"), status, now)?;
        let due = owing::owe(connection, &options.debounce, &corrected, now.steady)?;
        owed = Some(Owed { key: corrected.record.key.clone(), due, after: Vec::new() });
    }
    records::update(connection, corrected.row, &corrected.record)?;
    if let Some(source) = &corrected.record.source {
        records::bind(connection, &corrected, source)?;
    }
    for learned in &correction.learns {
        learn(connection, &corrected, learned)?;
    }
    place(connection, &corrected, correction)?;
    Ok(owed)
}

/// Notes the events that are placed on a record, in the place of those that were. Their ids lead to it.
fn place(connection: &Connection, corrected: &Stored, correction: &Correction) -> rusqlite::Result<()> {
    placed::take_out(connection, corrected.row)?;
    records::forget_placed(connection, corrected.row)?;
    for PlacedEvent { notification, source, event } in &correction.placed {
        let pending = Pending::of(*notification, source.clone(), event.clone());
        placed::note(connection, corrected.row, &pending)?;
    }
    for Learned { kind, psp_id, sureness } in &correction.shown {
        records::learn(connection, corrected, &Lead { kind: *kind, psp_id, sureness: *sureness })?;
    }
    Ok(())
}

/// Lets a PSP id lead to a record. Another record that has only learned the id gives it up, unless both may have it.
fn learn(connection: &Connection, corrected: &Stored, learned: &Learned) -> rusqlite::Result<()> {
    let Learned { kind, psp_id, sureness } = learned;
    let source = corrected.record.source.as_deref().unwrap_or_default();
    for other in records::by_psp_id(connection, *kind, source, psp_id, records::stored)? {
        let other = other.stored;
        let is_own = other.record.registered.psp_id.as_ref() == Some(psp_id) && other.record.key.kind == *kind;
        if !records::is_shared(*kind, psp_id) && other.row != corrected.row && !is_own {
            records::forget(connection, other.row, *kind, psp_id)?;
        }
    }
    records::learn(connection, corrected, &Lead { kind: *kind, psp_id, sureness: *sureness }).map(drop)
}

/// Judges a notification anew, if it is as the judgement knows it.
fn judge_anew(
    connection: &Connection,
    options: &StoreOptions,
    judgement: &Judgement,
    now: Moment,
) -> rusqlite::Result<(Made, Option<Receipt>)> {
    let id = judgement.notification;
    let before = found(connection, id)?;
    if before.as_ref().map(|before| &before.0) != Some(&judgement.was) {
        return Ok((Made::Not, None));
    }
    parked::forget(connection, id.into_bytes())?;
    findings::understood(connection, &judgement.source, id, &judgement.normalised.messages)?;
    // Reading it again sets the first times of its messages anew.
    for identity in judgement.normalised.messages.iter().filter_map(|message| message.identity.as_ref()) {
        first_times::forget(connection, &judgement.source, id, identity)?;
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
    let receipt = taking::judge(connection, options, &taken, id, |became, _| {
        let has_its_events = matches!(became.outcome, Outcome::Repeated | Outcome::Stale);
        let outcome =
            if has_its_events && judgement.now == Outcome::Applied { Outcome::Applied } else { became.outcome };
        inbox::set(connection, id, &Became { outcome, ..became.clone() })
    })?;
    let made = if found(connection, id)? == before { Made::Before } else { Made::Now };
    Ok((made, Some(receipt)))
}

/// A notification in the store: its outcome, the reason if it is a dead letter, and its events that wait.
type Found = ((String, Option<String>), Vec<(String, Option<String>)>);

/// The notification as it is now. None if it is not kept, or waits for a fetch.
fn found(connection: &Connection, id: Uuid) -> rusqlite::Result<Option<Found>> {
    let id = id.into_bytes();
    let outcome = connection
        .prepare_cached(
            "SELECT outcome, reason FROM notifications n WHERE id = ?1
                 AND NOT EXISTS (SELECT 1 FROM fetch_waiting WHERE notification = n.id)",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let waiting = connection
        .prepare_cached("SELECT event, reason FROM parked WHERE notification = ?1 ORDER BY event")?
        .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(outcome.map(|outcome| (outcome, waiting)))
}

fn digest_of(record: &Record) -> [u8; 16] {
    digest(&serde_json::to_vec(record).unwrap_or_default())
}

#[cfg(test)]
mod tests;
