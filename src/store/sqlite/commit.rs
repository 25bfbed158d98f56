//! Changes of records: events of notifications and of fetches are applied, and records are registered. Parked events
//! that a change releases are applied with it.

use std::collections::{HashSet, VecDeque};

use rusqlite::Connection;
use uuid::Uuid;

use super::parked::{self, Pending, ReleaseKey};
use super::reached::{self, Open};
use super::records::{self, Stored};
use super::unwritten::Unwritten;
use super::{finding, history, inbox, owing};
use crate::domain::contradiction::Contradiction;
use crate::domain::due::Moment;
use crate::domain::event::Event;
use crate::domain::family;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::Record;
use crate::domain::registration::{self, Refusal, Registration};
use crate::domain::text::shown;
use crate::domain::transition::Transition;
use crate::domain::view::View;
use crate::store::{LedElsewhere, Outcome, Owed, RegistrationReceipt, StoreOptions};

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
    let stored = match existing {
        Some(old) => {
            records::update(connection, old.row, &done.record)?;
            if let Some(old_id) = &old.record.registered.psp_id
                && done.record.registered.psp_id.as_ref() != Some(old_id)
            {
                records::forget(connection, old.row, old_id)?;
            }
            Stored { row: old.row, record: done.record }
        }
        None => Stored { row: records::insert(connection, &done.record)?, record: done.record },
    };
    if let Some(source) = &stored.record.source {
        records::bind(connection, &stored, source)?;
    }
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
    work.link_family(&stored)?;
    work.release(stored.record.source.as_deref(), &ReleaseKey::Record(&key.id))?;
    if let Some(psp_id) = &psp_id {
        records::learn(connection, &stored, psp_id)?;
        work.release(stored.record.source.as_deref(), &ReleaseKey::PspId(key.kind, psp_id))?;
    }
    let Finished { owed, led_elsewhere } = work.finish()?;
    let record = records::by_key(connection, key)?.map_or(stored.record, |stored| stored.record);
    Ok(Ok(RegistrationReceipt { record, created: done.created, owed, led_elsewhere }))
}

