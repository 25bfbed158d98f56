//! Consequences of notifications that somebody may have captured and changed: events that are led elsewhere, and
//! notifications that gave way. They are reported once they are on disk; work that is rolled back reports nothing.

use uuid::Uuid;

use super::Outcome;
use crate::domain::ids::RecordKey;

/// Events without effect, since they lead to other records than their signed text reached first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedElsewhere {
    /// The source.
    pub source: String,
    /// The notification with the first of these events.
    pub notification: Uuid,
    /// The record to which the first event leads, if that is registered.
    pub record: Option<RecordKey>,
    /// The number of these events.
    pub events: u32,
}

/// A notification that was deleted to make room for another content of its dedupe key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GaveWay {
    /// The id of the notification.
    pub notification: Uuid,
    /// Its outcome.
    pub outcome: Outcome,
    /// Whether any part of it still waited, or it was a dead letter. Then its news is in no record.
    pub unsettled: bool,
}

impl LedElsewhere {
    /// Logs all of them in one line for each piece of work, since a batch may have thousands.
    pub fn log(&self) {
        let Self { source, notification, record, events } = self;
        let record = record.as_ref().map_or_else(|| "none that is registered".to_owned(), RecordKey::to_string);
        tracing::warn!(
            source, %notification, %record, events,
            "events without effect: the signed text of this notification has reached another record before. Somebody may have \
             captured it and written other ids into its unsigned parts"
        );
    }
}
