//! The state of a record and the sums over its attempts, as the ledger has them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::history::Told;
use super::ledger::{Place, Tried, attempts, life, life_by, place, said, says_something};
use crate::domain::event::Event;
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::status::{PspError, Status};

/// A state of an attempt, or of the registration.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) place: Place,
    pub(super) status: Status,
    pub(super) stands: bool,
    pub(super) error: Option<PspError>,
    pub(super) since: Timestamp,
    /// The attempt; none for the registration.
    pub(super) attempt: Option<usize>,
}

/// What the attempts of a record come to.
#[derive(Debug)]
pub(super) struct StateLedger {
    /// The attempts that count.
    pub(super) attempts: Vec<Tried>,
    /// Their states.
    pub(super) states: Vec<State>,
    /// The state of the record.
    pub(super) named: State,
    /// The attempt that leads, whether or not the registration overrules it.
    pub(super) leading: Option<usize>,
    /// Whether the registration alone stands.
    pub(super) registered: bool,
}

impl StateLedger {
    pub(super) fn of(record: &Record, told: &[Told]) -> Self {
        let kind = record.key.kind;
        let registered = &record.registered;
        let own = registered.psp_id.as_deref();
        let mut attempts = attempts(told, kind, |event| kind != Kind::Payment || event.kinds != [Kind::Refund]);
        forget_former(record, &mut attempts);
        attempts.retain(|one| {
            let is_known = |until| kind == Kind::Agreement && one.events.iter().any(|event| event.at < until);
            let is_former = one.ids.iter().any(|id| registered.former.contains(id))
                || !one.ids.contains("") && registered.former_until.is_some_and(is_known);
            own.is_some_and(|own| one.ids.contains(own)) || !is_former
        });
        let states: Vec<State> = attempts.iter().enumerate().filter_map(|(at, one)| state(record, at, one)).collect();
        let by_registration = own.and_then(|own| registered_state(record, &attempts, &states, own));
        let best = best(record, &attempts, &states, by_registration.as_ref());
        let known = registered.status.unwrap_or(Status::Initiated);
        let further = life(known, kind) > best.as_ref().map_or(0, |best| life(best.status, kind));
        let under_way = |status| matches!(status, Status::Initiated | Status::Pending);
        let ended = matches!(known, Status::Failed | Status::Cancelled | Status::Expired);
        let leading = best.as_ref().and_then(|best| best.attempt);
        let (named, stands) = match best {
            Some(best) if !(under_way(best.status) && further && !ended) => {
                (best, by_registration.is_some_and(|one| one.stands))
            }
            _ => (of_registration(record, known), true),
        };
        Self { attempts, states, named, leading, registered: stands }
    }

    pub(super) fn standing(&self) -> impl Iterator<Item = &Tried> {
        let standing = self.states.iter().filter(|state| state.stands);
        standing.filter_map(|state| state.attempt).map(|at| &self.attempts[at])
    }

    /// The sum over the attempts that stand; those of unknown amount have what is missing to the requested amount.
    pub(super) fn sum(&self, record: &Record, amount: impl Fn(&Tried) -> Option<Decimal>) -> Decimal {
        let amounts: Vec<_> = self.standing().map(amount).collect();
        let known: Decimal = amounts.iter().flatten().sum();
        let is_all_known = !self.registered && amounts.iter().all(Option::is_some);
        if is_all_known { known } else { known.max(record.registered.requested_amount.unwrap_or_default()) }
    }

    /// The means of payment that an agreement shows: the leading one, else the last one without a state. With a registered id
    /// that is the registered one.
    pub(super) fn shown(&self, record: &Record) -> Option<&Tried> {
        let own = record.registered.psp_id.as_deref();
        let has_state = |at: usize| self.states.iter().any(|state| state.attempt == Some(at));
        let stateless = self
            .attempts
            .iter()
            .enumerate()
            .filter(|(at, one)| !has_state(*at) && own.is_none_or(|own| one.is_under(own)));
        let newest =
            |one: &Tried| one.events.iter().map(|event| (event.at, place(event, 0).1, event.key.clone())).max();
        let last = stateless.max_by_key(|(_, one)| (newest(one), one.ids.clone())).map(|(_, one)| one);
        self.leading.map(|at| &self.attempts[at]).or(last)
    }

    pub(super) fn psp_id(&self, record: &Record) -> Option<String> {
        let kind = record.key.kind;
        let first = |attempts: &mut dyn Iterator<Item = &Tried>| {
            let named = attempts.flat_map(|one| &one.events).filter_map(|event| {
                let said = said(event, kind)?;
                let poor = match kind {
                    Kind::Agreement => said != Status::Active,
                    _ => matches!(said, Status::Failed | Status::Cancelled | Status::Expired),
                };
                Some((poor, event.at, event.key.clone(), event.psp_ids.first()?.clone()))
            });
            named.min().map(|(.., id)| id)
        };
        let learned = || first(&mut self.standing()).or_else(|| first(&mut self.attempts.iter()));
        record.registered.psp_id.clone().or_else(learned)
    }
}

