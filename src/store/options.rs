//! Options of the store: its file, the limits of waiting work and parked events, and how long finished rows are kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::due::Debounce;

/// How the store works.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The database file.
    pub path: PathBuf,
    /// Whether a missing file is an error, instead of being made.
    pub must_exist: bool,
    /// When changes are due; due times are stored with them.
    pub debounce: Debounce,
    /// How many pieces of work may wait to be written; past it the answer is [`StoreError::Busy`](super::StoreError::Busy).
    pub max_waiting: usize,
    /// What may be parked.
    pub parked: ParkedLimits,
    /// How long finished rows are kept.
    pub keep: Keep,
}

/// Limits of parked events. Beyond them events become dead letters, the oldest first.
#[derive(Debug, Clone, Copy)]
pub struct ParkedLimits {
    /// How many events of one source.
    pub per_source: u32,
    /// How long an event may wait for its record.
    pub max_age: Duration,
}

/// How long finished rows are kept. What is still owed or parked stays in any case.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Notifications, as received.
    pub notifications: Duration,
    /// Dead letters, both notifications and deliveries given up.
    pub dead_letters: Duration,
    /// How many bytes the bodies and headers of all dead letters may have; past it the oldest go.
    pub dead_letters_size: u64,
    /// Attempts to tell Transform.
    pub attempts: Duration,
    /// Which notification made which version of a record.
    pub history: Duration,
}
