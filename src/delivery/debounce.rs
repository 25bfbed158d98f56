//! The debouncer: a schedule in memory of when to look at which record.
//!
//! The truth is the outbox on disk, so losing the debouncer loses nothing. Nothing outside this file sees the map, and
//! no method that touches it waits. So no guard of the map is ever held across an await.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::domain::due::later;
use crate::domain::ids::RecordKey;
use crate::store::Owed;

/// Records that Transform is owed a webhook for, and when to look at each.
#[derive(Debug, Default)]
pub struct Debouncer {
    /// The records that are owed a webhook or are in flight.
    waiting: DashMap<RecordKey, Waiting>,
    /// The order in which to look. An entry may be outdated: the map decides.
    schedule: Mutex<Schedule>,
    /// Signalled when a record may be due earlier than was known.
    changed: Notify,
}

#[derive(Debug)]
struct Waiting {
    due: Timestamp,
    /// Whether an attempt is under way. The record is not looked at before that attempt ends.
    in_flight: bool,
    /// The due time of a change that came while the attempt was under way.
    again: Option<Timestamp>,
    /// Records to be told before this one.
    after: Vec<RecordKey>,
    /// Set while the record is due and held back only by `after`. The hold ends at this time. So neither a stream of other
    /// records nor a host that does not answer can delay the record for ever.
    held_until: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Schedule {
    order: BinaryHeap<Reverse<(Timestamp, RecordKey)>>,
    /// The held records, by the record that is to be told before them.
    held: HashMap<RecordKey, Vec<RecordKey>>,
}

/// The longest hold. A record waits only for a record that is due within this time, and no longer than this time.
/// Otherwise an undeliverable refund would hold back its payment.
const HOLD_MAX: Duration = Duration::from_secs(60);

impl Debouncer {
    /// Notes that a record is owed a webhook.
    pub fn owe(&self, owed: &Owed) {
        let pushed = match self.waiting.entry(owed.key.clone()) {
            Entry::Vacant(vacant) => {
                let after = owed.after.clone();
                vacant.insert(Waiting { due: owed.due, in_flight: false, again: None, after, held_until: None });
                true
            }
            Entry::Occupied(mut occupied) => {
                let waiting = occupied.get_mut();
                if waiting.held_until.is_none() {
                    let new: Vec<_> = owed.after.iter().filter(|key| !waiting.after.contains(key)).cloned().collect();
                    waiting.after.extend(new);
                }
                if waiting.in_flight {
                    waiting.again = Some(owed.due);
                    false
                } else {
                    // A later due time needs no new entry: when the old entry's time comes, it finds the new time here.
                    let earlier = owed.due < waiting.due;
                    waiting.due = owed.due;
                    earlier
                }
            }
        };
        if pushed {
            self.schedule().order.push(Reverse((owed.due, owed.key.clone())));
            self.changed.notify_one();
        }
    }

    /// Takes up to `most` due records. Each of them is in flight until [`Self::done`].
    pub fn take_due(&self, now: Timestamp, most: usize) -> Vec<RecordKey> {
        let mut schedule = self.schedule();
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(Reverse((due, _))) = schedule.order.peek() else { break };
            if *due > now {
                break;
            }
            let Some(Reverse((_, key))) = schedule.order.pop() else { break };
            match self.look(&key, now) {
                Look::Take => taken.push(key),
                Look::Later(due) => schedule.order.push(Reverse((due, key))),
                Look::Behind(first, until) => {
                    schedule.held.entry(first).or_default().push(key.clone());
                    schedule.order.push(Reverse((until, key)));
                }
                Look::Outdated => {}
            }
        }
        taken
    }

    fn look(&self, key: &RecordKey, now: Timestamp) -> Look {
        // Other entries are looked at below, so this one must not stay locked. It is copied here and written at the end.
        let Some((due, in_flight, after, held_until)) = self
            .waiting
            .get(key)
            .map(|waiting| (waiting.due, waiting.in_flight, waiting.after.clone(), waiting.held_until))
        else {
            return Look::Outdated;
        };
        if in_flight {
            return Look::Outdated;
        }
        let soon = later(now, HOLD_MAX);
        let until = held_until.unwrap_or(soon);
        let is_soon = |first: &RecordKey| self.waiting.get(first).is_some_and(|first| first.due <= soon);
        let behind = if until > now { after.into_iter().find(is_soon) } else { None };
        let Some(mut waiting) = self.waiting.get_mut(key) else { return Look::Outdated };
        if due > now {
            waiting.held_until = None;
            return Look::Later(due);
        }
        if let Some(first) = behind {
            waiting.held_until = Some(until);
            return Look::Behind(first, until);
        }
        waiting.in_flight = true;
        waiting.held_until = None;
        waiting.after.clear();
        Look::Take
    }

    /// Puts back a taken record that waited in a breaker and was not told. Its due time becomes `since`. Records held
    /// behind it go on waiting.
    pub fn put_back(&self, key: &RecordKey, since: Timestamp) {
        if let Some(mut waiting) = self.waiting.get_mut(key) {
            (waiting.due, waiting.in_flight, waiting.again) = (since, false, None);
        }
        self.schedule().order.push(Reverse((since, key.clone())));
        self.changed.notify_one();
    }