/// What events without an id said of an agreement before its registered means of payment began is of a former one. Only the
/// newest state is kept of those that yield, and of the others.
fn forget_former(record: &Record, attempts: &mut Vec<Tried>) {
    let Some(begin) = begin(record, attempts) else { return };
    let Some(at) = attempts.iter().position(|one| one.ids.contains("")) else { return };
    let Tried { events, .. } = &mut attempts[at];
    for yields in [false, true] {
        let in_slot = |event: &Event| event.yields_to_success == yields && event.facts.status.is_some();
        if events.iter().rfind(|event| in_slot(event)).is_some_and(|newest| newest.at < begin) {
            events.iter_mut().filter(|event| in_slot(event)).for_each(|event| event.facts.status = None);
        }
    }
    events.retain(|event| event.at >= begin && says_something(event, record.key.kind));
    if events.is_empty() {
        attempts.remove(at);
    }
}

/// The first news of the registered means of payment, unless another one came between it and the registration.
fn begin(record: &Record, attempts: &[Tried]) -> Option<Timestamp> {
    let until = record.registered.former_until?;
    let first = |one: &Tried| one.events.iter().map(|event| event.at).min();
    let is_own = |one: &&Tried| record.registered.psp_id.as_ref().is_some_and(|own| one.ids.contains(own));
    let named = || attempts.iter().filter(|one| !one.ids.contains(""));
    let Some(own) = named().filter(is_own).filter_map(first).min().filter(|own| *own < until) else {
        return Some(until);
    };
    let between = named().filter(|one| !is_own(one)).filter_map(first).any(|at| own < at && at < until);
    Some(if between { until } else { own })
}

fn of_registration(record: &Record, status: Status) -> State {
    State {
        place: (Timestamp::MIN, (false, false), life(status, record.key.kind), String::new()),
        status,
        stands: matches!(status, Status::Succeeded | Status::Active),
        error: None,
        since: record.registered_at,
        attempt: None,
    }
}

/// The registered state counts as that of the registered attempt, until an event of that attempt names one.
fn registered_state(record: &Record, attempts: &[Tried], states: &[State], own: &str) -> Option<State> {
    let is_its =
        |one: &Tried| if record.key.kind == Kind::Agreement { one.ids.contains(own) } else { one.is_under(own) };
    let heard = states.iter().filter_map(|state| state.attempt).any(|at| is_its(&attempts[at]));
    record.registered.status.filter(|_| !heard).map(|status| of_registration(record, status))
}

/// The state that counts: the newest success; else the registered attempt, if it is Pending; else the newest that is more than
/// a beginning; else the newest.
fn best(record: &Record, attempts: &[Tried], states: &[State], by_registration: Option<&State>) -> Option<State> {
    let all: Vec<&State> = states.iter().chain(by_registration).collect();
    let newest = |of: &dyn Fn(&State) -> bool| {
        all.iter().copied().filter(|state| of(state)).max_by_key(|state| state.place.clone()).cloned()
    };
    let own = record.registered.psp_id.as_deref();
    let its = |state: &State| match state.attempt {
        Some(at) => own.is_some_and(|own| attempts[at].is_under(own)),
        None => true,
    };
    newest(&|state| state.stands)
        .or_else(|| newest(&its).filter(|state| state.status == Status::Pending))
        .or_else(|| newest(&|state| state.status != Status::Initiated))
        .or_else(|| newest(&|_| true))
}

/// The state of an attempt, read from the oldest event to the newest.
fn state(record: &Record, at: usize, attempt: &Tried) -> Option<State> {
    let kind = record.key.kind;
    let (mut last, mut yielding): (Option<State>, Option<State>) = (None, None);
    for event in attempt.events.iter().filter(|event| kind != Kind::Preauth || event.facts.release.is_none()) {
        let Some(status) = said(event, kind) else { continue };
        let state = of_event(event, kind, status, at);
        if event.yields_to_success { yielding = Some(state) } else { last = Some(state) }
    }
    let end = attempt.events.iter().rfind(|event| event.facts.release.is_some());
    if kind == Kind::Preauth
        && let Some(end) = end
        && balance(record, attempt).is_some_and(|left| left <= Decimal::ZERO)
    {
        let end = of_event(end, kind, end.facts.status?, at);
        let word = last.iter().chain(&yielding).max_by_key(|state| state.place.clone());
        if last.as_ref().is_some_and(|last| last.stands) || word.is_none_or(|word| word.place < end.place) {
            return Some(end);
        }
    }
    match (last, yielding) {
        (Some(last), Some(yielding)) if !last.stands && yielding.place > last.place => Some(yielding),
        (Some(last), _) => Some(last),
        (None, yielding) => yielding,
    }
}

fn of_event(event: &Event, kind: Kind, status: Status, attempt: usize) -> State {
    State {
        place: place(event, life_by(event, status, kind)),
        status,
        stands: matches!(event.facts.status, Some(Status::Succeeded | Status::Active)),
        error: event.facts.error.clone(),
        since: event.at,
        attempt: Some(attempt),
    }
}

/// What an attempt reserves: the last stated balance less the releases since; before any statement, the requested amount.
pub(super) fn balance(record: &Record, attempt: &Tried) -> Option<Decimal> {
    // News of one release replaces what was said of it.
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for event in &attempt.events {
        if let Some(release) = &event.facts.release {
            last.insert(&release.id, &event.key);
        }
    }
    let mut stated = None;
    for event in &attempt.events {
        let requested = record.registered.requested_amount;
        match &event.facts.release {
            Some(release) if last[release.id.as_str()] == event.key => {
                let left = stated.or(requested)?;
                stated = Some((left - release.amount.unwrap_or(left)).max(Decimal::ZERO));
            }
            _ => stated = event.facts.authorized.or(stated),
        }
    }
    stated
}
