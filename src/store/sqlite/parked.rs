//! Parked events: verified events that wait for a record, each with the keys that would release it.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::columns::{Listed, in_row, json, micros, timestamp, unreadable};
use super::findings;
use crate::domain::due::Moment;
use crate::domain::event::Event;
use crate::domain::ids::{Kind, TransformId};
use crate::store::ParkedEvent;

/// An event that is to be applied to its record.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) notification: Uuid,
    pub(super) source: String,
    pub(super) event: Event,
}

impl Pending {
    pub(super) const fn of(notification: Uuid, source: String, event: Event) -> Self {
        Self { notification, source, event }
    }

    /// The same as an event that waits in silence.
    pub(super) fn in_silence(&self) -> Self {
        let event = Event { companion: true, ..self.event.clone() };
        Self { notification: self.notification, source: self.source.clone(), event }
    }
}

/// The key under which an event waits: a change of records that releases it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReleaseKey(String);

impl ReleaseKey {
    /// A record becomes known by this PSP id of an object of that kind.
    pub(super) fn psp_id(kind: Kind, id: &str) -> Self {
        Self(format!("psp:{kind}:{id}"))
    }

    /// A record is registered.
    pub(super) fn record(id: &TransformId) -> Self {
        Self(format!("record:{id}"))
    }

    /// A payment, or a preauthorization, is registered with its agreement.
    pub(super) fn agreement_of(payment: &TransformId) -> Self {
        Self(format!("agreement-of:{payment}"))
    }

    /// A payment becomes known that captured the authorization with this PSP id.
    pub(super) fn captured(authorization: &str) -> Self {
        Self(format!("captured:{authorization}"))
    }

    /// A payment that captures this preauthorization is registered.
    pub(super) fn captures(preauth: &TransformId) -> Self {
        Self(format!("captures:{preauth}"))
    }
}

/// The mark of a parked event that waits in silence, since it came along with another one. It is not counted, never a dead
/// letter, and deleted with its notification.
const COMPANION: &str = "companion";

/// Parks an event until its record is known by one of these keys. Returns its row.
pub(super) fn until_known(
    connection: &Connection,
    parked: &Pending,
    keys: &[ReleaseKey],
    now: Moment,
) -> rusqlite::Result<i64> {
    let row = insert(connection, parked, now)?;
    keys.iter().try_for_each(|key| add_key(connection, row, &parked.source, key))?;
    Ok(row)
}

fn insert(connection: &Connection, parked: &Pending, now: Moment) -> rusqlite::Result<i64> {
    let event = text_of(&parked.event)?;
    connection
        .prepare_cached(
            "INSERT INTO parked (notification, source, parked_at, event, reason, kept_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .insert(params![
            parked.notification.into_bytes(),
            parked.source,
            micros(now.wall),
            event,
            parked.event.companion.then_some(COMPANION),
            micros(now.steady),
        ])
}

fn text_of(event: &Event) -> rusqlite::Result<String> {
    serde_json::to_string(event).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn add_key(connection: &Connection, row: i64, source: &str, key: &ReleaseKey) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO parked_keys (key, source, parked) VALUES (?1, ?2, ?3)")?
        .execute(params![key.0, source, row])
        .map(drop)
}

/// Whether all events that a notification parked were parked before by other contents of its dedupe key.
pub(super) fn is_parked_before(
    connection: &Connection,
    source: &str,
    dedupe_key: [u8; 16],
    notification: Uuid,
) -> rusqlite::Result<bool> {
    let mut news = connection.prepare_cached(
        "SELECT 1 FROM parked p WHERE notification = ?3 AND NOT EXISTS (
             SELECT 1 FROM notifications n JOIN parked o ON o.notification = n.id
             WHERE n.source = ?1 AND n.dedupe_key = ?2 AND n.id <> ?3 AND o.event = p.event AND o.reason IS p.reason)",
    )?;
    Ok(!news.exists(params![source, dedupe_key, notification.into_bytes()])?)
}

/// Whether an event waits for a key. Events that wait in silence do not count.
pub(super) fn is_awaited(connection: &Connection, key: &ReleaseKey) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM parked_keys k JOIN parked p ON p.id = k.parked WHERE k.key = ?1 AND p.reason IS NULL",
        )?
        .exists([&key.0])
}

/// Takes out the events that a key releases: the events of one source, or of all sources if `source` is none.
pub(super) fn release(
    connection: &Connection,
    source: Option<&str>,
    key: &ReleaseKey,
) -> rusqlite::Result<Vec<Pending>> {
    let rows: Vec<i64> = connection
        .prepare_cached("SELECT parked FROM parked_keys WHERE key = ?1 AND (?2 IS NULL OR source = ?2)")?
        .query_map(params![key.0, source], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    rows.into_iter().map(|row| take_out(connection, row)).collect()
}

/// The oldest events of a source that wait for their records, up to `most`.
pub(super) fn oldest(connection: &Connection, source: &str, most: u32) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached("SELECT id FROM parked WHERE source = ?1 AND reason IS NULL ORDER BY id LIMIT ?2")?
        .query_map(params![source, most], |row| row.get(0))?
        .collect()
}

