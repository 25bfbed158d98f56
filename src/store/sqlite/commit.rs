//! Changes of records: events of notifications and of fetches are applied. Parked events that a change releases are applied
//! with it.

use uuid::Uuid;

use super::findings::{FindingSeen, Named};
use super::parked::{self, Pending, ReleaseKey};
use super::reached::{self, Open};
use super::records::{self, Lead, Stored};
use super::way::{self, Found, Target};
use super::work::{Finished, Work};
use super::{family as stored_family, findings, history, inbox, placed, placing, waited};
use crate::domain::event::Event;
use crate::domain::family;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::Record;
use crate::domain::transition::{Layer, Transition};
use crate::domain::view::{View, is_over_refunded};
use crate::store::{FindingKind, LedElsewhere, Outcome};

impl Work<'_> {
    /// Applies the released events, and those that they release in turn, and writes the records.
    pub(super) fn finish(mut self) -> rusqlite::Result<Finished> {
        self.apply_released()?;
        self.unwritten.write(self.connection)?;
        Ok(self.finished)
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
            let pending = Pending { notification, source: source.to_owned(), event: event.clone() };
            let (became, reason) = self.apply(&pending)?;
            outcome = outcome.max(became);
            reasons.extend(reason);
        }
        Ok((outcome, reasons))
    }

    /// Applies an event to its records, or parks it.
    fn apply(&mut self, pending: &Pending) -> rusqlite::Result<(Outcome, Option<String>)> {
        let open = self.open(pending)?;
        let found = way::of_event(self.connection, &self.unwritten, &pending.source, &pending.event)?;
        match found {
            Found::Targets(targets, further) => {
                if open == Open::All && !further.is_empty() {
                    self.wait_as_well(pending, &further)?;
                }
                self.apply_to_all(targets, pending, &open)
            }
            Found::Waits(keys) if open == Open::All => {
                self.park(pending, &keys)?;
                Ok((if pending.event.companion { Outcome::Ignored } else { Outcome::Parked }, None))
            }
            Found::Several(reason, keys) if open == Open::All => {
                self.wait_as_well(pending, &keys)?;
                Ok((Outcome::DeadLetter, Some(reason)))
            }
            Found::Waits(_) | Found::Several(..) => {
                self.led_elsewhere(pending, None);
                Ok((Outcome::Repeated, None))
            }
        }
    }

    /// Applies an event to its records. Returns the greatest outcome, and the first reason of a refusal.
    fn apply_to_all(
        &mut self,
        targets: Vec<Target>,
        pending: &Pending,
        open: &Open,
    ) -> rusqlite::Result<(Outcome, Option<String>)> {
        let (mut outcome, mut reason) = (Outcome::Ignored, None);
        for target in targets {
            let (became, why) = self.apply_to(target, pending, open)?;
            outcome = outcome.max(became);
            reason = reason.or(why);
        }
        Ok((outcome, reason))
    }

    /// Lets an event wait in silence, although it has found agreements, or could be meant for any of several captures.
    fn wait_as_well(&mut self, pending: &Pending, keys: &[ReleaseKey]) -> rusqlite::Result<()> {
        let event = Event { companion: true, ..pending.event.clone() };
        self.park(&Pending::of(pending.notification, pending.source.clone(), event), keys)
    }

    /// Parks an event, and looks at it if that cannot wait.
    fn park(&mut self, pending: &Pending, keys: &[ReleaseKey]) -> rusqlite::Result<()> {
        let row = parked::until_known(self.connection, pending, keys, self.now)?;
        self.finished.findings.extend(waited::at_once(self.connection, self.now, row, pending)?);
        Ok(())
    }

    /// Applies an event to one of its records.
    fn apply_to(
        &mut self,
        Target { mut stored, layer }: Target,
        pending: &Pending,
        open: &Open,
    ) -> rusqlite::Result<(Outcome, Option<String>)> {
        if !open.holds(stored.row) {
            self.led_elsewhere(pending, Some(stored.record.key));
            return Ok((Outcome::Repeated, None));
        }
        stored.record.source.get_or_insert_with(|| pending.source.clone());
        stored = self.take_over_refund(stored, &pending.event)?;
        let took_over = self.take_over_means(&mut stored, pending)?;
        let parent = match family::parent(&stored.record) {
            Some((kind, id)) => self.unwritten.by_key(self.connection, &RecordKey::new(kind, id.clone()))?,
            None => None,
        };
        let event = (&pending.event, layer);
        match family::apply(&stored.record, parent.as_ref().map(|parent| &parent.record), event, self.now.wall) {
            Ok(mut moved) => {
                if took_over && moved.transition != Transition::Changed {
                    moved.record.bump(self.now.wall);
                    moved.transition = Transition::Changed;
                }
                self.reached(&stored, pending)?;
                let (before, after) = ([Some(&stored), parent.as_ref()], [Some(&moved.record), moved.parent.as_ref()]);
                self.look_at_refunds(pending, before, after)?;
                self.save(stored.row, parent, (pending, open, layer), moved).map(|became| (became, None))
            }
            Err(contradiction) => {
                Ok((Outcome::DeadLetter, Some(format!("{}: {contradiction}", pending.event.event_type))))
            }
        }
    }

    /// Lets an agreement know what events told of the means of payment that this event names while only other agreements had
    /// it. Returns whether Transform can see a difference.
    fn take_over_means(&self, stored: &mut Stored, pending: &Pending) -> rusqlite::Result<bool> {
        if stored.record.key.kind != Kind::Agreement {
            return Ok(false);
        }
        let ids = &pending.event.psp_ids;
        let means = self.unwritten.means_of_others(self.connection, &pending.source, stored.row, ids)?;
        let before = View::of(&stored.record);
        stored.record.take_over(means);
        Ok(View::of(&stored.record) != before)
    }

    /// A refund with what its payment knows of it under another id of the event: the event is the first to show that the id is
    /// the refund's own.
    fn take_over_refund(&mut self, stored: Stored, event: &Event) -> rusqlite::Result<Stored> {
        if stored.record.key.kind != Kind::Refund {
            return Ok(stored);
        }
        let is_known = |psp_id: &String| stored.record.seen.attempts.iter().any(|one| one.ids.contains(psp_id));
        let mut elsewhere = false;
        for psp_id in event.psp_ids.iter().filter(|psp_id| !is_known(psp_id)) {
            elsewhere |= !records::others_of_psp_id(self.connection, &stored, psp_id)?.is_empty();
        }
        if !elsewhere {
            return Ok(stored);
        }
        self.unwritten.write(self.connection)?;
        let taken = stored_family::taken_over(self, &stored, &event.psp_ids)?;
        Ok(taken.unwrap_or(stored))
    }

    /// Finds payments whose refunds exceed what was paid from now on, or no more.
    fn look_at_refunds(
        &mut self,
        by: &Pending,
        before: [Option<&Stored>; 2],
        after: [Option<&Record>; 2],
    ) -> rusqlite::Result<()> {
        for (before, after) in before.into_iter().zip(after) {
            let Some((before, after)) = before.zip(after) else { continue };
            match (is_over_refunded(&before.record), is_over_refunded(after)) {
                (false, true) => self.found(&FindingSeen {
                    what: FindingKind::OverRefunded,
                    source: by.source.clone(),
                    event_type: by.event.event_type.clone(),
                    count: 1,
                    notification: Some(by.notification),
                    record: Some((before.row, after.key.clone())),
                    missing: None,
                })?,
                (true, false) => findings::is_over(self.connection, FindingKind::OverRefunded, before.row)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Counts an event without effect: it leads away from the record that its signed text reached.
    fn led_elsewhere(&mut self, pending: &Pending, record: Option<RecordKey>) {
        let Pending { notification, ref source, .. } = *pending;
        let first = || LedElsewhere { source: source.clone(), notification, record, events: 0 };
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

    /// Notes that a record has taken an event. An event that was refused binds its text to no record.
    fn reached(&self, stored: &Stored, pending: &Pending) -> rusqlite::Result<()> {
        pending.event.loose.as_ref().map_or(Ok(()), |loose| {
            reached::note(self.connection, &pending.source, &loose.text, stored.row, pending.notification)
        })
    }

    fn save(
        &mut self,
        row: i64,
        parent: Option<Stored>,
        (pending, open, layer): (&Pending, &Open, Layer),
        moved: family::Moved,
    ) -> rusqlite::Result<Outcome> {
        let stored = Stored { row, record: moved.record };
        if moved.transition == Transition::Changed {
            self.changed(&stored, pending, None)?;
        }
        if let (Some(old), Some(record)) = (parent, moved.parent) {
            let parent = Stored { row: old.row, record };
            if moved.parent_changed {
                self.changed(&parent, pending, Some(&stored.record.key))?;
            }
            self.unwritten.set(self.connection, parent)?;
        }
        records::bind(self.connection, &stored, &pending.source)?;
        let placed = layer == Layer::Placed;
        if placed {
            placed::note(self.connection, row, pending)?;
        }
        // A refund that is not registered is found by its own id as well.
        let kind = if pending.event.is_refund() { Kind::Refund } else { stored.record.key.kind };
        // Unsigned ids are learned from the first notification only: anybody can write other ids into a copy of it.
        let sure = |psp_id: &&String| *open == Open::All || pending.event.is_sure_of(psp_id);
        let mut known = Vec::new();
        for psp_id in pending.event.psp_ids.iter().filter(sure) {
            if records::learn(self.connection, &stored, &Lead { kind, psp_id, placed })? {
                self.release(stored.record.source.as_deref(), &ReleaseKey::psp_id(kind, psp_id))?;
                known.extend((kind == Kind::Preauth).then_some(psp_id));
            }
        }
        for customer in &pending.event.customers {
            self.learn_customer(&stored, customer)?;
        }
        if kind == Kind::Payment && !placed {
            known.extend(self.learn_originals(&stored, pending.event.originals.iter().filter(sure))?);
        }
        self.unwritten.set(self.connection, stored)?;
        for authorization in known {
            placing::with_captures_known(self, &pending.source, authorization)?;
        }
        Ok(match moved.transition {
            Transition::Changed => Outcome::Applied,
            Transition::Repeated => Outcome::Repeated,
            Transition::Stale => Outcome::Stale,
        })
    }

    /// Lets the authorizations that a payment's event names lead to the payment. Returns those that did not before.
    fn learn_originals<'e>(
        &mut self,
        stored: &Stored,
        originals: impl Iterator<Item = &'e String>,
    ) -> rusqlite::Result<Vec<&'e String>> {
        let mut known = Vec::new();
        for authorization in originals {
            let psp_id = records::original(authorization);
            let lead = Lead { kind: Kind::Payment, psp_id: &psp_id, placed: false };
            if records::learn(self.connection, stored, &lead)? {
                self.release(stored.record.source.as_deref(), &ReleaseKey::captured(authorization))?;
                known.push(authorization);
            }
        }
        Ok(known)
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
        self.owe(stored, after.cloned().into_iter().collect())
    }

    fn apply_released(&mut self) -> rusqlite::Result<()> {
        loop {
            // An event that is taken back may take back others.
            while let Some((record, pending)) = self.taken_back.pop_front() {
                let (outcome, reason) = self.apply(&pending)?;
                // An event that finds its way to another capture is no finding.
                if outcome == Outcome::DeadLetter {
                    self.found(&sighting(record, &pending))?;
                }
                inbox::taken_back(self.connection, pending.notification, outcome, reason.as_deref())?;
            }
            let Some(pending) = self.released.pop_front() else { return Ok(()) };
            let (outcome, reason) = self.apply(&pending)?;
            let (notification, companion) = (pending.notification, pending.event.companion);
            inbox::released(self.connection, notification, companion, outcome, reason.as_deref())?;
        }
    }
}

/// The finding that an event was taken back from a record, and that nobody can tell the record that it is about.
fn sighting(record: Named, pending: &Pending) -> FindingSeen {
    FindingSeen {
        what: FindingKind::TakenBack,
        source: pending.source.clone(),
        event_type: pending.event.event_type.clone(),
        count: 1,
        notification: Some(pending.notification),
        record: Some(record),
        missing: None,
    }
}
