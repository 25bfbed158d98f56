//! The state of a record as its attempts make it: a success outranks what other attempts say.

use std::borrow::Cow;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::attempt::{Attempt, Released};
use super::event::{Booking, Item};
use super::ids::Kind;
use super::record::{Record, Seen};
use super::stamp::{Stamp, Stamped};
use super::status::{Status, StatusFact};

/// The claims of a record that count now, with the state that they make.
pub(super) struct Standing<'a> {
    pub(super) record: &'a Record,
    pub(super) seen: &'a Seen,
    /// The last named state: that of the leading attempt, else that of the registration.
    pub(super) named: StatusFact,
    /// The attempt that the state comes from.
    pub(super) leading: Option<&'a Attempt>,
    /// Whether the registration alone says that the record stands, or that an attempt does of which no event told.
    registered: bool,
}

/// How much an attempt's state weighs against those of other attempts, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// It has only begun.
    Begun,
    /// It is under way, or has ended.
    Newest,
    /// It is under way, and it is the registered one.
    Registered,
    /// It is a success.
    Stands,
}

/// One state among those that a record could have.
struct Candidate<'a> {
    weight: Weight,
    fact: Cow<'a, Stamped<StatusFact>>,
    attempt: Option<&'a Attempt>,
}

impl Candidate<'_> {
    /// The order of candidates. The end of a customer ends several attempts at once: the one with the newest state of its own
    /// leads then.
    fn order(&self) -> (Weight, &Stamp, Option<&Stamp>) {
        let own = self.attempt.and_then(Attempt::state).map(|fact| &fact.stamp);
        (self.weight, &self.fact.stamp, own)
    }
}

impl<'a> Standing<'a> {
    pub(super) fn of(record: &'a Record, seen: &'a Seen) -> Self {
        let mut candidates: Vec<_> =
            attempts(record, seen).filter_map(|attempt| candidate(record, seen, attempt)).collect();
        protect_registered(record, &mut candidates);
        let registered = registered(record, seen, &candidates);
        let by_registration = registered.as_ref().is_some_and(|one| one.weight == Weight::Stands);
        candidates.extend(registered);
        let best = candidates.into_iter().max_by(|a, b| a.order().cmp(&b.order()));
        match best {
            Some(best) if !is_behind(record, best.fact.value.status) => {
                let named = best.fact.value.clone();
                Self { record, seen, named, leading: best.attempt, registered: by_registration }
            }
            best => {
                let named = fact(record, record.registered.status.unwrap_or(Status::Initiated));
                Self { record, seen, named, leading: best.and_then(|best| best.attempt), registered: true }
            }
        }
    }

    /// The attempts that stand, each with its state.
    pub(super) fn successes(&self) -> impl Iterator<Item = (&'a Attempt, Cow<'a, Stamped<StatusFact>>)> {
        let record = self.record;
        let seen = self.seen;
        let states = attempts(record, seen).filter_map(move |attempt| Some((attempt, state(record, seen, attempt)?)));
        states.filter(|(_, fact)| fact.value.stands)
    }

    /// The attempt whose payment data the record shows: of a payment the last one that brought money, else the leading one. If
    /// the state comes from the registration alone, it is the registered attempt, of which no event has told a state.
    pub(super) fn shown(&self) -> Option<&'a Attempt> {
        let is_money = self.record.key.kind == Kind::Payment;
        let booked = self.seen.items.iter().filter(|(_, item)| is_money && item.value.booking == Booking::Booked);
        let payer = booked
            .filter_map(|(id, item)| {
                Some((&item.stamp, attempts(self.record, self.seen).find(|one| one.ids.contains(id))?))
            })
            .max_by_key(|(stamp, _)| *stamp);
        payer.map(|(_, attempt)| attempt).or(self.leading).or_else(|| self.stateless())
    }

    /// The registered attempt, if no event has told its state; without a registered id the last attempt of that sort.
    fn stateless(&self) -> Option<&'a Attempt> {
        let psp_id = self.record.registered.psp_id.as_ref();
        let its = |attempt: &&Attempt| psp_id.is_none_or(|psp_id| attempt.is_under(psp_id));
        let stateless = attempts(self.record, self.seen).filter(|attempt| attempt.state().is_none()).filter(its);
        stateless.max_by_key(|attempt| (attempt.stamps().max(), &attempt.ids))
    }

    /// The last amendment of the means of payment that an agreement shows, or of one that no event named; none once the
    /// agreement has ended.
    pub(super) fn amended(&self) -> Option<&'a Stamped<Timestamp>> {
        if self.named.status == Status::Inactive {
            return None;
        }
        let anonymous = attempts(self.record, self.seen).filter(|attempt| attempt.is_anonymous());
        let amended = self.shown().into_iter().chain(anonymous).filter_map(|attempt| attempt.amended.as_ref());
        amended.max_by_key(|amendment| &amendment.stamp)
    }

    /// The PSP's id: as registered, else the first name of a success, else the first name of any attempt.
    pub(super) fn psp_id(&self) -> Option<String> {
        let first = |attempt: &'a Attempt| attempt.name.as_ref();
        let order =
            |name: &&Stamped<String>| (name.stamp.rank, name.stamp.at, name.stamp.tie.clone(), name.value.clone());
        let learned = || {
            let standing = self.successes().filter_map(|(attempt, _)| first(attempt)).min_by_key(order);
            standing.or_else(|| attempts(self.record, self.seen).filter_map(first).min_by_key(order))
        };
        self.record.registered.psp_id.clone().or_else(|| learned().map(|name| name.value.clone()))
    }

    /// What may be missing of a payment that is complete: less than the largest tolerance of the attempts that brought money.
    pub(super) fn tolerance(&self, payments: &[Item]) -> Decimal {
        let paid = |attempt: &&Attempt| payments.iter().any(|item| attempt.ids.contains(&item.id));
        let tolerances = attempts(self.record, self.seen).filter(paid).filter_map(|attempt| attempt.tolerance.as_ref());
        tolerances.map(|tolerance| tolerance.value).max().unwrap_or_default()
    }

    /// The sum over the attempts that stand. `amount` gives what is known of one. Attempts of unknown amount have together
    /// what is missing to the amount that an import states, else to the requested one.
    pub(super) fn sum(&self, amount: impl Fn(&Attempt) -> Option<Decimal>) -> Decimal {
        let (mut sum, mut unknown) = (Decimal::ZERO, self.registered);
        for (attempt, _) in self.successes() {
            match amount(attempt) {
                Some(amount) => sum += amount,
                None => unknown = true,
            }
        }
        let whole = self.record.whole().unwrap_or_default();
        if unknown { sum.max(whole) } else { sum }
    }
}