pub(super) const WAITED_TOO_LONG: &str = "SELECT id FROM parked
    WHERE reason IS NULL AND ifnull(kept_since, parked_at) < ?1 ORDER BY ifnull(kept_since, parked_at) LIMIT ?2";

/// The events that have waited for their records since before `cutoff`, up to `most`.
pub(super) fn waiting_since(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<Vec<i64>> {
    let mut query = connection.prepare_cached(WAITED_TOO_LONG)?;
    query.query_map(params![micros(cutoff), most], |row| row.get(0))?.collect()
}

/// Deletes a parked event. Returns the id of its notification.
pub(super) fn let_go(connection: &Connection, row: i64) -> rusqlite::Result<Uuid> {
    let notification: [u8; 16] = connection
        .prepare_cached("SELECT notification FROM parked WHERE id = ?1")?
        .query_row([row], |columns| columns.get(0))
        .map_err(in_row("parked", row))?;
    // Its finding stays: what was found is so still, and the event is in a dead letter now.
    remove(connection, row)?;
    Ok(Uuid::from_bytes(notification))
}

pub(super) const UNLOOKED: &str = "SELECT id, notification, source, event FROM parked INDEXED BY parked_unlooked
    WHERE reason IS NULL AND finding IS NULL AND ifnull(kept_since, parked_at) < ?1
    ORDER BY ifnull(kept_since, parked_at) LIMIT ?2";

/// The events that have waited for their records since before `cutoff` and were not looked at, up to `most`. An event that
/// cannot be read is none.
pub(super) fn unlooked(
    connection: &Connection,
    cutoff: Timestamp,
    most: u32,
) -> rusqlite::Result<Vec<(i64, Option<Pending>)>> {
    let mut query = connection.prepare_cached(UNLOOKED)?;
    let rows = query.query_map(params![micros(cutoff), most], |row| {
        let waits = || -> rusqlite::Result<Pending> {
            let event = json(3, row.get_ref(3)?.as_str()?)?;
            Ok(Pending::of(Uuid::from_bytes(row.get(1)?), row.get(2)?, event))
        };
        Ok((row.get(0)?, waits().ok()))
    })?;
    rows.collect()
}

/// The most events that are looked at because they wait for the same key.
const OF_KEY_MAX: u32 = 10;

/// Events that wait for a key: the companions, or the others.
pub(super) fn waiting_by(
    connection: &Connection,
    source: &str,
    key: &ReleaseKey,
    companions: bool,
) -> rusqlite::Result<Vec<(i64, Pending)>> {
    connection
        .prepare_cached(
            "SELECT p.id, p.notification, p.source, p.event FROM parked_keys k JOIN parked p ON p.id = k.parked
             WHERE k.key = ?1 AND k.source = ?2 AND (p.reason IS NOT NULL) = ?3 ORDER BY p.id DESC LIMIT ?4",
        )?
        .query_map(params![key.0, source, companions, OF_KEY_MAX], |row| {
            let event = json(3, row.get_ref(3)?.as_str()?)?;
            Ok((row.get(0)?, Pending::of(Uuid::from_bytes(row.get(1)?), row.get(2)?, event)))
        })?
        .collect()
}

/// The finding of a parked event: 0 if it was looked at in vain, none if it was not looked at.
pub(super) fn finding(connection: &Connection, row: i64) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached("SELECT finding FROM parked WHERE id = ?1")?.query_row([row], |row| row.get(0))
}

/// Notes the finding of a parked event; 0 for none.
pub(super) fn set_finding(connection: &Connection, row: i64, finding: i64) -> rusqlite::Result<()> {
    let mut set = connection.prepare_cached("UPDATE parked SET finding = ?2 WHERE id = ?1")?;
    set.execute([row, finding]).map(drop)
}

/// Has the events looked at again that wait for a PSP id as that of another kind of object: a record has the id now.
pub(super) fn look_again(connection: &Connection, psp_id: &str) -> rusqlite::Result<()> {
    let mut again = connection.prepare_cached(
        "UPDATE parked SET finding = NULL
         WHERE finding = 0 AND id IN (SELECT parked FROM parked_keys WHERE key = ?1)",
    )?;
    Kind::ALL.into_iter().try_for_each(|kind| again.execute([ReleaseKey::psp_id(kind, psp_id).0]).map(drop))
}

/// The keys that would release a parked event.
pub(super) fn waits_for(connection: &Connection, row: i64) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT key FROM parked_keys WHERE parked = ?1 ORDER BY key")?
        .query_map([row], |row| row.get(0))?
        .collect()
}

