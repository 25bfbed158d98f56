//! Rehearsal: the records as they would be if their notifications had been read differently. Types of [`super::rehearse`].

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use uuid::Uuid;

use super::Outcome;
use crate::domain::message::Normalised;
use crate::domain::record::Record;

/// Which notifications are read again.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of these sources.
    pub sources: BTreeSet<String>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
}

/// A notification as it was stored.
#[derive(Debug, Clone)]
pub struct Past {
    /// Its id.
    pub id: Uuid,
    /// The source that it came by.
    pub source: String,
    /// When.
    pub received_at: Timestamp,
    /// Its headers, credentials left out.
    pub headers: Vec<(String, String)>,
    /// Its bytes; of a hint, the call that it asked for.
    pub body: Vec<u8>,
    /// The form that it was read as; none where an earlier version of the relay took it.
    pub form: Option<String>,
    /// The time that was signed with it, as text.
    pub signed_at: Option<String>,
    /// Whether nobody vouched for it.
    pub hint: bool,
    /// What became of it.
    pub outcome: String,
    /// Why it is a dead letter.
    pub reason: Option<String>,
    /// What was fetched for its messages.
    pub answers: Vec<PastAnswer>,
}

/// What was fetched for a message.
#[derive(Debug, Clone)]
pub struct PastAnswer {
    /// The message's index in the batch.
    pub message: usize,
    /// When the call began.
    pub fetched_at: Timestamp,
    /// The response.
    pub body: Vec<u8>,
}

/// What a notification says now.
#[derive(Debug, Clone)]
pub struct Reread {
    /// All its messages; those with a fetch are read with its response.
    pub normalised: Normalised,
    /// The dedupe key of each message, and of what was fetched.
    pub keys: Vec<String>,
}

/// The result of a rehearsal.
#[derive(Debug, Clone, Default)]
pub struct Rehearsal {
    /// What became of each notification that was read again.
    pub notifications: Vec<Rehearsed>,
    /// The records that the notifications speak of, as they stand and as they would stand.
    pub records: Vec<(Record, Record)>,
    /// How many further records cannot be compared, since not all notifications that made them are read again.
    pub partly: usize,
}

/// One notification that was read again.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// Its id.
    pub id: Uuid,
    /// What it became then, and why it is a dead letter.
    pub was: (String, Option<String>),
    /// What it would become, and why it would be a dead letter.
    pub now: (Outcome, Option<String>),
}

/// Why nothing can be rehearsed.
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
