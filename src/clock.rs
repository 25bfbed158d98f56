//! Clocks of the relay: the machine's and the store's.
//!
//! The machine's clock may be set back or forth at any time. It shows the time that people and PSPs mean: signatures' times,
//! `lastUpdated`. Due times and ages are measured on the store's clock. At a start that clock goes on from the time that the
//! store has kept (`domain/age`). From then on it runs forward and is never set.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::domain::due::{Moment, later};

/// Shows the time on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    steady_at_start: Timestamp,
    started: Instant,
}

impl Clock {
    /// Starts both clocks at the machine's time. With a store, [`Self::resumed`] sets the store's clock afterwards.
    #[must_use]
    pub fn start() -> Self {
        Self { steady_at_start: micros(Timestamp::now()), started: Instant::now() }
    }

    /// The same clocks, with the store's clock at `steady` at the moment of the start.
    #[must_use]
    pub const fn resumed(self, steady: Timestamp) -> Self {
        Self { steady_at_start: steady, ..self }
    }

    /// The present moment on both clocks, cut to the microseconds that the store keeps.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment { wall: micros(Timestamp::now()), steady: micros(later(self.steady_at_start, self.started.elapsed())) }
    }
}

fn micros(at: Timestamp) -> Timestamp {
    at.saturating_sub(SignedDuration::from_nanos(i64::from(at.subsec_nanosecond() % 1_000))).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stores_clock_goes_on_from_where_it_was() {
        let clock = Clock::start().resumed(Timestamp::UNIX_EPOCH);
        let now = clock.now();
        assert!(now.steady >= Timestamp::UNIX_EPOCH);
        assert!(now.steady < later(Timestamp::UNIX_EPOCH, std::time::Duration::from_secs(3600)));
        assert!(now.wall > now.steady);
    }

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
