//! Times of the store: how its clock goes on at a start, and how far ahead of it a wait may lie.

use std::time::Duration;

use crate::domain::due::Moment;

/// The store's clock at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// Both clocks as they were kept last. If none were kept, both are the time of the newest row. None in a new store,
    /// and none if the kept clocks were damaged.
    pub before: Option<Moment>,
    /// Both clocks now.
    pub now: Moment,
}

/// The longest waits that the relay makes. A due time that lies further ahead is wrong.
#[derive(Debug, Clone, Copy)]
pub struct LongestWaits {
    /// Between two attempts to tell Transform.
    pub retry: Duration,
    /// Between two fetches.
    pub fetch: Duration,
}
