//! The way from an event to its records, by references and PSP ids.

mod authorization;

use super::parked::ReleaseKey;
use super::records::{self, Stored};
use super::set::{Decided, WorkingSet};
use super::ways::{self, Known};
use crate::domain::event::Event;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::Record;
use crate::store::sureness::Sureness;

/// A record that an event concerns, and how surely it does.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) stored: Stored,
    pub(super) sureness: Sureness,
}

impl Target {
    fn is_payment(&self) -> bool {
        self.stored.record.key.kind == Kind::Payment
    }
}

/// What an event leads to.
#[derive(Debug)]
pub(super) enum Found {
    /// These records. Only agreements can be several: they may share one means of payment, or a customer. The keys are those of
    /// further agreements to come, which the event concerns as well; or of records to which a placed event would belong more surely.
    Targets(Vec<Target>, Vec<ReleaseKey>),
    /// A record that is not registered or not known yet, with the keys that would release the event.
    Waits(Vec<ReleaseKey>),
    /// Any of several payments, for this reason none of them. The keys are those of changes that could show the way.
    Several(String, Vec<ReleaseKey>),
}

impl Found {
    fn only(target: Target) -> Self {
        Self::Targets(vec![target], Vec::new())
    }
}

/// Finds the records of an event, as they stand by now. The merchant's reference is the surest way; the event's own PSP
/// ids come next, then those of its original, and the shared ones. Signed references and ids lead before unsigned ones.
pub(super) fn of_event(set: &WorkingSet, source: &str, event: &Event) -> Decided<Found> {
    if event.is_of_customer() {
        return of_customer(set, source, event);
    }
    let mut way = Way { set, source, event, awaited: false, waits: Vec::new() };
    let mut found = way.led(true)?;
    if event.loose.is_some() && found.iter().all(|target| target.sureness < Sureness::OfCapture) {
        found = way.led_by_unsigned(found)?;
    }
    if event.loose.is_some() && event.kinds == [Kind::Agreement] {
        found = way.with_shared_means(found)?;
    }
    if event.loose.is_some() && event.is_refund() && found.iter().all(Target::is_payment) {
        let record = way.led(false)?.into_iter().find(|target| !target.is_payment());
        found = record.map_or(found, |record| vec![record]);
    }
    if event.is_refund()
        && let Some(surest) = found.iter().map(|target| target.sureness).max()
    {
        found = way.refunded()?.filter(|payment| payment.sureness > surest).map_or(found, |payment| vec![payment]);
    }
    if !found.is_empty() {
        let is_named = found.iter().any(|target| event.references.contains(&target.stored.record.key.id));
        if event.kinds == [Kind::Agreement] && !is_named {
            let of_payment = way.of_payment()?;
            found.extend(of_payment.filter(|agreement| found.iter().all(|one| one.stored.row != agreement.stored.row)));
        }
        let is_placed = found.iter().any(|target| target.sureness < Sureness::Own);
        let further = match event.kinds == [Kind::Agreement] && !is_named || is_placed {
            true if is_placed => way.surer()?,
            true => way.waits,
            false if event.is_refund() && !is_named => way.to_come()?,
            false => Vec::new(),
        };
        return Ok(Found::Targets(found, further));
    }
    way.roundabout()
}

/// The part of the reason of a dead letter that could be meant for any of several captures.
pub(super) const ANY_CAPTURE: &str = ": it names only an authorization, ";

/// The text under which a customer leads to agreements. No PSP id of an agreement looks like that.
pub(super) fn customer(id: &str) -> String {
    format!("customer:{id}")
}

/// All agreements with a means of payment of the customer.
fn of_customer(set: &WorkingSet, source: &str, event: &Event) -> Decided<Found> {
    let (mut targets, mut keys): (Vec<Target>, _) = (Vec::new(), Vec::new());
    for id in &event.customers {
        let known = ways::by_psp_id(set, Kind::Agreement, source, &customer(id))?;
        for known in known {
            if targets.iter().all(|target| target.stored.row != known.stored.row) {
                targets.push(target(known));
            }
        }
        keys.push(ReleaseKey::psp_id(Kind::Agreement, &customer(id)));
    }
    Ok(Found::Targets(targets, keys))
}

/// The way from an event to its records.
struct Way<'a> {
    set: &'a WorkingSet,
    source: &'a str,
    event: &'a Event,
    /// Whether the event names a transaction that is not registered yet. Then only a record that was registered with
    /// one of the event's own ids may take it. A record that learned or shares an id may not, nor may one of a guess.
    awaited: bool,
    /// The references to records that can still come.
    waits: Vec<ReleaseKey>,
}

