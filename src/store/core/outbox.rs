//! The outbox: the records that Transform is owed a webhook for, and the due times.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::set::rows::outbox::{OutboxRow, Reader};
use super::set::{Decided, Row, WorkingSet};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::store::Owed;

/// Transform's outbox row of a record, even if its delivery was given up.
pub(super) fn find(set: &WorkingSet, record: i64) -> Decided<Option<Arc<OutboxRow>>> {
    Ok(set.outbox.rows(&record)?.into_iter().find(|row| row.reader == Reader::Transform))
}

/// Notes that Transform is owed a version of a record. A delivery that was given up is owed again, as if nothing had
/// failed.
pub(super) fn owe(
    set: &WorkingSet,
    (record, version): (i64, u64),
    first_untold: Timestamp,
    due: Timestamp,
    now: Timestamp,
) -> Decided<()> {
    let old = find(set, record)?;
    let failing = old.as_ref().filter(|row| !row.is_dead());
    set.outbox.put(OutboxRow {
        record,
        reader: Reader::Transform,
        version,
        first_untold_at: Some(first_untold),
        due_at: due,
        not_before: failing.and_then(|row| row.not_before),
        attempts: failing.map_or(0, |row| row.attempts),
        failing_since: failing.and_then(|row| row.failing_since),
        reason: old.as_ref().and_then(|row| row.reason.clone()),
        host: old.as_ref().and_then(|row| row.host.clone()),
        owed_since: old.as_ref().map_or(now, |row| row.owed_since),
        changed_at: now,
        dead_at: None,
        given_up_at: None,
        awaits_host: None,
    });
    Ok(())
}

/// Webhooks that are owed, each with its due time and the payment that its record gives back. A payment's comes after its refunds'.
pub(in crate::store) fn refunds_first(
    due: impl IntoIterator<Item = (RecordKey, Timestamp, Option<TransformId>)>,
) -> Vec<Owed> {
    let mut owed = Vec::new();
    let mut refunds = HashMap::<_, Vec<_>>::new();
    for (key, due, payment) in due {
        if let Some(payment) = payment {
            refunds.entry(RecordKey::new(Kind::Payment, payment)).or_default().push(key.clone());
        }
        owed.push(Owed { key, due, after: Vec::new() });
    }
    for one in &mut owed {
        one.after = refunds.remove(&one.key).unwrap_or_default();
    }
    owed
}

/// Begins a delivery anew: Transform was told of an earlier version than the latest. The latest is owed since `began`,
/// as if nothing had failed.
pub(super) fn begin_anew(set: &WorkingSet, row: &OutboxRow, began: Timestamp, due: Timestamp) {
    set.outbox.put(OutboxRow {
        first_untold_at: Some(began),
        owed_since: began,
        due_at: due,
        attempts: 0,
        failing_since: None,
        not_before: None,
        reason: None,
        ..row.clone()
    });
}

/// Makes a webhook that is owed due now, whatever the wait. `now` counts as the time of a change, so that an attempt under way
/// that fails does not end the debt.
pub(super) fn hasten(set: &WorkingSet, row: &OutboxRow, now: Timestamp) {
    set.outbox.put(OutboxRow { due_at: now, first_untold_at: Some(now), not_before: None, ..row.clone() });
}

/// Deletes the outbox row of a record: Transform is owed nothing of it any more.
pub(super) fn delete(set: &WorkingSet, record: i64) -> Decided<()> {
    if let Some(row) = find(set, record)? {
        set.outbox.delete(&row.id());
    }
    Ok(())
}

/// The values that a failed attempt leaves in the outbox.
pub(super) struct Failure<'a> {
    pub(super) due: Timestamp,
    pub(super) first_untold: Option<Timestamp>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) reason: &'a str,
    /// The host and port of the attempt; none if no host may be called.
    pub(super) host: Option<&'a str>,
}

/// The row after a failed attempt: the attempt is counted, and the next one has its due time.
pub(super) fn failed(row: &OutboxRow, failure: &Failure<'_>, now: Timestamp) -> OutboxRow {
    OutboxRow {
        attempts: row.attempts.saturating_add(1),
        failing_since: row.failing_since.or(Some(now)),
        due_at: failure.due,
        first_untold_at: failure.first_untold,
        not_before: failure.not_before,
        reason: Some(failure.reason.to_owned()),
        host: failure.host.map(str::to_owned),
        ..row.clone()
    }
}
