//! Times of the store: how its clock goes on at a start, and how far ahead of it a wait may lie.

use std::time::Duration;

use crate::domain::due::Moment;

/// How the store's clock goes on at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// Both clocks as they were kept last. Where the store's begins, they are the time of the newest row; none in a new store.
    pub before: Option<Moment>,
    /// Both clocks now.
    pub now: Moment,
}

/// The longest waits that there are: what is due later was not made due by one.
#[derive(Debug, Clone, Copy)]
pub struct LongestWaits {
    /// Between two attempts to tell Transform.
    pub retry: Duration,
    /// Between two fetches.
    pub fetch: Duration,
}
