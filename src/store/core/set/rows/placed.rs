//! Rows of placed events.

use std::sync::Arc;

use uuid::Uuid;

use crate::domain::event::Event;
pub(in crate::store) use crate::store::core::set::keys::placed::Key;
use crate::store::core::set::{Readable, Row, Want};

/// A placed event.
#[derive(Debug, Clone)]
pub(in crate::store) struct PlacedRow {
    /// The row: what was placed later has a greater one.
    pub(in crate::store) row: i64,
    /// The row of the record.
    pub(in crate::store) record: i64,
    /// Its notification.
    pub(in crate::store) notification: Uuid,
    /// Its source.
    pub(in crate::store) source: String,
    /// The event.
    pub(in crate::store) event: Readable<Arc<Event>>,
}

impl Row for PlacedRow {
    type Id = i64;
    type Key = Key;

    fn id(&self) -> i64 {
        self.row
    }

    fn keys(&self) -> Vec<Key> {
        vec![Key::On(self.record), Key::Of(self.notification)]
    }

    fn want(key: &Key) -> Want {
        Want::Placed(key.clone())
    }
}
