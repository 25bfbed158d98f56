//! The debouncer: a schedule in memory of when to look at which record.
//!
//! The truth is the outbox on disk, so losing the debouncer loses nothing. Nothing outside this file sees the schedule, and no
//! method that touches it waits. So no guard of it is ever held across an await.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::domain::due::later;
use crate::domain::ids::RecordKey;
use crate::store::Owed;

/// Records that Transform is owed a webhook for, and when to look at each.
#[derive(Debug, Default)]
pub struct Debouncer {
    schedule: Mutex<Schedule>,
    /// Signalled when a record may be due earlier than was known.
    changed: Notify,
}

/// All that is scheduled. A million records may be owed at once: a key is held once, and shared.
#[derive(Debug, Default)]
struct Schedule {
    /// The records that are owed a webhook or are in flight.
    waiting: HashMap<Arc<RecordKey>, Waiting>,
    /// The order in which to look. An entry may be outdated: the map decides.
    order: BinaryHeap<Reverse<(Timestamp, Arc<RecordKey>)>>,
    /// The held records, by the record that is to be told before them.
    held: HashMap<Arc<RecordKey>, Vec<Arc<RecordKey>>>,
    /// The number of owed records that the store has yet to name.
    unnamed: usize,
}

#[derive(Debug)]
struct Waiting {
    due: Timestamp,
    /// What few records have at once.
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    /// Whether an attempt is under way. The record is not looked at before that attempt ends.
    in_flight: bool,
    /// The due time of a change that came while the attempt was under way.
    again: Option<Timestamp>,
    /// Records to be told before this one.
    after: Vec<Arc<RecordKey>>,
    /// Set while the record is due and held back only by `after`. The hold ends at this time. So neither a stream of other
    /// records nor a host that does not answer can delay the record for ever.
    held_until: Option<Timestamp>,
}

/// The longest hold. A record waits only for a record that is due within this time, and no longer than this time.
/// Otherwise an undeliverable refund would hold back its payment.
const HOLD_MAX: Duration = Duration::from_secs(60);

impl Waiting {
    fn of(owed: &Owed) -> Self {
        let mut waiting = Self { due: owed.due, more: None };
        waiting.go_after(&owed.after);
        waiting
    }

    /// Notes a further change. Returns whether it is due earlier. A later due time needs no new entry in the order: when the old
    /// entry's time comes, it finds the new time here.
    fn owe(&mut self, owed: &Owed) -> bool {
        if self.more.as_ref().is_none_or(|more| more.held_until.is_none()) {
            self.go_after(&owed.after);
        }
        if self.is_in_flight() {
            self.more().again = Some(owed.due);
            return false;
        }
        let earlier = owed.due < self.due;
        self.due = owed.due;
        earlier
    }

    /// Adds records that are to be told before this one.
    fn go_after(&mut self, first: &[RecordKey]) {
        for first in first {
            let after = &mut self.more().after;
            if !after.iter().any(|known| **known == *first) {
                after.push(Arc::new(first.clone()));
            }
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// The time to look next, once no attempt is under way.
    fn next(&self) -> Timestamp {
        self.more.as_ref().and_then(|more| more.again).unwrap_or(self.due)
    }

    fn is_in_flight(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.in_flight)
    }

    /// Sets the time to look next, if no attempt is under way. Records to be told before are kept.
    fn wait_until(&mut self, due: Timestamp) {
        self.due = due;
        if let Some(more) = &mut self.more {
            (more.in_flight, more.again) = (false, None);
        }
        self.more.take_if(|more| more.after.is_empty() && more.held_until.is_none());
    }
}

impl Debouncer {
    /// Notes that a record is owed a webhook.
    pub fn owe(&self, owed: &Owed) {
        if self.schedule().owe(owed) {
            self.changed.notify_one();
        }
    }

    /// Notes how many owed records the store has yet to name, as it does after a start.
    pub fn expect(&self, unnamed: usize) {
        self.schedule().unnamed = unnamed;
    }

    /// Notes a page of so many expected rows. A record that is known by now may have changed since the page was read: it becomes due no
    /// later. To look too early harms nothing, since the store says what is due.
    pub fn name(&self, owed: &[Owed], rows: usize) {
        let mut schedule = self.schedule();
        schedule.unnamed = schedule.unnamed.saturating_sub(rows);
        for one in owed {
            schedule.name(one);
        }
        drop(schedule);
        self.changed.notify_one();
    }

    /// Takes up to `most` due records. Each of them is in flight until [`Self::done`].
    pub fn take_due(&self, now: Timestamp, most: usize) -> Vec<RecordKey> {
        self.schedule().take_due(now, most)
    }

    /// Puts back a taken record that waited in a breaker and was not told. Its due time becomes `since`. Records held
    /// behind it go on waiting.
    pub fn put_back(&self, key: &RecordKey, since: Timestamp) {
        self.schedule().put_back(key, since);
        self.changed.notify_one();
    }

    /// Notes that a record's attempt has ended. `next` is the time to look at the record again, if ever.
    pub fn done(&self, key: &RecordKey, next: Option<Timestamp>) {
        self.schedule().done(key, next);
        self.changed.notify_one();
    }

    /// The time to look next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.schedule().order.peek().map(|Reverse((due, _))| *due)
    }

    /// Waits until a record may be due earlier than [`Self::next_due`] said. A signal without a waiter is kept.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How many records are owed a webhook or in flight. A record that changes before the store has named it counts twice until
    /// then.
    pub fn len(&self) -> usize {
        let schedule = self.schedule();
        schedule.waiting.len().saturating_add(schedule.unnamed)
    }

