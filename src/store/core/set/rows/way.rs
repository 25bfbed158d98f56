//! Rows of the ways from PSP ids to records.

use crate::domain::ids::Kind;
pub(in crate::store) use crate::store::core::set::keys::way::Key;
use crate::store::core::set::{Row, Want};
use crate::store::encoding::Sum;
use crate::store::sureness::Sureness;

/// A way from a PSP id to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Way {
    /// The id.
    pub(in crate::store) psp_id: String,
    /// The kind of the object that has the id.
    pub(in crate::store) kind: Kind,
    /// The source; empty if the record is bound to none yet.
    pub(in crate::store) source: String,
    /// The row of the record.
    pub(in crate::store) record: i64,
    /// How surely the id leads there.
    pub(in crate::store) sureness: Sureness,
}

impl Way {
    /// The checksum of the row.
    pub(in crate::store) fn sum(&self) -> i64 {
        let sum = Sum::of("psp_ids").text(&self.psp_id).number(self.kind.code().into()).text(&self.source);
        sum.number(self.record).number(self.sureness.code().into()).end()
    }
}

impl Row for Way {
    type Id = (String, u8, String, i64);
    type Key = Key;

    fn id(&self) -> Self::Id {
        (self.psp_id.clone(), self.kind.code(), self.source.clone(), self.record)
    }

    fn keys(&self) -> Vec<Key> {
        vec![Key::Of(self.psp_id.clone()), Key::To(self.record)]
    }

    fn want(key: &Key) -> Want {
        Want::Ways(key.clone())
    }
}
