//! Due times of webhooks: the debounce as arithmetic, and the two clocks.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// One instant on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The machine's clock: the time that people and PSPs mean.
    pub wall: Timestamp,
    /// The store's clock, which nobody sets ([`super::age`]): due times and ages are measured on it. It serves nothing
    /// else, since it may be far from the time that people mean.
    pub steady: Timestamp,
}

/// The rule by which changes of one record are coalesced.
#[derive(Debug, Clone, Copy)]
pub struct Debounce {
    /// A webhook goes out only after this long without a change.
    pub quiet: Duration,
    /// A webhook goes out at the latest this long after the first untold change.
    pub max_wait: Duration,
}

impl Debounce {
    /// The due time of a webhook for the changes from `first_untold` to `last_change`.
    #[must_use]
    pub fn due(&self, last_change: Timestamp, first_untold: Timestamp) -> Timestamp {
        later(last_change, self.quiet).min(later(first_untold, self.max_wait))
    }
}

/// `at` plus `wait`, but never beyond the largest timestamp.
#[must_use]
pub fn later(at: Timestamp, wait: Duration) -> Timestamp {
    at.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

/// The time from `now` to `at` in words: on the store's clock only distances have a meaning.
#[must_use]
pub fn wait(now: Timestamp, at: Timestamp) -> String {
    format!("{:#}", at.duration_since(now).round(jiff::Unit::Millisecond).unwrap_or_default())
}

/// The UTC day of an instant.
#[must_use]
pub fn utc_date(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBOUNCE: Debounce = Debounce { quiet: Duration::from_millis(500), max_wait: Duration::from_secs(5) };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn a_lone_change_waits_for_quiet() {
        assert_eq!(DEBOUNCE.due(at(0), at(0)), at(500));
    }

    #[test]
    fn a_wait_is_said_in_words() {
        assert_eq!(wait(at(1_000), at(3_500)), "2s 500ms");
    }

    #[test]
    fn an_unbroken_stream_is_told_at_the_maximum_wait() {
        assert_eq!(DEBOUNCE.due(at(4_400), at(0)), at(4_900));
        assert_eq!(DEBOUNCE.due(at(4_900), at(0)), at(5_000));
    }
}
