//! The history of a record: the notification that made each version, and the attempts to tell Transform.

use uuid::Uuid;

use super::set::rows::state::HistoryRow;
use super::set::{Decided, Order, WorkingSet};
use crate::domain::due::Moment;
use crate::domain::status::Status;
use crate::store::{Attempt, Settlement};

/// The place of the notification in a version that a reread has made.
pub(in crate::store) const BY_REREAD: Uuid = Uuid::nil();

/// Notes that a notification's event made a version of a record.
pub(super) fn changed(
    set: &WorkingSet,
    (record, version): (i64, u64),
    (notification, event_type): (Uuid, &str),
    status: Status,
    now: Moment,
) {
    let event_type = event_type.to_owned();
    set.order(Order::Version { record, version, notification, event_type, status, now });
    set.histories.put(HistoryRow { record });
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
    set.histories.is_any(&record)
}

/// Forgets the history of a record, which is removed.
pub(super) fn forget(set: &WorkingSet, record: i64) {
    set.order(Order::ForgetHistory(record));
    set.histories.delete(&record);
}
