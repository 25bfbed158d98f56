//! Housekeeping: what one step of it deleted.

use uuid::Uuid;

use crate::domain::ids::RecordKey;

/// What one step of housekeeping did.
#[derive(Debug, Clone, Default)]
pub struct Pruned {
    /// The notifications of events that were parked for too long and are dead letters now.
    pub waited_in_vain: Vec<Uuid>,
    /// Dead letters that were kept long enough.
    pub dead_letters: Vec<DeadLetterGone>,
    /// Dead letters for which there was no more room.
    pub dead_letters_beyond: Vec<DeadLetterGone>,
    /// Deliveries that had been given up and were kept long enough.
    pub given_up: Vec<RecordKey>,
    /// Notifications, attempts and history that were kept long enough.
    pub rows: usize,
    /// Whether pages of the file were given back.
    pub shrunk: bool,
}

impl Pruned {
    /// Whether there was nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waited_in_vain.is_empty()
            && self.dead_letters.is_empty()
            && self.dead_letters_beyond.is_empty()
            && self.given_up.is_empty()
            && self.rows == 0
            && !self.shrunk
    }
}

/// A dead letter that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterGone {
    /// The notification.
    pub notification: Uuid,
    /// The source that it came by.
    pub source: String,
    /// Why it was a dead letter.
    pub reason: String,
}
