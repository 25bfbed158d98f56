//! Rows of events that wait.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::event::Event;
pub(in crate::store) use crate::store::core::set::keys::parked::Key;
use crate::store::core::set::{Readable, Row, Want};

/// An event that waits.
#[derive(Debug, Clone)]
pub(in crate::store) struct ParkedRow {
    /// The row: what was parked later has a greater one.
    pub(in crate::store) row: i64,
    /// Its notification.
    pub(in crate::store) notification: Uuid,
    /// Its source.
    pub(in crate::store) source: String,
    /// The event.
    pub(in crate::store) event: Readable<Arc<Event>>,
    /// Whether it waits in silence.
    pub(in crate::store) silent: bool,
    /// Its finding: 0 if it was looked at in vain, none if it was not looked at.
    pub(in crate::store) finding: Option<i64>,
    /// The keys that release it, sorted.
    pub(in crate::store) keys: Vec<String>,
    /// When it was parked, by both clocks. None of a row that was loaded.
    pub(in crate::store) parked_at: Option<(Timestamp, Timestamp)>,
}

impl Row for ParkedRow {
    type Id = i64;
    type Key = Key;

    fn id(&self) -> i64 {
        self.row
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys = vec![Key::Row(self.row), Key::Of(self.notification)];
        keys.extend(self.keys.iter().cloned().map(Key::By));
        keys.extend(self.finding.filter(|finding| *finding > 0).map(Key::In));
        keys.extend((!self.silent).then(|| Key::From(self.source.clone())));
        keys
    }

    fn want(key: &Key) -> Want {
        Want::Parked(key.clone())
    }
}
