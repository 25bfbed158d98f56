//! The outbox: which records Transform is owed a webhook for, and when.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Listed, in_row, key, micros, timestamp, version_column};
use super::history;
use super::records::{self, Stored};
use crate::domain::due::{Debounce, later};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::store::{Attempt, Delivery, GivenUp, Owed, Settlement};

struct Row {
    record: i64,
    version: u64,
    first_untold_at: Option<Timestamp>,
    changed_at: Timestamp,
    not_before: Option<Timestamp>,
    dead: bool,
}

fn find(connection: &Connection, record: i64) -> rusqlite::Result<Option<Row>> {
    connection
        .prepare_cached(
            "SELECT version, first_untold_at, not_before, dead_at, changed_at FROM outbox WHERE record = ?1",
        )?
        .query_row([record], |row| {
            let at = |column, micros: Option<i64>| micros.map(|micros| timestamp(column, micros)).transpose();
            Ok(Row {
                record,
                version: row.get::<_, i64>(0)?.unsigned_abs(),
                first_untold_at: at(1, row.get(1)?)?,
                not_before: at(2, row.get(2)?)?,
                dead: row.get::<_, Option<i64>>(3)?.is_some(),
                changed_at: timestamp(4, row.get(4)?)?,
            })
        })
        .map_err(in_row("outbox", record))
        .optional()
}

/// Notes that a record has changed and Transform is owed a webhook. Says when that is due.
///
/// A change to a record whose attempts fail earns it an attempt once it is quiet, but never before the time that
/// Transform asked for. A change to one that was given up revives it.
pub(super) fn owe(
    connection: &Connection,
    debounce: &Debounce,
    stored: &Stored,
    now: Timestamp,
) -> rusqlite::Result<Timestamp> {
    let old = find(connection, stored.row)?.filter(|row| !row.dead);
    let first_untold = old.as_ref().and_then(|row| row.first_untold_at).unwrap_or(now);
    let due = debounce.due(now, first_untold);
    let due = old.and_then(|row| row.not_before).map_or(due, |asked| due.max(asked));
    connection
        .prepare_cached(
            "INSERT INTO outbox (record, version, first_untold_at, due_at, changed_at, owed_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT (record) DO UPDATE SET
                 version = excluded.version, first_untold_at = excluded.first_untold_at, due_at = excluded.due_at,
                 changed_at = excluded.changed_at,
                 attempts = iif(dead_at IS NULL, attempts, 0),
                 failing_since = iif(dead_at IS NULL, failing_since, NULL),
                 not_before = iif(dead_at IS NULL, not_before, NULL),
                 dead_at = NULL, given_up_at = NULL",
        )?
        .execute(params![
            stored.row,
            version_column(stored.record.version),
            micros(first_untold),
            micros(due),
            micros(now),
        ])?;
    Ok(due)
}

/// All that is owed and not given up.
pub(super) fn owed(connection: &Connection) -> rusqlite::Result<Listed<Owed>> {
    let mut query = connection.prepare(
        "SELECT r.id, r.kind, r.transform_id, o.due_at, iif(o.attempts = 0, r.payment_id, NULL)
         FROM outbox o JOIN records r ON r.id = o.record
         WHERE o.dead_at IS NULL ORDER BY o.due_at",
    )?;
    let listed = Listed::read("outbox", query.query([])?, |row| {
        let key = key(row.get(1)?, row.get(2)?)?;
        Ok((key, timestamp(3, row.get(3)?)?, row.get::<_, Option<String>>(4)?))
    })?;
    let mut owed = Vec::new();
    let mut refunds = std::collections::HashMap::<_, Vec<_>>::new();
    for (key, due, payment) in listed.rows {
        if let Some(payment) = payment.and_then(|id| TransformId::try_from(id).ok()) {
            refunds.entry(RecordKey::new(Kind::Payment, payment)).or_default().push(key.clone());
        }
        owed.push(Owed { key, due, after: Vec::new() });
    }
    for one in &mut owed {
        one.after = refunds.remove(&one.key).unwrap_or_default();
    }
    Ok(Listed { rows: owed, damaged: listed.damaged, last: listed.last })
}

/// Brings back times that lie further ahead than any wait is long, and times of the past that lie ahead. The store's clock
/// makes none; but a wait may have been made shorter, the store may come from a version that went by the machine's clock,
/// and who was killed had written for up to a minute since the clock was kept.
pub(super) fn clamp(
    connection: &Connection,
    now: Timestamp,
    longest_debounce: Duration,
    longest_retry: Duration,
) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE outbox SET
             due_at = min(due_at, iif(attempts = 0, ?2, ?3)), not_before = min(not_before, ?3),
             first_untold_at = min(first_untold_at, ?1), changed_at = min(changed_at, ?1),
             owed_since = min(owed_since, ?1), failing_since = min(failing_since, ?1)
         WHERE due_at > iif(attempts = 0, ?2, ?3) OR not_before > ?3 OR changed_at > ?1 OR failing_since > ?1",
        [micros(now), micros(later(now, longest_debounce)), micros(later(now, longest_retry))],
    )
}

