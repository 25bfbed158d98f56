//! Options of the store: its file, the limits of waiting work and parked events, and how long finished rows are kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::due::Debounce;

/// The options of the store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The database file.
    pub path: PathBuf,
    /// Whether a missing file is an error. Otherwise a new store is made.
    pub must_exist: bool,
    /// The debounce of changes. It takes effect on later changes, since due times are stored.
    pub debounce: Debounce,
    /// The number of pieces of work that may wait to be written. Past it the error is
    /// [`StoreError::Busy`](super::StoreError::Busy).
    pub max_waiting: usize,
    /// The limits of parked events.
    pub parked: ParkedLimits,
    /// How long finished rows are kept.
    pub keep: Keep,
}

/// Limits of parked events. Beyond them events become dead letters, the oldest first.
#[derive(Debug, Clone, Copy)]
pub struct ParkedLimits {
    /// The number of events of one source.
    pub per_source: u32,
    /// How long an event may wait for its record.
    pub max_age: Duration,
}

/// How long finished rows are kept. Rows that are owed or parked stay in any case.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Notifications, as received.
    pub notifications: Duration,
    /// Dead letters, both notifications and deliveries given up.
    pub dead_letters: Duration,
    /// The limit, in bytes, of the bodies and headers of all dead letters together. Past it dead letters are deleted:
    /// first those that may have been made of one notification, then the oldest.
    pub dead_letters_size: u64,
    /// Attempts to tell Transform.
    pub attempts: Duration,
    /// The history: which notification made which version of a record.
    pub history: Duration,
}

/// Options without limits: where the past is read again, nothing is told and nothing grows old.
pub(in crate::store) fn without_limits() -> StoreOptions {
    let ever = Duration::MAX;
    StoreOptions {
        path: PathBuf::new(),
        must_exist: false,
        debounce: Debounce { quiet: Duration::ZERO, max_wait: Duration::ZERO },
        max_waiting: usize::MAX,
        parked: ParkedLimits { per_source: u32::MAX, max_age: ever },
        keep: Keep {
            notifications: ever,
            dead_letters: ever,
            dead_letters_size: u64::MAX,
            attempts: ever,
            history: ever,
        },
    }
}
