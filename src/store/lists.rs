//! Lists that people read from the store, row by row: histories, parked events, dead letters, deliveries given up.

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::ids::RecordKey;

/// A record's history, the newest first.
#[derive(Debug, Clone)]
pub struct History {
    /// The versions that notifications made.
    pub versions: Vec<VersionMade>,
    /// The attempts to tell Transform.
    pub attempts: Vec<AttemptMade>,
}

/// A version of a record, and what made it.
#[derive(Debug, Clone)]
pub struct VersionMade {
    /// The version.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// The notification that held the event.
    pub notification: Uuid,
    /// The PSP's name for what happened.
    pub event_type: String,
    /// The state that the record was in then.
    pub status: String,
}

/// An attempt that was made.
#[derive(Debug, Clone)]
pub struct AttemptMade {
    /// The version that it told of.
    pub version: u64,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub millis: u64,
    /// Why it failed; none if Transform took it.
    pub failure: Option<String>,
}

/// A verified event that waits.
#[derive(Debug, Clone)]
pub struct ParkedEvent {
    /// The cursor at which the next page begins.
    pub cursor: i64,
    /// The notification that it came in.
    pub notification: Uuid,
    /// The source that it came by.
    pub source: String,
    /// Since when it waits.
    pub parked_at: Timestamp,
    /// The PSP's name for what happened.
    pub event_type: String,
    /// All that would release it: `record:ID`, `psp:KIND:ID` or `headroom:ID`.
    pub waits_for: Vec<String>,
}

/// A notification that could not be understood, contradicts what is known, or waited in vain.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The cursor at which the next page begins.
    pub cursor: i64,
    /// Its id.
    pub notification: Uuid,
    /// The source that it came by.
    pub source: String,
    /// When it came.
    pub received_at: Timestamp,
    /// Why it is a dead letter.
    pub reason: String,
}

/// A delivery that was given up.
#[derive(Debug, Clone)]
pub struct GivenUp {
    /// The cursor at which the next page begins.
    pub cursor: i64,
    /// The record that Transform was not told of.
    pub key: RecordKey,
    /// The version that was to be told.
    pub version: u64,
    /// When it was given up.
    pub at: Timestamp,
    /// How many attempts were made.
    pub attempts: u32,
    /// Why the last one failed.
    pub reason: String,
}
