//! Records and the PSP ids that lead to them.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use url::form_urlencoded;

use super::columns::{Listed, in_row, json, unreadable};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::Record;
use crate::domain::text::shown_id;
use crate::store::ListedRecord;
use crate::store::sureness::Sureness;

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
    read(row, number, &id).map_err(in_row("records", format!("{number} ({})", shown_id(&id))))
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

/// The agreement under which a record runs, if it is registered.
pub(super) fn agreement_of(connection: &Connection, record: &Record) -> rusqlite::Result<Option<Record>> {
    let Some(id) = &record.registered.agreement_id else { return Ok(None) };
    let agreement = by_key(connection, &RecordKey::new(Kind::Agreement, id.clone()))?;
    Ok(agreement.map(|stored| stored.record))
}

/// A record that a PSP id leads to.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) stored: Stored,
    /// How surely it does.
    pub(super) sureness: Sureness,
}

/// The column `placed` of a way: 0 if the id is the record's own; else the sureness of the placed events that have named it.
const fn code_of(sureness: Sureness) -> u8 {
    match sureness {
        Sureness::Own => 0,
        Sureness::OnlyCapture => 1,
        Sureness::OfAuthorization => 2,
        Sureness::Unsigned => 3,
        Sureness::OfCapture => 4,
    }
}

fn sureness(row: &Row<'_>, column: usize) -> rusqlite::Result<Sureness> {
    match row.get(column)? {
        0 => Ok(Sureness::Own),
        1 => Ok(Sureness::OnlyCapture),
        2 => Ok(Sureness::OfAuthorization),
        3 => Ok(Sureness::Unsigned),
        4 => Ok(Sureness::OfCapture),
        _ => Err(unreadable(column, Type::Integer, "the sureness of a way is one of 0 to 4")),
    }
}

/// The records with this PSP id of an object of that kind: those bound to the source first, then those bound to none yet; of
/// these the surest first. A refund's id may lead to its payment. Their rows are read by `read`.
pub(super) fn by_psp_id(
    connection: &Connection,
    kind: Kind,
    source: &str,
    psp_id: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Stored>,
) -> rusqlite::Result<Vec<Known>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            record_columns!(),
            ", p.placed FROM psp_ids p JOIN records r ON r.id = p.record
             WHERE p.psp_id = ?1 AND p.kind = ?2 AND p.source IN (?3, '') 
             ORDER BY p.source DESC, p.placed > 0, p.placed DESC, r.transform_id",
        ))?
        .query_map(params![psp_id, kind.code(), source], |row| {
            Ok(Known { stored: read(row)?, sureness: sureness(row, 5)? })
        })?
        .collect()
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
    stored(row).map(|Stored { row, record }| ListedRecord { cursor: row, record })
}

/// The refunds of a payment.
pub(super) fn refunds_of(connection: &Connection, payment: &TransformId) -> rusqlite::Result<Vec<Stored>> {
    connection
        .prepare_cached(concat!("SELECT ", record_columns!(), " FROM records r WHERE payment_id = ?1"))?
        .query_map([payment.as_str()], stored)?
        .collect()
}

/// The payments that capture a preauthorization. Their rows are read by `read`.
pub(super) fn captures_of(
    connection: &Connection,
    preauth: &TransformId,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Stored>,
) -> rusqlite::Result<Vec<Stored>> {
    connection
        .prepare_cached(concat!("SELECT ", record_columns!(), " FROM records r WHERE preauth_id = ?1 ORDER BY r.id"))?
        .query_map([preauth.as_str()], read)?
        .collect()
}

/// The payments that captured the authorization with this PSP id by what events tell: those of the source, or of all sources if it
/// is none. The preauthorization may be bound to no source yet.
pub(super) fn captured(
    connection: &Connection,
    source: Option<&str>,
    authorization: &str,
) -> rusqlite::Result<Vec<Stored>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            record_columns!(),
            " FROM psp_ids p JOIN records r ON r.id = p.record
             WHERE p.psp_id = ?1 AND p.kind = ?2 AND (?3 IS NULL OR p.source IN (?3, '')) ORDER BY r.id",
        ))?
        .query_map(params![original(authorization), Kind::Payment.code(), source], stored)?
        .collect()
}

pub(super) fn insert(connection: &Connection, record: &Record) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO records (transform_id, kind, payment_id, record, preauth_id) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .insert(params![
            record.key.id.as_str(),
            record.key.kind.code(),
            record.parent_payment().map(TransformId::as_str),
            text_of(record)?,
            record.registered.preauth_id.as_ref().map(TransformId::as_str),
        ])
}

pub(super) fn update(connection: &Connection, row: i64, record: &Record) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE records SET record = ?2, payment_id = ?3, preauth_id = ?4 WHERE id = ?1")?
        .execute(params![
            row,
            text_of(record)?,
            record.parent_payment().map(TransformId::as_str),
            record.registered.preauth_id.as_ref().map(TransformId::as_str),
        ])
        .map(drop)
}

fn text_of(record: &Record) -> rusqlite::Result<String> {
    serde_json::to_string(record).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// A PSP id that leads to a record.
pub(super) struct Lead<'a> {
    /// The kind of the object that has the id.
    pub(super) kind: Kind,
    /// The id.
    pub(super) psp_id: &'a str,
    /// How surely it leads to the record.
    pub(super) sureness: Sureness,
}

/// The beginning of a text under which the PSP id of an authorization leads to payments. No PSP id looks like that.
const ORIGINAL: &str = "original:";

/// The text under which the PSP id of an authorization leads to the payments that captured it.
pub(super) fn original(authorization: &str) -> String {
    format!("{ORIGINAL}{authorization}")
}

