//! Circuit breakers, one per host: while a host does not answer, one record at a time probes it for all the others.
//!
//! While a breaker is open, the due records of its host wait here. From time to time one of them is told as a probe:
//! the record with the fewest failed attempts, and among equals the one with the oldest change. This order keeps a few
//! records that the host always fails on from being every probe. The first response closes the breaker and releases all
//! records, the oldest change first. Like the debouncer, breakers only say when to try. All that is owed is on disk, so
//! losing the breakers loses nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::due::later;
use crate::domain::ids::RecordKey;
use crate::outbound::retry::spread;

/// The limits at which a breaker opens, and how often it probes.
#[derive(Debug, Clone, Copy)]
pub struct BreakerPolicy {
    /// The number of failed attempts in a row that opens a breaker.
    pub failures: u32,
    /// The wait before the first probe. Each failed probe doubles it.
    pub first: Duration,
    /// The longest wait between two probes.
    pub max: Duration,
}

/// All breakers, by host and port.
#[derive(Debug, Default)]
pub struct Breakers {
    hosts: Mutex<HashMap<String, Breaker>>,
}

#[derive(Debug, Default)]
struct Breaker {
    state: State,
    /// Attempts that failed since the last response.
    failures: u32,
    /// Probes that failed since the breaker opened.
    probes: u32,
    /// The end of the quiet that the host asked for (Retry-After).
    asked_until: Option<Timestamp>,
    waiting: BTreeSet<Waiting>,
}

/// A record that waits for its host. Records are probes in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// The number of failed attempts for the record.
    pub attempts: u32,
    /// The time of its oldest change that Transform was not told.
    pub since: Timestamp,
    /// The record's key.
    pub key: RecordKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    /// No attempt before this time.
    Open(Timestamp),
    /// One attempt is under way.
    Probing,
}

/// What an attempt found out about its host.
#[derive(Debug, Clone, Copy)]
pub enum Verdict {
    /// The host answers, whatever it says.
    Up,
    /// The host does not answer, or answers that it cannot. Holds the quiet that it asks for, if any.
    Down(Option<Duration>),
}

/// The consequence of a verdict.
#[derive(Debug, Default)]
pub struct Consequence {
    /// Records that may be told now, the oldest change first.
    pub released: Vec<Waiting>,
    /// The time of the host's next probe, if its breaker is open.
    pub next_probe: Option<Timestamp>,
    /// Whether the breaker has opened just now.
    pub opened: bool,
    /// Whether it has closed just now.
    pub closed: bool,
}

/// The right to make one attempt. If a probe's pass is dropped without a verdict, the next record becomes the probe.
#[derive(Debug)]
pub struct Pass {
    breakers: Arc<Breakers>,
    host: String,
    /// Whether the breaker waits for this attempt's verdict.
    probe: bool,
}

impl Breaker {
    /// The time since which a probe is due, if one is and a record waits.
    fn due(&self, now: Timestamp) -> Option<Timestamp> {
        match self.state {
            State::Open(until) if until <= now && !self.waiting.is_empty() => Some(until),
            State::Open(_) | State::Closed | State::Probing => None,
        }
    }
}

impl Breakers {
    /// Asks for an attempt. A record without a pass waits until it is the next probe or the breaker closes.
    pub fn admit(self: &Arc<Self>, host: &str, record: Waiting, now: Timestamp) -> Option<Pass> {
        let mut hosts = self.hosts();
        let breaker = hosts.entry(host.to_owned()).or_default();
        let probe = match breaker.state {
            State::Closed => false,
            State::Open(until) if until <= now && breaker.waiting.is_empty() => true,
            State::Open(_) | State::Probing => {
                breaker.waiting.insert(record);
                return None;
            }
        };
        if probe {
            breaker.state = State::Probing;
        }
        Some(Pass { breakers: Arc::clone(self), host: host.to_owned(), probe })
    }

