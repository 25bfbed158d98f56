//! Circles: payments to which placed events could belong. All placed events of a circle find their ways together, as if they
//! came now. So the order in which they came leaves no trace.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::parked::{self, Pending, ReleaseKey};
use super::reached::Open;
use super::records::{self, Stored};
use super::set::Decided;
use super::way::{self, Found};
use super::ways::{self, Lead, Way};
use super::work::Work;
use super::{family, placed};
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::{Record, Registered, Seen};
use crate::domain::transition::{self, Layer};
use crate::store::sureness::Sureness;

/// The payments of a circle, and the events that are placed on them.
pub(super) struct Circle {
    payments: BTreeMap<i64, Payment>,
    events: Vec<Placing>,
    /// The ways to the payments that placed events have shown, as they were before.
    ways: HashSet<Shape>,
    shown: Shown,
}

/// A way to a record, whatever source the record is bound to.
type Shape = (Kind, String, i64, Sureness);

fn shape(way: &Way) -> Shape {
    (way.kind, way.psp_id.clone(), way.record, way.sureness)
}

/// What a circle has shown of other payments.
#[derive(Default)]
pub(super) struct Shown {
    /// The payments to which an id led less surely than to one of the circle.
    pub(super) to_place: Vec<RecordKey>,
    /// The authorizations that the payments' own events have shown, each with its source.
    pub(super) authorizations: Vec<(String, String)>,
}

/// A payment of a circle.
struct Payment {
    /// The payment as it was.
    before: Arc<Record>,
    /// The payment without placed events, until they are placed again.
    now: Arc<Record>,
}

/// A placed event that finds its way.
struct Placing {
    pending: Pending,
    open: Open,
    /// The payment on which it was placed.
    from: i64,
    /// Where it belongs by now.
    to: Place,
}

/// Where a placed event belongs.
enum Place {
    /// To no payment of the circle.
    Elsewhere,
    /// On this payment, so surely. It waits for records to which it would belong more surely.
    On(i64, Sureness, Vec<ReleaseKey>),
    /// It has turned out to be this payment's own.
    Own,
}

impl Circle {
    /// The circle of these payments; none if no event is placed there.
    pub(super) fn of(work: &mut Work<'_>, payments: Vec<Stored>) -> Decided<Option<Self>> {
        let rows = reached(work, payments)?;
        let set = work.set;
        let mut is_any = false;
        for row in rows.keys() {
            is_any = is_any || placed::is_on(set, *row)?;
        }
        if !is_any {
            return Ok(None);
        }
        let mut circle =
            Self { payments: BTreeMap::new(), events: Vec::new(), ways: HashSet::new(), shown: Shown::default() };
        for (row, key) in rows {
            if let Some(stored) = records::by_key(set, &key)? {
                circle.take(work, row, stored.record)?;
            }
        }
        let order = |one: &Placing| (one.pending.event.key.clone(), one.pending.notification);
        circle.events.sort_by_cached_key(order);
        circle.events.dedup_by(|one, other| {
            one.pending.notification == other.pending.notification && one.pending.event == other.pending.event
        });
        Ok(Some(circle))
    }

    /// Takes a payment into the circle, and the placed events from it.
    fn take(&mut self, work: &Work<'_>, row: i64, before: Arc<Record>) -> Decided<()> {
        let set = work.set;
        let mut now = Record { placed: Seen::default(), ..Record::clone(&before) };
        if std::mem::take(&mut now.bound_by_placed) {
            now.source = None;
            ways::unbind(set, row)?;
        }
        let now = Arc::new(now);
        records::update(set, row, &now)?;
        self.payments.insert(row, Payment { before, now });
        self.ways.extend(ways::placed_ways(set, row)?.iter().map(|way| shape(way)));
        ways::forget_placed(set, row)?;
        for pending in placed::take_out(set, row)? {
            parked::forget_silent(set, &pending)?;
            let open = work.open(&pending)?;
            self.events.push(Placing { pending, open, from: row, to: Place::Elsewhere });
        }
        Ok(())
    }

    /// Lets the events find their ways, and writes them where they belong. An event that leads out of the circle is applied with the
    /// released events.
    pub(super) fn place(mut self, work: &mut Work<'_>) -> Decided<Shown> {
        // An event shows ways to others, and these may be surer than theirs.
        while self.find(work)? {}
        self.write(work)?;
        for (row, payment) in std::mem::take(&mut self.payments) {
            let is_other = payment.now != payment.before;
            let is_free = payment.now.source.is_none() && payment.before.source.is_some();
            let stored = family::changed(work, Stored { row, record: payment.now }, &payment.before)?;
            if is_free {
                free(work, &stored.record)?;
            }
            if is_other {
                family::note(work, &stored)?;
            }
        }
        Ok(self.shown)
    }

