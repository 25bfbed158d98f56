//! Consequences of notifications that somebody may have captured and changed: events without effect, and notifications that
//! gave way. They are reported once they are on disk; work that is rolled back says nothing.

use uuid::Uuid;

use super::Outcome;
use crate::domain::ids::RecordKey;

/// Events without effect: they lead away from the records that their signed text has reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedElsewhere {
    /// The source.
    pub source: String,
    /// The notification that holds the first of these events.
    pub notification: Uuid,
    /// The record to which the first one leads, if it is registered.
    pub record: Option<RecordKey>,
    /// How many events there are.
    pub events: u32,
}

/// A notification that was deleted to make room for another one of its dedupe key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GaveWay {
    /// Its id.
    pub notification: Uuid,
    /// What had become of it.
    pub outcome: Outcome,
    /// Whether any part of it still waited, or it was a dead letter. Its news is then in no record.
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
