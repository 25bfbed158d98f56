//! The budget of a source's fetches: a rate per second, and a number at once. While the PSP asks for quiet, nothing is
//! fetched. While it does not answer, one fetch at a time probes it.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::due::later;
use crate::outbound::retry::spread;

/// The most that a source may ask of its PSP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many fetches may begin in a second, on average. After a rest so many may begin at once.
    pub rate: u32,
    /// How many fetches may be under way at once.
    pub concurrency: usize,
}

/// The number of failures in a row after which one fetch at a time probes the PSP. A failure counts if the PSP as a
/// whole fails or asks for quiet, not if one object does.
const FAILURES: u32 = 3;
/// The first and the longest wait between these probes.
const PROBE_FIRST: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(30);
/// The longest quiet that a PSP can ask for.
pub const ASKED_MAX: Duration = Duration::from_secs(3600);
/// The window of the rate. After a rest, all fetches of one window may begin at once.
const WINDOW: Duration = Duration::from_secs(1);

/// How many fetches may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// All fetches.
    pub all: usize,
    /// The number of them that may be for objects that only strangers have spoken of.
    pub strangers: usize,
}

/// The part of its limits that a source has used. Strangers may use half of them: trusted fetches find the other half free.
#[derive(Debug)]
pub struct Budget {
    all: Used,
    strangers: Used,
    /// The end of the quiet that the PSP asked for.
    quiet_until: Timestamp,
    /// The time of the next probe while the PSP does not answer.
    probe_at: Timestamp,
    failures: u32,
}

/// A share of the limits.
#[derive(Debug, Clone, Copy)]
struct Pace {
    slots: usize,
    /// The time that one fetch uses up.
    each: Duration,
    /// The time whose fetches may all begin at once.
    window: Duration,
}

/// The used part of a pace.
#[derive(Debug)]
struct Used {
    under_way: usize,
    /// The time up to which the rate is used: never further ahead than one window.
    spent_until: Timestamp,
}

impl Default for Used {
    fn default() -> Self {
        Self { under_way: 0, spent_until: Timestamp::MIN }
    }
}

impl Used {
    fn free(&self, pace: Pace, now: Timestamp) -> usize {
        let slots = pace.slots.saturating_sub(self.under_way);
        let left = later(now, pace.window).duration_since(self.spent_until.max(now)).as_micros();
        slots.min(usize::try_from(left / pace.each.as_micros().cast_signed()).unwrap_or_default())
    }

    fn next(&self, pace: Pace, now: Timestamp) -> Option<Timestamp> {
        let window = jiff::SignedDuration::try_from(pace.window).unwrap_or_default();
        let by_rate = later(self.spent_until.max(now), pace.each).saturating_sub(window).unwrap_or(now);
        (self.under_way < pace.slots).then_some(by_rate)
    }

    fn begin(&mut self, pace: Pace, now: Timestamp) {
        self.under_way = self.under_way.saturating_add(1);
        self.spent_until = later(self.spent_until.max(now), pace.each);
    }

    const fn end(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }
}

impl Default for Budget {
    fn default() -> Self {
        let never = Timestamp::MIN;
        Self { all: Used::default(), strangers: Used::default(), quiet_until: never, probe_at: never, failures: 0 }
    }
}

impl Budget {
    /// How many fetches may begin now.
    #[must_use]
    pub fn free(&self, limits: Limits, now: Timestamp) -> Free {
        if now < self.quiet_until || now < self.probe_at {
            return Free { all: 0, strangers: 0 };
        }
        let all = self.all.free(self.pace(limits), now);
        Free { all, strangers: self.strangers.free(limits.half(), now).min(all) }
    }

    /// The time when more may begin. A fetch under way that ends may make it earlier.
    #[must_use]
    pub fn next(&self, limits: Limits, now: Timestamp) -> Option<Timestamp> {
        Some(self.all.next(self.pace(limits), now)?.max(self.quiet_until).max(self.probe_at))
    }

    /// The time when more may begin for strangers. A fetch under way that ends may make it earlier.
    #[must_use]
    pub fn next_for_strangers(&self, limits: Limits, now: Timestamp) -> Option<Timestamp> {
        Some(self.strangers.next(limits.half(), now)?.max(self.next(limits, now)?))
    }

    fn pace(&self, limits: Limits) -> Pace {
        Pace { slots: if self.failures >= FAILURES { 1 } else { limits.concurrency }, ..limits.pace() }
    }

    /// Notes that a fetch begins. It is `trusted` if the PSP asks for it, or if a hint points to an object of ours.
    pub fn begin(&mut self, limits: Limits, trusted: bool, now: Timestamp) {
        self.all.begin(self.pace(limits), now);
        if !trusted {
            self.strangers.begin(limits.half(), now);
        }
    }

    /// Notes that a fetch with the same `trusted` ended. This says nothing of the PSP.
    pub const fn end(&mut self, trusted: bool) {
        self.all.end();
        if !trusted {
            self.strangers.end();
        }
    }

    /// Notes that the PSP answered. Returns whether it had not been answering.
    pub fn up(&mut self) -> bool {
        self.probe_at = Timestamp::MIN;
        std::mem::take(&mut self.failures) >= FAILURES
    }

    /// Notes that the PSP did not answer, or asked for quiet. `asked` is the length of that quiet. `random` in 0..1
    /// spreads the probes. Returns whether probing begins with this failure.
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

impl Limits {
    fn pace(self) -> Pace {
        Pace { slots: self.concurrency, each: WINDOW / self.rate.max(1), window: WINDOW }
    }

