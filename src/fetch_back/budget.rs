//! How often a PSP is asked: so many times a second, so many at once, not while it asks for quiet, and one at a time while it
//! does not answer.

use std::time::Duration;

use jiff::Timestamp;

use crate::delivery::retry::spread;
use crate::domain::due::later;

/// How much a source may ask of its PSP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many fetches may begin in a second.
    pub rate: u32,
    /// How many may be under way at once.
    pub concurrency: usize,
}

/// After so many failures in a row of which the PSP as a whole is the reason, one fetch at a time asks for all.
const FAILURES: u32 = 3;
/// The wait after the first of these and the longest.
const PROBE_FIRST: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(30);
/// The longest time that a PSP can ask to be left alone.
pub const ASKED_MAX: Duration = Duration::from_secs(3600);
/// The rate holds for every window of this length.
const WINDOW: Duration = Duration::from_secs(1);

/// What of its limits a source has used.
#[derive(Debug)]
pub struct Budget {
    under_way: usize,
    /// The rate is used up to here: never further ahead than the window is long.
    spent_until: Timestamp,
    /// The PSP asked to be left alone until then.
    quiet_until: Timestamp,
    /// The PSP does not answer; the next fetch tries then.
    probe_at: Timestamp,
    failures: u32,
}

impl Default for Budget {
    fn default() -> Self {
        let never = Timestamp::MIN;
        Self { under_way: 0, spent_until: never, quiet_until: never, probe_at: never, failures: 0 }
    }
}

impl Budget {
    /// How many fetches may begin now.
    #[must_use]
    pub fn free(&self, limits: Limits, now: Timestamp) -> usize {
        if now < self.quiet_until || now < self.probe_at {
            return 0;
        }
        let slots = self.concurrency(limits).saturating_sub(self.under_way);
        let left = later(now, WINDOW).duration_since(self.spent_until.max(now)).as_micros();
        let by_rate = usize::try_from(left / each(limits).as_micros().cast_signed()).unwrap_or_default();
        slots.min(by_rate)
    }

    /// When it may be more, if not earlier by the end of one that is under way.
    #[must_use]
    pub fn next(&self, limits: Limits, now: Timestamp) -> Option<Timestamp> {
        if self.under_way >= self.concurrency(limits) {
            return None;
        }
        let window = jiff::SignedDuration::try_from(WINDOW).unwrap_or_default();
        let by_rate = later(self.spent_until.max(now), each(limits)).saturating_sub(window).unwrap_or(now);
        Some(by_rate.max(self.quiet_until).max(self.probe_at))
    }

    const fn concurrency(&self, limits: Limits) -> usize {
        if self.failures >= FAILURES { 1 } else { limits.concurrency }
    }

    /// A fetch begins.
    pub fn begin(&mut self, limits: Limits, now: Timestamp) {
        self.under_way = self.under_way.saturating_add(1);
        self.spent_until = later(self.spent_until.max(now), each(limits));
    }

    /// A fetch has ended, and nothing is known of the PSP.
    pub const fn end(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// The PSP has answered. Says whether it had not before.
    pub fn up(&mut self) -> bool {
        self.probe_at = Timestamp::MIN;
        std::mem::take(&mut self.failures) >= FAILURES
    }

    /// The PSP does not answer anybody, or asks for so much quiet. `random` in 0..1. Says whether that is new.
    pub fn down(&mut self, now: Timestamp, asked: Option<Duration>, random: f64) -> bool {
        self.failures = self.failures.saturating_add(1);
        if let Some(asked) = asked {
            self.quiet_until = self.quiet_until.max(later(now, asked.min(ASKED_MAX)));
        }
        if let Some(before) = self.failures.checked_sub(FAILURES) {
            self.probe_at = later(now, spread(PROBE_FIRST, PROBE_MAX, before, random));
        }
        self.failures == FAILURES
    }
}

fn each(limits: Limits) -> Duration {
    WINDOW / limits.rate.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { rate: 4, concurrency: 3 };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn begin(budget: &mut Budget, now: Timestamp) {
        assert!(budget.free(LIMITS, now) > 0);
        budget.begin(LIMITS, now);
    }

    #[test]
    fn so_many_at_once() {
        let mut budget = Budget::default();
        assert_eq!(budget.free(LIMITS, at(0)), 3);
        (0..3).for_each(|_| begin(&mut budget, at(0)));
        assert_eq!((budget.free(LIMITS, at(900)), budget.next(LIMITS, at(900))), (0, None));
        budget.end();
        assert_eq!(budget.free(LIMITS, at(900)), 1);
    }

    #[test]
    fn so_many_a_second() {
        let mut budget = Budget::default();
        for _ in 0..4 {
            begin(&mut budget, at(0));
            budget.end();
        }
        assert_eq!((budget.free(LIMITS, at(249)), budget.next(LIMITS, at(249))), (0, Some(at(250))));
        for n in 1..=20 {
            assert_eq!(budget.free(LIMITS, at(250 * n)), 1, "{n}");
            begin(&mut budget, at(250 * n));
            budget.end();
        }
        assert_eq!(budget.free(Limits { rate: 4, concurrency: 9 }, at(99_000)), 4, "nothing is saved up");
        assert_eq!(budget.free(Limits { rate: 1, concurrency: 9 }, at(99_000)), 1);
    }

    #[test]
    fn quiet_is_kept_but_not_for_ever() {
        let mut budget = Budget::default();
        budget.down(at(0), Some(Duration::from_secs(7)), 0.5);
        budget.up();
        assert_eq!((budget.free(LIMITS, at(6_999)), budget.next(LIMITS, at(0))), (0, Some(at(7_000))));
        assert_eq!(budget.free(LIMITS, at(7_000)), 3);
        budget.down(at(0), Some(Duration::MAX), 0.5);
        assert_eq!(budget.next(LIMITS, at(0)), Some(at(3_600_000)));
    }

    #[test]
    fn who_does_not_answer_is_asked_by_one() {
        let mut budget = Budget::default();
        assert!(!budget.down(at(0), None, 1.0) && !budget.down(at(0), None, 1.0));
        assert_eq!(budget.free(LIMITS, at(0)), 3, "that may be chance");
        assert!(budget.down(at(0), None, 1.0));
        assert_eq!((budget.free(LIMITS, at(0)), budget.free(LIMITS, at(1_000))), (0, 1));
        assert!(!budget.down(at(1_000), None, 1.0));
        assert_eq!(budget.next(LIMITS, at(1_000)), Some(at(3_000)));
        assert!(!(0..99).any(|_| budget.down(at(3_000), None, 1.0)));
        assert_eq!(budget.next(LIMITS, at(3_000)), Some(at(33_000)));
        assert!(budget.up() && !budget.up());
        assert_eq!(budget.free(LIMITS, at(3_000)), 3);
    }
}
