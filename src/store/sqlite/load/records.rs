//! Loading of records, of the ways that lead to them, and of what Transform is owed of them.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row};

use super::super::columns::{check_sum, in_row, key, timestamp, unreadable};
use super::super::records::{kind, record_columns, stored, sureness};
use super::read::readable;
use crate::domain::ids::TransformId;
use crate::store::core::set::WorkingSet;
use crate::store::core::set::rows::outbox::{OutboxRow, Reader};
use crate::store::core::set::rows::record::{Key, RecordRow};
use crate::store::core::set::rows::way::{self, Way};

/// Reads a row of records.
fn row(row: &Row<'_>) -> rusqlite::Result<RecordRow> {
    let number = row.get(0)?;
    let id = |column: usize| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<String>>(column)?.and_then(|id| TransformId::try_from(id).ok()))
    };
    Ok(RecordRow {
        row: number,
        key: key(row.get(3)?, row.get(2)?).map_err(in_row("records", number))?,
        payment: id(4)?,
        preauth: id(5)?,
        record: readable(stored(row).map(|stored| stored.record))?,
        last_transition: row.get(6)?,
    })
}

pub(super) fn load(connection: &Connection, set: &WorkingSet, wanted: &Key) -> rusqlite::Result<()> {
    let by = |question: &str, value: &dyn rusqlite::ToSql| -> rusqlite::Result<Vec<RecordRow>> {
        connection.prepare_cached(question)?.query_map([value], row)?.collect()
    };
    macro_rules! question {
        ($by:literal) => {
            concat!(
                "SELECT ",
                record_columns!(),
                ", r.preauth_id, r.last_transition FROM records r WHERE ",
                $by,
                " = ?1 ORDER BY r.id"
            )
        };
    }
    let found = match wanted {
        Key::Id(id) => by(question!("r.transform_id"), &id.as_str())?,
        Key::Row(row) => by(question!("r.id"), row)?,
        Key::OfPayment(payment) => by(question!("r.payment_id"), &payment.as_str())?,
        Key::OfPreauth(preauth) => by(question!("r.preauth_id"), &preauth.as_str())?,
    };
    let keys: Vec<_> = found.iter().map(|row| (row.row, row.key.id.clone())).collect();
    set.records.absorb(wanted.clone(), found);
    for (row, id) in keys {
        set.records.know(Key::Row(row));
        set.records.know(Key::Id(id));
        // An event that reaches the record binds its ids, and makes Transform owed a webhook.
        if matches!(wanted, Key::Id(_) | Key::Row(_)) {
            if !set.outbox.knows(&row) {
                outbox(connection, set, row)?;
            }
            if !set.ways.knows(&way::Key::To(row)) {
                ways(connection, set, &way::Key::To(row))?;
            }
        }
    }
    Ok(())
}

pub(super) fn ways(connection: &Connection, set: &WorkingSet, wanted: &way::Key) -> rusqlite::Result<()> {
    let read = |row: &Row<'_>| {
        let way = Way {
            psp_id: row.get(0)?,
            kind: kind(row, 1)?,
            source: row.get(2)?,
            record: row.get(3)?,
            sureness: sureness(row, 4)?,
        };
        check_sum(row, 5, way.sum()).map_err(in_row("psp_ids", format!("of record {}", way.record)))?;
        Ok(way)
    };
    let found: Vec<Way> = match wanted {
        way::Key::Of(psp_id) => connection
            .prepare_cached("SELECT psp_id, kind, source, record, placed, sum FROM psp_ids WHERE psp_id = ?1")?
            .query_map([psp_id], read)?
            .collect::<rusqlite::Result<_>>()?,
        way::Key::To(record) => connection
            .prepare_cached("SELECT psp_id, kind, source, record, placed, sum FROM psp_ids WHERE record = ?1")?
            .query_map([record], read)?
            .collect::<rusqlite::Result<_>>()?,
    };
    let records: Vec<i64> = found.iter().map(|way| way.record).collect();
    set.ways.absorb(wanted.clone(), found);
    if matches!(wanted, way::Key::Of(_)) {
        for record in records {
            if !set.records.knows(&Key::Row(record)) {
                load(connection, set, &Key::Row(record))?;
            }
        }
    }
    Ok(())
}

pub(super) fn outbox(connection: &Connection, set: &WorkingSet, record: i64) -> rusqlite::Result<()> {
    let mut find = connection.prepare_cached(
        "SELECT version, first_untold_at, due_at, not_before, attempts, failing_since, reason, host, owed_since, changed_at,
             dead_at, given_up_at, awaits_host, reader
         FROM outbox WHERE record = ?1",
    )?;
    let found = find.query_map([record], |row| outbox_row(row, record))?.collect::<rusqlite::Result<Vec<_>>>();
    set.outbox.absorb(record, found.map_err(in_row("outbox", record))?);
    Ok(())
}

/// Reads a row of the outbox. Times by which nothing is decided may be damaged: they are brought back later.
fn outbox_row(row: &Row<'_>, record: i64) -> rusqlite::Result<OutboxRow> {
    let sound = |column: usize| row.get::<_, Option<i64>>(column)?.map(|at| timestamp(column, at)).transpose();
    let lenient = |column: usize| {
        let at = row.get::<_, Option<i64>>(column).ok().flatten();
        at.map(|at| timestamp(column, at).unwrap_or(Timestamp::UNIX_EPOCH))
    };
    let no_reader = || unreadable(13, Type::Integer, "there is no such reader");
    Ok(OutboxRow {
        record,
        reader: Reader::from_code(row.get(13)?).ok_or_else(no_reader)?,
        version: row.get::<_, i64>(0)?.unsigned_abs(),
        first_untold_at: sound(1)?,
        due_at: lenient(2).unwrap_or(Timestamp::UNIX_EPOCH),
        not_before: sound(3)?,
        attempts: u32::try_from(row.get::<_, i64>(4).unwrap_or_default()).unwrap_or_default(),
        failing_since: lenient(5),
        reason: row.get(6)?,
        host: row.get(7)?,
        owed_since: lenient(8).unwrap_or(Timestamp::UNIX_EPOCH),
        changed_at: sound(9)?.unwrap_or(Timestamp::UNIX_EPOCH),
        dead_at: lenient(10),
        given_up_at: lenient(11),
        awaits_host: row.get(12)?,
    })
}
