//! What a decision asks of the engine, and why a decision halts.

use uuid::Uuid;

use super::keys::{finding, notification, parked, placed, record, text, way};

/// Something that has to be loaded before a decision can go on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Want {
    /// Records.
    Records(record::Key),
    /// Ways from PSP ids to records.
    Ways(way::Key),
    /// What Transform is owed of the record of a row.
    Outbox(i64),
    /// Notifications.
    Notifications(notification::Key),
    /// The contents of a dedupe key, in brief.
    Contents(notification::OfKey),
    /// Parked events.
    Parked(parked::Key),
    /// The oldest events of a source that wait, after this row.
    Oldest(String, i64),
    /// The number of a source's events that wait.
    Waiting(String),
    /// Placed events.
    Placed(placed::Key),
    /// The records that a signed text has reached.
    Reached(text::Key),
    /// The owners of a signed text.
    Owners(text::Key),
    /// The first time of a signed text.
    FirstTimes(text::Key),
    /// Findings.
    Findings(finding::Key),
    /// Whether a record has a history.
    HasHistory(i64),
    /// Whether a notification waits for a fetch.
    AwaitsFetch(Uuid),
    /// Whether anything was given up, and the next numbers of rows.
    State,
}

/// Why a decision halts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Halt {
    /// It cannot go on without this. Once that is loaded, the decision is made again from its beginning.
    Unknown(Want),
    /// It needs a row that cannot be read, for this reason.
    Damaged(String),
}

/// The result of a step of a decision.
pub(in crate::store) type Decided<T> = Result<T, Halt>;

/// A value that may be unreadable where it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Readable<T> {
    /// It can be read.
    Sound(T),
    /// It cannot, for this reason.
    Damaged(String),
}

impl<T> Readable<T> {
    /// The value.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::store) fn get(&self) -> Decided<&T> {
        match self {
            Self::Sound(value) => Ok(value),
            Self::Damaged(reason) => Err(Halt::Damaged(reason.clone())),
        }
    }

    /// The value, if it can be read.
    pub(in crate::store) const fn sound(&self) -> Option<&T> {
        match self {
            Self::Sound(value) => Some(value),
            Self::Damaged(_) => None,
        }
    }
}
