//! Rehearsal: the records as they would be if their notifications had been read differently. Types of [`super::rehearse`].

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::Outcome;
use crate::domain::message::Normalised;
use crate::domain::record::Record;

/// The choice of the notifications that are read again.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Notifications of these sources.
    pub sources: BTreeSet<String>,
    /// Notifications received at this time or later; none for all.
    pub since: Option<Timestamp>,
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
}

/// The result of a rehearsal.
#[derive(Debug, Clone, Default)]
pub struct Rehearsal {
    /// The old and the new outcome of each notification that was read again.
    pub notifications: Vec<Rehearsed>,
    /// The records of these notifications, each as it stands and as it would stand.
    pub records: Vec<(Record, Record)>,
    /// The number of further records, which cannot be compared: not all notifications that made them are read again.
    pub partly: usize,
}

/// One notification that was read again.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// The id of the notification.
    pub id: Uuid,
    /// Its outcome then, and the reason if it is a dead letter.
    pub was: (String, Option<String>),
    /// Its outcome now, and the reason if it would be a dead letter.
    pub now: (Outcome, Option<String>),
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
