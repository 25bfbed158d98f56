//! Records and the PSP ids that lead to them.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use url::form_urlencoded;

use super::columns::{Listed, in_row, json, unreadable};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::Record;
use crate::domain::text::shown;

/// A record and its row.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) row: i64,
    pub(super) record: Record,
}

/// The columns of a record `r`, for [`stored`].
macro_rules! record_columns {
    () => {
        "r.id, r.record, r.transform_id, r.kind, r.payment_id"
    };
}
pub(super) use record_columns;

pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let (number, id): (i64, String) = (row.get(0)?, row.get(2)?);
    read(row, number, &id).map_err(in_row("records", format!("{number} ({})", shown(&id))))
}

fn read(row: &Row<'_>, number: i64, id: &str) -> rusqlite::Result<Stored> {
    let record: Record = json(1, row.get_ref(1)?.as_str()?)?;
    let payment: Option<String> = row.get(4)?;
    let agrees = record.key.id.as_str() == id
        && i64::from(record.key.kind.code()) == row.get::<_, i64>(3)?
        && record.parent_payment().map(TransformId::as_str) == payment.as_deref();
    if !agrees {
        return Err(unreadable(1, Type::Text, "its record is not the one that its other columns name"));
    }
    Ok(Stored { row: number, record })
}

/// The record with this Transform id, of any kind.
pub(super) fn by_id(connection: &Connection, id: &TransformId) -> rusqlite::Result<Option<Stored>> {
    by_id_as(connection, id, stored)
}

/// The record with this Transform id, its row read by `read`.
pub(super) fn by_id_as(
    connection: &Connection,
    id: &TransformId,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<Stored>,
) -> rusqlite::Result<Option<Stored>> {
    connection
        .prepare_cached(concat!("SELECT ", record_columns!(), " FROM records r WHERE transform_id = ?1"))?
        .query_row([id.as_str()], read)
        .optional()
}

pub(super) fn by_key(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<Stored>> {
    Ok(by_id(connection, &key.id)?.filter(|stored| stored.record.key.kind == key.kind))
}

/// The record with this PSP id that is bound to the source, or else to none yet. Its row is read by `read`.
pub(super) fn by_psp_id(
    connection: &Connection,
    kind: Kind,
    source: &str,
    psp_id: &str,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<Stored>,
) -> rusqlite::Result<Option<Stored>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            record_columns!(),
            " FROM psp_ids p JOIN records r ON r.id = p.record
             WHERE p.psp_id = ?1 AND p.kind = ?2 AND p.source IN (?3, '') ORDER BY p.source DESC LIMIT 1",
        ))?
        .query_row(params![psp_id, kind.code(), source], read)
        .optional()
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

/// The refunds of a payment.
pub(super) fn refunds_of(connection: &Connection, payment: &TransformId) -> rusqlite::Result<Vec<Stored>> {
    connection
        .prepare_cached(concat!("SELECT ", record_columns!(), " FROM records r WHERE payment_id = ?1"))?
        .query_map([payment.as_str()], stored)?
        .collect()
}

pub(super) fn insert(connection: &Connection, record: &Record) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO records (transform_id, kind, payment_id, record) VALUES (?1, ?2, ?3, ?4)")?
        .insert(params![
            record.key.id.as_str(),
            record.key.kind.code(),
            record.parent_payment().map(TransformId::as_str),
            text_of(record)?,
        ])
}

pub(super) fn update(connection: &Connection, row: i64, record: &Record) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE records SET record = ?2, payment_id = ?3 WHERE id = ?1")?
        .execute(params![row, text_of(record)?, record.parent_payment().map(TransformId::as_str)])
        .map(drop)
}

fn text_of(record: &Record) -> rusqlite::Result<String> {
    serde_json::to_string(record).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Lets a PSP id lead to a record, unless it already leads to a record. Returns whether that is new.
pub(super) fn learn(connection: &Connection, stored: &Stored, psp_id: &str) -> rusqlite::Result<bool> {
    let source = stored.record.source.as_deref().unwrap_or_default();
    let kind = stored.record.key.kind.code();
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO psp_ids (psp_id, kind, source, record)
         SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS
             (SELECT 1 FROM psp_ids WHERE psp_id = ?1 AND kind = ?2 AND (source IN (?3, '') OR ?3 = ''))",
    )?;
    Ok(insert.execute(params![psp_id, kind, source, stored.row])? == 1)
}

/// Deletes the way from a PSP id to a record: the integrator has changed the id, or has given it to another record.
pub(super) fn forget(connection: &Connection, row: i64, psp_id: &str) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM psp_ids WHERE psp_id = ?1 AND record = ?2")?;
    delete.execute(params![psp_id, row]).map(drop)
}

/// The other records of the same kind that a PSP id leads to.
pub(super) fn others_of_psp_id(
    connection: &Connection,
    stored: &Stored,
    psp_id: &str,
) -> rusqlite::Result<Vec<Stored>> {
    let source = stored.record.source.as_deref().unwrap_or_default();
    let kind = stored.record.key.kind.code();
    connection
        .prepare_cached(concat!(
            "SELECT ",
            record_columns!(),
            " FROM psp_ids p JOIN records r ON r.id = p.record
             WHERE p.psp_id = ?1 AND p.kind = ?2 AND p.record <> ?4 AND (p.source IN (?3, '') OR ?3 = '')",
        ))?
        .query_map(params![psp_id, kind, source, stored.row], self::stored)?
        .collect()
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

/// Binds a record's PSP ids to the source that the record is bound to now.
pub(super) fn bind(connection: &Connection, stored: &Stored, source: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE OR IGNORE psp_ids SET source = ?2 WHERE record = ?1 AND source = ''")?
        .execute(params![stored.row, source])
        .map(drop)
}
