//! The outbox: records that Transform is owed a webhook for, and attempts to tell of them.

use jiff::Timestamp;

use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;

/// A record that Transform is owed a webhook for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The record.
    pub key: RecordKey,
    /// When to tell.
    pub due: Timestamp,
    /// A record that is to be told before it: a payment waits for the refund that changed it.
    pub after: Vec<RecordKey>,
}

/// What an attempt needs to know.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The record's version; the attempt tells of it.
    pub version: u64,
    /// When it is due.
    pub due: Timestamp,
    /// The record's own target.
    pub webhook_target: Option<String>,
    /// Attempts that failed since the last success.
    pub attempts: u32,
    /// When the first of them failed.
    pub failing_since: Option<Timestamp>,
    /// The first change that Transform has not heard of.
    pub owed_since: Timestamp,
}

/// One attempt, as it is settled.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The record.
    pub key: RecordKey,
    /// The version that it told of.
    pub version: u64,
    /// When it began.
    pub began: Moment,
    /// When it ended.
    pub ended: Moment,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// Transform has taken the version that was sent.
    Told,
    /// It has not; the next attempt is due then.
    Retry {
        /// When.
        at: Timestamp,
        /// No earlier than this, whatever changes meanwhile: Transform asked for it.
        not_before: Option<Timestamp>,
        /// Why it failed.
        reason: String,
    },
    /// It has not, and has not for so long that it is given up: a dead letter, until the next change.
    GiveUp {
        /// Why it failed.
        reason: String,
    },
}
