//! The webhooks that Transform is owed: a change of a record makes one due, and an attempt settles it.

use jiff::Timestamp;

use super::outbox::{self, Failure};
use super::records::{self, Stored};
use super::set::{Decided, WorkingSet};
use super::{given_up, history};
use crate::domain::due::Debounce;
use crate::store::{Attempt, Settlement};

/// Notes that a record has changed and that Transform is owed a webhook. Returns the due time of the webhook.
///
/// While the attempts for a record fail, a change makes a new attempt due once the record is quiet. It is never due
/// before the time that Transform asked for. If the delivery was given up, a change revives it.
pub(super) fn owe(set: &WorkingSet, debounce: &Debounce, stored: &Stored, now: Timestamp) -> Decided<Timestamp> {
    let old = outbox::find(set, stored.row)?.filter(|row| !row.is_dead());
    let first_untold = old.as_ref().and_then(|row| row.first_untold_at).unwrap_or(now);
    let due = debounce.due(now, first_untold);
    let due = old.and_then(|row| row.not_before).map_or(due, |asked| due.max(asked));
    outbox::owe(set, (stored.row, stored.record.version), first_untold, due, now)?;
    Ok(due)
}

/// Settles an attempt. Returns the due time of the next one, if Transform is still owed one: the attempt failed, or a
/// change came meanwhile.
pub(in crate::store) fn settle(
    set: &WorkingSet,
    debounce: &Debounce,
    attempt: &Attempt,
    settlement: &Settlement,
) -> Decided<Option<Timestamp>> {
    let (began, now) = (attempt.began.steady, attempt.ended.steady);
    let Some(stored) = records::by_key(set, &attempt.key)? else { return Ok(None) };
    history::attempted(set, stored.row, attempt, settlement);
    let Some(row) = outbox::find(set, stored.row)? else { return Ok(None) };
    // The first change that the webhook did not tell of came at `began` or later. A damaged row may name a version that
    // the record does not have. That version must not be owed: it would be told for ever.
    let fresh = (row.version.min(stored.record.version) > attempt.version)
        .then(|| debounce.due(row.changed_at, began).max(now));
    let first_untold = fresh.map(|_| began);
    // Somebody has asked for it to be told now, while the attempt was under way.
    let asked = row.first_untold_at.filter(|at| *at > began).map(|_| now);
    let host = attempt.host.as_deref();
    match (settlement, fresh) {
        (Settlement::Told, Some(due)) => {
            outbox::begin_anew(set, &row, began, due);
            Ok(Some(due))
        }
        (Settlement::Told, None) => {
            outbox::delete(set, row.record)?;
            Ok(None)
        }
        (Settlement::Retry { at, not_before, reason }, fresh) => {
            let due = fresh.or(asked).unwrap_or(*at);
            let due = not_before.map_or(due, |asked| due.max(asked));
            let failure = Failure { due, first_untold, not_before: *not_before, reason, host };
            set.outbox.put(outbox::failed(&row, &failure, now));
            Ok(Some(due))
        }
        (Settlement::GiveUp { reason, awaits_host }, fresh) => {
            let next = fresh.or(asked);
            let failure = Failure { due: next.unwrap_or(now), first_untold, not_before: None, reason, host };
            let row = outbox::failed(&row, &failure, now);
            let row = if next.is_none() { given_up::marked(set, row, attempt.ended, *awaits_host)? } else { row };
            set.outbox.put(row);
            Ok(next)
        }
    }
}
