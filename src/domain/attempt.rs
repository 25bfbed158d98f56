//! Attempts: what is known of each PSP transaction, or means of payment, at which a record was tried. A customer may try
//! several times under one reference; what became of one attempt says nothing of another.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::contradiction::{ATTEMPTS_MAX, Contradiction, FALLEN_MAX};
use super::event::Event;
use super::ids::{Kind, TransformId};
use super::stamp::{self, Stamp, Stamped, Written};
use super::status::{Status, StatusFact};

/// One attempt, by the PSP's ids: a reservation, a payment, a refund; for an agreement a means of payment.
///
/// Within an attempt the newest fact stands. All of it can be joined with another telling of the same attempt, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attempt {
    /// The PSP's ids: ids that one event names together are one attempt. An empty text stands for events without an id.
    pub ids: BTreeSet<String>,
    /// The PSP ids that the attempt has in common with others, such as the id of an order.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub shared: BTreeSet<String>,
    /// Agreement: the PSP ids of the customer to whom the means of payment belongs.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub customers: BTreeSet<String>,
    /// An unregistered refund: the merchant's references. One of them may be the Transform id of a refund to come.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub references: BTreeSet<TransformId>,
    /// The state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Stamped<StatusFact>>,
    /// The newest state that yields to success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yielding: Option<Stamped<StatusFact>>,
    /// The newest state that never revives: it does not count beside an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreviving: Option<Stamped<StatusFact>>,
    /// The PSP's id as the EARLIEST event with a state named it. Events with an end come last; of an agreement all events but
    /// those of a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Stamped<String>>,
    /// Agreement: the time of the earliest event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Preauthorization: the amount that is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorized: Option<Stamped<Decimal>>,
    /// The amounts of a reservation that were released, by the PSP's id of the release.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<String, Stamped<Released>>,
    /// Preauthorization: the end of the reservation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Stamped<Timestamp>>,
    /// Refund: the amount that was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunded: Option<Stamped<Decimal>>,
    /// Refund: whether it is only the released rest of a reservation, which gives no money back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub remainder: bool,
    /// Refund: whether the PSP carried it out as a cancellation of the payment, and took nothing from money that is booked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub as_cancellation: bool,
    /// Refund: whether an event has ever said that it succeeded. It may have failed since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub was_given: bool,
    /// Agreement: the time of the last amendment of the means of payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amended: Option<Stamped<Timestamp>>,
    /// Payment: once the attempt has brought money, the payment is complete if less than this is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Stamped<Decimal>>,
    /// The customer's payment data, field by field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bearer: BTreeMap<String, Stamped<String>>,
}

/// A part of a reservation that was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// Major units; none if all that was left is released.
    pub amount: Option<Decimal>,
    /// The state of the attempt once nothing is left.
    pub end: StatusFact,
}

/// The id of events that name no PSP id.
const ANONYMOUS: &str = "";

/// Writes an event into its attempt. Attempts that the event's ids show to be one are joined.
///
/// # Errors
/// [`Contradiction::TooMany`] if more attempts stand than are kept.
pub(super) fn write(
    attempts: &mut Vec<Attempt>,
    event: &Event,
    kind: Kind,
    written: &mut Vec<Written>,
) -> Result<(), Contradiction> {
    if !event.concerns_attempt(kind) {
        return Ok(());
    }
    let mut attempt = take(attempts, ids(event));
    attempt.shared.extend(event.shared_ids.iter().filter(|id| !attempt.ids.contains(*id)).cloned());
    attempt.customers.extend(event.customers.iter().cloned());
    attempt.write(event, kind, written);
    put(attempts, attempt);
    keep(attempts)
}

