//! Times of the store: how its clock goes on at a start, and how far ahead of it a wait may lie.

use std::time::Duration;

use crate::domain::due::Moment;

/// How the store's clock goes on at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// Both clocks as they were kept last. If none were kept, both are the time of the newest row; none in a new store.
    pub before: Option<Moment>,
    /// Both clocks now.
    pub now: Moment,
}

/// The longest waits that the relay makes. No wait has made a due time that lies further ahead.
#[derive(Debug, Clone, Copy)]
pub struct LongestWaits {
    /// Between two attempts to tell Transform.
    pub retry: Duration,
    /// Between two fetches.
    pub fetch: Duration,
}