/// Whether a PSP id of an object of that kind may lead to several records: agreements may share a means of payment, and
/// payments an authorization.
pub(super) fn is_shared(kind: Kind, psp_id: &str) -> bool {
    kind == Kind::Agreement || psp_id.starts_with(ORIGINAL)
}

/// Lets a PSP id lead to a record, unless it already leads to another one as surely or more so. It may lead to several if it may be
/// shared, or because of placed events. Returns whether the way is new, or is surer now.
pub(super) fn learn(connection: &Connection, stored: &Stored, lead: &Lead<'_>) -> rusqlite::Result<bool> {
    let source = stored.record.source.as_deref().unwrap_or_default();
    let is_surer = make_surer(connection, stored, lead)?;
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO psp_ids (psp_id, kind, source, record, placed)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS
             (SELECT 1 FROM psp_ids WHERE psp_id = ?1 AND kind = ?2 AND (source IN (?3, '') OR ?3 = '')
              AND (record = ?4 OR NOT ?6 AND (placed = 0 OR ?5 > 0 AND placed > ?5)))",
    )?;
    let is_shared = is_shared(lead.kind, lead.psp_id);
    let code = code_of(lead.sureness);
    let changed = insert.execute(params![lead.psp_id, lead.kind.code(), source, stored.row, code, is_shared])?;
    Ok(is_surer || changed == 1)
}

/// Makes the way from an id to the record as sure as this. Returns whether it was less sure.
pub(super) fn make_surer(connection: &Connection, stored: &Stored, lead: &Lead<'_>) -> rusqlite::Result<bool> {
    let mut surer = connection.prepare_cached(
        "UPDATE psp_ids SET placed = ?4
         WHERE psp_id = ?1 AND kind = ?2 AND record = ?3 AND placed > 0 AND (?4 = 0 OR placed < ?4)",
    )?;
    Ok(surer.execute(params![lead.psp_id, lead.kind.code(), stored.row, code_of(lead.sureness)])? > 0)
}

/// Deletes the ways from an id to other records than this one that are less sure. Returns those records: the events that were
/// placed on them have to find their way anew.
pub(super) fn displace(connection: &Connection, stored: &Stored, lead: &Lead<'_>) -> rusqlite::Result<Vec<Stored>> {
    let source = stored.record.source.as_deref().unwrap_or_default();
    let others: Vec<Stored> = connection
        .prepare_cached(concat!(
            "SELECT ",
            record_columns!(),
            " FROM psp_ids p JOIN records r ON r.id = p.record
             WHERE p.psp_id = ?1 AND p.kind = ?2 AND p.record <> ?4 AND p.placed > 0 AND (?5 = 0 OR p.placed < ?5)
                 AND (p.source IN (?3, '') OR ?3 = '')",
        ))?
        .query_map(params![lead.psp_id, lead.kind.code(), source, stored.row, code_of(lead.sureness)], self::stored)?
        .collect::<rusqlite::Result<_>>()?;
    others.iter().try_for_each(|other| forget(connection, other.row, lead.kind, lead.psp_id))?;
    Ok(others)
}

/// Whether an id of a payment or a refund leads to another record than that of this row, too.
pub(super) fn is_contested(connection: &Connection, source: &str, row: i64, psp_id: &str) -> rusqlite::Result<bool> {
    let (payment, refund) = (Kind::Payment.code(), Kind::Refund.code());
    connection
        .prepare_cached(
            "SELECT 1 FROM psp_ids
             WHERE psp_id = ?1 AND kind IN (?2, ?3) AND record <> ?4 AND source IN (?5, '')",
        )?
        .exists(params![psp_id, payment, refund, row, source])
}

/// Deletes the way from a PSP id of an object of that kind to a record: the integrator has changed the id, or has given it to
/// another record.
pub(super) fn forget(connection: &Connection, row: i64, kind: Kind, psp_id: &str) -> rusqlite::Result<()> {
    let mut delete =
        connection.prepare_cached("DELETE FROM psp_ids WHERE psp_id = ?1 AND kind = ?3 AND record = ?2")?;
    delete.execute(params![psp_id, row, kind.code()]).map(drop)
}

/// A way from an id to a record that placed events have shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Way {
    /// The kind of the object that has the id.
    pub(super) kind: Kind,
    /// The id.
    pub(super) psp_id: String,
    /// How surely it leads there.
    pub(super) sureness: Sureness,
    row: i64,
}

/// The ways to a record that placed events have shown.
pub(super) fn placed_ways(connection: &Connection, row: i64) -> rusqlite::Result<Vec<Way>> {
    connection
        .prepare_cached("SELECT psp_id, kind, placed FROM psp_ids WHERE record = ?1 AND placed > 0")?
        .query_map([row], |columns| {
            let unknown = || unreadable(1, Type::Integer, "there is no such kind");
            let kind = Kind::from_code(columns.get(1)?).ok_or_else(unknown)?;
            Ok(Way { kind, psp_id: columns.get(0)?, sureness: sureness(columns, 2)?, row })
        })?
        .collect()
}

/// Deletes the ways that only events have named which were placed on a record.
pub(super) fn forget_placed(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM psp_ids WHERE record = ?1 AND placed")?.execute([row]).map(drop)
}

/// The other records that a PSP id of an object of this record's kind leads to.
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

/// Lets PSP ids lead to a record from any source: the record is bound to none any more.
pub(super) fn unbind(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE OR IGNORE psp_ids SET source = '' WHERE record = ?1")?.execute([row]).map(drop)
}

/// Binds a record's PSP ids to the source that the record is bound to now.
pub(super) fn bind(connection: &Connection, stored: &Stored, source: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE OR IGNORE psp_ids SET source = ?2 WHERE record = ?1 AND source = ''")?
        .execute(params![stored.row, source])
        .map(drop)
}
