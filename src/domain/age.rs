//! The store's clock as arithmetic: ages and due times are measured on it.
//!
//! The clock runs while the relay runs. At a start it continues from the time that was kept, plus the time that the
//! machine's clock has gone on since. That addition is a day at most: a machine that wakes up in another year must not
//! make the rows months older.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::due::{Moment, later};

/// The longest part of the rest (the time between two runs) that counts at a start.
pub const REST_COUNTED: Duration = Duration::from_secs(24 * 60 * 60);
/// Smaller differences between the clocks are not reported.
const UNREMARKABLE: SignedDuration = SignedDuration::from_mins(1);
/// 2200-01-01: the latest time at which a store's clock may begin, whatever the machine says.
const LATEST_BEGIN: Timestamp = Timestamp::constant(7_258_118_400, 0);
/// 9000-01-01: the latest time that a relay writes. The years after it leave room for waits.
const LATEST_KEPT: Timestamp = Timestamp::constant(221_845_392_000, 0);

/// The time at which the store's clock continues at a start. `kept` holds both clocks as they were kept; `wall` is the
/// machine's time now.
#[must_use]
pub fn resumed(kept: Moment, wall: Timestamp) -> Timestamp {
    let rest = Duration::try_from(wall.duration_since(kept.wall)).unwrap_or_default();
    later(kept.steady, rest.min(REST_COUNTED))
}

/// The time at which the clock of a store begins when none was kept: the machine's time, but no more than a day after the
/// newest time in the store.
#[must_use]
pub fn begun(newest: Option<Timestamp>, wall: Timestamp) -> Timestamp {
    let begun = newest.map_or(wall, |newest| wall.min(later(newest, REST_COUNTED)));
    begun.clamp(Timestamp::UNIX_EPOCH, LATEST_BEGIN)
}

/// The time at which the store's clock begins anew when the kept one is damaged: the newest time in the store. The clock is
/// then no later than it was. It is no later than the machine's clock either.
#[must_use]
pub fn begun_anew(newest: Option<Timestamp>, wall: Timestamp) -> Timestamp {
    newest.unwrap_or(wall).min(wall).clamp(Timestamp::UNIX_EPOCH, LATEST_BEGIN)
}

/// Whether a store's clock can show this time. No relay has written any other.
#[must_use]
pub fn can_be(steady: Timestamp) -> bool {
    (Timestamp::UNIX_EPOCH..=LATEST_KEPT).contains(&steady)
}

/// How much further the machine's clock has gone than the store's since both were kept; negative if it went less far or
/// back. None if the difference is too small to report.
#[must_use]
pub fn disagreement(kept: Moment, now: Moment) -> Option<SignedDuration> {
    let machine = now.wall.duration_since(kept.wall);
    let gained = machine.saturating_sub(now.steady.duration_since(kept.steady));
    Some(gained).filter(|gained| gained.abs() >= UNREMARKABLE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 24 * 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn moment(wall: i64, steady: i64) -> Moment {
        Moment { wall: at(wall), steady: at(steady) }
    }

    #[test]
    fn a_rest_counts_up_to_a_day() {
        let kept = moment(1_000_000, 500_000);
        for (wall, steady) in [(1_000_000, 500_000), (1_000_007, 500_007), (1_000_000 + DAY, 500_000 + DAY)] {
            assert_eq!(resumed(kept, at(wall)), at(steady), "{wall}");
            assert_eq!(disagreement(kept, moment(wall, steady)), None, "{wall}");
        }
        let (wall, steady) = (1_000_000 + 200 * DAY, 500_000 + DAY);
        assert_eq!(resumed(kept, at(wall)), at(steady));
        assert_eq!(disagreement(kept, moment(wall, steady)), Some(SignedDuration::from_secs(199 * DAY)));
    }

    #[test]
    fn a_clock_that_was_ahead_or_goes_back_adds_nothing() {
        let kept = moment(200 * DAY, 10 * DAY);
        assert_eq!(resumed(kept, at(9 * DAY)), at(10 * DAY));
        assert_eq!(disagreement(kept, moment(9 * DAY, 10 * DAY)), Some(SignedDuration::from_secs(-191 * DAY)));
        assert_eq!(resumed(kept, Timestamp::MIN), at(10 * DAY));
    }

    #[test]
    fn a_clock_begins_no_more_than_a_day_after_what_the_store_knows() {
        assert_eq!(begun(None, at(5)), at(5));
        assert_eq!(begun(Some(at(5)), at(9)), at(9));
        assert_eq!(begun(Some(at(5)), at(9 + 200 * DAY)), at(5 + DAY));
        assert_eq!(begun(Some(at(400 * DAY)), at(200 * DAY)), at(200 * DAY), "rows of the future");
    }

    #[test]
    fn a_clock_that_was_damaged_is_no_later_than_it_was() {
        assert_eq!(begun_anew(None, at(5)), at(5));
        assert_eq!(begun_anew(Some(at(5)), at(9)), at(5));
        assert_eq!(begun_anew(Some(at(400 * DAY)), at(200 * DAY)), at(200 * DAY), "rows of the future");
    }

    #[test]
    fn a_clock_begins_and_goes_on_where_waits_have_room() {
        for wall in [Timestamp::MIN, Timestamp::MAX] {
            let begun = begun(None, wall);
            assert!(can_be(begun) && can_be(resumed(Moment { wall: at(0), steady: begun }, Timestamp::MAX)), "{wall}");
        }
        assert!(!can_be(Timestamp::MAX) && !can_be(Timestamp::MIN));
        assert!(LATEST_KEPT.checked_add(SignedDuration::from_hours(24 * 365 * 900)).is_ok());
    }

    proptest! {
        /// Each start has any time on the machine's clock, and in each run that clock is set to any time. The store's clock
        /// never goes back. It gains no more than the time that the relay ran and a day for each start.
        #[test]
        fn no_machine_makes_a_store_old(
            first in 0..4_000_000_000_i64,
            starts in prop::collection::vec((0..250_000_000_000_i64, 0..100_000_i64, 0..250_000_000_000_i64), 1..30),
        ) {
            let begun = begun(None, at(first));
            let mut kept = Moment { wall: at(first), steady: begun };
            let mut most = begun;
            for (wall, ran, wall_in_the_end) in starts {
                let steady = resumed(kept, at(wall));
                prop_assert!(steady >= kept.steady && can_be(steady));
                // A crash right after the start, and another start, add nothing more.
                prop_assert_eq!(resumed(Moment { wall: at(wall), steady }, at(wall)), steady);
                let ran = Duration::from_secs(ran.unsigned_abs());
                kept = Moment { wall: at(wall_in_the_end), steady: later(steady, ran) };
                most = later(later(most, REST_COUNTED), ran);
                prop_assert!(kept.steady <= most);
            }
        }
    }
}
