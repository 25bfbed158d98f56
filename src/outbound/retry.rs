//! The retry policy: exponential backoff with jitter, and Retry-After. Pure arithmetic.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::due::later;

/// The policy of repeating failed attempts.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The wait after the first failure. Each further failure doubles it.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
    /// How long attempts may fail before they are given up.
    pub give_up_after: Duration,
}

/// The next step after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another attempt.
    At {
        /// The time of the attempt.
        at: Timestamp,
        /// The time before which no attempt may come, whatever changes meanwhile: Retry-After asked for it.
        not_before: Option<Timestamp>,
    },
    /// No further attempt.
    GiveUp,
}

impl RetryPolicy {
    /// The next step after a failure at `now`. `attempts` failures came before it, the first of them at
    /// `failing_since`. `random` in 0..1 spreads attempts over the second half of the wait. `asked` is the wait of
    /// a Retry-After header. It is kept, up to the longest wait.
    #[must_use]
    pub fn next(
        &self,
        attempts: u32,
        failing_since: Option<Timestamp>,
        now: Timestamp,
        asked: Option<Duration>,
        random: f64,
    ) -> Next {
        let failing = |since: Timestamp| Duration::try_from(now.duration_since(since)).unwrap_or_default();
        if failing_since.map(failing).is_some_and(|failing| failing >= self.give_up_after) {
            return Next::GiveUp;
        }
        let at = later(now, spread(self.first, self.max, attempts, random));
        let not_before = asked.map(|asked| later(now, asked.min(self.max)));
        Next::At { at: not_before.map_or(at, |asked| at.max(asked)), not_before }
    }
}

/// The wait after a failure that came after `before` others: it doubles up to `max`. `random` in 0..1 takes away up to
/// half of it, so that attempts that failed together do not come back together.
#[must_use]
#[expect(clippy::float_arithmetic, reason = "chance is not money")]
pub fn spread(first: Duration, max: Duration, before: u32, random: f64) -> Duration {
    let wait = first.saturating_mul(2_u32.saturating_pow(before)).min(max);
    wait.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

/// The wait that a Retry-After header asks for: seconds, or an HTTP date in any of its three forms (RFC 9110, 5.6.7). A past
/// date asks for no wait. Any other text gives `None`.
#[must_use]
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now.into()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        first: Duration::from_secs(1),
        max: Duration::from_secs(3600),
        give_up_after: Duration::from_secs(72 * 3600),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn wait(attempts: u32, asked: Option<u64>, random: f64) -> i64 {
        match POLICY.next(attempts, Some(at(0)), at(0), asked.map(Duration::from_secs), random) {
            Next::At { at, .. } => at.as_millisecond(),
            Next::GiveUp => panic!("gave up"),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_with_jitter() {
        assert_eq!((wait(0, None, 0.0), wait(0, None, 1.0)), (500, 1000));
        assert_eq!((wait(3, None, 0.0), wait(3, None, 1.0)), (4000, 8000));
        assert_eq!((wait(12, None, 1.0), wait(4_000_000_000, None, 1.0)), (3_600_000, 3_600_000));
    }

    #[test]
    fn retry_after_is_kept_up_to_the_longest_wait() {
        assert_eq!(wait(0, Some(120), 0.5), 120_000);
        assert_eq!(wait(0, Some(86_400), 0.5), 3_600_000);
        let now = at(784_111_717);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
    }

    /// RFC 9110, 5.6.7: a recipient accepts all three forms of a date.
    #[test]
    fn every_form_of_an_http_date_is_read() {
        let now = at(784_111_717);
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(retry_after(date, now), Some(Duration::from_secs(60)), "{date}");
            assert_eq!(retry_after(&format!(" {date} "), now), Some(Duration::from_secs(60)), "{date}");
        }
    }

    #[test]
    fn a_date_that_is_past_asks_for_no_wait() {
        let now = at(784_111_717);
        for date in ["Sun, 06 Nov 1994 08:40:37 GMT", "Sunday, 06-Nov-94 08:40:37 GMT", "Thu Jan  1 00:00:00 1970"] {
            assert_eq!(retry_after(date, now), Some(Duration::ZERO), "{date}");
        }
    }

    #[test]
    fn an_absurd_wait_is_the_longest_one() {
        let now = at(784_111_717);
        for absurd in [
            "99999999999999999999999",
            "Thu, 30 Dec 9999 23:59:59 GMT",
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Fri Dec 31 23:59:59 9999",
        ] {
            let asked = retry_after(absurd, now).unwrap_or_else(|| panic!("{absurd} is ignored"));
            assert_eq!(wait(0, Some(asked.as_secs()), 0.5), 3_600_000, "{absurd}");
        }
    }

    #[test]
    fn what_is_neither_seconds_nor_a_date_asks_for_nothing() {
        for text in
            ["", " ", "soon", "-1", "1.5", "Sun, 06 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"]
        {
            assert_eq!(retry_after(text, at(0)), None, "{text:?}");
        }
    }

    #[test]
    fn what_fails_for_too_long_is_given_up() {
        let day = 24 * 3600;
        assert_eq!(POLICY.next(99, Some(at(0)), at(3 * day), None, 0.5), Next::GiveUp);
        assert_ne!(POLICY.next(99, Some(at(0)), at(3 * day - 1), None, 0.5), Next::GiveUp);
        assert_ne!(POLICY.next(0, None, at(3 * day), None, 0.5), Next::GiveUp);
        assert_ne!(POLICY.next(99, Some(at(3 * day)), at(0), None, 0.5), Next::GiveUp, "a failure of times to come");
    }
}
