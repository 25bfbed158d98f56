//! The history of a record: the notification that made each version, and the attempts to tell Transform.

use uuid::Uuid;

use super::records::row_of;
use super::set::rows::record::RecordRow;
use super::set::{Decided, Order, WorkingSet};
use crate::domain::due::Moment;
use crate::domain::status::Status;
use crate::store::encoding::Sum;
use crate::store::{Attempt, Settlement};

/// The place of the notification in a version that a reread has made.
pub(in crate::store) const BY_REREAD: Uuid = Uuid::nil();

/// The checksum of a version in the history.
pub(in crate::store) fn sum_of_version(
    (record, version, at): (i64, i64, i64),
    notification: Uuid,
    event_type: &str,
    status: &str,
) -> i64 {
    let sum = Sum::of("transitions").number(record).number(version).number(at);
    sum.bytes(notification.as_bytes()).text(event_type).text(status).end()
}

/// The checksum of an attempt in the history.
pub(in crate::store) fn sum_of_attempt(
    (record, version, at): (i64, i64, i64),
    millis: i64,
    failure: Option<&str>,
) -> i64 {
    Sum::of("attempts").number(record).number(version).number(at).number(millis).maybe(failure).end()
}

/// Notes that a notification's event made a version of a record. Each version knows the one before it, and the record the latest:
/// so the history needs no index.
pub(super) fn changed(
    set: &WorkingSet,
    (record, version): (i64, u64),
    (notification, event_type): (Uuid, &str),
    status: Status,
    now: Moment,
) -> Decided<()> {
    let Some(known) = row_of(set, record)? else { return Ok(()) };
    let row = set.next_row(|next| &mut next.transition)?;
    let previous = known.last_transition.unwrap_or(0);
    let event_type = event_type.to_owned();
    set.order(Order::Version { row, previous, record, version, notification, event_type, status, now });
    set.records.put(RecordRow { last_transition: Some(row), ..RecordRow::clone(&known) });
    Ok(())
}

/// Notes the end of an attempt.
pub(super) fn attempted(set: &WorkingSet, record: i64, attempt: &Attempt, settlement: &Settlement) {
    let failure = match settlement {
        Settlement::Told => None,
        Settlement::Retry { reason, .. } | Settlement::GiveUp { reason, .. } => Some(reason.clone()),
    };
    let millis = attempt.ended.steady.duration_since(attempt.began.steady).as_millis();
    set.order(Order::Attempt {
        record,
        version: attempt.version,
        began: attempt.began,
        millis: i64::try_from(millis).unwrap_or(i64::MAX),
        failure,
    });
}

/// Whether any event has made a version of a record.
pub(super) fn has(set: &WorkingSet, record: i64) -> Decided<bool> {
    let is_known = row_of(set, record)?.is_some_and(|known| known.last_transition.is_some());
    Ok(is_known || set.histories.is_any(&record)?)
}

/// Forgets the history of a record, which is removed.
pub(super) fn forget(set: &WorkingSet, record: i64) {
    set.order(Order::ForgetRecord(record));
    set.histories.delete(&record);
}
