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
    /// Records that are told first: a payment waits for the refund that changed it.
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
    /// Transform has not taken it; another attempt follows.
    Retry {
        /// When the next attempt is due.
        at: Timestamp,
        /// The earliest time of it, even if the record changes meanwhile: Transform asked for this wait.
        not_before: Option<Timestamp>,
        /// Why it failed.
        reason: String,
    },
    /// Transform has not taken it for so long that the delivery is given up. It is a dead letter until the next change.
    GiveUp {
        /// Why it failed.
        reason: String,
    },
}