/// Takes out what events without an id said before the registered means of payment began: it was about a former one.
pub(super) fn forget_former(record: &Record, seen: &mut Cow<'_, Seen>) {
    let Some(begin) = begin(record, seen) else { return };
    let is_older = |attempt: &Attempt| attempt.is_anonymous() && attempt.since.is_some_and(|since| since < begin);
    if seen.attempts.iter().any(is_older) {
        let attempts = &mut seen.to_mut().attempts;
        attempts.iter_mut().filter(|attempt| attempt.is_anonymous()).for_each(|attempt| attempt.forget_before(begin));
        attempts.retain(|attempt| !attempt.is_anonymous() || attempt.stamps().next().is_some());
    }
}

/// The time at which the means of payment began that an agreement was last registered with: that of its earliest event, or
/// that of the registration if no event came before. A means that was replaced meanwhile began anew with the registration.
fn begin(record: &Record, seen: &Seen) -> Option<Timestamp> {
    let until = record.registered.former_until?;
    let Some(own) = &record.registered.psp_id else { return Some(until) };
    let (its, others): (Vec<&Attempt>, _) =
        seen.attempts.iter().filter(|attempt| !attempt.is_anonymous()).partition(|attempt| attempt.ids.contains(own));
    let Some(since) = its.into_iter().filter_map(|attempt| attempt.since).min() else { return Some(until) };
    let is_replaced = others.into_iter().filter_map(|attempt| attempt.since).any(|at| since < at && at < until);
    Some(if is_replaced { until } else { since.min(until) })
}

/// The attempts that count: all but those of former means of payment. Those of the events without an id are left to
/// [`forget_former`].
pub(super) fn attempts<'a>(record: &'a Record, seen: &'a Seen) -> impl Iterator<Item = &'a Attempt> {
    let registered = &record.registered;
    let is_registered = |attempt: &Attempt| registered.psp_id.as_ref().is_some_and(|id| attempt.ids.contains(id));
    let is_before =
        |attempt: &Attempt| attempt.since.zip(registered.former_until).is_some_and(|(at, until)| at < until);
    let is_before = move |attempt: &Attempt| !attempt.is_anonymous() && is_before(attempt);
    let is_former = move |attempt: &Attempt| !attempt.ids.is_disjoint(&registered.former) || is_before(attempt);
    seen.attempts.iter().filter(move |attempt| !is_former(attempt) || is_registered(attempt))
}

fn candidate<'a>(record: &'a Record, seen: &'a Seen, attempt: &'a Attempt) -> Option<Candidate<'a>> {
    let fact = state(record, seen, attempt)?;
    Some(Candidate { weight: weight(&fact.value), fact, attempt: Some(attempt) })
}

const fn weight(fact: &StatusFact) -> Weight {
    match fact {
        StatusFact { stands: true, .. } => Weight::Stands,
        StatusFact { status: Status::Initiated, .. } => Weight::Begun,
        _ => Weight::Newest,
    }
}

/// The state of an attempt. A reservation ends once all of it is released; so does one that is under way. What is known of a
/// customer holds for all means of payment of that customer.
fn state<'a>(record: &'a Record, seen: &'a Seen, attempt: &'a Attempt) -> Option<Cow<'a, Stamped<StatusFact>>> {
    let of_customer = attempt.customers.iter().filter_map(|id| seen.customers.get(id));
    let beside = of_customer.chain(stated(record, seen, attempt));
    let fact = attempt.state_beside(beside.max_by_key(|fact| &fact.stamp));
    let is_over = |end: &Stamped<StatusFact>| fact.is_none_or(|fact| fact.value.stands || fact.stamp < end.stamp);
    released(record, attempt).filter(is_over).map(Cow::Owned).or(fact.map(Cow::Borrowed))
}

