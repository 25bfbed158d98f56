//! The relay's two clocks.
//!
//! The machine's clock may be set, back or forth, while the relay runs. What people and PSPs mean by a time is on it:
//! signatures' times, `lastUpdated`. What is due when is not: that is counted on a clock that starts with the machine's
//! and then only runs.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::domain::due::{Moment, later};

/// Tells the time, on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall_at_start: Timestamp,
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { wall_at_start: micros(Timestamp::now()), started: Instant::now() }
    }

    /// Now, to the microsecond that the store keeps.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment { wall: micros(Timestamp::now()), steady: micros(later(self.wall_at_start, self.started.elapsed())) }
    }
}

fn micros(at: Timestamp) -> Timestamp {
    at.saturating_sub(SignedDuration::from_nanos(i64::from(at.subsec_nanosecond() % 1_000))).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_start_together_and_the_steady_one_never_goes_back() {
        let clock = Clock::start();
        let (one, two) = (clock.now(), clock.now());
        assert!(one.steady <= two.steady);
        assert!(one.steady.duration_since(one.wall).abs() < SignedDuration::from_hours(1));
        assert_eq!(two.steady.as_nanosecond() % 1_000, 0);
        assert_eq!(two.wall.as_nanosecond() % 1_000, 0);
    }
}