    /// Whether no record is owed a webhook.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Schedule {
    /// Notes that a record is owed a webhook. Returns whether it may be due earlier than was known.
    fn owe(&mut self, owed: &Owed) -> bool {
        let earlier = match self.waiting.get_mut(&owed.key) {
            Some(waiting) => waiting.owe(owed),
            None => {
                self.waiting.insert(Arc::new(owed.key.clone()), Waiting::of(owed));
                true
            }
        };
        if earlier {
            self.order.push(Reverse((owed.due, self.shared(&owed.key))));
        }
        earlier
    }

    fn name(&mut self, owed: &Owed) {
        match self.waiting.get(&owed.key).map(Waiting::next) {
            Some(next) => self.owe(&Owed { due: next.min(owed.due), ..owed.clone() }),
            None => self.owe(owed),
        };
    }

    fn take_due(&mut self, now: Timestamp, most: usize) -> Vec<RecordKey> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(Reverse((due, _))) = self.order.peek() else { break };
            if *due > now {
                break;
            }
            let Some(Reverse((_, key))) = self.order.pop() else { break };
            match self.look(&key, now) {
                Look::Take => taken.push((*key).clone()),
                Look::Later(due) => self.order.push(Reverse((due, key))),
                Look::Behind(first, until) => {
                    self.held.entry(first).or_default().push(Arc::clone(&key));
                    self.order.push(Reverse((until, key)));
                }
                Look::Outdated => {}
            }
        }
        taken
    }

    fn look(&mut self, key: &RecordKey, now: Timestamp) -> Look {
        let Some(waiting) = self.waiting.get(key).filter(|waiting| !waiting.is_in_flight()) else {
            return Look::Outdated;
        };
        let due = waiting.due;
        let (behind, until) = self.behind(waiting, now);
        let Some(waiting) = self.waiting.get_mut(key) else { return Look::Outdated };
        if due > now {
            waiting.more.iter_mut().for_each(|more| more.held_until = None);
            return Look::Later(due);
        }
        let more = waiting.more();
        if let Some(first) = behind {
            more.held_until = Some(until);
            return Look::Behind(first, until);
        }
        *more = More { in_flight: true, ..More::default() };
        Look::Take
    }

    /// The record that is to be told before this one, if it is due soon; and the end of the hold.
    fn behind(&self, waiting: &Waiting, now: Timestamp) -> (Option<Arc<RecordKey>>, Timestamp) {
        let soon = later(now, HOLD_MAX);
        let Some(more) = &waiting.more else { return (None, soon) };
        let until = more.held_until.unwrap_or(soon);
        let is_soon = |first: &&Arc<RecordKey>| self.waiting.get(*first).is_some_and(|first| first.due <= soon);
        (more.after.iter().filter(|_| until > now).find(is_soon).cloned(), until)
    }

    fn put_back(&mut self, key: &RecordKey, since: Timestamp) {
        if let Some(waiting) = self.waiting.get_mut(key) {
            waiting.wait_until(since);
        }
        self.order.push(Reverse((since, self.shared(key))));
    }

    fn done(&mut self, key: &RecordKey, next: Option<Timestamp>) {
        let again = self.waiting.get(key).and_then(|waiting| waiting.more.as_ref()?.again);
        let next = next.into_iter().chain(again).min();
        match (next, self.waiting.get_mut(key)) {
            (Some(due), waiting) => {
                waiting.into_iter().for_each(|waiting| waiting.wait_until(due));
                self.order.push(Reverse((due, self.shared(key))));
            }
            (None, _) => drop(self.waiting.remove(key)),
        }
        for held in self.held.remove(key).unwrap_or_default() {
            self.let_go(held, key);
        }
    }

    /// Ends a record's wait behind `first`, whether `first` was told or not.
    fn let_go(&mut self, held: Arc<RecordKey>, first: &RecordKey) {
        let Some(waiting) = self.waiting.get_mut(&held) else { return };
        waiting.more.iter_mut().for_each(|more| more.after.retain(|key| **key != *first));
        self.order.push(Reverse((waiting.due, held)));
    }

    /// The key as the map holds it.
    fn shared(&self, key: &RecordKey) -> Arc<RecordKey> {
        self.waiting.get_key_value(key).map_or_else(|| Arc::new(key.clone()), |(shared, _)| Arc::clone(shared))
    }
}

/// What to do with a record whose scheduled time has come.
enum Look {
    Take,
    Later(Timestamp),
    /// Hold it behind this record, but no longer than until this time.
    Behind(Arc<RecordKey>, Timestamp),
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

    /// After a start the outbox is read while records change.
    #[test]
    fn what_was_read_before_a_change_delays_nothing() {
        let (debouncer, payment) = (Debouncer::default(), key(Kind::Payment, "p"));
        debouncer.expect(2);
        debouncer.owe(&owed(&payment, 500, None));
        debouncer.name(&[owed(&payment, 9_000, None)], 2);
        assert_eq!((debouncer.len(), debouncer.next_due()), (1, Some(at(500))));
        assert_eq!(debouncer.take_due(at(500), 10), std::slice::from_ref(&payment));
        debouncer.owe(&owed(&payment, 800, None));
        debouncer.name(&[owed(&payment, 9_000, None)], 1);
        debouncer.done(&payment, None);
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
