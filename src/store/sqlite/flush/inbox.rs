//! Writing of notifications, and of their events that wait or are placed.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::columns::micros;
use super::{Written, fact_of, sound};
use crate::store::Outcome;
use crate::store::core::set::Readable;
use crate::store::core::set::rows::notification::{NotificationRow, sum};
use crate::store::core::set::rows::parked::ParkedRow;
use crate::store::core::set::rows::placed::PlacedRow;

fn name(outcome: Option<&Readable<Outcome>>) -> rusqlite::Result<Option<&'static str>> {
    outcome.map(|outcome| sound(outcome).map(|outcome| outcome.name())).transpose()
}

impl Written for NotificationRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let missing =
            || rusqlite::Error::ToSqlConversionFailure("a notification without a body cannot be added".into());
        let received = self.received.as_ref().ok_or_else(missing)?;
        let times = (micros(received.at), micros(received.kept_since));
        connection
            .prepare_cached(
                "INSERT OR FAIL INTO notifications (rowid, id, source, received_at, dedupe_key, body_hash, outcome, reason, headers,
                     body, form, signed_at, became, kept_since, tells_first, further, answered, packing,
                     sum, bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            )?
            .execute(params![
                self.row,
                self.id.into_bytes(),
                self.of_key.0,
                times.0,
                self.of_key.1,
                self.content,
                sound(&self.outcome)?.name(),
                self.reason,
                received.packed.headers,
                received.packed.body,
                self.form,
                self.signed_at,
                name(self.through.as_ref())?,
                times.1,
                self.tells_first,
                self.further,
                name(self.answered.as_ref())?,
                received.packed.packing,
                sum(self.id, &self.of_key.0, times, (&self.of_key.1, &self.content)),
                self.bytes,
            ])
            .map(drop)
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE notifications SET outcome = ?2, reason = ?3, answered = ?4, became = ?5, form = ?6, signed_at = ?7
                 WHERE id = ?1",
            )?
            .execute(params![
                self.id.into_bytes(),
                sound(&self.outcome)?.name(),
                self.reason,
                name(self.answered.as_ref())?,
                name(self.through.as_ref())?,
                self.form,
                self.signed_at,
            ])
            .map(drop)
    }

    fn delete(connection: &Connection, id: &Uuid) -> rusqlite::Result<()> {
        connection.prepare_cached("DELETE FROM notifications WHERE id = ?1")?.execute([id.into_bytes()]).map(drop)
    }
}

/// The mark of a parked event that waits in silence, since it came along with another one. It is not counted, never a dead
/// letter, and deleted with its notification.
const COMPANION: &str = "companion";

impl Written for ParkedRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let at = self.parked_at.map(|(wall, steady)| (micros(wall), micros(steady)));
        connection
            .prepare_cached(
                "INSERT INTO parked (id, notification, source, parked_at, event, reason, kept_since, finding)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.row,
                self.notification.into_bytes(),
                self.source,
                at.map(|at| at.0),
                fact_of(&self.event)?,
                self.silent.then_some(COMPANION),
                at.map(|at| at.1),
                self.finding,
            ])?;
        let mut add = connection.prepare_cached("INSERT INTO parked_keys (key, source, parked) VALUES (?1, ?2, ?3)")?;
        self.keys.iter().try_for_each(|key| add.execute(params![key, self.source, self.row]).map(drop))
    }

    fn update(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut update = connection.prepare_cached("UPDATE parked SET finding = ?2 WHERE id = ?1")?;
        update.execute(params![self.row, self.finding]).map(drop)
    }

    fn delete(connection: &Connection, row: &i64) -> rusqlite::Result<()> {
        connection.prepare_cached("DELETE FROM parked_keys WHERE parked = ?1")?.execute([row])?;
        connection.prepare_cached("DELETE FROM parked WHERE id = ?1")?.execute([row]).map(drop)
    }
}

impl Written for PlacedRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("INSERT INTO placed (id, record, notification, source, event) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(
                params![self.row, self.record, self.notification.into_bytes(), self.source, fact_of(&self.event)?,],
            )
            .map(drop)
    }

    /// A placed event never changes.
    fn update(&self, _: &Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    fn delete(connection: &Connection, row: &i64) -> rusqlite::Result<()> {
        connection.prepare_cached("DELETE FROM placed WHERE id = ?1")?.execute([row]).map(drop)
    }
}
