//! Rows of findings.

use jiff::Timestamp;
use uuid::Uuid;

use crate::store::FindingKind;
pub(in crate::store) use crate::store::core::set::keys::finding::Key;
use crate::store::core::set::{Row, Want};

/// A finding.
#[derive(Debug, Clone)]
pub(in crate::store) struct FindingRow {
    /// The row.
    pub(in crate::store) row: i64,
    /// Its kind.
    pub(in crate::store) what: FindingKind,
    /// Its source.
    pub(in crate::store) source: String,
    /// Its event type.
    pub(in crate::store) event_type: String,
    /// The row of the record, where each record has a finding of its own; else 0.
    pub(in crate::store) about: i64,
    /// How often it was found.
    pub(in crate::store) count: i64,
    /// The latest notification that is counted.
    pub(in crate::store) notification: Option<Uuid>,
    /// The row of the latest record that is counted.
    pub(in crate::store) record: Option<i64>,
    /// What is missing.
    pub(in crate::store) missing: Option<String>,
    /// When it was found first.
    pub(in crate::store) first_at: Timestamp,
    /// When it was found last.
    pub(in crate::store) last_at: Timestamp,
    /// When it was found last, by the store's clock.
    pub(in crate::store) kept_since: Timestamp,
    /// The day of the last log line, in days since 1970.
    pub(in crate::store) told_on: i64,
}

impl Row for FindingRow {
    type Id = i64;
    type Key = Key;

    fn id(&self) -> i64 {
        self.row
    }

    fn keys(&self) -> Vec<Key> {
        let name = self.what.name();
        let mut keys = vec![
            Key::Row(self.row),
            Key::Kind(self.source.clone(), name),
            Key::Type(self.source.clone(), name, self.event_type.clone()),
        ];
        keys.extend(self.record.map(Key::Of));
        keys
    }

    fn want(key: &Key) -> Want {
        Want::Findings(key.clone())
    }
}
