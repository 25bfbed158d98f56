//! Writing of what is remembered of signed texts, and of findings.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::columns::micros;
use super::Written;
use crate::store::core::set::rows::finding::FindingRow;
use crate::store::core::set::rows::text::{FirstTimeRow, OwnerRow, ReachedRow};

impl Written for ReachedRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("INSERT INTO reached (source, key, record, notification, sum) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![self.source, self.key, self.record, self.notification.into_bytes(), self.sum()])
            .map(drop)
    }

    /// The first notification stands.
    fn update(&self, _: &Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    fn delete(connection: &Connection, (source, key, record): &Self::Id) -> rusqlite::Result<()> {
        connection
            .prepare_cached("DELETE FROM reached WHERE source = ?1 AND key = ?2 AND record = ?3")?
            .execute(params![source, key, record])
            .map(drop)
    }
}

impl Written for OwnerRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("INSERT INTO owners (source, key, notification, content, sum) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![self.source, self.key, self.notification.into_bytes(), self.content, self.sum()])
            .map(drop)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE owners SET content = ?4, sum = ?5 WHERE source = ?1 AND key = ?2 AND notification = ?3",
            )?
            .execute(params![self.source, self.key, self.notification.into_bytes(), self.content, self.sum()])
            .map(drop)
    }

    fn delete(connection: &Connection, (source, key, notification): &Self::Id) -> rusqlite::Result<()> {
        connection
            .prepare_cached("DELETE FROM owners WHERE source = ?1 AND key = ?2 AND notification = ?3")?
            .execute(params![source, key, notification.into_bytes()])
            .map(drop)
    }
}

impl Written for FirstTimeRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO first_times (source, key, fields, at, notification, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                self.source,
                self.key,
                self.fields,
                micros(self.at),
                self.notification.into_bytes(),
                self.sum(),
            ])
            .map(drop)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.insert(connection)
    }

    fn delete(connection: &Connection, (source, key): &Self::Id) -> rusqlite::Result<()> {
        connection
            .prepare_cached("DELETE FROM first_times WHERE source = ?1 AND key = ?2")?
            .execute(params![source, key])
            .map(drop)
    }
}

impl Written for FindingRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO findings (id, what, source, event_type, about, count, notification, record, missing,
                     first_at, last_at, kept_since, told_on)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                self.row,
                self.what.name(),
                self.source,
                self.event_type,
                self.about,
                self.count,
                self.notification.map(Uuid::into_bytes),
                self.record,
                self.missing,
                micros(self.first_at),
                micros(self.last_at),
                micros(self.kept_since),
                self.told_on,
            ])
            .map(drop)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.insert(connection)
    }

    fn delete(connection: &Connection, row: &i64) -> rusqlite::Result<()> {
        connection.prepare_cached("DELETE FROM findings WHERE id = ?1")?.execute([row]).map(drop)
    }
}