    /// Notes that a record's attempt has ended. `next` is the time to look at the record again, if ever.
    pub fn done(&self, key: &RecordKey, next: Option<Timestamp>) {
        let next = match self.waiting.entry(key.clone()) {
            Entry::Vacant(_) => next,
            Entry::Occupied(mut occupied) => {
                let next = next.into_iter().chain(occupied.get().again).min();
                match next {
                    Some(due) => {
                        let waiting = occupied.get_mut();
                        (waiting.due, waiting.in_flight, waiting.again) = (due, false, None);
                    }
                    None => drop(occupied.remove()),
                }
                next
            }
        };
        let mut schedule = self.schedule();
        if let Some(due) = next {
            schedule.order.push(Reverse((due, key.clone())));
        }
        for held in schedule.held.remove(key).unwrap_or_default() {
            self.let_go(&held, key, &mut schedule);
        }
        drop(schedule);
        self.changed.notify_one();
    }

    /// Ends a record's wait behind `first`, whether `first` was told or not.
    fn let_go(&self, held: &RecordKey, first: &RecordKey, schedule: &mut Schedule) {
        if let Some(mut waiting) = self.waiting.get_mut(held) {
            waiting.after.retain(|key| key != first);
            schedule.order.push(Reverse((waiting.due, held.clone())));
        }
    }

    /// The time to look next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.schedule().order.peek().map(|Reverse((due, _))| *due)
    }

    /// Waits until a record may be due earlier than [`Self::next_due`] said. A signal without a waiter is kept.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How many records are owed a webhook or in flight.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no record is owed a webhook.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to do with a record whose scheduled time has come.
enum Look {
    Take,
    Later(Timestamp),
    /// Hold it behind this record, but no longer than until this time.
    Behind(RecordKey, Timestamp),
    Outdated,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Kind;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn key(kind: Kind, id: &str) -> RecordKey {
        RecordKey::new(kind, id.parse().unwrap())
    }

    fn owed(key: &RecordKey, due: i64, after: Option<&RecordKey>) -> Owed {
        Owed { key: key.clone(), due: at(due), after: after.cloned().into_iter().collect() }
    }

    #[test]
    fn a_burst_is_taken_once_after_its_last_change() {
        let (debouncer, payment) = (Debouncer::default(), key(Kind::Payment, "p"));
        for due in [500, 600, 700] {
            debouncer.owe(&owed(&payment, due, None));
        }
        assert!(debouncer.take_due(at(699), 10).is_empty());
        assert_eq!(debouncer.take_due(at(700), 10), std::slice::from_ref(&payment));
        assert!(debouncer.take_due(at(9_999), 10).is_empty(), "one attempt at a time");
        debouncer.done(&payment, None);
        assert!(debouncer.is_empty());
    }

    #[test]
    fn a_record_is_in_flight_once_however_often_it_is_scheduled() {
        let (debouncer, payment) = (Debouncer::default(), key(Kind::Payment, "p"));
        for due in [700, 600, 500] {
            debouncer.owe(&owed(&payment, due, None));
        }
        assert_eq!(debouncer.take_due(at(900), 10), [payment]);
        assert!(debouncer.take_due(at(900), 10).is_empty());
    }

    #[test]
    fn a_change_during_an_attempt_is_not_forgotten() {
        let (debouncer, payment) = (Debouncer::default(), key(Kind::Payment, "p"));
        debouncer.owe(&owed(&payment, 0, None));
        assert_eq!(debouncer.take_due(at(0), 10).len(), 1);
        debouncer.owe(&owed(&payment, 800, None));
        debouncer.done(&payment, None);
        assert!(debouncer.take_due(at(799), 10).is_empty());
        assert_eq!(debouncer.take_due(at(800), 10), [payment]);
    }

    #[test]
    fn a_payment_is_told_after_the_refund_that_changed_it() {
        let debouncer = Debouncer::default();
        let (payment, refund) = (key(Kind::Payment, "p"), key(Kind::Refund, "r"));
        debouncer.owe(&owed(&payment, 500, Some(&refund)));
        debouncer.owe(&owed(&refund, 500, None));
        assert_eq!(debouncer.take_due(at(500), 10), std::slice::from_ref(&refund));
        assert!(debouncer.take_due(at(600), 10).is_empty());
        debouncer.done(&refund, Some(at(90_000)));
        assert_eq!(debouncer.take_due(at(600), 10), [payment], "a refund that could not be told does not block");
    }

    #[test]
    fn a_refund_whose_host_does_not_answer_holds_its_payment_up_for_a_while_only() {
        let debouncer = Debouncer::default();
        let (payment, refund) = (key(Kind::Payment, "p"), key(Kind::Refund, "r"));
        debouncer.owe(&owed(&payment, 500, Some(&refund)));
        debouncer.owe(&owed(&refund, 500, None));
        assert_eq!(debouncer.take_due(at(500), 10), std::slice::from_ref(&refund));
        assert!(debouncer.take_due(at(60_499), 10).is_empty(), "its breaker has it");
        assert_eq!(debouncer.next_due(), Some(at(60_500)));
        assert_eq!(debouncer.take_due(at(60_500), 10), [payment]);
    }

    #[test]
    fn no_more_are_taken_than_asked_for_and_the_earliest_first() {
        let debouncer = Debouncer::default();
        for (id, due) in [("c", 30), ("a", 10), ("b", 20)] {
            debouncer.owe(&owed(&key(Kind::Payment, id), due, None));
        }
        let taken: Vec<_> = debouncer.take_due(at(100), 2).into_iter().map(|key| key.id.to_string()).collect();
        assert_eq!(taken, ["a", "b"]);
        assert_eq!(debouncer.next_due(), Some(at(30)));
    }
}