    /// Half of the limits, but one fetch at least.
    fn half(self) -> Pace {
        let Pace { slots, each, window } = self.pace();
        let each = each.saturating_mul(2);
        Pace { slots: (slots / 2).max(1), each, window: window.max(each) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { rate: 4, concurrency: 3 };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn begin(budget: &mut Budget, now: Timestamp) {
        assert!(free(budget, LIMITS, now) > 0);
        budget.begin(LIMITS, true, now);
    }

    fn free(budget: &Budget, limits: Limits, now: Timestamp) -> usize {
        budget.free(limits, now).all
    }

    #[test]
    fn so_many_at_once() {
        let mut budget = Budget::default();
        assert_eq!(free(&budget, LIMITS, at(0)), 3);
        (0..3).for_each(|_| begin(&mut budget, at(0)));
        assert_eq!((free(&budget, LIMITS, at(900)), budget.next(LIMITS, at(900))), (0, None));
        budget.end(true);
        assert_eq!(free(&budget, LIMITS, at(900)), 1);
    }

    #[test]
    fn so_many_a_second() {
        let mut budget = Budget::default();
        for _ in 0..4 {
            begin(&mut budget, at(0));
            budget.end(true);
        }
        assert_eq!((free(&budget, LIMITS, at(249)), budget.next(LIMITS, at(249))), (0, Some(at(250))));
        for n in 1..=20 {
            assert_eq!(free(&budget, LIMITS, at(250 * n)), 1, "{n}");
            begin(&mut budget, at(250 * n));
            budget.end(true);
        }
        assert_eq!(free(&budget, Limits { rate: 4, concurrency: 9 }, at(99_000)), 4, "nothing is saved up");
        assert_eq!(free(&budget, Limits { rate: 1, concurrency: 9 }, at(99_000)), 1);
    }

    #[test]
    fn quiet_is_kept_but_not_for_ever() {
        let mut budget = Budget::default();
        budget.down(at(0), Some(Duration::from_secs(7)), 0.5);
        budget.up();
        assert_eq!((free(&budget, LIMITS, at(6_999)), budget.next(LIMITS, at(0))), (0, Some(at(7_000))));
        assert_eq!(free(&budget, LIMITS, at(7_000)), 3);
        budget.down(at(0), Some(Duration::MAX), 0.5);
        assert_eq!(budget.next(LIMITS, at(0)), Some(at(3_600_000)));
    }

    #[test]
    fn who_does_not_answer_is_asked_by_one() {
        let mut budget = Budget::default();
        assert!(!budget.down(at(0), None, 1.0) && !budget.down(at(0), None, 1.0));
        assert_eq!(free(&budget, LIMITS, at(0)), 3, "that may be chance");
        assert!(budget.down(at(0), None, 1.0));
        assert_eq!((free(&budget, LIMITS, at(0)), free(&budget, LIMITS, at(1_000))), (0, 1));
        assert!(!budget.down(at(1_000), None, 1.0));
        assert_eq!(budget.next(LIMITS, at(1_000)), Some(at(3_000)));
        assert!(!(0..99).any(|_| budget.down(at(3_000), None, 1.0)));
        assert_eq!(budget.next(LIMITS, at(3_000)), Some(at(33_000)));
        assert!(budget.up() && !budget.up());
        assert_eq!(free(&budget, LIMITS, at(3_000)), 3);
    }

    #[test]
    fn strangers_leave_half_of_what_may_be_under_way_to_the_others() {
        let limits = Limits { rate: 1000, concurrency: 4 };
        let mut budget = Budget::default();
        assert_eq!(budget.free(limits, at(0)), Free { all: 4, strangers: 2 });
        (0..2).for_each(|_| budget.begin(limits, false, at(0)));
        assert_eq!(budget.free(limits, at(0)), Free { all: 2, strangers: 0 });
        assert_eq!(budget.next_for_strangers(limits, at(0)), None, "one of them has to end");
        budget.end(false);
        assert_eq!(budget.free(limits, at(0)), Free { all: 3, strangers: 1 });
        // Trusted fetches may use all of the budget.
        (0..3).for_each(|_| budget.begin(limits, true, at(0)));
        assert_eq!(budget.free(limits, at(0)), Free { all: 0, strangers: 0 });
    }

    proptest! {
        /// Whatever the limits, eager strangers begin at most half of the fetches that may begin in any time, plus one. Even
        /// with limits of one, one stranger's fetch gets through.
        #[test]
        fn strangers_begin_no_more_than_half_of_the_calls(rate in 1_u32..50, concurrency in 1_usize..9, steps in 1_i64..400) {
            let limits = Limits { rate, concurrency };
            let (mut budget, mut begun) = (Budget::default(), 0_i64);
            for step in 0..steps {
                let now = at(step * 20);
                for _ in 0..budget.free(limits, now).strangers {
                    budget.begin(limits, false, now);
                    budget.end(false);
                    begun += 1;
                }
                if budget.free(limits, now).strangers == 0 {
                    prop_assert!(budget.next_for_strangers(limits, now).is_some_and(|at| at > now));
                }
                let windows = step * 20 + 1000;
                prop_assert!(begun <= windows * i64::from(rate) / 2000 + 1, "{} in {} ms", begun, step * 20);
            }
            prop_assert!(begun >= 1);
        }
    }
}
