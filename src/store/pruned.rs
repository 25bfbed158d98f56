//! Housekeeping: the result of one step.

use uuid::Uuid;

use super::Finding;

/// The result of one step of housekeeping.
#[derive(Debug, Clone, Default)]
pub struct Pruned {
    /// The notifications that are dead letters now, since an event of theirs was parked for too long.
    pub waited_in_vain: Vec<Uuid>,
    /// Dead letters that were deleted because they were kept long enough.
    pub dead_letters: Vec<DeadLetterGone>,
    /// Dead letters that were deleted because all together had too many bytes.
    pub dead_letters_beyond: Vec<DeadLetterGone>,
    /// The number of parked events that were looked at, since they have waited for long.
    pub looked: usize,
    /// The findings among them that were not told today.
    pub findings: Vec<Finding>,
    /// The number of deleted rows of notifications, attempts, history and fetches.
    pub rows: usize,
    /// Whether the file gave free pages back to the disk.
    pub shrunk: bool,
}

impl Pruned {
    /// Whether there was nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waited_in_vain.is_empty()
            && self.dead_letters.is_empty()
            && self.dead_letters_beyond.is_empty()
            && self.looked == 0
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
    /// The reason why it was a dead letter.
    pub reason: String,
}