    /// Takes the records to be told as probes now: at most one for each host and `most` in all. The host whose probe has been
    /// due longest goes first.
    pub fn take_probes(self: &Arc<Self>, now: Timestamp, most: usize) -> Vec<(RecordKey, Pass)> {
        let mut hosts = self.hosts();
        let mut due: Vec<_> =
            hosts.iter_mut().filter_map(|(host, breaker)| Some((breaker.due(now)?, host, breaker))).collect();
        due.sort_by_key(|(since, ..)| *since);
        due.into_iter()
            .take(most)
            .filter_map(|(_, host, breaker)| {
                let Waiting { key, .. } = breaker.waiting.pop_first()?;
                breaker.state = State::Probing;
                Some((key, Pass { breakers: Arc::clone(self), host: host.clone(), probe: true }))
            })
            .collect()
    }

    /// Takes back a record, if it waits here. Its webhook may go to another host from now on.
    pub fn forget(&self, key: &RecordKey) -> Option<Waiting> {
        self.hosts().values_mut().find_map(|breaker| {
            let found = breaker.waiting.iter().find(|waiting| waiting.key == *key)?.clone();
            breaker.waiting.take(&found)
        })
    }

    /// The time of the next probe for which a record waits.
    pub fn next_probe(&self) -> Option<Timestamp> {
        let hosts = self.hosts();
        let waiting = hosts.values().filter(|breaker| !breaker.waiting.is_empty());
        waiting.filter_map(|breaker| if let State::Open(until) = breaker.state { Some(until) } else { None }).min()
    }

