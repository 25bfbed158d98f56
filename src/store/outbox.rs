//! The outbox: records that Transform is owed a webhook for, and attempts to tell of them.

use jiff::Timestamp;

use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;

/// A record that Transform is owed a webhook for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The record.
    pub key: RecordKey,
    /// The time at which the webhook is due.
    pub due: Timestamp,
    /// Records whose webhooks go first: a payment waits for the refund that changed it.
    pub after: Vec<RecordKey>,
}

/// A page of the outbox, as it is read after a start.
#[derive(Debug)]
pub struct OwedPage {
    /// The webhooks that are owed, and beside each payment the refunds that go before it, wherever they stand.
    pub owed: Vec<Owed>,
    /// The number of rows in the page, damaged ones included.
    pub rows: usize,
    /// The row after which the next page begins, if there is more.
    pub more: Option<i64>,
}

/// The data that an attempt needs.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The version of the record that the attempt tells of.
    pub version: u64,
    /// The time at which the webhook is due.
    pub due: Timestamp,
    /// The record's own target; the configured one if absent.
    pub webhook_target: Option<String>,
    /// Attempts that failed since the last success.
    pub attempts: u32,
    /// The time at which the first of these failed.
    pub failing_since: Option<Timestamp>,
    /// The time of the first change that Transform has not heard of.
    pub owed_since: Timestamp,
}

/// One attempt that has ended and is to be settled.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The record.
    pub key: RecordKey,
    /// The version that the attempt told of.
    pub version: u64,
    /// The host and port that were called; none if no host may be called.
    pub host: Option<String>,
    /// The time at which it began.
    pub began: Moment,
    /// The time at which it ended.
    pub ended: Moment,
}

/// The settlement of an attempt.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// Transform has taken the version that was sent.
    Told,
    /// Transform has not taken it; another attempt follows.
    Retry {
        /// The time at which the next attempt is due.
        at: Timestamp,
        /// The earliest time of the next attempt, even if the record changes meanwhile: Transform asked for this wait.
        not_before: Option<Timestamp>,
        /// Why it failed.
        reason: String,
    },
    /// Transform has not taken it for so long that the delivery is given up. It is a dead letter until the record changes, or
    /// somebody asks for it to be told again.
    GiveUp {
        /// Why it failed.
        reason: String,
        /// Whether the host failed, and not this webhook. Then it is told again once the host responds.
        awaits_host: bool,
    },
}
