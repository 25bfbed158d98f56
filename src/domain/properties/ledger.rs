//! A ledger: it has the whole history before it, sorts that, and reads the end off it by the rules in docs/design/records.md.
//! It shares no code with the engine but the types.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::history::Told;
use crate::domain::event::{Booking, Event};
use crate::domain::ids::Kind;
use crate::domain::status::Status;

/// The place of a fact in time; the greater one is newer. The flags are: late, and about an original.
pub(super) type Place = (Timestamp, (bool, bool), u8, String);

/// The place of an event's fact, where `life` says how late in a record's life the fact is.
pub(super) fn place(event: &Event, life: u8) -> Place {
    let at = if event.gives_way { Timestamp::MIN } else { event.at };
    (at, (event.late, !event.originals.is_empty()), life, event.key.clone())
}

/// How late in the life of a record a state is. A payment that failed may still succeed, a refund that succeeded may still fail.
pub(super) fn life(status: Status, kind: Kind) -> u8 {
    match status {
        Status::Initiated => 1,
        Status::Pending => 2,
        Status::Failed if kind != Kind::Refund => 3,
        Status::Succeeded | Status::Active => 5,
        Status::Failed => 6,
        Status::Expired => 7,
        Status::Cancelled | Status::Inactive => 8,
    }
}

/// How late in a record's life the state is that an event names. A means of payment that was refused may still be taken.
pub(super) fn life_by(event: &Event, status: Status, kind: Kind) -> u8 {
    let is_refused = status == Status::Inactive && event.facts.error.is_some();
    life(if is_refused { Status::Failed } else { status }, kind)
}

/// How late in the life of a booking its state is.
pub(super) fn life_of(booking: Booking) -> u8 {
    match booking {
        Booking::Open => 1,
        Booking::Booked => 2,
        Booking::Reversed => 3,
    }
}

/// All that was told of one attempt, the oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Tried {
    pub(super) ids: BTreeSet<String>,
    pub(super) shared: BTreeSet<String>,
    pub(super) events: Vec<Event>,
}

impl Tried {
    pub(super) fn is_under(&self, id: &str) -> bool {
        self.ids.contains(id) || self.shared.contains(id)
    }
}

/// The state that an event names for a record of that kind. A reservation leaves a payment Pending.
pub(super) fn said(event: &Event, kind: Kind) -> Option<Status> {
    let reserves = event.kinds.contains(&Kind::Preauth) && event.facts.items.is_empty();
    match event.facts.status {
        Some(Status::Succeeded) if reserves && kind == Kind::Payment => Some(Status::Pending),
        status => status,
    }
}

/// The attempts of a record of that kind: events with a common id, also through others in between.
pub(super) fn attempts(told: &[Told], kind: Kind, belongs: impl Fn(&Event) -> bool) -> Vec<Tried> {
    let mut attempts: Vec<Tried> = Vec::new();
    for event in told.iter().map(|(event, _)| event).filter(|event| belongs(event) && says_something(event, kind)) {
        let mut ids: BTreeSet<String> = event.psp_ids.iter().chain(&event.originals).cloned().collect();
        if ids.is_empty() {
            ids = event.shared_ids.iter().cloned().collect();
        }
        if ids.is_empty() {
            ids.insert(String::new());
        }
        let mut one = Tried { ids, shared: event.shared_ids.iter().cloned().collect(), events: vec![event.clone()] };
        let (same, others): (Vec<_>, Vec<_>) =
            attempts.into_iter().partition(|other: &Tried| !other.ids.is_disjoint(&one.ids));
        for other in same {
            one.ids.extend(other.ids);
            one.shared.extend(other.shared);
            one.events.extend(other.events);
        }
        attempts = others;
        attempts.push(one);
    }
    for attempt in &mut attempts {
        attempt
            .events
            .sort_by_key(|event| place(event, said(event, kind).map_or(0, |status| life_by(event, status, kind))));
        attempt.events.dedup_by(|a, b| a.key == b.key);
    }
    attempts
}

/// Whether an event says anything of an attempt.
pub(super) fn says_something(event: &Event, kind: Kind) -> bool {
    let facts = &event.facts;
    let amounts = [facts.authorized, facts.refunded].iter().any(Option::is_some);
    let stated = amounts || facts.remainder || facts.as_cancellation || facts.amended;
    said(event, kind).is_some() || stated || facts.expires_at.is_some() || !facts.bearer.is_empty()
}
