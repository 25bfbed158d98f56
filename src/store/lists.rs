//! Lists that people read from the store, row by row: histories, parked events, dead letters, deliveries given up, records.

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::ids::RecordKey;
use crate::domain::record::Record;

/// A record's history, the newest entries first.
#[derive(Debug, Clone)]
pub struct History {
    /// The versions that notifications or rereads made.
    pub versions: Vec<VersionMade>,
    /// The attempts to tell Transform of them.
    pub attempts: Vec<AttemptMade>,
}

/// A version of a record, and how it was made.
#[derive(Debug, Clone)]
pub struct VersionMade {
    /// The version.
    pub version: u64,
    /// The time of the change, UTC.
    pub at: Timestamp,
    /// The notification with the event; none if a reread made the version.
    pub notification: Option<Uuid>,
    /// The PSP's name for what happened; `reread` if a reread made the version.
    pub event_type: String,
    /// The state of the record after the change.
    pub status: String,
}

/// An attempt to tell Transform, after its end.
#[derive(Debug, Clone)]
pub struct AttemptMade {
    /// The version that the attempt told of.
    pub version: u64,
    /// The time of its beginning, UTC.
    pub at: Timestamp,
    /// Its duration in milliseconds.
    pub millis: u64,
    /// The reason of its failure; none if Transform took the webhook.
    pub failure: Option<String>,
}

/// A parked event: verified, and waiting.
#[derive(Debug, Clone)]
pub struct ParkedEvent {
    /// The cursor at which the next page begins.
    pub cursor: i64,
    /// The notification with the event.
    pub notification: Uuid,
    /// The source that it came by.
    pub source: String,
    /// The time since which it waits, UTC.
    pub parked_at: Timestamp,
    /// The PSP's name for what happened.
    pub event_type: String,
    /// The keys that would release it: `record:ID`, `psp:KIND:ID`, `captures:ID` or `captured:ID`.
    pub waits_for: Vec<String>,
}

/// A notification that is a dead letter: it was not understood, contradicts known money, or waited in vain.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The cursor at which the next page begins.
    pub cursor: i64,
    /// The id of the notification.
    pub notification: Uuid,
    /// The source that it came by.
    pub source: String,
    /// The time of its receipt, UTC.
    pub received_at: Timestamp,
    /// The reason.
    pub reason: String,
}

/// A delivery that was given up.
#[derive(Debug, Clone)]
pub struct GivenUp {
    /// The cursor at which the next page begins.
    pub cursor: i64,
    /// The record that Transform was not told of.
    pub key: RecordKey,
    /// The version that the attempts told of.
    pub version: u64,
    /// The time at which it was given up, UTC.
    pub at: Timestamp,
    /// The number of attempts.
    pub attempts: u32,
    /// The reason why the last attempt failed.
    pub reason: String,
    /// The host and port of that attempt. None if no host may be called, or an earlier version gave it up.
    pub host: Option<String>,
}

/// A record in a list.
#[derive(Debug, Clone)]
pub struct ListedRecord {
    /// The cursor at which the next page begins.
    pub cursor: i64,
    /// The record.
    pub record: Record,
}
