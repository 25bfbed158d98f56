//! Rehearsal: the records as they would be if their notifications had been read differently. Types of [`super::rehearse`].

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Outcome;
use super::sureness::Sureness;
use crate::domain::event::Event;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::message::Normalised;
use crate::domain::record::Record;

/// The choice of the notifications that are read again.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Notifications of these sources.
    pub sources: BTreeSet<String>,
    /// Notifications received at this time or later, and older ones with events that wait; none for all.
    pub since: Option<Timestamp>,
    /// A record that is to be repaired, as it was registered. If the stored one cannot be read, this one stands in its place.
    pub repaired: Option<Record>,
}

/// A notification as it was stored.
#[derive(Debug, Clone)]
pub struct Past {
    /// The id of the notification.
    pub id: Uuid,
    /// The source that it came by.
    pub source: String,
    /// The time of its receipt.
    pub received_at: Timestamp,
    /// Its headers, without credentials.
    pub headers: Vec<(String, String)>,
    /// Its bytes; for a hint, the call that it asked for.
    pub body: Vec<u8>,
    /// The form that it was read as; none where an earlier version of the relay took it.
    pub form: Option<String>,
    /// The time that was signed with it, as text.
    pub signed_at: Option<String>,
    /// Whether it is a hint, for which nobody vouched.
    pub hint: bool,
    /// Its outcome.
    pub outcome: String,
    /// The reason, if it is a dead letter.
    pub reason: Option<String>,
    /// The responses that were fetched for its messages.
    pub answers: Vec<PastAnswer>,
}

/// A response that was fetched for a message.
#[derive(Debug, Clone)]
pub struct PastAnswer {
    /// The message's index in the batch.
    pub message: usize,
    /// The time at which the call began.
    pub fetched_at: Timestamp,
    /// The response.
    pub body: Vec<u8>,
}

/// The meaning that a notification has now.
#[derive(Debug, Clone)]
pub struct Reread {
    /// All its messages. A message with a fetch is read with the response.
    pub normalised: Normalised,
    /// The dedupe keys of each message and of each response.
    pub keys: Vec<String>,
    /// Whether it cannot be read as it was, and counts as not read: records that it made are not compared.
    pub left_out: bool,
}

/// The result of a rehearsal.
#[derive(Debug, Clone, Default)]
pub struct Rehearsal {
    /// The old and the new outcome of each notification that was read again.
    pub notifications: Vec<Rehearsed>,
    /// The number of records that are compared.
    pub compared: usize,
    /// The records that would differ, by families.
    pub differing: Vec<Vec<Differing>>,
    /// The records that cannot be compared: not all notifications that made them are read again.
    pub partly: HashSet<TransformId>,
    /// The number of these records that changed meanwhile.
    pub meanwhile: usize,
    /// The other ones of these records that keep what they have although all their notifications are kept.
    pub left: Vec<Left>,
    /// The number of records, notifications and waiting events that cannot be read, since their rows are damaged. They were left out.
    pub damaged: usize,
    /// The record that is to be repaired, as it would be by the notifications that are kept.
    pub repaired: Option<Differing>,
}

/// A record that a reread leaves as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The record.
    pub key: RecordKey,
    /// The reason.
    pub why: LeftReason,
}

/// The reasons why a record is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftReason {
    /// A notification of it cannot be read as it was, and was left out.
    LeftOut,
    /// A fact of it, or of its family, would stand nowhere else.
    NowhereElse,
}

impl LeftReason {
    /// The reason in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::LeftOut => "one of its notifications cannot be read as it was",
            Self::NowhereElse => {
                "an event of it, or of its family, would wait for another record now, or reach one that is not read again"
            }
        }
    }
}

/// A record that would differ.
#[derive(Debug, Clone)]
pub struct Differing {
    /// The record as it stands.
    pub stands: Record,
    /// The record as it would stand, but for its version.
    pub would: Record,
    /// PSP ids that would lead to it and do not yet.
    pub learns: Vec<Learned>,
    /// The events that would be placed on it, in the order in which they came.
    pub placed: Vec<PlacedEvent>,
    /// The PSP ids that would lead to it because of these.
    pub shown: Vec<Learned>,
}

/// An event that is placed on a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedEvent {
    /// The notification that it came with.
    pub notification: Uuid,
    /// The source of that.
    pub source: String,
    /// The event.
    pub event: Event,
}

/// A PSP id that would lead to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// The kind of the object that has the id: a refund's id may lead to its payment.
    pub kind: Kind,
    /// The id.
    pub psp_id: String,
    /// How surely it leads there.
    pub sureness: Sureness,
}

/// One notification that was read again.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// The id of the notification.
    pub id: Uuid,
    /// The source that it came by.
    pub source: String,
    /// Its outcome then, and the reason if it is a dead letter.
    pub was: (String, Option<String>),
    /// Its outcome now, and the reason if it would be a dead letter.
    pub now: (Outcome, Option<String>),
    /// Whether it has another meaning now: events, nothing or not understood.
    pub another: bool,
    /// Its messages as they are read now, if it would have to be judged anew: its meaning is another, or other events of
    /// it would wait.
    pub anew: Option<Normalised>,
}

/// The reason why a rehearsal is impossible.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// A later version of the relay wrote the store.
    #[error("{path} has schema version {found}; this relay knows up to {known}")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The schema version in the file.
        found: i64,
        /// The newest schema version that this relay knows.
        known: i64,
    },
    /// The store cannot be read.
    #[error("cannot read the store {path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}