/// What an attempt for this record needs; none if nothing is owed.
pub(super) fn delivery(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<Delivery>> {
    let Some(stored) = records::by_key(connection, key)? else { return Ok(None) };
    connection
        .prepare_cached(
            "SELECT attempts, failing_since, due_at, owed_since FROM outbox WHERE record = ?1 AND dead_at IS NULL",
        )?
        .query_row([stored.row], |row| {
            Ok(Delivery {
                version: stored.record.version,
                webhook_target: stored.record.registered.webhook_target.clone(),
                attempts: row.get(0)?,
                failing_since: row.get::<_, Option<i64>>(1)?.map(|at| timestamp(1, at)).transpose()?,
                due: timestamp(2, row.get(2)?)?,
                owed_since: timestamp(3, row.get(3)?)?,
            })
        })
        .map_err(in_row("outbox", stored.row))
        .optional()
}

/// The deliveries that were given up, by the age of their records, from the one after `after` on.
pub(super) fn given_up(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<GivenUp>> {
    let mut query = connection.prepare_cached(
        "SELECT o.record, r.kind, r.transform_id, o.version, ifnull(o.given_up_at, o.dead_at), o.attempts, o.reason
         FROM outbox o JOIN records r ON r.id = o.record
         WHERE o.dead_at IS NOT NULL AND o.record > ?1 ORDER BY o.record LIMIT ?2",
    )?;
    Listed::read("outbox", query.query(params![after, most])?, |row| {
        Ok(GivenUp {
            place: row.get(0)?,
            key: key(row.get(1)?, row.get(2)?)?,
            version: row.get::<_, i64>(3)?.unsigned_abs(),
            at: timestamp(4, row.get(4)?)?,
            attempts: row.get(5)?,
            reason: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
        })
    })
}

/// Settles an attempt. Says when the next is due, if the record is still owed one: a change that came meanwhile was
/// not in what was sent.
pub(super) fn settle(
    connection: &Connection,
    debounce: &Debounce,
    attempt: &Attempt,
    settlement: &Settlement,
) -> rusqlite::Result<Option<Timestamp>> {
    let (began, now) = (attempt.began.steady, attempt.ended.steady);
    let Some(stored) = records::by_key(connection, &attempt.key)? else { return Ok(None) };
    history::attempted(connection, stored.row, attempt, settlement)?;
    let Some(row) = find(connection, stored.row)? else { return Ok(None) };
    // The first change that was not in what was sent came at `began` or later.
    let fresh = (row.version > attempt.version).then(|| debounce.due(row.changed_at, began).max(now));
    let first_untold = fresh.map(|_| began);
    match (settlement, fresh) {
        (Settlement::Told, Some(due)) => {
            connection
                .prepare_cached(
                    "UPDATE outbox SET first_untold_at = ?2, owed_since = ?2, due_at = ?3, attempts = 0, failing_since = NULL,
                         not_before = NULL, reason = NULL WHERE record = ?1",
                )?
                .execute(params![row.record, micros(began), micros(due)])?;
            Ok(Some(due))
        }
        (Settlement::Told, None) => {
            connection.prepare_cached("DELETE FROM outbox WHERE record = ?1")?.execute([row.record])?;
            Ok(None)
        }
        (Settlement::Retry { at, not_before, reason }, fresh) => {
            let due = fresh.unwrap_or(*at);
            let due = not_before.map_or(due, |asked| due.max(asked));
            fail(connection, &row, &Failure { due, first_untold, not_before: *not_before, reason }, now)?;
            Ok(Some(due))
        }
        (Settlement::GiveUp { reason }, fresh) => {
            let due = fresh.unwrap_or(now);
            fail(connection, &row, &Failure { due, first_untold, not_before: None, reason }, now)?;
            if fresh.is_none() {
                connection
                    .prepare_cached("UPDATE outbox SET dead_at = ?2, given_up_at = ?3 WHERE record = ?1")?
                    .execute(params![row.record, micros(now), micros(attempt.ended.wall)])?;
            }
            Ok(fresh)
        }
    }
}

/// What a failed attempt leaves in the outbox.
struct Failure<'a> {
    due: Timestamp,
    first_untold: Option<Timestamp>,
    not_before: Option<Timestamp>,
    reason: &'a str,
}

fn fail(connection: &Connection, row: &Row, failure: &Failure<'_>, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE outbox SET attempts = attempts + 1, failing_since = ifnull(failing_since, ?2), due_at = ?3,
                 first_untold_at = ?4, not_before = ?5, reason = ?6 WHERE record = ?1",
        )?
        .execute(params![
            row.record,
            micros(now),
            micros(failure.due),
            failure.first_untold.map(micros),
            failure.not_before.map(micros),
            failure.reason,
        ])
        .map(drop)
}