/// Whether any event of a notification is parked.
pub(super) fn holds(connection: &Connection, notification: Uuid) -> rusqlite::Result<bool> {
    let mut query = connection.prepare_cached("SELECT 1 FROM parked WHERE notification = ?1")?;
    query.exists([notification.into_bytes()])
}

/// Whether an event of a notification waits for its record, and not in silence.
pub(super) fn holds_in_view(connection: &Connection, notification: Uuid) -> rusqlite::Result<bool> {
    let mut query = connection.prepare_cached("SELECT 1 FROM parked WHERE notification = ?1 AND reason IS NULL")?;
    query.exists([notification.into_bytes()])
}

/// The parked events after the cursor `after`, the oldest first.
pub(super) fn list(
    connection: &Connection,
    source: Option<&str>,
    after: i64,
    most: u32,
) -> rusqlite::Result<Listed<ParkedEvent>> {
    let mut query = connection.prepare_cached(
        "SELECT id, notification, source, parked_at, event,
                 (SELECT json_group_array(key) FROM parked_keys WHERE parked = parked.id)
             FROM parked WHERE id > ?1 AND (?2 IS NULL OR source = ?2) AND reason IS NULL ORDER BY id LIMIT ?3",
    )?;
    Listed::read("parked", query.query(params![after, source, most])?, |row| {
        let event: Event = json(4, row.get_ref(4)?.as_str()?)?;
        Ok(ParkedEvent {
            cursor: row.get(0)?,
            notification: Uuid::from_bytes(row.get(1)?),
            source: row.get(2)?,
            parked_at: timestamp(3, row.get(3)?)?,
            event_type: event.event_type,
            waits_for: json(5, row.get_ref(5)?.as_str()?)?,
        })
    })
}

/// Reads a page of rows, to find damage in them.
pub(super) fn look(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT p.id, p.notification, p.source, p.event, p.parked_at, p.kept_since, n.id IS NULL
         FROM parked p LEFT JOIN notifications n ON n.id = p.notification WHERE p.id > ?1 ORDER BY p.id LIMIT ?2",
    )?;
    Listed::read("parked", query.query(params![after, most])?, |row| {
        row.get::<_, [u8; 16]>(1)?;
        row.get::<_, String>(2)?;
        json::<Event>(3, row.get_ref(3)?.as_str()?)?;
        timestamp(4, row.get(4)?)?;
        row.get::<_, Option<i64>>(5)?;
        if row.get(6)? { Err(unreadable(6, Type::Null, "its notification is missing")) } else { Ok(()) }
    })
}

fn take_out(connection: &Connection, row: i64) -> rusqlite::Result<Pending> {
    let parked = connection
        .prepare_cached("SELECT notification, source, event FROM parked WHERE id = ?1")?
        .query_row([row], |columns| {
            Ok(Pending {
                notification: Uuid::from_bytes(columns.get(0)?),
                source: columns.get(1)?,
                event: json(2, columns.get_ref(2)?.as_str()?)?,
            })
        })
        .optional()
        .and_then(|parked| parked.ok_or_else(|| unreadable(0, Type::Null, "the event that a key leads to is missing")))
        .map_err(in_row("parked", row))?;
    withdraw(connection, row)?;
    Ok(parked)
}

/// Deletes the parked events of a notification that is deleted or judged anew.
pub(super) fn forget(connection: &Connection, notification: [u8; 16]) -> rusqlite::Result<()> {
    let rows: Vec<i64> = connection
        .prepare_cached("SELECT id FROM parked WHERE notification = ?1")?
        .query_map([notification], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    rows.into_iter().try_for_each(|row| withdraw(connection, row))
}

/// Deletes the silent wait of an event: it finds its way anew, and may wait anew.
pub(super) fn forget_silent(connection: &Connection, pending: &Pending) -> rusqlite::Result<()> {
    let rows: Vec<i64> = connection
        .prepare_cached("SELECT id FROM parked WHERE notification = ?1 AND reason = ?2 AND event = ?3")?
        .query_map(
            params![pending.notification.into_bytes(), COMPANION, text_of(&pending.in_silence().event)?],
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    rows.into_iter().try_for_each(|row| withdraw(connection, row))
}

/// Deletes a parked event that does not wait any more, and takes it out of its finding.
fn withdraw(connection: &Connection, row: i64) -> rusqlite::Result<()> {
    match remove(connection, row)? {
        Some((Some(finding), notification)) if finding > 0 => findings::withdraw(connection, finding, notification),
        _ => Ok(()),
    }
}

/// Deletes a parked event. Returns its finding and its notification.
fn remove(connection: &Connection, row: i64) -> rusqlite::Result<Option<(Option<i64>, [u8; 16])>> {
    connection.prepare_cached("DELETE FROM parked_keys WHERE parked = ?1")?.execute([row])?;
    connection
        .prepare_cached("DELETE FROM parked WHERE id = ?1 RETURNING finding, notification")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}
