//! Rows of records.

use std::sync::Arc;

use crate::domain::ids::{RecordKey, TransformId};
use crate::domain::record::Record;
pub(in crate::store) use crate::store::core::set::keys::record::Key;
use crate::store::core::set::{Decided, Readable, Row, Want};

/// A record in its row.
#[derive(Debug, Clone)]
pub(in crate::store) struct RecordRow {
    /// The row.
    pub(in crate::store) row: i64,
    /// The key of the record, even if the record cannot be read.
    pub(in crate::store) key: RecordKey,
    /// Refund: its payment.
    pub(in crate::store) payment: Option<TransformId>,
    /// Payment: its preauthorization.
    pub(in crate::store) preauth: Option<TransformId>,
    /// The record.
    pub(in crate::store) record: Readable<Arc<Record>>,
    /// The row of the latest version in its history; none if it has none, or only versions of an earlier relay.
    pub(in crate::store) last_transition: Option<i64>,
}

impl RecordRow {
    /// The row of a record, with this latest version in its history.
    pub(in crate::store) fn of(row: i64, record: Arc<Record>, last_transition: Option<i64>) -> Self {
        Self {
            row,
            key: record.key.clone(),
            payment: record.parent_payment().cloned(),
            preauth: record.registered.preauth_id.clone(),
            record: Readable::Sound(record),
            last_transition,
        }
    }

    /// The record.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::store) fn record(&self) -> Decided<&Arc<Record>> {
        self.record.get()
    }
}

impl Row for RecordRow {
    type Id = i64;
    type Key = Key;

    fn id(&self) -> i64 {
        self.row
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys = vec![Key::Row(self.row), Key::Id(self.key.id.clone())];
        keys.extend(self.payment.clone().map(Key::OfPayment));
        keys.extend(self.preauth.clone().map(Key::OfPreauth));
        keys
    }

    fn has_keys_of(&self, other: &Self) -> bool {
        self.key.id == other.key.id && self.payment == other.payment && self.preauth == other.preauth
    }

    fn want(key: &Key) -> Want {
        Want::Records(key.clone())
    }
}