/// Gives a PSP id to the record that is registered with it. A record that only learned the id from an event gives it up.
fn claim(connection: &Connection, stored: &Stored, psp_id: &str) -> rusqlite::Result<Option<Refusal>> {
    for other in records::others_of_psp_id(connection, stored, psp_id)? {
        if other.record.registered.psp_id.as_deref() == Some(psp_id) {
            let kind = stored.record.key.kind;
            let field = if kind == Kind::Agreement { "pspAgreementId" } else { "pspTransactionId" };
            return Ok(Some(Refusal::conflict(field, format!("{} belongs to another {kind}", shown(psp_id)))));
        }
        records::forget(connection, other.row, psp_id)?;
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

/// Joins the first reasons and adds the number of the others: a batch may have thousands.
pub(super) fn joined(reasons: &[String]) -> Option<String> {
    const SHOWN: usize = 10;
    let first = reasons.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match reasons.len() {
        0 => None,
        1..=SHOWN => Some(first),
        count => Some(format!("{first}; and {} more", count - SHOWN)),
    }
}

/// One piece of work under way. Its changes are complete only after [`Work::finish`].
pub(super) struct Work<'a> {
    connection: &'a Connection,
    options: &'a StoreOptions,
    now: Moment,
    released: VecDeque<Pending>,
    unwritten: Unwritten,
    finished: Finished,
}

/// The results of a piece of work that are reported once it is on disk.
#[derive(Default)]
pub(super) struct Finished {
    /// The records that Transform is owed a webhook for.
    pub(super) owed: Vec<Owed>,
    /// The events without effect.
    pub(super) led_elsewhere: Option<LedElsewhere>,
}

impl<'a> Work<'a> {
    pub(super) fn new(connection: &'a Connection, options: &'a StoreOptions, now: Moment) -> Self {
        let (released, unwritten, finished) = (VecDeque::new(), Unwritten::default(), Finished::default());
        Self { connection, options, now, released, unwritten, finished }
    }

    /// Applies the released events, and those that they release in turn, and writes the records.
    pub(super) fn finish(mut self) -> rusqlite::Result<Finished> {
        self.apply_released()?;
        self.unwritten.write(self.connection)?;
        Ok(self.finished)
    }

    /// The notifications with released events that are not applied yet. Their outcome is not known yet.
    pub(super) fn under_way(&self) -> HashSet<Uuid> {
        self.released.iter().map(|pending| pending.notification).collect()
    }

    /// Applies the events of a message to their records. Returns the greatest outcome, and the reasons of refused events.
    pub(super) fn place_all(
        &mut self,
        notification: Uuid,
        source: &str,
        events: &[Event],
    ) -> rusqlite::Result<(Outcome, Vec<String>)> {
        let (mut outcome, mut reasons) = (Outcome::Ignored, Vec::new());
        for event in events {
            let pending = Pending { notification, source: source.to_owned(), event: event.clone(), reason: None };
            let (became, reason) = self.apply(pending)?;
            outcome = outcome.max(became);
            reasons.extend(reason);
        }
        Ok((outcome, reasons))
    }

    /// Applies an event to its record, or parks it.
    fn apply(&mut self, pending: Pending) -> rusqlite::Result<(Outcome, Option<String>)> {
        let open = self.open(&pending)?;
        let found = finding::of_event(self.connection, &self.unwritten, &pending.source, &pending.event)?;
        let mut stored = match found {
            Some(stored) if open.holds(stored.row) => stored,
            None if open == Open::All => {
                parked::until_known(self.connection, &Pending { reason: None, ..pending }, self.now)?;
                return Ok((Outcome::Parked, None));
            }
            elsewhere => {
                self.led_elsewhere(pending, elsewhere);
                return Ok((Outcome::Repeated, None));
            }
        };
        stored.record.source.get_or_insert_with(|| pending.source.clone());
        let payment = match stored.record.parent_payment() {
            Some(id) => {
                let key = RecordKey::new(Kind::Payment, id.clone());
                self.unwritten.by_key(self.connection, &key)?
            }
            None => None,
        };
        match family::apply(&stored.record, payment.as_ref().map(|p| &p.record), &pending.event, self.now.wall) {
            Ok(outcome) => {
                self.reached(&stored, &pending)?;
                self.save(stored.row, payment, (&pending, &open), outcome).map(|became| (became, None))
            }
            Err(contradiction) => self.contradicted(&stored, pending, &contradiction),
        }
    }

    /// Counts an event without effect: it leads away from the record that its signed text reached.
    fn led_elsewhere(&mut self, pending: Pending, record: Option<Stored>) {
        let Pending { notification, source, .. } = pending;
        let first = || LedElsewhere { source, notification, record: record.map(|stored| stored.record.key), events: 0 };
        let led = self.finished.led_elsewhere.get_or_insert_with(first);
        led.events = led.events.saturating_add(1);
    }

    /// The records that an event may change. If an id that leads to a record is unsigned, they are only the records that the
    /// signed text reached first.
    fn open(&self, pending: &Pending) -> rusqlite::Result<Open> {
        match &pending.event.loose {
            Some(loose) => reached::open(self.connection, &pending.source, &loose.text, pending.notification),
            None => Ok(Open::All),
        }
    }

    /// Notes that a record has taken an event, or will take it when there is room to refund. An event that was refused
    /// for good binds its text to no record.
    fn reached(&self, stored: &Stored, pending: &Pending) -> rusqlite::Result<()> {
        pending.event.loose.as_ref().map_or(Ok(()), |loose| {
            reached::note(self.connection, &pending.source, &loose.text, stored.row, pending.notification)
        })
    }

    fn save(
        &mut self,
        row: i64,
        payment: Option<Stored>,
        (pending, open): (&Pending, &Open),
        outcome: family::Moved,
    ) -> rusqlite::Result<Outcome> {
        let stored = Stored { row, record: outcome.record };
        if outcome.transition == Transition::Changed {
            self.changed(&stored, pending, None)?;
        }
        if let (Some(old), Some(record)) = (payment, outcome.payment) {
            let payment = Stored { row: old.row, record };
            if outcome.payment_changed {
                self.changed(&payment, pending, Some(&stored.record.key))?;
            }
            self.unwritten.set(self.connection, payment)?;
        }
        records::bind(self.connection, &stored, &pending.source)?;
        // Unsigned ids are learned from the first notification only: anybody can write other ids into a copy of it.
        let sure = |psp_id: &&String| *open == Open::All || pending.event.is_sure_of(psp_id);
        for psp_id in pending.event.psp_ids.iter().filter(sure) {
            if records::learn(self.connection, &stored, psp_id)? {
                self.release(stored.record.source.as_deref(), &ReleaseKey::PspId(stored.record.key.kind, psp_id))?;
            }
        }
        if outcome.headroom_rose {
            let payment = stored.record.parent_payment().unwrap_or(&stored.record.key.id).clone();
            self.release(None, &ReleaseKey::Headroom(&payment))?;
        }
        self.unwritten.set(self.connection, stored)?;
        Ok(match outcome.transition {
            Transition::Changed => Outcome::Applied,
            Transition::Repeated => Outcome::Repeated,
            Transition::Stale => Outcome::Stale,
        })
    }

    /// Makes an event with contradictory money a dead letter. A refund that only came before the payment's own events
    /// is tried again when more can be refunded.
    fn contradicted(
        &self,
        stored: &Stored,
        pending: Pending,
        contradiction: &Contradiction,
    ) -> rusqlite::Result<(Outcome, Option<String>)> {
        let reason = Some(format!("{}: {contradiction}", pending.event.event_type));
        if let (Contradiction::OverRefunded { .. }, Some(payment)) = (contradiction, stored.record.parent_payment()) {
            self.reached(stored, &pending)?;
            let refused = Pending { reason: reason.clone(), ..pending };
            parked::until_headroom(self.connection, &refused, payment, self.now)?;
        }
        Ok((Outcome::DeadLetter, reason))
    }

    /// Notes a visible change of a record in the history and in the outbox: Transform is owed a webhook.
    fn changed(&mut self, stored: &Stored, by: &Pending, after: Option<&RecordKey>) -> rusqlite::Result<()> {
        let status = View::of(&stored.record).status;
        history::changed(
            self.connection,
            (stored.row, stored.record.version),
            (by.notification, &by.event.event_type),
            status,
            self.now,
        )?;
        let due = owing::owe(self.connection, &self.options.debounce, stored, self.now.steady)?;
        self.finished.owed.push(Owed {
            key: stored.record.key.clone(),
            due,
            after: after.cloned().into_iter().collect(),
        });
        Ok(())
    }

    fn release(&mut self, source: Option<&str>, key: &ReleaseKey<'_>) -> rusqlite::Result<()> {
        self.released.extend(parked::release(self.connection, source, key)?);
        Ok(())
    }

    fn apply_released(&mut self) -> rusqlite::Result<()> {
        while let Some(pending) = self.released.pop_front() {
            let (notification, waited_as) = (pending.notification, pending.reason.clone());
            let (outcome, reason) = self.apply(pending)?;
            inbox::released(self.connection, notification, waited_as.as_deref(), outcome, reason.as_deref())?;
        }
        Ok(())
    }

    /// Links a registered refund to its payment, or a registered payment to its refunds. The link itself never owes
    /// Transform a webhook.
    fn link_family(&mut self, stored: &Stored) -> rusqlite::Result<()> {
        let connection = self.connection;
        match (stored.record.key.kind, stored.record.parent_payment()) {
            (Kind::Payment, _) => {
                let mut payment = stored.record.clone();
                for refund in records::refunds_of(connection, &payment.key.id)? {
                    payment = family::link(&payment, &refund.record, self.now.wall).0;
                }
                records::update(connection, stored.row, &payment)?;
                self.release(None, &ReleaseKey::Headroom(&payment.key.id))
            }
            (Kind::Refund, Some(id)) => {
                let key = RecordKey::new(Kind::Payment, id.clone());
                let Some(payment) = records::by_key(connection, &key)? else { return Ok(()) };
                let (record, _) = family::link(&payment.record, &stored.record, self.now.wall);
                records::update(connection, payment.row, &record)
            }
            _ => Ok(()),
        }
    }
}
