//! What a decision orders beside its rows: lines of the history, and requests to fetch. No decision reads them again.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::due::Moment;
use crate::domain::record::Record;
use crate::domain::status::Status;

/// Something that the engine does after it has written the rows, in the order of the decisions.
#[derive(Debug, Clone)]
pub(in crate::store) enum Order {
    /// Counts a repetition of a notification.
    CountRepeat(Uuid),
    /// Asks for an object, for a message of a notification that waits for it.
    Ask {
        /// The source.
        source: String,
        /// The call.
        path: String,
        /// The time of the request.
        now: Timestamp,
        /// The notification.
        notification: Uuid,
        /// The index of the message.
        message: usize,
    },
    /// Ends the waiting of a notification for fetches.
    ForgetFetches(Uuid),
    /// Keeps a copy of the registration of a record, in the place of an earlier one.
    KeepRegistration {
        /// The row of the record.
        row: i64,
        /// The record.
        record: Arc<Record>,
    },
    /// Adds a version to the history of a record.
    Version {
        /// The row of the version.
        row: i64,
        /// The row of the version before it; 0 if this relay has made none before.
        previous: i64,
        /// The row of the record.
        record: i64,
        /// The version.
        version: u64,
        /// The notification.
        notification: Uuid,
        /// The event's type.
        event_type: String,
        /// The record's status.
        status: Status,
        /// The time.
        now: Moment,
    },
    /// Adds an attempt to the history of a record.
    Attempt {
        /// The row of the record.
        record: i64,
        /// The version that was told.
        version: u64,
        /// When it began.
        began: Moment,
        /// How long it took.
        millis: i64,
        /// Why it failed, if it failed.
        failure: Option<String>,
    },
    /// Deletes the history of a record that is removed, and the copy of its registration.
    ForgetRecord(i64),
}