    /// The hosts whose breaker is open.
    pub fn open(&self) -> Vec<String> {
        let hosts = self.hosts();
        let open = hosts.iter().filter(|(_, breaker)| breaker.state != State::Closed);
        let mut names: Vec<_> = open.map(|(host, _)| host.clone()).collect();
        names.sort();
        names
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Breaker>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The host and port of this pass.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Reports what the attempt found out. `random` in 0..1 spreads the probes.
    pub fn report(mut self, verdict: Verdict, policy: &BreakerPolicy, now: Timestamp, random: f64) -> Consequence {
        let breakers = Arc::clone(&self.breakers);
        let mut hosts = breakers.hosts();
        let probe = std::mem::take(&mut self.probe);
        let Some(breaker) = hosts.get_mut(&self.host) else { return Consequence::default() };
        match verdict {
            Verdict::Up => breaker.close(),
            Verdict::Down(asked) => breaker.fail(policy, probe, asked, now, random),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.probe {
            return;
        }
        if let Some(breaker) = self.breakers.hosts().get_mut(&self.host)
            && breaker.state == State::Probing
        {
            // The next record is the probe at once, but never before the quiet that the host asked for.
            breaker.state = State::Open(breaker.asked_until.unwrap_or(Timestamp::MIN));
        }
    }
}

impl Breaker {
    fn close(&mut self) -> Consequence {
        let closed = self.state != State::Closed;
        let mut released: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
        released.sort_by_key(|waiting| waiting.since);
        *self = Self::default();
        Consequence { released, closed, ..Consequence::default() }
    }

    fn fail(
        &mut self,
        policy: &BreakerPolicy,
        probe: bool,
        asked: Option<Duration>,
        now: Timestamp,
        random: f64,
    ) -> Consequence {
        self.failures = self.failures.saturating_add(1);
        self.asked_until = self.asked_until.max(asked.map(|asked| later(now, asked)));
        let opens = self.state == State::Closed && self.failures >= policy.failures;
        if opens || (probe && self.state == State::Probing) {
            let wait = spread(policy.first, policy.max, self.probes, random);
            self.probes = self.probes.saturating_add(1);
            self.state = State::Open(later(now, wait));
        }
        if let (State::Open(until), Some(asked)) = (self.state, self.asked_until) {
            self.state = State::Open(until.max(asked));
        }
        let next_probe = if let State::Open(until) = self.state { Some(until) } else { None };
        Consequence { next_probe, opened: opens, ..Consequence::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Kind;

    const POLICY: BreakerPolicy =
        BreakerPolicy { failures: 3, first: Duration::from_secs(1), max: Duration::from_secs(4) };
    const HOST: &str = "transform.example:443";
    const MOST: usize = 9;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn key(n: i64) -> RecordKey {
        RecordKey::new(Kind::Payment, format!("tx-{n}").parse().unwrap())
    }

    fn waiting(attempts: u32, n: i64) -> Waiting {
        Waiting { attempts, since: at(n), key: key(n) }
    }

    fn admit(breakers: &Arc<Breakers>, n: i64, now: i64) -> Option<Pass> {
        breakers.admit(HOST, waiting(0, n), at(now))
    }

    fn down(pass: Pass, now: i64) -> Consequence {
        pass.report(Verdict::Down(None), &POLICY, at(now), 1.0)
    }

    /// A breaker that opened at second 0 and probes at second 1.
    fn open() -> Arc<Breakers> {
        let breakers = Arc::new(Breakers::default());
        for failure in 1..=3 {
            let consequence = down(admit(&breakers, 0, 0).unwrap(), 0);
            assert_eq!(consequence.opened, failure == 3);
        }
        breakers
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let breakers = Arc::new(Breakers::default());
        for _ in 0..5 {
            down(admit(&breakers, 0, 0).unwrap(), 0);
            down(admit(&breakers, 0, 0).unwrap(), 0);
            admit(&breakers, 0, 0).unwrap().report(Verdict::Up, &POLICY, at(0), 1.0);
        }
        assert!(breakers.open().is_empty());
        assert_eq!(open().open(), [HOST]);
    }

    #[test]
    fn a_thousand_that_wait_are_one_probe_and_the_oldest_change_is_it() {
        let breakers = open();
        for n in (1..=1000).rev() {
            assert!(admit(&breakers, n, 0).is_none());
        }
        assert!(breakers.take_probes(at(0), MOST).is_empty(), "not yet");
        assert_eq!(breakers.next_probe(), Some(at(1)));
        let mut probes = breakers.take_probes(at(1), MOST);
        let (first, pass) = probes.pop().unwrap();
        assert_eq!((first, probes.len()), (key(1), 0));
        assert!(breakers.take_probes(at(9), MOST).is_empty(), "one at a time");
        assert_eq!(down(pass, 1).next_probe, Some(at(3)), "the wait doubles");
        let (second, pass) = breakers.take_probes(at(3), MOST).pop().unwrap();
        assert_eq!(second, key(2));
        let released = pass.report(Verdict::Up, &POLICY, at(3), 1.0).released;
        assert_eq!(released.len(), 998);
        assert!(released.is_sorted_by_key(|waiting| waiting.since), "the oldest change first");
        assert!(admit(&breakers, 5, 3).is_some(), "closed");
    }

    /// With many dead hosts, probes alone would exceed `transform.concurrency`.
    #[test]
    fn no_more_probes_begin_than_may_and_the_host_due_longest_goes_first() {
        let breakers = Arc::new(Breakers::default());
        for n in 0..5 {
            let host = format!("host-{n}");
            let pass = breakers.admit(&host, waiting(0, n), at(0)).unwrap();
            let open = BreakerPolicy { failures: 1, ..POLICY };
            pass.report(Verdict::Down(None), &open, at(10 - n), 1.0);
            assert!(breakers.admit(&host, waiting(0, 100 + n), at(0)).is_none());
        }
        let mut under_way = Vec::new();
        let mut keys = |most| {
            let (keys, passes): (Vec<_>, Vec<_>) = breakers.take_probes(at(60), most).into_iter().unzip();
            under_way.extend(passes);
            keys
        };
        assert_eq!(keys(0), []);
        assert_eq!(keys(2), [key(104), key(103)]);
        assert_eq!(keys(9), [key(102), key(101), key(100)]);
    }

    #[test]
    fn a_probe_that_turns_out_to_be_owed_nothing_gives_way_to_the_next() {
        let breakers = open();
        admit(&breakers, 1, 0);
        admit(&breakers, 2, 0);
        drop(breakers.take_probes(at(1), MOST));
        assert_eq!(breakers.take_probes(at(1), MOST).pop().unwrap().0, key(2));
    }

    /// An attempt that was under way when the breaker opened may bring a Retry-After while the probe is under way.
    #[test]
    fn a_probe_that_broke_off_does_not_end_the_quiet_that_the_host_asked_for() {
        let breakers = Arc::new(Breakers::default());
        let late = admit(&breakers, 9, 0).unwrap();
        for n in 1..=3 {
            down(admit(&breakers, n, 0).unwrap(), 0);
        }
        assert!(admit(&breakers, 4, 0).is_none());
        let probe = breakers.take_probes(at(1), MOST);
        late.report(Verdict::Down(Some(Duration::from_secs(60))), &POLICY, at(2), 1.0);
        drop(probe);
        assert!(admit(&breakers, 5, 3).is_none());
        assert!(breakers.take_probes(at(61), MOST).is_empty(), "the host asked for quiet until second 62");
        assert_eq!(breakers.take_probes(at(62), MOST).len(), 1);
    }

    #[test]
    fn who_comes_when_a_probe_is_due_does_not_go_before_those_that_wait() {
        let breakers = open();
        assert!(admit(&breakers, 1, 0).is_none());
        assert!(admit(&breakers, 2, 1).is_none());
        assert_eq!(breakers.take_probes(at(1), MOST).pop().unwrap().0, key(1));
    }

    #[test]
    fn a_record_that_comes_when_a_probe_is_due_is_the_probe_if_none_waits() {
        let breakers = open();
        let pass = admit(&breakers, 1, 1).unwrap();
        assert!(admit(&breakers, 2, 1).is_none());
        pass.report(Verdict::Up, &POLICY, at(1), 1.0);
        assert!(breakers.open().is_empty());
    }

    #[test]
    fn a_host_that_asks_to_be_left_alone_is_and_no_wait_exceeds_the_longest() {
        let breakers = open();
        let pass = admit(&breakers, 1, 1).unwrap();
        assert_eq!(
            pass.report(Verdict::Down(Some(Duration::from_secs(60))), &POLICY, at(1), 1.0).next_probe,
            Some(at(61))
        );
        let mut now = 61;
        for _ in 0..40 {
            let until = down(admit(&breakers, 1, now).unwrap(), now).next_probe.unwrap();
            assert!(until <= at(now + 4));
            now = until.as_second();
        }
    }

    #[test]
    fn an_answer_to_an_attempt_that_was_under_way_closes_it() {
        let breakers = Arc::new(Breakers::default());
        let under_way = admit(&breakers, 9, 0).unwrap();
        for _ in 0..3 {
            down(admit(&breakers, 0, 0).unwrap(), 0);
        }
        assert!(admit(&breakers, 1, 0).is_none());
        let consequence = under_way.report(Verdict::Up, &POLICY, at(0), 1.0);
        assert_eq!((consequence.released, consequence.closed), (vec![waiting(0, 1)], true));
    }

    #[test]
    fn those_that_were_tried_least_are_probes_first_and_all_go_by_age() {
        let breakers = open();
        for (attempts, n) in [(7, 1), (1, 2), (0, 3)] {
            assert!(breakers.admit(HOST, waiting(attempts, n), at(0)).is_none());
        }
        let (probe, pass) = breakers.take_probes(at(1), MOST).pop().unwrap();
        assert_eq!(probe, key(3), "not the old ones that fail again and again");
        assert_eq!(pass.report(Verdict::Up, &POLICY, at(1), 1.0).released, [waiting(7, 1), waiting(1, 2)]);
    }

    #[test]
    fn a_record_can_be_taken_back() {
        let breakers = open();
        assert!(admit(&breakers, 1, 0).is_none());
        assert_eq!((breakers.forget(&key(1)), breakers.forget(&key(1))), (Some(waiting(0, 1)), None));
    }

    #[test]
    fn whoever_hears_that_the_host_wants_to_be_left_alone_says_so_for_all() {
        let asked = Verdict::Down(Some(Duration::from_secs(60)));
        let breakers = open();
        let straggler = Arc::new(Breakers::default());
        let late = straggler.admit(HOST, waiting(0, 1), at(0)).unwrap();
        for _ in 0..3 {
            down(straggler.admit(HOST, waiting(0, 2), at(0)).unwrap(), 0);
        }
        assert_eq!(late.report(asked, &POLICY, at(0), 1.0).next_probe, Some(at(60)), "said after it had opened");
        let early = Arc::new(Breakers::default());
        admit(&early, 1, 0).unwrap().report(asked, &POLICY, at(0), 1.0);
        down(admit(&early, 1, 0).unwrap(), 0);
        assert_eq!(down(admit(&early, 1, 0).unwrap(), 0).next_probe, Some(at(60)), "said before");
        assert_eq!(breakers.next_probe(), None);
    }
}