/// Writes an event of a refund that is not registered into its payment's refunds.
///
/// # Errors
/// As [`write()`].
pub(super) fn write_refund(
    refunds: &mut Vec<Attempt>,
    event: &Event,
    written: &mut Vec<Written>,
) -> Result<(), Contradiction> {
    write(refunds, event, Kind::Refund, written)?;
    let ids = ids(event);
    if let Some(refund) = refunds.iter_mut().find(|refund| !refund.ids.is_disjoint(&ids)) {
        refund.references.extend(event.references.iter().cloned());
    }
    Ok(())
}

/// Writes what an event says of all means of payment of a customer.
pub(super) fn write_customer(
    customers: &mut BTreeMap<String, Stamped<StatusFact>>,
    event: &Event,
    kind: Kind,
    written: &mut Vec<Written>,
) {
    let Some(status) = event.status_of(kind) else { return };
    let (stamp, error) = (event.stamp(event.rank_of(status, kind)), event.facts.error.clone());
    let fact = StatusFact { status, error, since: event.at, stands: status.is_success() };
    written.extend(event.customers.iter().map(|id| stamp::write_in(customers, id, &stamp, &fact)));
}

/// The ids of the event's attempt: its own and those of its original, else those that it shares with others.
fn ids(event: &Event) -> BTreeSet<String> {
    let own: BTreeSet<String> = event.psp_ids.iter().chain(&event.originals).cloned().collect();
    let ids = if own.is_empty() { event.shared_ids.iter().cloned().collect() } else { own };
    if ids.is_empty() { BTreeSet::from([ANONYMOUS.to_owned()]) } else { ids }
}

/// Takes out the attempts with any of these ids, as one attempt with all of them.
fn take(attempts: &mut Vec<Attempt>, ids: BTreeSet<String>) -> Attempt {
    let mut one = Attempt { ids, ..Attempt::default() };
    while let Some(place) = attempts.iter().position(|other| !other.ids.is_disjoint(&one.ids)) {
        one.join(attempts.remove(place));
    }
    one
}

fn put(attempts: &mut Vec<Attempt>, attempt: Attempt) {
    let place = attempts.partition_point(|other| other.ids < attempt.ids);
    attempts.insert(place, attempt);
}

/// Joins the attempts of another telling of a record.
pub(super) fn join(attempts: &mut Vec<Attempt>, others: Vec<Attempt>) {
    for other in others {
        let mut one = take(attempts, other.ids.clone());
        one.join(other);
        put(attempts, one);
    }
}

/// Takes out the attempts that a refund is: those with one of its PSP ids, or with its Transform id as reference.
pub(super) fn take_out(attempts: &mut Vec<Attempt>, psp_ids: &[String], id: &TransformId) -> Vec<Attempt> {
    let its = |attempt: &mut Attempt| {
        attempt.references.contains(id) || psp_ids.iter().any(|psp_id| attempt.ids.contains(psp_id))
    };
    attempts.extract_if(.., its).collect()
}

/// Forgets the oldest attempts that do not stand until at most [`FALLEN_MAX`] of them remain: any shopper can make refused
/// attempts without end.
fn keep(attempts: &mut Vec<Attempt>) -> Result<(), Contradiction> {
    let standing = attempts.iter().filter(|attempt| attempt.stands()).count();
    if standing > ATTEMPTS_MAX {
        return Err(Contradiction::TooMany { most: ATTEMPTS_MAX, what: "attempts that stand" });
    }
    for _ in FALLEN_MAX..attempts.len() - standing {
        let fallen = attempts.iter().enumerate().filter(|(_, attempt)| !attempt.stands());
        let oldest = fallen.min_by_key(|(_, attempt)| (attempt.state().map(|fact| &fact.stamp), &attempt.ids));
        if let Some((place, _)) = oldest {
            attempts.remove(place);
        }
    }
    Ok(())
}

