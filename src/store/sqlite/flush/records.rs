//! Writing of records, of the ways that lead to them, and of what Transform is owed of them.

use rusqlite::{Connection, params};

use super::super::columns::{micros, version_column};
use super::super::records::code_of;
use super::{Written, sound, text_of};
use crate::domain::ids::TransformId;
use crate::store::core::set::rows::outbox::OutboxRow;
use crate::store::core::set::rows::record::RecordRow;
use crate::store::core::set::rows::way::Way;

impl Written for RecordRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO records (id, transform_id, kind, payment_id, record, preauth_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                self.row,
                self.key.id.as_str(),
                self.key.kind.code(),
                self.payment.as_ref().map(TransformId::as_str),
                text_of(sound(&self.record)?.as_ref())?,
                self.preauth.as_ref().map(TransformId::as_str),
            ])
            .map(drop)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE records SET record = ?2, payment_id = ?3, preauth_id = ?4 WHERE id = ?1")?
            .execute(params![
                self.row,
                text_of(sound(&self.record)?.as_ref())?,
                self.payment.as_ref().map(TransformId::as_str),
                self.preauth.as_ref().map(TransformId::as_str),
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
            .prepare_cached("INSERT INTO psp_ids (psp_id, kind, source, record, placed) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![self.psp_id, self.kind.code(), self.source, self.record, code_of(self.sureness)])
            .map(drop)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE psp_ids SET placed = ?5 WHERE psp_id = ?1 AND kind = ?2 AND source = ?3 AND record = ?4",
            )?
            .execute(params![self.psp_id, self.kind.code(), self.source, self.record, code_of(self.sureness)])
            .map(drop)
    }

    fn delete(connection: &Connection, (psp_id, kind, source, record): &Self::Id) -> rusqlite::Result<()> {
        connection
            .prepare_cached("DELETE FROM psp_ids WHERE psp_id = ?1 AND kind = ?2 AND source = ?3 AND record = ?4")?
            .execute(params![psp_id, kind, source, record])
            .map(drop)
    }
}

impl Written for OutboxRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO outbox (record, version, first_untold_at, due_at, not_before, attempts, failing_since,
                     reason, host, owed_since, changed_at, dead_at, given_up_at, awaits_host)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?
            .execute(params![
                self.record,
                version_column(self.version),
                self.first_untold_at.map(micros),
                micros(self.due_at),
                self.not_before.map(micros),
                self.attempts,
                self.failing_since.map(micros),
                self.reason,
                self.host,
                micros(self.owed_since),
                micros(self.changed_at),
                self.dead_at.map(micros),
                self.given_up_at.map(micros),
                self.awaits_host,
            ])
            .map(drop)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.insert(connection)
    }

    fn delete(connection: &Connection, record: &i64) -> rusqlite::Result<()> {
        connection.prepare_cached("DELETE FROM outbox WHERE record = ?1")?.execute([record]).map(drop)
    }
}