/// What the payment stack states of an attempt. A success is of one attempt: the registered one, else the one with the newest
/// state. All else is of all attempts.
fn stated<'a>(record: &'a Record, seen: &'a Seen, attempt: &Attempt) -> Option<&'a Stamped<StatusFact>> {
    let stated = record.registered.stated.as_ref()?;
    let is_its = !stated.value.stands || successful(record, seen).is_some_and(|one| one.ids == attempt.ids);
    is_its.then_some(stated)
}

/// The attempt that a stated success is of, if an event has told of it.
fn successful<'a>(record: &'a Record, seen: &'a Seen) -> Option<&'a Attempt> {
    let psp_id = record.registered.psp_id.as_ref();
    let its = |attempt: &&Attempt| psp_id.is_none_or(|psp_id| attempt.is_under(psp_id));
    attempts(record, seen).filter(its).max_by_key(|one| (one.state().map(|fact| &fact.stamp), &one.ids))
}

/// The end of a reservation of which all is released.
fn released(record: &Record, attempt: &Attempt) -> Option<Stamped<StatusFact>> {
    let last = attempt.releases.values().max_by_key(|release| &release.stamp)?;
    let left = reserved(attempt, record.whole())?;
    (left <= Decimal::ZERO).then(|| Stamped { stamp: last.stamp.clone(), value: last.value.end.clone() })
}

/// The amount that an attempt still reserves: the last stated amount, less what was released since.
pub(super) fn reserved(attempt: &Attempt, requested: Option<Decimal>) -> Option<Decimal> {
    let stated = attempt.authorized.as_ref();
    let since = |release: &&Stamped<Released>| stated.is_none_or(|stated| release.stamp > stated.stamp);
    let mut left = stated.map(|stated| stated.value).or(requested.filter(|_| !attempt.releases.is_empty()))?;
    for release in attempt.releases.values().filter(since) {
        left -= release.value.amount.unwrap_or(left);
        // Whatever else was released, nothing is left.
        left = left.max(Decimal::ZERO);
    }
    Some(left)
}

/// Lets the registered attempt weigh more than others, if its last news is that it is under way.
fn protect_registered(record: &Record, candidates: &mut [Candidate<'_>]) {
    let Some(psp_id) = &record.registered.psp_id else { return };
    let its = candidates.iter_mut().filter(|one| one.attempt.is_some_and(|attempt| attempt.is_under(psp_id)));
    let last = its.max_by(|a, b| a.fact.stamp.cmp(&b.fact.stamp));
    if let Some(last) = last.filter(|last| last.fact.value.status == Status::Pending) {
        last.weight = last.weight.max(Weight::Registered);
    }
}

/// The registered state as that of the registered attempt, until an event of that attempt names one. What the payment stack
/// states stands alone where it is of no attempt.
fn registered<'a>(record: &'a Record, seen: &'a Seen, candidates: &[Candidate<'_>]) -> Option<Candidate<'a>> {
    if let Some(stated) = &record.registered.stated {
        let alone = Candidate { weight: weight(&stated.value), fact: Cow::Borrowed(stated), attempt: None };
        let is_of_one = if stated.value.stands { successful(record, seen).is_some() } else { !candidates.is_empty() };
        return Some(alone).filter(|_| !is_of_one);
    }
    let (psp_id, status) = (record.registered.psp_id.as_ref()?, record.registered.status?);
    let mut others = candidates.iter().filter_map(|one| one.attempt);
    // A check of a means of payment that exists is an attempt of its own, which only shares the id.
    let is_its = |attempt: &Attempt| match record.key.kind {
        Kind::Agreement => attempt.ids.contains(psp_id),
        _ => attempt.is_under(psp_id),
    };
    if others.any(is_its) {
        return None;
    }
    let weight = match status {
        _ if status.is_success() => Weight::Stands,
        Status::Pending => Weight::Registered,
        Status::Initiated => Weight::Begun,
        _ => Weight::Newest,
    };
    let stamp = Stamp { at: Timestamp::MIN, rank: status.rank(record.key.kind), tie: String::new() };
    Some(Candidate { weight, fact: Cow::Owned(Stamped { stamp, value: fact(record, status) }), attempt: None })
}

fn fact(record: &Record, status: Status) -> StatusFact {
    StatusFact { status, error: None, since: record.registered_at, stands: status.is_success() }
}

/// Whether an event's state only says "under way" while the payment stack knows a state further on. The event is older news
/// than the payment stack's answer to Transform. A registered end may belong to an earlier attempt.
fn is_behind(record: &Record, seen: Status) -> bool {
    let registered = record.registered.status.unwrap_or(Status::Initiated);
    let kind: Kind = record.key.kind;
    seen.is_under_way() && !registered.has_ended() && registered.rank(kind) > seen.rank(kind)
}

#[cfg(test)]
mod tests;
