//! Rows of the outbox: what a reader is owed of a record, or was given up.

use jiff::Timestamp;

use crate::store::core::set::{Row, Want};

/// A reader: somebody who is told of records, and reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) enum Reader {
    /// Frisbii Transform, the only one so far.
    Transform,
}

impl Reader {
    /// Its code in a row of the store.
    pub(in crate::store) const fn code(self) -> u8 {
        match self {
            Self::Transform => 1,
        }
    }

    /// The reader with this code.
    pub(in crate::store) fn from_code(code: u8) -> Option<Self> {
        [Self::Transform].into_iter().find(|reader| reader.code() == code)
    }
}

/// A row of the outbox: a debt to a reader. A delivery that was given up has `dead_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct OutboxRow {
    /// The row of the record.
    pub(in crate::store) record: i64,
    /// The reader who is owed a webhook.
    pub(in crate::store) reader: Reader,
    /// The last version that is worth telling.
    pub(in crate::store) version: u64,
    /// The first change since the last attempt began, if any.
    pub(in crate::store) first_untold_at: Option<Timestamp>,
    /// When the next attempt is due.
    pub(in crate::store) due_at: Timestamp,
    /// The time before which Transform asked for no attempt.
    pub(in crate::store) not_before: Option<Timestamp>,
    /// The attempts that failed.
    pub(in crate::store) attempts: u32,
    /// Since when attempts fail.
    pub(in crate::store) failing_since: Option<Timestamp>,
    /// Why the last attempt failed.
    pub(in crate::store) reason: Option<String>,
    /// The host and port of the last attempt that failed.
    pub(in crate::store) host: Option<String>,
    /// The first change that Transform has not heard of.
    pub(in crate::store) owed_since: Timestamp,
    /// The last change.
    pub(in crate::store) changed_at: Timestamp,
    /// When the delivery was given up, on the store's clock.
    pub(in crate::store) dead_at: Option<Timestamp>,
    /// When the delivery was given up, on the machine's clock.
    pub(in crate::store) given_up_at: Option<Timestamp>,
    /// Of a delivery that was given up: whether its host failed.
    pub(in crate::store) awaits_host: Option<bool>,
}

impl OutboxRow {
    /// Whether the delivery was given up.
    pub(in crate::store) const fn is_dead(&self) -> bool {
        self.dead_at.is_some()
    }
}

impl Row for OutboxRow {
    type Id = (i64, Reader);
    type Key = i64;

    fn id(&self) -> Self::Id {
        (self.record, self.reader)
    }

    fn keys(&self) -> Vec<i64> {
        vec![self.record]
    }

    fn has_keys_of(&self, _: &Self) -> bool {
        true
    }

    fn want(record: &i64) -> Want {
        Want::Outbox(*record)
    }
}
