//! Columns: how times, versions, keys and JSON are written and read, and what counts as damage.

use jiff::Timestamp;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{ErrorCode, Row, Rows};
use serde::de::DeserializeOwned;

use crate::domain::ids::{Kind, RecordKey};
use crate::store::encoding;

/// A time as it is stored: microseconds since 1970, UTC.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(super) fn timestamp(column: usize, micros: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|error| unreadable(column, Type::Integer, error))
}

pub(super) fn version_column(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

pub(super) fn key(kind: u8, transform_id: String) -> rusqlite::Result<RecordKey> {
    let kind = Kind::from_code(kind).ok_or_else(|| unreadable(0, Type::Integer, format!("no kind {kind}")))?;
    Ok(RecordKey::new(kind, transform_id.try_into().map_err(|error: String| unreadable(1, Type::Text, error))?))
}

/// The error for a value that no relay has written: damage.
pub(super) fn unreadable(
    column: usize,
    found: Type,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, found, error.into())
}

/// Reads JSON that a relay has written. The error does not repeat the text: it may be payer data.
pub(super) fn json<T: DeserializeOwned>(column: usize, text: &str) -> rusqlite::Result<T> {
    encoding::text(text.as_bytes()).map_err(|error| unreadable(column, Type::Text, error))
}

/// Reads a record or an event. Until version 18 of the schema it stood there as JSON.
pub(super) fn fact<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    match row.get_ref(column)? {
        ValueRef::Blob(sealed) => encoding::read(sealed).map_err(|error| unreadable(column, Type::Blob, error)),
        text => json(column, text.as_str()?),
    }
}

/// Checks a row's checksum, if it has one: until version 18 of the schema no row had.
pub(super) fn check_sum(row: &Row<'_>, column: usize, sum: i64) -> rusqlite::Result<()> {
    match row.get::<_, Option<i64>>(column)? {
        Some(kept) if kept != sum => Err(unreadable(column, Type::Integer, "its checksum is wrong")),
        _ => Ok(()),
    }
}

/// A row with a value that no relay has written.
#[derive(Debug, thiserror::Error)]
#[error("table {table}, row {row}: {reason}")]
struct DamagedRow {
    table: &'static str,
    row: String,
    reason: String,
}

/// Adds the row's name to an error of damage, unless the error names its row already.
pub(super) fn in_row(table: &'static str, row: impl ToString) -> impl FnOnce(rusqlite::Error) -> rusqlite::Error {
    move |error| match damage(&error) {
        Some(_) if matches!(&error, rusqlite::Error::FromSqlConversionFailure(_, _, reason) if reason.is::<DamagedRow>()) => {
            error
        }
        Some(reason) => unreadable(0, Type::Null, DamagedRow { table, row: row.to_string(), reason }),
        None => error,
    }
}

/// The damage in words, if the error is one of damage.
pub(super) fn damage(error: &rusqlite::Error) -> Option<String> {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    if let Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) = error.sqlite_error_code() {
        return Some(error.to_string());
    }
    match error {
        FromSqlConversionFailure(_, _, reason) => Some(reason.to_string()),
        InvalidColumnType(_, column, found) => Some(format!("its {column} is of type {found}")),
        IntegralValueOutOfRange(column, _) => Some(format!("the number in column {column} is out of range")),
        Utf8Error(..) => Some("its text is not UTF-8".to_owned()),
        _ => None,
    }
}

/// Rows that were read one by one: a damaged row does not spoil the others.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub(super) rows: Vec<T>,
    /// The errors of the rows that could not be read.
    pub(super) damaged: Vec<rusqlite::Error>,
    /// The number of the last row, damaged or not.
    pub(super) last: Option<i64>,
}

impl<T> Listed<T> {
    /// Reads all rows of a query; their first column is their number in the table.
    pub(super) fn read(
        table: &'static str,
        rows: Rows<'_>,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Self> {
        Self::read_most(table, rows, usize::MAX, read)
    }

    /// Reads rows until `most` of them could be read. Damaged rows do not count.
    pub(super) fn read_most(
        table: &'static str,
        mut rows: Rows<'_>,
        most: usize,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Self> {
        let mut listed = Self { rows: Vec::new(), damaged: Vec::new(), last: None };
        while listed.rows.len() < most
            && let Some(row) = rows.next()?
        {
            let number: i64 = row.get(0)?;
            listed.last = Some(number);
            match read(row).map_err(in_row(table, number)) {
                Ok(read) => listed.rows.push(read),
                Err(error) if damage(&error).is_some() => listed.damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }

    /// Adds the rows that were read after these.
    pub(super) fn append(&mut self, mut more: Self) {
        self.rows.append(&mut more.rows);
        self.damaged.append(&mut more.damaged);
        self.last = more.last.or(self.last);
    }

    /// The number of rows, damaged ones included.
    pub(super) const fn len(&self) -> usize {
        self.rows.len() + self.damaged.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_names_its_row_and_not_what_stands_there() {
        let payer = r#"{"bearer":{"name":"Jane Doe"},"amount":"Jane Doe"}"#;
        let error = json::<std::collections::BTreeMap<String, u8>>(1, payer).unwrap_err();
        let said = damage(&in_row("records", "7 (tx-1)")(error)).unwrap();
        assert!(said.starts_with("table records, row 7 (tx-1): its JSON cannot be read at line 1"), "{said}");
        assert!(!said.contains("Jane") && !said.contains("bearer"), "{said}");
        assert!(damage(&rusqlite::Error::QueryReturnedNoRows).is_none());
        assert!(damage(&in_row("records", 7)(rusqlite::Error::QueryReturnedNoRows)).is_none());
    }
}
