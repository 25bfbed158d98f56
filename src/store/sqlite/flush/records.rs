//! Writing of records, of the ways that lead to them, and of what Transform is owed of them.

use rusqlite::{Connection, params};

use super::super::columns::{micros, version_column};
use super::{Written, fact_of};
use crate::domain::ids::TransformId;
use crate::store::core::set::rows::outbox::OutboxRow;
use crate::store::core::set::rows::record::RecordRow;
use crate::store::core::set::rows::way::Way;

impl Written for RecordRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO records (id, transform_id, kind, payment_id, record, preauth_id, last_transition)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.row,
                self.key.id.as_str(),
                self.key.kind.code(),
                self.payment.as_ref().map(TransformId::as_str),
                fact_of(&self.record)?,
                self.preauth.as_ref().map(TransformId::as_str),
                self.last_transition,
            ])
            .map(drop)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE records SET record = ?2, payment_id = ?3, preauth_id = ?4, last_transition = ?5 WHERE id = ?1",
            )?
            .execute(params![
                self.row,
                fact_of(&self.record)?,
                self.payment.as_ref().map(TransformId::as_str),
                self.preauth.as_ref().map(TransformId::as_str),
                self.last_transition,
            ])
            .map(drop)
    }

    fn delete(connection: &Connection, row: &i64) -> rusqlite::Result<()> {
        connection.prepare_cached("DELETE FROM records WHERE id = ?1")?.execute([row]).map(drop)
    }
}

impl Written for Way {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO psp_ids (psp_id, kind, source, record, placed, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![self.psp_id, self.kind.code(), self.source, self.record, self.sureness.code(), self.sum()])
            .map(drop)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE psp_ids SET placed = ?5, sum = ?6 WHERE psp_id = ?1 AND kind = ?2 AND source = ?3 AND record = ?4",
            )?
            .execute(params![self.psp_id, self.kind.code(), self.source, self.record, self.sureness.code(), self.sum()])
            .map(drop)
    }

    fn delete(connection: &Connection, (psp_id, kind, source, record): &Self::Id) -> rusqlite::Result<()> {
        connection
            .prepare_cached("DELETE FROM psp_ids WHERE psp_id = ?1 AND kind = ?2 AND source = ?3 AND record = ?4")?
            .execute(params![psp_id, kind, source, record])
            .map(drop)
    }
}

/// Executes a statement with the columns of a row of the outbox.
fn with_columns(connection: &Connection, row: &OutboxRow, statement: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(statement)?
        .execute(params![
            row.record,
            version_column(row.version),
            row.first_untold_at.map(micros),
            micros(row.due_at),
            row.not_before.map(micros),
            row.attempts,
            row.failing_since.map(micros),
            row.reason,
            row.host,
            micros(row.owed_since),
            micros(row.changed_at),
            row.dead_at.map(micros),
            row.given_up_at.map(micros),
            row.awaits_host,
            row.reader.code(),
        ])
        .map(drop)
}

impl Written for OutboxRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        with_columns(
            connection,
            self,
            "INSERT INTO outbox (record, version, first_untold_at, due_at, not_before, attempts, failing_since, reason, host,
                 owed_since, changed_at, dead_at, given_up_at, awaits_host, reader)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        with_columns(
            connection,
            self,
            "UPDATE outbox SET version = ?2, first_untold_at = ?3, due_at = ?4, not_before = ?5, attempts = ?6,
                 failing_since = ?7, reason = ?8, host = ?9, owed_since = ?10, changed_at = ?11, dead_at = ?12,
                 given_up_at = ?13, awaits_host = ?14
             WHERE record = ?1 AND reader = ?15",
        )
    }

    fn delete(connection: &Connection, (record, reader): &Self::Id) -> rusqlite::Result<()> {
        connection
            .prepare_cached("DELETE FROM outbox WHERE record = ?1 AND reader = ?2")?
            .execute(params![record, reader.code()])
            .map(drop)
    }
}
