//! Records of the working set.

use std::sync::Arc;

use super::set::rows::record::{Key, RecordRow};
use super::set::{Decided, WorkingSet};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::Record;
use crate::domain::transition::{self, Layer};

/// A record and its row.
#[derive(Debug)]
pub(in crate::store) struct Stored {
    /// The row.
    pub(in crate::store) row: i64,
    /// The record. It is shared with its row until it is changed.
    pub(in crate::store) record: Arc<Record>,
}

fn stored(row: &Arc<RecordRow>) -> Decided<Stored> {
    Ok(Stored { row: row.row, record: Arc::clone(row.record()?) })
}

/// The record with this Transform id, of any kind.
pub(in crate::store) fn by_id(set: &WorkingSet, id: &TransformId) -> Decided<Option<Stored>> {
    set.records.first(&Key::Id(id.clone()))?.as_ref().map(stored).transpose()
}

/// The record with this key.
pub(in crate::store) fn by_key(set: &WorkingSet, key: &RecordKey) -> Decided<Option<Stored>> {
    Ok(by_id(set, &key.id)?.filter(|stored| stored.record.key.kind == key.kind))
}

/// The row of a record, even if the record cannot be read.
pub(super) fn row_of(set: &WorkingSet, row: i64) -> Decided<Option<Arc<RecordRow>>> {
    set.records.first(&Key::Row(row))
}

/// The record of a row.
pub(super) fn by_row(set: &WorkingSet, row: i64) -> Decided<Option<Stored>> {
    row_of(set, row)?.as_ref().map(stored).transpose()
}

/// The agreement under which a record runs, if it is registered.
pub(in crate::store) fn agreement_of(set: &WorkingSet, record: &Record) -> Decided<Option<Arc<Record>>> {
    let Some(id) = &record.registered.agreement_id else { return Ok(None) };
    let agreement = by_key(set, &RecordKey::new(Kind::Agreement, id.clone()))?;
    Ok(agreement.map(|stored| stored.record))
}

/// The refunds of a payment.
pub(super) fn refunds_of(set: &WorkingSet, payment: &TransformId) -> Decided<Vec<Stored>> {
    set.records.rows(&Key::OfPayment(payment.clone()))?.iter().map(stored).collect()
}

/// The payments that capture a preauthorization.
pub(super) fn captures_of(set: &WorkingSet, preauth: &TransformId) -> Decided<Vec<Stored>> {
    set.records.rows(&Key::OfPreauth(preauth.clone()))?.iter().map(stored).collect()
}

/// The id of a record that is registered with this one, if there is one.
pub(super) fn child_of(set: &WorkingSet, id: &TransformId) -> Decided<Option<TransformId>> {
    for key in [Key::OfPayment(id.clone()), Key::OfPreauth(id.clone())] {
        if let Some(child) = set.records.first(&key)? {
            return Ok(Some(child.key.id.clone()));
        }
    }
    Ok(None)
}

/// Binds a record to the source of an event that it takes, if it is bound to none. Returns whether it was bound to none.
pub(super) fn bind(stored: &mut Stored, source: &str, layer: Layer) -> bool {
    // A record that stays as it is stays shared with its row.
    if stored.record.source.is_some() && !(stored.record.bound_by_placed && layer == Layer::Own) {
        return false;
    }
    transition::bind(Arc::make_mut(&mut stored.record), source, layer)
}

/// Adds a record. Returns its row.
pub(in crate::store) fn insert(set: &WorkingSet, record: &Arc<Record>) -> Decided<i64> {
    let row = set.next_row(|next| &mut next.record)?;
    set.records.put(RecordRow::of(row, Arc::clone(record), None));
    Ok(row)
}

/// Writes a record.
pub(in crate::store) fn update(set: &WorkingSet, row: i64, record: &Arc<Record>) -> Decided<()> {
    let Some(known) = row_of(set, row)? else { return Ok(()) };
    // A record that is as it was is not written.
    if known.record.sound().is_none_or(|known| known != record) {
        set.records.put(RecordRow::of(row, Arc::clone(record), known.last_transition));
    }
    Ok(())
}

/// Deletes a record. Its rows in other tables must be deleted before.
pub(super) fn delete(set: &WorkingSet, row: i64) {
    set.records.delete(&row);
}
