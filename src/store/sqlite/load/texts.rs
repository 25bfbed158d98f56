//! Loading of what is remembered of signed texts, and of findings.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, ToSql, params};
use uuid::Uuid;

use super::super::columns::{check_sum, in_row, timestamp, unreadable};
use crate::domain::text::shown;
use crate::store::FindingKind;
use crate::store::core::set::WorkingSet;
use crate::store::core::set::rows::finding::{self, FindingRow};
use crate::store::core::set::rows::text::{FirstTimeRow, Key, OwnerRow, ReachedRow};

pub(super) fn reached(connection: &Connection, set: &WorkingSet, wanted: &Key) -> rusqlite::Result<()> {
    let read = |row: &Row<'_>| {
        let notification = Uuid::from_bytes(row.get(3)?);
        let reached = ReachedRow { source: row.get(0)?, key: row.get(1)?, record: row.get(2)?, notification };
        check_sum(row, 4, reached.sum()).map_err(in_row("reached", reached.record))?;
        Ok(reached)
    };
    let found: Vec<ReachedRow> = match wanted {
        Key::Of(source, key) => connection
            .prepare_cached(
                "SELECT source, key, record, notification, sum FROM reached WHERE source = ?1 AND key = ?2",
            )?
            .query_map(params![source, key], read)?
            .collect::<rusqlite::Result<_>>()?,
        Key::To(record) => connection
            .prepare_cached("SELECT source, key, record, notification, sum FROM reached WHERE record = ?1")?
            .query_map([record], read)?
            .collect::<rusqlite::Result<_>>()?,
    };
    set.reached.absorb(wanted.clone(), found);
    Ok(())
}

pub(super) fn owners(connection: &Connection, set: &WorkingSet, wanted: &Key) -> rusqlite::Result<()> {
    let Key::Of(source, key) = wanted else { return Ok(()) };
    let found: Vec<OwnerRow> = connection
        .prepare_cached("SELECT notification, content, sum FROM owners WHERE source = ?1 AND key = ?2")?
        .query_map(params![source, key], |row| {
            let notification = Uuid::from_bytes(row.get(0)?);
            let owner = OwnerRow { source: source.clone(), key: *key, notification, content: row.get(1)? };
            check_sum(row, 2, owner.sum()).map_err(in_row("owners", notification))?;
            Ok(owner)
        })?
        .collect::<rusqlite::Result<_>>()?;
    set.owners.absorb(wanted.clone(), found);
    Ok(())
}

pub(super) fn first_times(connection: &Connection, set: &WorkingSet, wanted: &Key) -> rusqlite::Result<()> {
    let Key::Of(source, key) = wanted else { return Ok(()) };
    let found: Vec<FirstTimeRow> = connection
        .prepare_cached("SELECT fields, at, notification, sum FROM first_times WHERE source = ?1 AND key = ?2")?
        .query_map(params![source, key], |row| {
            let first = FirstTimeRow {
                source: source.clone(),
                key: *key,
                fields: row.get(0)?,
                at: timestamp(1, row.get(1)?)?,
                notification: Uuid::from_bytes(row.get(2)?),
            };
            check_sum(row, 3, first.sum()).map_err(in_row("first_times", first.notification))?;
            Ok(first)
        })?
        .collect::<rusqlite::Result<_>>()?;
    set.first_times.absorb(wanted.clone(), found);
    Ok(())
}

macro_rules! question {
    ($by:literal) => {
        concat!(
            "SELECT id, what, source, event_type, about, count, notification, record, missing, first_at, last_at, kept_since,
                 told_on
             FROM findings WHERE ",
            $by
        )
    };
}

fn finding_row(row: &Row<'_>) -> rusqlite::Result<FindingRow> {
    let read = || {
        let name: String = row.get(1)?;
        let what = FindingKind::ALL.into_iter().find(|what| what.name() == name);
        Ok(FindingRow {
            row: row.get(0)?,
            what: what.ok_or_else(|| unreadable(1, Type::Text, format!("no finding {}", shown(&name))))?,
            source: row.get(2)?,
            event_type: row.get(3)?,
            about: row.get(4)?,
            count: row.get(5)?,
            notification: row.get::<_, Option<[u8; 16]>>(6)?.map(Uuid::from_bytes),
            record: row.get(7)?,
            missing: row.get(8)?,
            first_at: timestamp(9, row.get(9)?)?,
            last_at: timestamp(10, row.get(10)?)?,
            kept_since: timestamp(11, row.get(11)?)?,
            told_on: row.get(12)?,
        })
    };
    read().map_err(in_row("findings", row.get::<_, i64>(0)?))
}

pub(super) fn findings(connection: &Connection, set: &WorkingSet, wanted: &finding::Key) -> rusqlite::Result<()> {
    use finding::Key;
    let by = |question: &str, values: &[&dyn ToSql]| -> rusqlite::Result<Vec<FindingRow>> {
        connection.prepare_cached(question)?.query_map(values, finding_row)?.collect()
    };
    let found = match wanted {
        Key::Row(row) => by(question!("id = ?1"), &[row])?,
        Key::Kind(source, what) => by(question!("source = ?1 AND what = ?2"), &[source, what])?,
        Key::Type(source, what, event_type) => {
            by(question!("source = ?1 AND what = ?2 AND event_type = ?3"), &[source, what, event_type])?
        }
        Key::Of(record) => by(question!("record = ?1"), &[record])?,
    };
    let rows: Vec<i64> = found.iter().map(|row| row.row).collect();
    set.findings.absorb(wanted.clone(), found);
    rows.into_iter().for_each(|row| set.findings.know(Key::Row(row)));
    Ok(())
}
