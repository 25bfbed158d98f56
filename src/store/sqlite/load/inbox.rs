//! Loading of notifications, without their headers and bodies.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::super::columns::in_row;
use super::super::fetches;
use super::super::inbox::outcome;
use super::events;
use super::read::readable;
use crate::store::Outcome;
use crate::store::core::inbox::CONTENTS_MAX;
use crate::store::core::set::rows::notification::{ContentsRow, Key, NotificationRow, OfKey};
use crate::store::core::set::rows::parked;
use crate::store::core::set::rows::state::AwaitsRow;
use crate::store::core::set::{Readable, WorkingSet};

macro_rules! question {
    ($by:literal) => {
        concat!(
            "SELECT rowid, id, source, dedupe_key, body_hash, hint, outcome, answered, became, reason, form, signed_at, further,
                 tells_first, ifnull(bytes, octet_length(headers) + octet_length(body))
             FROM notifications WHERE ",
            $by
        )
    };
}

/// The very same notification.
pub(in crate::store::sqlite) const CONTENT: &str = question!(
    "substr(dedupe_key, 1, 8) = substr(?2, 1, 8) AND substr(body_hash, 1, 4) = substr(?3, 1, 4)
    AND source = ?1 AND dedupe_key = ?2 AND body_hash = ?3 AND hint = 0"
);

fn row(row: &Row<'_>) -> rusqlite::Result<NotificationRow> {
    let id = Uuid::from_bytes(row.get(1)?);
    let some = |column: usize| -> rusqlite::Result<Option<Readable<Outcome>>> {
        let read = |name: String| readable(outcome(column, &name).map_err(in_row("notifications", id)));
        row.get::<_, Option<String>>(column).map_err(in_row("notifications", id))?.map(read).transpose()
    };
    let missing = || Readable::Damaged(format!("table notifications, row {id}: it has no outcome"));
    Ok(NotificationRow {
        row: row.get(0)?,
        id,
        of_key: (row.get(2)?, digest(row, 3)?),
        content: digest(row, 4)?,
        hint: row.get(5)?,
        outcome: some(6)?.unwrap_or_else(missing),
        answered: some(7)?,
        through: some(8)?,
        reason: row.get(9)?,
        form: row.get(10)?,
        signed_at: row.get(11)?,
        further: row.get(12)?,
        tells_first: row.get(13)?,
        bytes: row.get(14)?,
        received: None,
    })
}

/// A digest. Of one that is damaged no text is found, and its notification can be read all the same.
fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<[u8; 16]> {
    Ok(row.get::<_, Vec<u8>>(column)?.try_into().unwrap_or_default())
}

pub(super) fn load(connection: &Connection, set: &WorkingSet, wanted: &Key) -> rusqlite::Result<()> {
    let found: Vec<NotificationRow> = match wanted {
        Key::Id(id) => connection
            .prepare_cached(question!("id = ?1"))?
            .query_map([id.into_bytes()], row)?
            .collect::<rusqlite::Result<_>>()?,
        Key::Content(of_key, content) => {
            if !contents(connection, set, of_key)? {
                set.notifications.know(Key::Contents(of_key.clone()));
                set.notifications.know(wanted.clone());
                return Ok(());
            }
            connection
                .prepare_cached(CONTENT)?
                .query_map(params![of_key.0, of_key.1, content], row)?
                .collect::<rusqlite::Result<_>>()?
        }
        Key::Contents(of_key) => connection
            .prepare_cached(question!(
                "substr(dedupe_key, 1, 8) = substr(?2, 1, 8) AND source = ?1 AND dedupe_key = ?2
                AND body_hash <> dedupe_key"
            ))?
            .query_map(params![of_key.0, of_key.1], row)?
            .collect::<rusqlite::Result<_>>()?,
    };
    let ids: Vec<Uuid> = found.iter().map(|row| row.id).collect();
    set.notifications.absorb(wanted.clone(), found);
    for id in ids {
        set.notifications.know(Key::Id(id));
        // Of many contents of one key, what is still waiting decides which gives way.
        if matches!(wanted, Key::Contents(_)) {
            if !set.parked.knows(&parked::Key::Of(id)) {
                events::parked(connection, set, &parked::Key::Of(id))?;
            }
            if !set.awaits.knows(&id) {
                let awaits = fetches::awaits(connection, id)?.then_some(AwaitsRow { notification: id });
                set.awaits.absorb(id, awaits);
            }
        }
    }
    Ok(())
}

/// Whether there is any content of a key. Hints are left out: only hints have the same value in both hashes.
const IS_ANY: &str =
    "SELECT 1 FROM notifications WHERE substr(dedupe_key, 1, 8) = substr(?2, 1, 8) AND source = ?1 AND dedupe_key = ?2
         AND body_hash <> dedupe_key LIMIT 1";

/// One content of a key, up to a limit, and the row of the last one. Hints are left out: only hints have the same value in both hashes.
pub(in crate::store::sqlite) const OF_KEY: &str = "SELECT min(rowid), (SELECT max(rowid) FROM notifications
         WHERE substr(dedupe_key, 1, 8) = substr(?2, 1, 8) AND source = ?1 AND dedupe_key = ?2 AND body_hash <> dedupe_key)
     FROM (SELECT rowid FROM notifications
         WHERE substr(dedupe_key, 1, 8) = substr(?2, 1, 8) AND source = ?1 AND dedupe_key = ?2 AND body_hash <> dedupe_key LIMIT ?3)";

/// Loads the contents of a key in brief. Returns whether there are any.
pub(super) fn contents(connection: &Connection, set: &WorkingSet, of_key: &OfKey) -> rusqlite::Result<bool> {
    if set.contents.knows(of_key) {
        return Ok(!set.contents.here(of_key).is_empty());
    }
    // Nearly always the notification is new, and none has its key.
    if !connection.prepare_cached(IS_ANY)?.exists(params![of_key.0, of_key.1])? {
        set.contents.know(of_key.clone());
        return Ok(!set.contents.here(of_key).is_empty());
    }
    let rows: (Option<i64>, Option<i64>) = connection
        .prepare_cached(OF_KEY)?
        .query_row(params![of_key.0, of_key.1, CONTENTS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = rows else { return Ok(false) };
    let one = connection
        .prepare_cached("SELECT id FROM notifications WHERE rowid = ?1")?
        .query_row([first], |row| row.get(0).map(Uuid::from_bytes))?;
    set.contents.absorb(of_key.clone(), [ContentsRow { of_key: of_key.clone(), one, last }]);
    Ok(true)
}