impl Way<'_> {
    /// The records to which the event's references and ids lead. `sure` selects the signed ones, or else the unsigned
    /// ones.
    fn led(&mut self, sure: bool) -> Decided<Vec<Target>> {
        let event = self.event;
        let mut found: Vec<Target> = Vec::new();
        for id in event.references.iter().filter(|id| event.is_sure_of(id.as_str()) == sure) {
            match records::by_id(self.set, id)? {
                Some(stored) if self.takes(&stored) => {
                    found.push(Target { stored, sureness: Sureness::Own });
                    break;
                }
                Some(stored) if event.kinds.contains(&stored.record.key.kind) => {
                    self.waits.push(ReleaseKey::record(id));
                }
                // It may have been registered as another kind by mistake.
                Some(stored) if stored.record.is_untouched() => self.waits.push(ReleaseKey::record(id)),
                Some(_) => {} // a record of another kind never becomes one of these
                None => {
                    self.awaited |= id.has_transforms_form();
                    self.waits.push(ReleaseKey::record(id));
                }
            }
        }
        let several = event.kinds == [Kind::Agreement];
        if found.is_empty() && event.is_refund() {
            found.extend(self.registered_refund(sure)?);
        }
        let ids = || event.leading_ids().filter(|id| event.is_sure_of(id) == sure);
        let mut surest = found.iter().map(|target| target.sureness).max().unwrap_or(Sureness::OnlyCapture);
        for (kind, psp_id) in event.kinds.iter().flat_map(|kind| ids().map(move |id| (kind, id))) {
            if !found.is_empty() && !several && surest == Sureness::Own {
                break;
            }
            for known in ways::by_psp_id(self.set, *kind, self.source, psp_id)? {
                // Only placed events have shown the id. If it is that of the event's authorization, the event may be of another capture.
                let is_original = !self.event.psp_ids.contains(psp_id);
                let is_anothers = is_original && self.is_another_capture(&known.stored.record);
                let is_out = known.sureness < Sureness::Own && (self.awaited || is_anothers);
                if is_out || !self.leads(psp_id, &known) {
                    continue;
                }
                let lead = self.lead(psp_id, &known)?;
                let target = Target { stored: known.stored, sureness: lead };
                let is_open = found.is_empty() || several;
                match found.iter_mut().find(|other| other.stored.row == target.stored.row) {
                    Some(same) if lead > surest => same.sureness = lead,
                    None if is_open => found.push(target),
                    None if lead > surest => found = vec![target],
                    _ => continue,
                }
                surest = surest.max(lead);
            }
        }
        Ok(found)
    }

    /// How surely an id leads to a record. A capture may be registered under its authorization's id, which the events of further
    /// captures name as their original. Such an event is the capture's until its own record comes. It is so more surely while the
    /// preauthorization is known by other ids only.
    fn lead(&self, psp_id: &String, known: &Known) -> Decided<Sureness> {
        if known.sureness < Sureness::Own {
            return Ok(known.sureness);
        }
        let record = &known.stored.record;
        let preauth = record.registered.preauth_id.as_ref().filter(|_| record.key.kind == Kind::Payment);
        let Some(preauth) = preauth.filter(|_| !self.event.is_refund() && !self.event.psp_ids.contains(psp_id)) else {
            return Ok(Sureness::Own);
        };
        let preauth = records::by_key(self.set, &RecordKey::new(Kind::Preauth, preauth.clone()))?;
        let is_anothers = preauth.is_some_and(|preauth| {
            let Record { registered, seen, .. } = preauth.record.as_ref();
            let mut ids =
                registered.psp_id.iter().chain(seen.attempts.iter().flat_map(|attempt| &attempt.ids)).peekable();
            ids.peek().is_some() && ids.all(|id| id != psp_id)
        });
        Ok(if is_anothers { Sureness::OfCapture } else { Sureness::OfAuthorization })
    }

    /// The agreements that were found, and those that share the means of payment with them that one is registered with. Another unsigned
    /// id leads to no other agreement: a stranger may have written it there.
    fn with_shared_means(&self, mut found: Vec<Target>) -> Decided<Vec<Target>> {
        for psp_id in self.event.leading_ids().filter(|id| !self.event.is_sure_of(id)) {
            let is_its = |target: &Target| target.stored.record.registered.psp_id.as_ref() == Some(psp_id);
            if !found.iter().any(is_its) {
                continue;
            }
            for known in ways::by_psp_id(self.set, Kind::Agreement, self.source, psp_id)? {
                let is_new = found.iter().all(|target| target.stored.row != known.stored.row);
                if is_new && self.leads(psp_id, &known) {
                    found.push(target(known));
                }
            }
        }
        Ok(found)
    }

    /// The records to which the event's unsigned references and ids lead, where the signed ones lead to none, or only to where an
    /// event was placed. The event stays there if the unsigned ones lead nowhere.
    fn led_by_unsigned(&mut self, mut placed: Vec<Target>) -> Decided<Vec<Target>> {
        let mut unsigned = self.led(false)?;
        if placed.is_empty() || unsigned.iter().any(|target| target.sureness >= Sureness::OfCapture) {
            for target in unsigned.iter_mut().filter(|target| target.stored.record.key.kind == Kind::Payment) {
                target.sureness = target.sureness.min(Sureness::Unsigned);
            }
            return Ok(unsigned);
        }
        placed.retain(|_| !self.awaited);
        Ok(placed)
    }

    /// The registered refund that one of the event's ids leads to. Another id may still lead to the payment, which had the
    /// refund before.
    fn registered_refund(&self, sure: bool) -> Decided<Option<Target>> {
        for psp_id in self.event.leading_ids().filter(|id| self.event.is_sure_of(id) == sure) {
            let known = ways::by_psp_id(self.set, Kind::Refund, self.source, psp_id)?;
            let its = |known: &Known| known.stored.record.key.kind == Kind::Refund && self.leads(psp_id, known);
            if let Some(known) = known.into_iter().find(its) {
                return Ok(Some(target(known)));
            }
        }
        Ok(None)
    }

    /// The records to which other records lead: the payment of a refund that is not registered, the only capture of an
    /// authorization, or the agreement of a payment.
    fn roundabout(mut self) -> Decided<Found> {
        if self.event.is_refund()
            && let Some(payment) = self.refunded()?
        {
            if payment.sureness == Sureness::Own {
                // The refund's own record takes it over, whatever payment it is of.
                let own = self.to_come()?;
                return Ok(Found::Targets(vec![payment], own));
            }
            if !self.awaited {
                return Ok(Found::Targets(vec![payment], self.surer()?));
            }
        }
        if self.event.kinds == [Kind::Agreement]
            && let Some(agreement) = self.of_payment()?
        {
            return Ok(Found::only(agreement));
        }
        if self.event.kinds == [Kind::Payment] || self.event.is_refund() && !self.event.payment_ids.is_empty() {
            return self.by_authorization();
        }
        Ok(Found::Waits(self.keys(|_| true)?))
    }

    /// The keys of the records to which a placed event would belong more surely: those that it names, and the payments that may get
    /// an id which it names beside its own ones.
    fn surer(self) -> Decided<Vec<ReleaseKey>> {
        let mut keys = Vec::new();
        if self.event.kinds == [Kind::Payment] || self.event.is_refund() {
            for psp_id in self.captured_ids().filter(|id| !self.event.psp_ids.contains(id)) {
                if ways::by_psp_id(self.set, Kind::Payment, self.source, psp_id)?.is_empty() {
                    keys.push(ReleaseKey::psp_id(Kind::Payment, psp_id));
                }
            }
        }
        keys.extend(self.waits);
        Ok(keys)
    }

    /// The keys of the records that the event's references name and that are not registered.
    fn to_come(&self) -> Decided<Vec<ReleaseKey>> {
        let mut keys = Vec::new();
        for id in &self.event.references {
            if records::by_id(self.set, id)?.is_none() {
                keys.push(ReleaseKey::record(id));
            }
        }
        Ok(keys)
    }

    /// The payment that a refund names, by its ids or by a reference.
    fn refunded(&self) -> Decided<Option<Target>> {
        for sure in [true, false] {
            let ids = self.event.payment_ids.iter().filter(|id| self.event.is_sure_of(id) == sure);
            let ids: Vec<String> = ids.cloned().collect();
            if let Some(Known { stored, sureness }) = self.known(Kind::Payment, &ids)? {
                let most = if sure { Sureness::Own } else { Sureness::Unsigned };
                return Ok(Some(Target { stored, sureness: sureness.min(most) }));
            }
        }
        for id in &self.event.references {
            let payment = records::by_key(self.set, &RecordKey::new(Kind::Payment, id.clone()))?;
            if let Some(stored) = payment.filter(|stored| self.is_bound(&stored.record)) {
                return Ok(Some(Target { stored, sureness: Sureness::Own }));
            }
        }
        Ok(None)
    }

    /// The agreement under which the payment runs that the event came along with. If it is not known yet, the event waits for it.
    fn of_payment(&mut self) -> Decided<Option<Target>> {
        if self.event.payment_ids.is_empty() {
            return Ok(None);
        }
        let (mut payments, mut unknown) = (Vec::new(), Vec::new());
        for kind in [Kind::Payment, Kind::Preauth] {
            let known = self.known(kind, &self.event.payment_ids)?;
            // The payment may not be the right one, if the id leads there because of placed events.
            if known.as_ref().is_none_or(|known| known.sureness < Sureness::Own) {
                unknown.extend(self.event.payment_ids.iter().map(|id| ReleaseKey::psp_id(kind, id)));
            }
            payments.extend(known);
        }
        let under = payments.iter().find_map(|known| known.stored.record.registered.agreement_id.clone());
        let Some(agreement) = under else {
            self.waits.extend(payments.iter().map(|known| ReleaseKey::agreement_of(&known.stored.record.key.id)));
            self.waits.extend(unknown);
            return Ok(None);
        };
        let stored = records::by_id(self.set, &agreement)?.filter(|stored| self.takes(stored));
        if stored.is_none() {
            self.waits.push(ReleaseKey::record(&agreement));
        }
        Ok(stored.map(|stored| Target { stored, sureness: Sureness::Own }))
    }

    /// The first record of this kind that one of these ids leads to. Where a PSP knows a transaction by the merchant's reference
    /// only, that is the record's Transform id.
    fn known(&self, kind: Kind, ids: &[String]) -> Decided<Option<Known>> {
        for psp_id in ids {
            let known = ways::by_psp_id(self.set, kind, self.source, psp_id)?;
            if let Some(known) = known.into_iter().find(|known| self.is_bound(&known.stored.record)) {
                return Ok(Some(known));
            }
        }
        for id in ids.iter().filter_map(|id| id.parse().ok()) {
            let stored = records::by_key(self.set, &RecordKey::new(kind, id))?;
            if let Some(stored) = stored.filter(|stored| self.is_bound(&stored.record)) {
                return Ok(Some(Known { stored, sureness: Sureness::Own }));
            }
        }
        Ok(None)
    }

    /// The keys of the records that the event could concern, by those of its ids that a record may still come with.
    fn keys(&self, may_come: impl Fn(&String) -> bool) -> Decided<Vec<ReleaseKey>> {
        let ids = || self.event.leading_ids().filter(|id| may_come(id));
        let mut keys: Vec<ReleaseKey> =
            self.event.kinds.iter().flat_map(|kind| ids().map(move |id| ReleaseKey::psp_id(*kind, id))).collect();
        keys.extend(self.waits.iter().cloned());
        if self.event.is_refund() {
            keys.extend(self.event.payment_ids.iter().map(|id| ReleaseKey::psp_id(Kind::Payment, id)));
        }
        for id in self.event.payment_ids.iter().filter_map(|id| id.parse().ok()) {
            if records::by_id(self.set, &id)?.is_none() {
                keys.push(ReleaseKey::record(&id));
            }
        }
        Ok(keys)
    }

    fn is_bound(&self, record: &Record) -> bool {
        record.source.as_deref().is_none_or(|own| own == self.source)
    }

    fn takes(&self, found: &Stored) -> bool {
        self.is_bound(&found.record) && concerns(self.event, &found.record)
    }

    fn leads(&self, psp_id: &String, known: &Known) -> bool {
        let record = &known.stored.record;
        if self.event.is_refund() && record.key.kind == Kind::Payment {
            return self.is_bound(record);
        }
        let own = self.event.psp_ids.contains(psp_id);
        let registered = record.registered.psp_id.as_ref() == Some(psp_id) && own;
        self.takes(&known.stored) && (registered || !self.awaited)
    }
}

fn target(known: Known) -> Target {
    Target { stored: known.stored, sureness: known.sureness }
}

/// An event that may concern a preauthorization never concerns the payment that captures it: the capture has events
/// of its own.
fn concerns(event: &Event, record: &Record) -> bool {
    let capture = record.key.kind == Kind::Payment && record.registered.preauth_id.is_some();
    event.kinds.contains(&record.key.kind) && !(capture && event.kinds.contains(&Kind::Preauth))
}
