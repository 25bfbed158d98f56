//! Repair of a record that cannot be read: it stands anew in its row, as it was registered, and gets what its kept notifications told at
//! once. Nobody sees it in between.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::correcting::{Of, correct_family};
use super::records::{self, Stored};
use super::register::claim;
use super::set::rows::record::RecordRow;
use super::set::{Decided, Order, WorkingSet};
use super::ways::{self, Lead};
use super::work::Work;
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::record::Record;
use crate::domain::registration::Refusal;
use crate::domain::registration_copy::RegistrationCopy;
use crate::store::sureness::Sureness;
use crate::store::{Correction, Made, Owed, StoreOptions};

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

/// Puts a record in the row of one that cannot be read, and corrects its family. Its ways must be gone before. Transform is owed a
/// webhook of it: it may have read anything. Returns what became of the family, and the webhooks that Transform is owed.
pub(in crate::store) fn repair(
    set: &WorkingSet,
    options: &StoreOptions,
    (key, family): (&RecordKey, &[Correction]),
    known: Known,
    now: Moment,
) -> Decided<Result<(Made, Vec<Owed>), Refusal>> {
    let Some(own) = family.iter().find(|correction| correction.key == *key) else {
        return Ok(Ok((Made::Not, Vec::new())));
    };
    let stored = Stored { row: known.row, record: Arc::new(as_registered(own, known, now)) };
    let last_transition = records::row_of(set, known.row)?.and_then(|row| row.last_transition);
    set.order(Order::KeepRegistration { row: known.row, record: Arc::clone(&stored.record) });
    set.records.put(RecordRow::of(known.row, Arc::clone(&stored.record), last_transition));
    if let Err(refusal) = claim(set, &stored)? {
        return Ok(Err(refusal));
    }
    let registered = &stored.record.registered;
    for psp_id in registered.psp_id.iter().chain(&registered.former) {
        ways::learn(set, &stored, &Lead { kind: key.kind, psp_id, sureness: Sureness::Own })?;
    }
    let (made, mut owed) = correct_family(set, options, Of { family, repaired: Some(key) }, now)?;
    if made == Made::Now && !owed.iter().any(|owed| owed.key == *key) {
        let mut work = Work::new(set, options, now);
        if let Some(stored) = records::by_key(set, key)? {
            work.owe(&stored, Vec::new())?;
        }
        owed.extend(work.finish()?.owed);
    }
    Ok(Ok((made, owed)))
}

/// The record before any event. Its version and time are later than all that Transform may know.
fn as_registered(own: &Correction, known: Known, now: Moment) -> Record {
    let record = RegistrationCopy::of(&own.would).into_owned().into_record(now.wall);
    let later = known.last_updated.saturating_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX);
    Record { version: known.version.saturating_add(1), last_updated: record.last_updated.max(later), ..record }
}