    /// Looks for the way of each event. Returns whether that has shown any way.
    fn find(&mut self, work: &mut Work<'_>) -> Decided<bool> {
        let mut is_any = false;
        let mut events = std::mem::take(&mut self.events);
        for one in events.iter_mut().filter(|one| !matches!(one.to, Place::Own)) {
            one.to = self.way(work, one)?;
            is_any |= match &one.to {
                Place::Elsewhere => false,
                Place::On(row, sureness, _) => self.shows(work, one, *row, *sureness)?,
                Place::Own => true,
            };
        }
        self.events = events;
        Ok(is_any)
    }

    /// The way of an event. What turns out to be a payment's own is written there.
    fn way(&mut self, work: &mut Work<'_>, one: &Placing) -> Decided<Place> {
        let Pending { source, event, .. } = &one.pending;
        let found = way::of_event(work.set, source, event)?;
        let Found::Targets(targets, further) = found else { return Ok(Place::Elsewhere) };
        let its = |row: i64| self.payments.contains_key(&row) && one.open.holds(row);
        let Some(target) = targets.into_iter().find(|target| its(target.stored.row)) else {
            return Ok(Place::Elsewhere);
        };
        let (row, sureness) = (target.stored.row, target.sureness);
        let mut record = target.stored.record;
        if transition::write(Arc::make_mut(&mut record), event, sureness.layer()).is_err() {
            return Ok(Place::Elsewhere);
        }
        if sureness.layer() == Layer::Placed {
            return Ok(Place::On(row, sureness, further));
        }
        self.own(work, one, Stored { row, record }).map(|()| Place::Own)
    }

    /// Writes an event that has turned out to be a payment's own.
    fn own(&mut self, work: &mut Work<'_>, one: &Placing, payment: Stored) -> Decided<()> {
        let payment = bound(work, payment, (&one.pending.source, Layer::Own))?;
        records::update(work.set, payment.row, &payment.record)?;
        work.reached(&payment, &one.pending)?;
        let learned = work.learn(&payment, &one.pending, (&one.open, Sureness::Own))?;
        let others: Vec<_> = learned.to_place.into_iter().filter(|key| !self.has(key)).collect();
        self.shown.to_place.extend(others);
        let source = &one.pending.source;
        self.shown.authorizations.extend(learned.authorizations.into_iter().map(|one| (source.clone(), one)));
        if let Some(own) = self.payments.get_mut(&payment.row) {
            own.now = payment.record;
        }
        Ok(())
    }

    fn has(&self, key: &RecordKey) -> bool {
        self.payments.values().any(|payment| payment.now.key == *key)
    }

    /// Lets the ids of an event lead to its payment. Returns whether that is new, or surer.
    fn shows(&mut self, work: &Work<'_>, one: &Placing, row: i64, sureness: Sureness) -> Decided<bool> {
        let Some(payment) = self.payments.get(&row) else { return Ok(false) };
        let stored = Stored { row, record: payment.now.clone() };
        let mut is_any = false;
        for (kind, psp_id) in one.ids() {
            let lead = Lead { kind, psp_id, sureness };
            let others = ways::displace(work.set, &stored, &lead)?;
            let others = others.into_iter().map(|other| other.record.key.clone()).filter(|key| !self.has(key));
            let others: Vec<_> = others.collect();
            self.shown.to_place.extend(others);
            is_any |= ways::learn(work.set, &stored, &lead)?;
        }
        Ok(is_any)
    }

    /// Writes the events to the payments on which they are placed, and lets their ids lead there, and no other ids.
    fn write(&mut self, work: &mut Work<'_>) -> Decided<()> {
        let set = work.set;
        self.payments.keys().try_for_each(|row| ways::forget_placed(set, *row))?;
        for mut one in std::mem::take(&mut self.events) {
            let payment = match &one.to {
                Place::On(row, ..) => self.payments.get_mut(row),
                Place::Own => continue,
                Place::Elsewhere => None,
            };
            let is_of = |payment: &&mut Payment| {
                payment.now.source.as_deref().is_none_or(|source| source == one.pending.source)
            };
            let is_written = payment.filter(is_of).map(|payment| {
                transition::write(Arc::make_mut(&mut payment.now), &one.pending.event, Layer::Placed).is_ok()
            });
            match std::mem::replace(&mut one.to, Place::Elsewhere) {
                Place::On(row, sureness, further) if is_written == Some(true) => {
                    self.put(work, &one, (row, sureness), &further)?;
                }
                _ => self.take_back(work, one),
            }
        }
        self.release(work)
    }

