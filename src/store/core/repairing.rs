//! Repair of a record that cannot be read: the payment stack registers it anew, in its row. What events told of it is read again from
//! the kept notifications by a reread.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::records::{self, Stored};
use super::register::register as register_anew;
use super::set::rows::record::RecordRow;
use super::set::{Decided, WorkingSet};
use super::work::Work;
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::record::Record;
use crate::domain::register;
use crate::domain::registration::{Refusal, Registration};
use crate::store::{Owed, StoreOptions};

/// What is still known of a record that cannot be read.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Known {
    /// Its row.
    pub(in crate::store) row: i64,
    /// The greatest version that Transform may have heard of.
    pub(in crate::store) version: u64,
    /// The latest time that Transform may have read as `lastUpdated`.
    pub(in crate::store) last_updated: Timestamp,
}

/// Registers a record anew in the row of one that cannot be read. Its ways must be gone before. Transform is owed a webhook: it may
/// have read anything. Returns the webhooks that Transform is owed.
pub(in crate::store) fn repair(
    set: &WorkingSet,
    options: &StoreOptions,
    (key, said): (&RecordKey, &Registration),
    known: Known,
    now: Moment,
) -> Decided<Result<Vec<Owed>, Refusal>> {
    let fresh = match register::register(key, None, said, now.wall) {
        Ok(registering) => registering.record,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let last_transition = records::row_of(set, known.row)?.and_then(|row| row.last_transition);
    let later = known.last_updated.saturating_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX);
    let record =
        Record { version: known.version.saturating_add(1), last_updated: fresh.last_updated.max(later), ..fresh };
    set.records.put(RecordRow::of(known.row, Arc::new(record), last_transition));
    let mut owed = match register_anew(set, options, key, said, now)? {
        Ok(receipt) => receipt.owed,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut work = Work::new(set, options, now);
    if let Some(record) = records::by_key(set, key)? {
        work.owe(&Stored { row: known.row, ..record }, Vec::new())?;
    }
    owed.extend(work.finish()?.owed);
    Ok(Ok(owed))
}
