//! Rows of signed texts: the records that they reached, their owners, and their first times.

use jiff::Timestamp;
use uuid::Uuid;

pub(in crate::store) use crate::store::core::set::keys::text::Key;
use crate::store::core::set::{Row, Want};
use crate::store::encoding::Sum;

/// A record that a signed text has reached.
#[derive(Debug, Clone)]
pub(in crate::store) struct ReachedRow {
    /// The source.
    pub(in crate::store) source: String,
    /// The digest of the text.
    pub(in crate::store) key: [u8; 16],
    /// The row of the record.
    pub(in crate::store) record: i64,
    /// The notification that led it there.
    pub(in crate::store) notification: Uuid,
}

impl ReachedRow {
    /// The checksum of the row.
    pub(in crate::store) fn sum(&self) -> i64 {
        let sum = Sum::of("reached").text(&self.source).bytes(&self.key).number(self.record);
        sum.bytes(self.notification.as_bytes()).end()
    }
}

impl Row for ReachedRow {
    type Id = (String, [u8; 16], i64);
    type Key = Key;

    fn id(&self) -> Self::Id {
        (self.source.clone(), self.key, self.record)
    }

    fn keys(&self) -> Vec<Key> {
        vec![Key::Of(self.source.clone(), self.key), Key::To(self.record)]
    }

    fn want(key: &Key) -> Want {
        Want::Reached(key.clone())
    }
}

/// A notification whose content counts for a signed text.
#[derive(Debug, Clone)]
pub(in crate::store) struct OwnerRow {
    /// The source.
    pub(in crate::store) source: String,
    /// The digest of the text.
    pub(in crate::store) key: [u8; 16],
    /// The notification.
    pub(in crate::store) notification: Uuid,
    /// The digest of what its events say; none if an earlier version took it.
    pub(in crate::store) content: Option<[u8; 16]>,
}

impl OwnerRow {
    /// The checksum of the row.
    pub(in crate::store) fn sum(&self) -> i64 {
        let sum = Sum::of("owners").text(&self.source).bytes(&self.key).bytes(self.notification.as_bytes());
        sum.bytes(self.content.as_ref().map_or(&[], |content| content.as_slice())).end()
    }
}

impl Row for OwnerRow {
    type Id = (String, [u8; 16], Uuid);
    type Key = Key;

    fn id(&self) -> Self::Id {
        (self.source.clone(), self.key, self.notification)
    }

    fn keys(&self) -> Vec<Key> {
        vec![Key::Of(self.source.clone(), self.key)]
    }

    fn want(key: &Key) -> Want {
        Want::Owners(key.clone())
    }
}

/// The first time of a signed text.
#[derive(Debug, Clone)]
pub(in crate::store) struct FirstTimeRow {
    /// The source.
    pub(in crate::store) source: String,
    /// The digest of the text.
    pub(in crate::store) key: [u8; 16],
    /// The digest of its fields.
    pub(in crate::store) fields: [u8; 16],
    /// The time.
    pub(in crate::store) at: Timestamp,
    /// The notification that told of it.
    pub(in crate::store) notification: Uuid,
}

impl FirstTimeRow {
    /// The checksum of the row.
    pub(in crate::store) fn sum(&self) -> i64 {
        let sum = Sum::of("first_times").text(&self.source).bytes(&self.key).bytes(&self.fields);
        sum.number(self.at.as_microsecond()).bytes(self.notification.as_bytes()).end()
    }
}

impl Row for FirstTimeRow {
    type Id = (String, [u8; 16]);
    type Key = Key;

    fn id(&self) -> Self::Id {
        (self.source.clone(), self.key)
    }

    fn keys(&self) -> Vec<Key> {
        vec![Key::Of(self.source.clone(), self.key)]
    }

    fn want(key: &Key) -> Want {
        Want::FirstTimes(key.clone())
    }
}