impl Attempt {
    /// Whether the newest state of the attempt is a success.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.state().is_some_and(|fact| fact.value.stands)
    }

    /// The newest state, without regard to releases. A state that yields to success only stands if there is none, and one that
    /// never revives only if there is no end.
    #[must_use]
    pub fn state(&self) -> Option<&Stamped<StatusFact>> {
        self.state_beside(None)
    }

    /// Its state beside a state of its customer, which counts as well.
    pub(super) fn state_beside<'a>(
        &'a self,
        of_customer: Option<&'a Stamped<StatusFact>>,
    ) -> Option<&'a Stamped<StatusFact>> {
        let is_over = self.status.iter().chain(of_customer).any(|fact| fact.value.status.is_over());
        let own = self.own_state(is_over);
        own.into_iter().chain(of_customer).max_by_key(|fact| &fact.stamp)
    }

    fn own_state(&self, is_over: bool) -> Option<&Stamped<StatusFact>> {
        let unreviving = self.unreviving.as_ref().filter(|_| !is_over);
        let newest = self.status.iter().chain(unreviving).max_by_key(|fact| &fact.stamp);
        let success = newest.filter(|fact| fact.value.stands);
        success.or_else(|| newest.into_iter().chain(&self.yielding).max_by_key(|fact| &fact.stamp))
    }

    /// Whether it is that of the events without an id.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.ids.len() == 1 && self.ids.contains(ANONYMOUS)
    }

    /// Whether the attempt goes by this PSP id, or shares it.
    #[must_use]
    pub fn is_under(&self, psp_id: &str) -> bool {
        self.ids.contains(psp_id) || self.shared.contains(psp_id)
    }

    /// The stamps of all facts but the name.
    pub(super) fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        let states = self.status.iter().chain(&self.yielding).chain(&self.unreviving).map(|fact| &fact.stamp);
        let amounts = self.authorized.iter().chain(&self.refunded).chain(&self.tolerance).map(|fact| &fact.stamp);
        let times = self.expires_at.iter().chain(&self.amended).map(|fact| &fact.stamp);
        let others = times.chain(self.releases.values().map(|one| &one.stamp));
        states.chain(amounts).chain(others).chain(self.bearer.values().map(|fact| &fact.stamp))
    }

    fn write(&mut self, event: &Event, kind: Kind, written: &mut Vec<Written>) {
        let facts = &event.facts;
        let said = event.status_of(kind);
        self.was_given |= kind == Kind::Refund && said == Some(Status::Succeeded);
        let stamp = event.stamp(said.map_or(0, |status| event.rank_of(status, kind)));
        self.began((kind == Kind::Agreement).then_some(event.at));
        if let Some(status) = said {
            let stands = facts.status.is_some_and(Status::is_success);
            let fact = StatusFact { status, error: facts.error.clone(), since: event.at, stands };
            written.push(self.write_state(event, kind, &stamp, fact));
            if let Some(id) = event.psp_ids.first() {
                // An agreement goes by its means of payment, not by the setup that makes it.
                let is_poor = if kind == Kind::Agreement { !status.is_success() } else { status.has_ended() };
                let rank = u8::from(is_poor);
                earliest(&mut self.name, Stamp { at: event.at, rank, tie: event.key.clone() }, id);
            }
        }
        written.extend(facts.authorized.map(|amount| stamp::write(&mut self.authorized, &stamp, amount)));
        written.extend(facts.expires_at.map(|at| stamp::write(&mut self.expires_at, &stamp, at)));
        written.extend(facts.refunded.map(|amount| stamp::write(&mut self.refunded, &stamp, amount)));
        written.extend(facts.tolerance.map(|amount| stamp::write(&mut self.tolerance, &stamp, amount)));
        if facts.remainder && !self.remainder {
            self.remainder = true;
            written.push(Written::Newer);
        }
        if facts.as_cancellation && !self.as_cancellation {
            self.as_cancellation = true;
            written.push(Written::Newer);
        }
        // The state may give way to all others; the amendment and the payment data are as new as the event.
        let stamp = Stamp { at: event.at, ..stamp };
        if facts.amended {
            written.push(stamp::write(&mut self.amended, &stamp, event.at));
        }
        let bearer = facts.bearer.iter();
        written.extend(bearer.map(|(name, value)| stamp::write_in(&mut self.bearer, name, &stamp, value)));
    }

    /// Forgets what was said of an agreement before this time. A state counts as of its event, also one that gives way.
    pub(super) fn forget_before(&mut self, begin: Timestamp) {
        fn keep<T>(slot: &mut Option<Stamped<T>>, is_kept: impl Fn(&Stamped<T>) -> bool) {
            *slot = slot.take().filter(|fact| is_kept(fact));
        }
        for slot in [&mut self.status, &mut self.yielding, &mut self.unreviving] {
            keep(slot, |fact| fact.value.since >= begin);
        }
        keep(&mut self.expires_at, |fact| fact.stamp.at >= begin);
        keep(&mut self.amended, |fact| fact.stamp.at >= begin);
        self.bearer.retain(|_, fact| fact.stamp.at >= begin);
        self.since = self.since.map(|since| since.max(begin));
    }

    /// Notes the time of an event, if it is the earliest.
    fn began(&mut self, at: Option<Timestamp>) {
        self.since = self.since.into_iter().chain(at).min();
    }

    fn write_state(&mut self, event: &Event, kind: Kind, stamp: &Stamp, fact: StatusFact) -> Written {
        match &event.facts.release {
            Some(release) if matches!(kind, Kind::Preauth | Kind::Payment) => {
                let released = Released { amount: release.amount, end: fact };
                stamp::write_in(&mut self.releases, &release.id, stamp, &released)
            }
            _ if event.yields_to_success => stamp::write(&mut self.yielding, stamp, fact),
            _ if event.never_revives && !fact.status.is_over() => stamp::write(&mut self.unreviving, stamp, fact),
            _ => stamp::write(&mut self.status, stamp, fact),
        }
    }

    /// Refund: whether it takes nothing from the money of its payment: it is a released rest, or was carried out as a cancellation.
    pub(super) const fn gives_nothing_back(&self) -> bool {
        self.remainder || self.as_cancellation
    }

    /// Takes over all that another telling of this attempt knows.
    fn join(&mut self, other: Self) {
        let Self {
            ids,
            shared,
            customers,
            references,
            status,
            yielding,
            unreviving,
            name,
            since,
            authorized,
            releases,
            expires_at,
            refunded,
            remainder,
            as_cancellation,
            was_given,
            tolerance,
            amended,
            bearer,
        } = other;
        self.ids.extend(ids);
        self.shared.extend(shared);
        self.shared.retain(|id| !self.ids.contains(id));
        self.customers.extend(customers);
        self.references.extend(references);
        stamp::join(&mut self.status, status);
        stamp::join(&mut self.yielding, yielding);
        stamp::join(&mut self.unreviving, unreviving);
        if let Some(name) = name {
            earliest(&mut self.name, name.stamp, &name.value);
        }
        self.began(since);
        stamp::join(&mut self.authorized, authorized);
        stamp::join_all(&mut self.releases, releases);
        stamp::join(&mut self.expires_at, expires_at);
        stamp::join(&mut self.refunded, refunded);
        self.remainder |= remainder;
        self.as_cancellation |= as_cancellation;
        self.was_given |= was_given;
        stamp::join(&mut self.tolerance, tolerance);
        stamp::join(&mut self.amended, amended);
        stamp::join_all(&mut self.bearer, bearer);
    }
}

/// Keeps the first name of an object. A name of lower rank comes before all others.
fn earliest(slot: &mut Option<Stamped<String>>, stamp: Stamp, name: &str) {
    // The name itself is the last tie-break: the key does not contain it.
    let order = |stamp: &Stamp, name: &str| (stamp.rank, stamp.at, stamp.tie.clone(), name.to_owned());
    if slot.as_ref().is_none_or(|old| order(&stamp, name) < order(&old.stamp, &old.value)) {
        *slot = Some(Stamped { stamp, value: name.to_owned() });
    }
}
