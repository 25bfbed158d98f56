//! Changes of records: events of notifications and of fetches are applied. Parked events that a change releases are applied
//! with it.

use std::sync::Arc;

use uuid::Uuid;

use super::findings::{FindingSeen, Named};
use super::parked::{self, Pending, ReleaseKey};
use super::reached::{self, Open};
use super::records::{self, Stored};
use super::set::Decided;
use super::way::{self, Found, Target};
use super::work::{Finished, Work};
use super::{family as stored_family, findings, given_up, history, later_outcomes, placed, placing, waited, ways};
use crate::domain::event::Event;
use crate::domain::family;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::Record;
use crate::domain::status::Status;
use crate::domain::transition::{Layer, Transition};
use crate::domain::view::{View, is_over_refunded};
use crate::store::sureness::Sureness;
use crate::store::{FindingKind, LedElsewhere, Outcome};

impl Work<'_> {
    /// Applies the released events, and those that they release in turn, and writes the records.
    pub(in crate::store) fn finish(mut self) -> Decided<Finished> {
        self.apply_released()?;
        Ok(self.finished)
    }

    /// Applies the events of a message to their records. Returns the greatest outcome, and the reasons of refused events.
    pub(in crate::store) fn place_all(
        &mut self,
        notification: Uuid,
        source: &str,
        events: &[Event],
    ) -> Decided<(Outcome, Vec<String>)> {
        let (mut outcome, mut reasons) = (Outcome::Ignored, Vec::new());
        for event in events {
            let pending = Pending { notification, source: source.to_owned(), event: event.clone() };
            let (became, reason) = self.apply(&pending)?;
            outcome = outcome.max(became);
            reasons.extend(reason);
        }
        Ok((outcome, reasons))
    }

    /// Owes Transform again what was given up of the records of these events, which have been applied before.
    pub(super) fn owe_again(&mut self, notification: Uuid, source: &str, events: &[Event]) -> Decided<()> {
        if !given_up::is_any(self.set)? {
            return Ok(());
        }
        for event in events {
            let pending = Pending { notification, source: source.to_owned(), event: event.clone() };
            let open = self.open(&pending)?;
            let Found::Targets(targets, _) = way::of_event(self.set, source, event)? else {
                continue;
            };
            for Target { stored, .. } in targets.into_iter().filter(|target| open.holds(target.stored.row)) {
                self.owe_given_up(&stored)?;
                if let Some((kind, id)) = family::parent(&stored.record)
                    && let Some(parent) = records::by_key(self.set, &RecordKey::new(kind, id.clone()))?
                {
                    self.owe_given_up(&parent)?;
                }
            }
        }
        Ok(())
    }

    /// Applies an event to its records, or parks it.
    fn apply(&mut self, pending: &Pending) -> Decided<(Outcome, Option<String>)> {
        let open = self.open(pending)?;
        let found = way::of_event(self.set, &pending.source, &pending.event)?;
        match found {
            Found::Targets(targets, further) => {
                if open == Open::All && !further.is_empty() {
                    self.wait_as_well(pending, &further)?;
                }
                let rows: Vec<i64> = targets.iter().map(|target| target.stored.row).collect();
                let applied = self.apply_to_all(targets, pending, &open)?;
                // What a record refuses has reached nothing: the genuine content must find its way still.
                if applied.0 == Outcome::DeadLetter && pending.event.loose.is_some() {
                    parked::forget_silent(self.set, pending)?;
                }
                if pending.event.companion {
                    placing::elsewhere(self, pending.notification, &rows)?;
                }
                Ok(applied)
            }
            Found::Waits(keys) if open == Open::All => self.wait(pending, &keys).map(|outcome| (outcome, None)),
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
    ) -> Decided<(Outcome, Option<String>)> {
        let (mut outcome, mut reason) = (Outcome::Ignored, None);
        for target in targets {
            let (became, why) = self.apply_to(target, pending, open)?;
            outcome = outcome.max(became);
            reason = reason.or(why);
        }
        Ok((outcome, reason))
    }

    /// Lets an event wait for its record. An event that could be meant for any of several captures waits in silence beside its
    /// dead letter; once it is meant for none of them, it waits as others do.
    fn wait(&mut self, pending: &Pending, keys: &[ReleaseKey]) -> Decided<Outcome> {
        if pending.event.companion && !later_outcomes::is_of_any_capture(self.set, pending)? {
            self.park(pending, keys)?;
            return Ok(Outcome::Ignored);
        }
        let event = Event { companion: false, ..pending.event.clone() };
        self.park(&Pending::of(pending.notification, pending.source.clone(), event), keys)?;
        Ok(Outcome::Parked)
    }

    /// Lets an event wait in silence, although it has found agreements, was placed, or could be meant for any of several captures.
    pub(super) fn wait_as_well(&mut self, pending: &Pending, keys: &[ReleaseKey]) -> Decided<()> {
        self.park(&pending.in_silence(), keys)
    }

    /// Parks an event, and looks at it if that cannot wait.
    fn park(&mut self, pending: &Pending, keys: &[ReleaseKey]) -> Decided<()> {
        let row = parked::until_known(self.set, pending, keys, self.now)?;
        self.finished.findings.extend(waited::at_once(self.set, self.now, row, pending)?);
        Ok(())
    }

    /// Applies an event to one of its records.
    fn apply_to(
        &mut self,
        Target { mut stored, sureness }: Target,
        pending: &Pending,
        open: &Open,
    ) -> Decided<(Outcome, Option<String>)> {
        if !open.holds(stored.row) {
            self.led_elsewhere(pending, Some(stored.record.key.clone()));
            return Ok((Outcome::Repeated, None));
        }
        let was_free = records::bind(&mut stored, &pending.source, sureness.layer());
        stored = self.take_over_refund(stored, &pending.event)?;
        let took_over = self.take_over_means(&mut stored, pending)?;
        let parent = match family::parent(&stored.record) {
            Some((kind, id)) => records::by_key(self.set, &RecordKey::new(kind, id.clone()))?,
            None => None,
        };
        let event = (&pending.event, sureness.layer());
        match family::apply(&stored.record, parent.as_ref().map(|parent| parent.record.as_ref()), event, self.now.wall)
        {
            Ok(mut moved) => {
                if took_over && moved.transition != Transition::Changed {
                    moved.record.bump(self.now.wall);
                    moved.transition = Transition::Changed;
                }
                self.reaches(&stored.record.key);
                self.reached(&stored, pending)?;
                let (before, after) = ([Some(&stored), parent.as_ref()], [Some(&moved.record), moved.parent.as_ref()]);
                self.look_at_refunds(pending, before, after)?;
                let became = self.save(stored.row, parent, (pending, open, sureness), moved)?;
                if was_free {
                    self.bound(&stored.record, pending)?;
                }
                Ok((became, None))
            }
            Err(contradiction) => {
                Ok((Outcome::DeadLetter, Some(format!("{}: {contradiction}", pending.event.event_type))))
            }
        }
    }

    /// Looks anew at what events of other sources could mean, since a record of a preauthorization and its captures is bound now.
    fn bound(&mut self, record: &Record, pending: &Pending) -> Decided<()> {
        let Record { key, registered, .. } = record;
        let preauth = if key.kind == Kind::Preauth { Some(&key.id) } else { registered.preauth_id.as_ref() };
        let Some(preauth) = preauth else { return Ok(()) };
        if key.kind == Kind::Preauth {
            for psp_id in registered.psp_id.iter().chain(&pending.event.psp_ids) {
                placing::with_captures_known(self, &pending.source, psp_id)?;
            }
        }
        self.release(None, &ReleaseKey::captures(preauth))
    }

    /// Lets an agreement know what events told of the means of payment that this event names while only other agreements had
    /// it. Returns whether Transform can see a difference.
    fn take_over_means(&self, stored: &mut Stored, pending: &Pending) -> Decided<bool> {
        if stored.record.key.kind != Kind::Agreement {
            return Ok(false);
        }
        let ids = &pending.event.psp_ids;
        let means = ways::means_of_others(self.set, &pending.source, stored.row, ids)?;
        let before = View::of(&stored.record);
        if means.is_empty() {
            return Ok(false);
        }
        Arc::make_mut(&mut stored.record).take_over(means);
        Ok(View::of(&stored.record) != before)
    }

    /// A refund with what a payment knows of it under another id of the event: the event is the first to show that the id is the
    /// refund's own. The payment may be another one than the registered.
    fn take_over_refund(&mut self, stored: Stored, event: &Event) -> Decided<Stored> {
        if stored.record.key.kind != Kind::Refund {
            return Ok(stored);
        }
        let is_known = |psp_id: &String| stored.record.seen.attempts.iter().any(|one| one.ids.contains(psp_id));
        let mut holders = Vec::new();
        for psp_id in event.psp_ids.iter().filter(|psp_id| !is_known(psp_id)) {
            let others = ways::others_of_psp_id(self.set, &stored, psp_id)?;
            holders.extend(others.into_iter().map(|other| other.record.key.clone()));
        }
        if holders.is_empty() {
            return Ok(stored);
        }
        let taken = stored_family::taken_over(self, &stored, &event.psp_ids)?;
        stored_family::taken_from(self, taken.unwrap_or(stored), &holders, &event.psp_ids)
    }

    /// Finds payments whose refunds exceed what was paid from now on, or no more.
    fn look_at_refunds(
        &mut self,
        by: &Pending,
        before: [Option<&Stored>; 2],
        after: [Option<&Record>; 2],
    ) -> Decided<()> {
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
                (true, false) => findings::is_over(self.set, FindingKind::OverRefunded, before.row)?,
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
    pub(super) fn open(&self, pending: &Pending) -> Decided<Open> {
        match &pending.event.loose {
            Some(loose) => reached::open(self.set, &pending.source, &loose.text, pending.notification),
            None => Ok(Open::All),
        }
    }

    /// Notes that a record has taken an event. An event that was refused binds its text to no record.
    pub(super) fn reached(&self, stored: &Stored, pending: &Pending) -> Decided<()> {
        pending.event.loose.as_ref().map_or(Ok(()), |loose| {
            reached::note(self.set, &pending.source, &loose.text, stored.row, pending.notification)
        })
    }

    fn save(
        &mut self,
        row: i64,
        parent: Option<Stored>,
        (pending, open, sureness): (&Pending, &Open, Sureness),
        moved: family::Moved,
    ) -> Decided<Outcome> {
        let stored = Stored { row, record: Arc::new(moved.record) };
        if moved.transition == Transition::Changed {
            self.changed(&stored, moved.status, pending, None)?;
        } else {
            self.owe_given_up(&stored)?;
        }
        if let (Some(old), Some(record)) = (parent, moved.parent) {
            let parent = Stored { row: old.row, record: Arc::new(record) };
            if moved.parent_changed {
                let status = View::of(&parent.record).status;
                self.changed(&parent, status, pending, Some(&stored.record.key))?;
            } else {
                self.owe_given_up(&parent)?;
            }
            records::update(self.set, parent.row, &parent.record)?;
        }
        ways::bind(self.set, stored.row, &pending.source)?;
        let mut learned = self.learn(&stored, pending, (open, sureness))?;
        if sureness.layer() == Layer::Placed {
            placed::note(self.set, row, pending)?;
            for psp_id in pending.event.leading_ids().chain(&pending.event.payment_ids) {
                if ways::is_contested(self.set, &pending.source, row, psp_id)? {
                    learned.to_place.push(stored.record.key.clone());
                }
            }
        }
        records::update(self.set, stored.row, &stored.record)?;
        placing::on(self, &learned.to_place)?;
        for authorization in learned.authorizations {
            placing::with_captures_known(self, &pending.source, &authorization)?;
        }
        Ok(match moved.transition {
            Transition::Changed => Outcome::Applied,
            Transition::Repeated => Outcome::Repeated,
            Transition::Stale => Outcome::Stale,
        })
    }

    /// Notes a visible change of a record in the history and in the outbox: Transform is owed a webhook.
    fn changed(&mut self, stored: &Stored, status: Status, by: &Pending, after: Option<&RecordKey>) -> Decided<()> {
        history::changed(
            self.set,
            (stored.row, stored.record.version),
            (by.notification, &by.event.event_type),
            status,
            self.now,
        )?;
        self.owe(stored, after.cloned().into_iter().collect())
    }

    fn apply_released(&mut self) -> Decided<()> {
        loop {
            // An event that is taken back may take back others.
            while let Some((record, pending)) = self.taken_back.pop_front() {
                let (outcome, reason) = self.apply(&pending)?;
                // An event that finds its way to another capture is no finding.
                if outcome == Outcome::DeadLetter {
                    self.found(&sighting(record, &pending))?;
                }
                later_outcomes::taken_back(self.set, pending.notification, outcome, reason.as_deref())?;
            }
            let Some(pending) = self.released.pop_front() else { return Ok(()) };
            let (outcome, reason) = self.apply(&pending)?;
            later_outcomes::released(self.set, &pending, outcome, reason.as_deref())?;
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
