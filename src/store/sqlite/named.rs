//! The records that texts of kept notifications and parked events name, in a store of any version that is only read.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{fact, key};
use crate::domain::event::Event;
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::store::core::findings::Named;
use crate::store::core::parked::ReleaseKey;

/// The first registered record that one of these texts leads to, as a PSP id of any kind or as a Transform id.
pub(super) fn named<'n>(
    connection: &Connection,
    source: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> rusqlite::Result<Option<Named>> {
    for name in names {
        if let Some(found) = by_psp_id(connection, source, name)? {
            return Ok(Some(found));
        }
        if let Some(found) = by_transform_id(connection, source, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn by_psp_id(connection: &Connection, source: &str, psp_id: &str) -> rusqlite::Result<Option<Named>> {
    connection
        .prepare_cached(
            "SELECT r.id, r.kind, r.transform_id FROM psp_ids p JOIN records r ON r.id = p.record
             WHERE p.psp_id = ?1 AND p.source IN (?2, '') LIMIT 1",
        )?
        .query_row(params![psp_id, source], |row| Ok((row.get(0)?, key(row.get(1)?, row.get(2)?)?)))
        .optional()
}

/// A damaged record counts as bound to no source: a finding must not keep a notification out.
fn by_transform_id(connection: &Connection, source: &str, id: &str) -> rusqlite::Result<Option<Named>> {
    let found = connection
        .prepare_cached("SELECT id, kind, transform_id, record FROM records WHERE transform_id = ?1")?
        .query_row([id], |row| {
            let bound = fact::<Record>(row, 3).ok().and_then(|record| record.source);
            Ok((bound, (row.get(0)?, key(row.get(1)?, row.get(2)?)?)))
        })
        .optional()?;
    Ok(found.and_then(|(bound, named)| bound.is_none_or(|bound| bound == source).then_some(named)))
}

/// A registered record that a parked event names.
pub(super) fn record_of(connection: &Connection, source: &str, event: &Event) -> rusqlite::Result<Option<Named>> {
    match named(connection, source, event.names())? {
        Some(record) => Ok(Some(record)),
        None if event.kinds == [Kind::Agreement] => by_companions(connection, source, event),
        None => Ok(None),
    }
}

/// The most companions that are looked at because they wait for the same key.
const OF_KEY_MAX: u32 = 10;

/// The registered payment whose own event has named one of the ids of an agreement.
fn by_companions(connection: &Connection, source: &str, event: &Event) -> rusqlite::Result<Option<Named>> {
    let mut companions = connection.prepare_cached(
        "SELECT p.event FROM parked_keys k JOIN parked p ON p.id = k.parked
         WHERE k.key = ?1 AND k.source = ?2 AND p.reason IS NOT NULL ORDER BY p.id DESC LIMIT ?3",
    )?;
    for id in event.leading_ids() {
        let key = ReleaseKey::psp_id(Kind::Agreement, id);
        let companions: Vec<Event> = companions
            .query_map(params![key.as_str(), source, OF_KEY_MAX], |row| fact(row, 0))?
            .collect::<rusqlite::Result<_>>()?;
        for companion in companions {
            let payment = named(connection, source, companion.payment_ids.iter().map(String::as_str))?;
            if payment.is_some() {
                return Ok(payment);
            }
        }
    }
    Ok(None)
}

/// The keys that would release a parked event.
pub(super) fn waits_for(connection: &Connection, row: i64) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached("SELECT key FROM parked_keys WHERE parked = ?1 ORDER BY key")?
        .query_map([row], |row| row.get(0))?
        .collect()
}
