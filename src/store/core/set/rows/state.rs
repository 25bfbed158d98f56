//! Small rows that the engine keeps by itself: counts, and whether something is there.

use uuid::Uuid;

use crate::store::core::set::{Row, Want};

/// The number of a source's events that wait for their records. The engine keeps it by the events themselves.
#[derive(Debug, Clone)]
pub(in crate::store) struct WaitingRow {
    /// The source.
    pub(in crate::store) source: String,
    /// The number.
    pub(in crate::store) count: i64,
}

impl Row for WaitingRow {
    type Id = String;
    type Key = String;

    fn id(&self) -> String {
        self.source.clone()
    }

    fn keys(&self) -> Vec<String> {
        vec![self.source.clone()]
    }

    fn want(source: &String) -> Want {
        Want::Waiting(source.clone())
    }
}

/// How far the waiting events of a source stand in the working set, the oldest first.
#[derive(Debug, Clone)]
pub(in crate::store) struct OldestRow {
    /// The source.
    pub(in crate::store) source: String,
    /// All events up to this row are here.
    pub(in crate::store) until: i64,
}

impl Row for OldestRow {
    type Id = String;
    type Key = String;

    fn id(&self) -> String {
        self.source.clone()
    }

    fn keys(&self) -> Vec<String> {
        vec![self.source.clone()]
    }

    fn want(source: &String) -> Want {
        Want::Oldest(source.clone(), 0)
    }
}

/// Whether a record has versions of an earlier relay in its history.
#[derive(Debug, Clone)]
pub(in crate::store) struct HistoryRow {
    /// The row of the record.
    pub(in crate::store) record: i64,
}

impl Row for HistoryRow {
    type Id = i64;
    type Key = i64;

    fn id(&self) -> i64 {
        self.record
    }

    fn keys(&self) -> Vec<i64> {
        vec![self.record]
    }

    fn want(record: &i64) -> Want {
        Want::HasHistory(*record)
    }
}

/// A notification that waits for a fetch.
#[derive(Debug, Clone)]
pub(in crate::store) struct AwaitsRow {
    /// The notification.
    pub(in crate::store) notification: Uuid,
}

impl Row for AwaitsRow {
    type Id = Uuid;
    type Key = Uuid;

    fn id(&self) -> Uuid {
        self.notification
    }

    fn keys(&self) -> Vec<Uuid> {
        vec![self.notification]
    }

    fn want(notification: &Uuid) -> Want {
        Want::AwaitsFetch(*notification)
    }
}
