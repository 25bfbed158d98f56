//! The way from an event to its records, by references and PSP ids.

use rusqlite::Connection;

use super::parked::ReleaseKey;
use super::records::{self, Known, Stored};
use super::unwritten::Unwritten;
use crate::domain::event::Event;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::Record;
use crate::domain::transition::Layer;

/// A record that an event concerns, and the layer of it that the event is written to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) stored: Stored,
    pub(super) layer: Layer,
}

/// What an event leads to.
#[derive(Debug)]
pub(super) enum Found {
    /// These records. Only agreements can be several: they may share one means of payment, or a customer. The keys are those of
    /// further agreements to come, which the event concerns as well.
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
pub(super) fn of_event(
    connection: &Connection,
    among: &Unwritten,
    source: &str,
    event: &Event,
) -> rusqlite::Result<Found> {
    if event.is_of_customer() {
        return of_customer(connection, among, source, event);
    }
    let mut way = Way { connection, among, source, event, awaited: false, waits: Vec::new() };
    let mut found = way.led(true)?;
    if found.is_empty() && event.loose.is_some() {
        found = way.led(false)?;
    }
    if !found.is_empty() {
        let named = found.iter().any(|target| event.references.contains(&target.stored.record.key.id));
        let further = if event.kinds == [Kind::Agreement] && !named { way.waits } else { Vec::new() };
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
fn of_customer(connection: &Connection, among: &Unwritten, source: &str, event: &Event) -> rusqlite::Result<Found> {
    let (mut targets, mut keys): (Vec<Target>, _) = (Vec::new(), Vec::new());
    for id in &event.customers {
        let known = among.by_psp_id(connection, Kind::Agreement, source, &customer(id))?;
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
    connection: &'a Connection,
    among: &'a Unwritten,
    source: &'a str,
    event: &'a Event,
    /// Whether the event names a transaction that is not registered yet. Then only a record that was registered with
    /// one of the event's own ids may take it. A record that learned or shares an id may not.
    awaited: bool,
    /// The references to records that can still come.
    waits: Vec<ReleaseKey>,
}

impl Way<'_> {
    /// The records to which the event's references and ids lead. `sure` selects the signed ones, or else the unsigned
    /// ones.
    fn led(&mut self, sure: bool) -> rusqlite::Result<Vec<Target>> {
        let event = self.event;
        let mut found: Vec<Target> = Vec::new();
        for id in event.references.iter().filter(|id| event.is_sure_of(id.as_str()) == sure) {
            match self.among.by_id(self.connection, id)? {
                Some(stored) if self.takes(&stored) => {
                    found.push(Target { stored, layer: Layer::Own });
                    break;
                }
                Some(stored) if event.kinds.contains(&stored.record.key.kind) => {
                    self.waits.push(ReleaseKey::record(id));
                }
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
        for (kind, psp_id) in event.kinds.iter().flat_map(|kind| ids().map(move |id| (kind, id))) {
            if !found.is_empty() && !several {
                break;
            }
            for known in self.among.by_psp_id(self.connection, *kind, self.source, psp_id)? {
                let is_new = found.iter().all(|target| target.stored.row != known.stored.row);
                if is_new && self.leads(psp_id, &known) {
                    found.push(target(known));
                }
            }
        }
        Ok(found)
    }

    /// The registered refund that one of the event's ids leads to. Another id may still lead to the payment, which had the
    /// refund before.
    fn registered_refund(&self, sure: bool) -> rusqlite::Result<Option<Target>> {
        for psp_id in self.event.leading_ids().filter(|id| self.event.is_sure_of(id) == sure) {
            let known = self.among.by_psp_id(self.connection, Kind::Refund, self.source, psp_id)?;
            let its = |known: &Known| known.stored.record.key.kind == Kind::Refund && self.leads(psp_id, known);
            if let Some(known) = known.into_iter().find(its) {
                return Ok(Some(target(known)));
            }
        }
        Ok(None)
    }

    /// The records to which other records lead: the payment of a refund that is not registered, the only capture of an
    /// authorization, or the agreement of a payment.
    fn roundabout(self) -> rusqlite::Result<Found> {
        if self.event.is_refund()
            && let Some(payment) = self.refunded()?
        {
            return Ok(Found::only(payment));
        }
        if self.event.kinds == [Kind::Agreement] && !self.event.payment_ids.is_empty() {
            return self.by_payment();
        }
        if self.event.kinds == [Kind::Payment] || self.event.is_refund() && !self.event.payment_ids.is_empty() {
            return self.by_authorization();
        }
        Ok(Found::Waits(self.keys(|_| true)?))
    }

    /// The payment that a refund names, by its ids or by a reference.
    fn refunded(&self) -> rusqlite::Result<Option<Target>> {
        if let Some(known) = self.known(Kind::Payment, &self.event.payment_ids)? {
            return Ok(Some(target(known)));
        }
        for id in &self.event.references {
            let payment = self.among.by_key(self.connection, &RecordKey::new(Kind::Payment, id.clone()))?;
            if let Some(stored) = payment.filter(|stored| self.is_bound(&stored.record)) {
                return Ok(Some(Target { stored, layer: Layer::Own }));
            }
        }
        Ok(None)
    }

    /// The only payment that captures the authorization which the event names. An event with captured money is of another
    /// capture if the payment goes by another id. An event that names a record to come waits for it, also if several captures
    /// are registered by then.
    fn by_authorization(self) -> rusqlite::Result<Found> {
        let preauth = self.authorization()?;
        let mut captures = self.captures(preauth.as_ref())?;
        let count = captures.len();
        captures.retain(|stored| !self.awaited && !self.is_another_capture(&stored.record));
        match captures.pop() {
            Some(_) if count > 1 => {
                let which = preauth.as_ref().map_or_else(
                    || self.captured_ids().cloned().collect::<Vec<_>>().join(", "),
                    |preauth| format!("that of preauth {}", preauth.record.key.id),
                );
                let (event, any) = (&self.event.event_type, ANY_CAPTURE);
                let reason = format!("{event}{any}{which}, and {count} payments capture that");
                Ok(Found::Several(reason, self.keys_of_captures(preauth.as_ref())?))
            }
            Some(stored) => Ok(Found::only(Target { stored, layer: Layer::Placed })),
            None => Ok(Found::Waits(self.keys_of_captures(preauth.as_ref())?)),
        }
    }

    /// The payments that are registered as captures of the preauthorization, or that captured it by what events tell.
    fn captures(&self, preauth: Option<&Stored>) -> rusqlite::Result<Vec<Stored>> {
        let mut captures = match preauth {
            Some(preauth) => self.among.captures_of(self.connection, &preauth.record.key.id)?,
            None => Vec::new(),
        };
        for id in self.captured_ids() {
            let original = records::original(id);
            let known = self.among.by_psp_id(self.connection, Kind::Payment, self.source, &original)?;
            captures.extend(known.into_iter().map(|known| known.stored));
        }
        captures.retain(|stored| self.is_bound(&stored.record));
        captures.sort_by_key(|stored| stored.row);
        captures.dedup_by_key(|stored| stored.row);
        Ok(captures)
    }

    /// The keys of the records that an event of an authorization could concern.
    fn keys_of_captures(&self, preauth: Option<&Stored>) -> rusqlite::Result<Vec<ReleaseKey>> {
        let own = preauth.and_then(|preauth| preauth.record.registered.psp_id.as_ref());
        let its = |psp_id: &String| own == Some(psp_id) && !self.event.psp_ids.contains(psp_id);
        let mut keys = self.keys(|psp_id| !its(psp_id))?;
        match preauth {
            Some(preauth) => keys.push(ReleaseKey::captures(&preauth.record.key.id)),
            None => keys.extend(self.authorization_ids().map(|id| ReleaseKey::psp_id(Kind::Preauth, id))),
        }
        keys.extend(self.captured_ids().map(|id| ReleaseKey::captured(id)));
        Ok(keys)
    }

    /// The preauthorization whose id or Transform id the event names.
    fn authorization(&self) -> rusqlite::Result<Option<Stored>> {
        for id in &self.event.references {
            if let Some(stored) = self.among.by_key(self.connection, &RecordKey::new(Kind::Preauth, id.clone()))?
                && self.is_bound(&stored.record)
            {
                return Ok(Some(stored));
            }
        }
        let ids: Vec<String> = self.authorization_ids().cloned().collect();
        Ok(self.known(Kind::Preauth, &ids)?.map(|known| known.stored))
    }

    fn authorization_ids(&self) -> impl Iterator<Item = &String> {
        self.event.leading_ids().chain(self.refunded_ids())
    }

    /// The ids of authorizations by which payments may be known that captured them. The event's own ids are none of these.
    fn captured_ids(&self) -> impl Iterator<Item = &String> {
        self.event.originals.iter().chain(&self.event.shared_ids).chain(self.refunded_ids())
    }

    fn refunded_ids(&self) -> impl Iterator<Item = &String> {
        self.event.payment_ids.iter().filter(|_| self.event.is_refund())
    }

    /// Whether an event with captured money is of another capture than this payment. A payment that is not registered as a
    /// capture, and is known by its own events, has its money from those.
    fn is_another_capture(&self, payment: &Record) -> bool {
        let own = payment.registered.psp_id.as_ref();
        let is_under_another = own.is_some_and(|own| !self.event.leading_ids().any(|id| id == own));
        !self.event.facts.items.is_empty() && (is_under_another || payment.registered.preauth_id.is_none())
    }

    /// The agreement under which the payment runs that the event came along with.
    fn by_payment(mut self) -> rusqlite::Result<Found> {
        let kinds = [Kind::Payment, Kind::Preauth];
        let mut payments = Vec::new();
        for kind in kinds {
            payments.extend(self.known(kind, &self.event.payment_ids)?);
        }
        let under = payments.iter().find_map(|known| known.stored.record.registered.agreement_id.clone());
        let Some(agreement) = under else {
            let mut keys = self.keys(|_| true)?;
            keys.extend(payments.iter().map(|known| ReleaseKey::agreement_of(&known.stored.record.key.id)));
            let ids = kinds.into_iter().flat_map(|kind| self.event.payment_ids.iter().map(move |id| (kind, id)));
            keys.extend(ids.map(|(kind, id)| ReleaseKey::psp_id(kind, id)));
            return Ok(Found::Waits(keys));
        };
        match self.among.by_id(self.connection, &agreement)?.filter(|stored| self.takes(stored)) {
            Some(stored) => Ok(Found::only(Target { stored, layer: Layer::Own })),
            None => {
                self.waits.push(ReleaseKey::record(&agreement));
                Ok(Found::Waits(self.keys(|_| true)?))
            }
        }
    }

    /// The first record of this kind that one of these ids leads to. Where a PSP knows a transaction by the merchant's reference
    /// only, that is the record's Transform id.
    fn known(&self, kind: Kind, ids: &[String]) -> rusqlite::Result<Option<Known>> {
        for psp_id in ids {
            let known = self.among.by_psp_id(self.connection, kind, self.source, psp_id)?;
            if let Some(known) = known.into_iter().find(|known| self.is_bound(&known.stored.record)) {
                return Ok(Some(known));
            }
        }
        for id in ids.iter().filter_map(|id| id.parse().ok()) {
            let stored = self.among.by_key(self.connection, &RecordKey::new(kind, id))?;
            if let Some(stored) = stored.filter(|stored| self.is_bound(&stored.record)) {
                return Ok(Some(Known { stored, placed: false }));
            }
        }
        Ok(None)
    }

    /// The keys of the records that the event could concern, by those of its ids that a record may still come with.
    fn keys(&self, may_come: impl Fn(&String) -> bool) -> rusqlite::Result<Vec<ReleaseKey>> {
        let ids = || self.event.leading_ids().filter(|id| may_come(id));
        let mut keys: Vec<ReleaseKey> =
            self.event.kinds.iter().flat_map(|kind| ids().map(move |id| ReleaseKey::psp_id(*kind, id))).collect();
        keys.extend(self.waits.iter().cloned());
        if self.event.is_refund() {
            keys.extend(self.event.payment_ids.iter().map(|id| ReleaseKey::psp_id(Kind::Payment, id)));
        }
        for id in self.event.payment_ids.iter().filter_map(|id| id.parse().ok()) {
            if self.among.by_id(self.connection, &id)?.is_none() {
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
    Target { stored: known.stored, layer: if known.placed { Layer::Placed } else { Layer::Own } }
}

/// An event that may concern a preauthorization never concerns the payment that captures it: the capture has events
/// of its own.
fn concerns(event: &Event, record: &Record) -> bool {
    let capture = record.key.kind == Kind::Payment && record.registered.preauth_id.is_some();
    event.kinds.contains(&record.key.kind) && !(capture && event.kinds.contains(&Kind::Preauth))
}
