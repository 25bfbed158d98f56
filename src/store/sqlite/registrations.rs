//! Copies of registrations: a record that cannot be read is made anew from its copy, and a reread brings back the rest.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{Listed, fact, in_row, unreadable};
use crate::domain::ids::RecordKey;
use crate::domain::record::Record;
use crate::domain::registration_copy::RegistrationCopy;
use crate::store::encoding;

/// The step of the schema from which on each registration has a copy. Those of earlier relays are made of their records; a record that
/// cannot be read has none.
pub(super) const STEP: &str = r"
CREATE TABLE registrations (
    record INTEGER PRIMARY KEY REFERENCES records (id),
    copy   BLOB NOT NULL
) STRICT;
INSERT INTO registrations SELECT id, copy FROM (SELECT id, copy_of_registration(record) AS copy FROM records) WHERE copy IS NOT NULL;
";

/// Adds the function that the step needs.
pub(super) fn add_function(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("copy_of_registration", 1, flags, |arguments| {
        let record: Option<Record> = match arguments.get_raw(0) {
            ValueRef::Blob(sealed) => encoding::read(sealed).ok(),
            ValueRef::Text(text) => encoding::text(text).ok(),
            _ => None,
        };
        record.map(|record| written(&record)).transpose()
    })
}

fn written(record: &Record) -> rusqlite::Result<Vec<u8>> {
    encoding::write(&RegistrationCopy::of(record))
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Keeps the copy of a record's registration, in the place of an earlier one.
pub(super) fn keep(connection: &Connection, row: i64, record: &Record) -> rusqlite::Result<()> {
    let keep = "INSERT INTO registrations (record, copy) VALUES (?1, ?2)
        ON CONFLICT (record) DO UPDATE SET copy = excluded.copy";
    connection.prepare_cached(keep)?.execute(params![row, written(record)?]).map(drop)
}

/// Forgets the copy of a record that is removed.
pub(super) fn forget(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM registrations WHERE record = ?1")?.execute([row]).map(drop)
}

/// The copy of the registration of the record in this row, if there is one.
pub(super) fn of_row(
    connection: &Connection,
    row: i64,
    key: &RecordKey,
) -> rusqlite::Result<Option<RegistrationCopy<'static>>> {
    let copy = connection
        .prepare_cached("SELECT record, copy FROM registrations WHERE record = ?1")?
        .query_row([row], read)
        .optional()?;
    match copy {
        Some(copy) if *copy.key != *key => {
            Err(in_row("registrations", row)(unreadable(1, Type::Blob, "its copy is another record's")))
        }
        copy => Ok(copy),
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<RegistrationCopy<'static>> {
    let number: i64 = row.get(0)?;
    fact(row, 1).map_err(in_row("registrations", format!("of record {number}")))
}

/// Reads a page of rows, to find damage in them.
pub(super) fn look(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection
        .prepare_cached("SELECT record, copy FROM registrations WHERE record > ?1 ORDER BY record LIMIT ?2")?;
    Listed::read("registrations", query.query(params![after, most])?, |row| read(row).map(drop))
}

#[cfg(test)]
mod tests {
    use super::super::migrations;
    use super::*;

    #[test]
    fn the_records_of_an_earlier_version_get_copies_and_damaged_ones_get_none() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::before(&connection, STEP);
        let text = include_str!("../../../fixtures/stored/18/record.json");
        let sealed = include_bytes!("../../../fixtures/stored/19/record.sealed");
        let add = "INSERT INTO records (id, transform_id, kind, record) VALUES (?1, ?2, 2, ?3)";
        connection.execute(add, params![1, "tx-1", text]).unwrap();
        connection.execute(add, params![2, "tx-2", sealed.as_slice()]).unwrap();
        connection.execute(add, params![3, "tx-3", &sealed[1..]]).unwrap();
        migrations::migrate(&mut connection).unwrap();
        for (row, record) in [(1, encoding::text(text.as_bytes())), (2, encoding::read(sealed))] {
            let record: Record = record.unwrap();
            assert_eq!(of_row(&connection, row, &record.key).unwrap(), Some(RegistrationCopy::of(&record)));
            let other = RecordKey::new(record.key.kind, "other".parse().unwrap());
            assert!(of_row(&connection, row, &other).unwrap_err().to_string().contains("another record's"));
        }
        let copies: i64 = connection.query_row("SELECT count(*) FROM registrations", [], |row| row.get(0)).unwrap();
        assert_eq!(copies, 2);
    }
}
