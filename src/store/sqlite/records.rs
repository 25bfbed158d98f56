//! Records and the PSP ids that lead to them.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use url::form_urlencoded;

use super::columns::{Listed, fact, in_row, unreadable};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::Record;
use crate::domain::text::shown_id;
use crate::store::ListedRecord;
pub(super) use crate::store::core::records::Stored;
use crate::store::sureness::Sureness;

/// The columns of a record `r`, for [`stored`].
macro_rules! record_columns {
    () => {
        "r.id, r.record, r.transform_id, r.kind, r.payment_id"
    };
}
pub(super) use record_columns;

pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let (number, id): (i64, String) = (row.get(0)?, row.get(2)?);
    read(row, number, &id).map_err(in_row("records", format!("{number} ({})", shown_id(&id))))
}

fn read(row: &Row<'_>, number: i64, id: &str) -> rusqlite::Result<Stored> {
    let record: Record = fact(row, 1)?;
    let payment: Option<String> = row.get(4)?;
    let agrees = record.key.id.as_str() == id
        && i64::from(record.key.kind.code()) == row.get::<_, i64>(3)?
        && record.parent_payment().map(TransformId::as_str) == payment.as_deref();
    if !agrees {
        return Err(unreadable(1, Type::Text, "its record is not the one that its other columns name"));
    }
    Ok(Stored { row: number, record: Arc::new(record) })
}

/// The record with this Transform id, of any kind.
pub(super) fn by_id(connection: &Connection, id: &TransformId) -> rusqlite::Result<Option<Stored>> {
    connection
        .prepare_cached(concat!("SELECT ", record_columns!(), " FROM records r WHERE transform_id = ?1"))?
        .query_row([id.as_str()], stored)
        .optional()
}

pub(super) fn by_key(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<Stored>> {
    Ok(by_id(connection, &key.id)?.filter(|stored| stored.record.key.kind == key.kind))
}

/// The agreement under which a record runs, if it is registered.
pub(super) fn agreement_of(connection: &Connection, record: &Record) -> rusqlite::Result<Option<Record>> {
    let Some(id) = &record.registered.agreement_id else { return Ok(None) };
    let agreement = by_key(connection, &RecordKey::new(Kind::Agreement, id.clone()))?;
    Ok(agreement.map(|stored| Arc::unwrap_or_clone(stored.record)))
}

/// The kind of an object, by the code in a column.
pub(super) fn kind(row: &Row<'_>, column: usize) -> rusqlite::Result<Kind> {
    let unknown = || unreadable(column, Type::Integer, "there is no such kind");
    Kind::from_code(row.get(column)?).ok_or_else(unknown)
}

/// The sureness of a way, by the code in a column.
pub(super) fn sureness(row: &Row<'_>, column: usize) -> rusqlite::Result<Sureness> {
    let unknown = || unreadable(column, Type::Integer, "the sureness of a way is one of 0 to 4");
    Sureness::from_code(row.get(column)?).ok_or_else(unknown)
}

/// Reads a page of rows, to find damage in them.
pub(super) fn look(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        record_columns!(),
        " FROM records r WHERE r.id > ?1 ORDER BY r.id LIMIT ?2"
    ))?;
    Listed::read("records", query.query(params![after, most])?, |row| stored(row).map(drop))
}

/// The records after the cursor `after`, in the order in which they were registered.
pub(super) fn list(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<ListedRecord>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        record_columns!(),
        " FROM records r WHERE r.id > ?1 ORDER BY r.id LIMIT ?2"
    ))?;
    Listed::read("records", query.query(params![after, most])?, listed)
}

/// The refunds whose payment is not registered, after the cursor `after`. Only refunds are looked at, by their index.
pub(super) fn without_payment(
    connection: &Connection,
    after: i64,
    most: u32,
) -> rusqlite::Result<Listed<ListedRecord>> {
    let mut query = connection.prepare_cached(concat!(
        "SELECT ",
        record_columns!(),
        " FROM records r INDEXED BY refunds_by_payment WHERE r.payment_id IS NOT NULL AND r.id > ?1
             AND NOT EXISTS (SELECT 1 FROM records p WHERE p.transform_id = r.payment_id AND p.kind = ?2)
         ORDER BY r.id LIMIT ?3",
    ))?;
    Listed::read("records", query.query(params![after, Kind::Payment.code(), most])?, listed)
}

fn listed(row: &Row<'_>) -> rusqlite::Result<ListedRecord> {
    stored(row).map(|Stored { row, record }| ListedRecord { cursor: row, record: Arc::unwrap_or_clone(record) })
}

/// Whether a record was registered with, or has learned, an id that stands in the path of the call.
pub(super) fn is_known(connection: &Connection, source: &str, path: &str) -> rusqlite::Result<bool> {
    let mut find =
        connection.prepare_cached("SELECT 1 FROM psp_ids WHERE psp_id = ?1 AND source IN (?2, '') LIMIT 1")?;
    for part in path.split(['/', '?', '&', '=', ',']).filter(|part| !part.is_empty()) {
        for (id, _) in form_urlencoded::parse(part.as_bytes()) {
            if find.exists(params![id, source])? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