    /// Puts an event on a payment.
    fn put(
        &mut self,
        work: &mut Work<'_>,
        one: &Placing,
        (row, sureness): (i64, Sureness),
        further: &[ReleaseKey],
    ) -> Decided<()> {
        let Some(payment) = self.payments.get_mut(&row) else { return Ok(()) };
        let by = (&*one.pending.source, Layer::Placed);
        let stored = bound(work, Stored { row, record: payment.now.clone() }, by)?;
        let now = Arc::make_mut(&mut payment.now);
        now.source.clone_from(&stored.record.source);
        now.bound_by_placed = stored.record.bound_by_placed;
        placed::note(work.set, row, &one.pending)?;
        work.reached(&stored, &one.pending)?;
        if !further.is_empty() && one.open == Open::All {
            work.wait_as_well(&one.pending, further)?;
        }
        self.shows(work, one, row, sureness).map(drop)
    }

    fn take_back(&self, work: &mut Work<'_>, one: Placing) {
        if let Some(payment) = self.payments.get(&one.from) {
            work.take_back((one.from, payment.before.key.clone()), vec![one.pending]);
        }
    }

    /// Releases what waits for the ways that are new or surer.
    fn release(&self, work: &mut Work<'_>) -> Decided<()> {
        for (row, payment) in &self.payments {
            for way in ways::placed_ways(work.set, *row)? {
                if !self.ways.contains(&shape(&way)) {
                    work.release(payment.now.source.as_deref(), &ReleaseKey::psp_id(way.kind, &way.psp_id))?;
                }
            }
        }
        Ok(())
    }
}

impl Placing {
    /// The ids of the event that lead to its record, each with the kind of its object. Unsigned ids do so only from the first
    /// notification: anybody can write other ids into a copy of it.
    fn ids(&self) -> impl Iterator<Item = (Kind, &String)> {
        let event = &self.pending.event;
        let kind = if event.is_refund() { Kind::Refund } else { Kind::Payment };
        event
            .psp_ids
            .iter()
            .filter(|psp_id| self.open == Open::All || event.is_sure_of(psp_id))
            .map(move |id| (kind, id))
    }
}

/// A payment bound to the source of an event that it takes.
fn bound(work: &Work<'_>, mut payment: Stored, (source, layer): (&str, Layer)) -> Decided<Stored> {
    if records::bind(&mut payment, source, layer) {
        ways::bind(work.set, payment.row, source)?;
    }
    Ok(payment)
}

/// Releases what waits for a payment that is bound to no source any more: events of another source could not reach it.
fn free(work: &mut Work<'_>, payment: &Record) -> Decided<()> {
    let Registered { psp_id, preauth_id, .. } = &payment.registered;
    let its = psp_id.as_ref().map(|psp_id| ReleaseKey::psp_id(Kind::Payment, psp_id));
    let keys = [ReleaseKey::record(&payment.key.id)].into_iter().chain(its);
    let mut keys = keys.chain(preauth_id.as_ref().map(ReleaseKey::captures));
    keys.try_for_each(|key| work.release(None, &key))
}

/// The payments that the placed events of these payments could lead to, and so on: by their preauthorizations, and by ids.
fn reached(work: &Work<'_>, payments: Vec<Stored>) -> Decided<BTreeMap<i64, RecordKey>> {
    let set = work.set;
    let (mut rows, mut queue) = (BTreeMap::new(), payments);
    // A preauthorization may have hundreds of captures, each of which leads to all others.
    let (mut preauths, mut ids) = (HashSet::new(), HashSet::new());
    while let Some(Stored { row, record }) = queue.pop() {
        if record.key.kind != Kind::Payment || rows.contains_key(&row) {
            continue;
        }
        rows.insert(row, record.key.clone());
        if let Some(preauth) = record.registered.preauth_id.clone().filter(|preauth| !preauths.contains(preauth)) {
            queue.extend(records::captures_of(set, &preauth)?);
            preauths.insert(preauth);
        }
        for Pending { source, event, .. } in placed::list(set, row)? {
            for psp_id in event.leading_ids().chain(&event.payment_ids) {
                if !ids.insert((source.clone(), psp_id.clone())) {
                    continue;
                }
                let original = ways::original(psp_id);
                for (kind, id) in [(Kind::Payment, psp_id), (Kind::Refund, psp_id), (Kind::Payment, &original)] {
                    let known = ways::by_psp_id(set, kind, &source, id)?;
                    queue.extend(known.into_iter().map(|known| known.stored));
                }
            }
        }
    }
    Ok(rows)
}
