//! What is no stranger's, and the places of objects of which nobody but strangers has spoken: who has them, and who gives one
//! up.

use rusqlite::{Connection, OptionalExtension, params};
use url::form_urlencoded;

use super::{fetches, inbox};
use crate::store::Outcome;

/// Whether a record was registered with, or has learned, an id that stands in the call.
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

/// How many places of a source are taken: in all, and by this address.
pub(super) fn held(connection: &Connection, source: &str, address: &str) -> rusqlite::Result<(u32, u32)> {
    connection
        .prepare_cached(
            "SELECT count(*), ifnull(sum(hinted_by = ?2), 0) FROM fetches
             WHERE source = ?1 AND trusted = 0 AND due_at IS NOT NULL",
        )?
        .query_row([source, address], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The address that has most of a source's places, and how many.
pub(super) fn holds_most(connection: &Connection, source: &str) -> rusqlite::Result<Option<(String, u32)>> {
    connection
        .prepare_cached(
            "SELECT hinted_by, count(*) AS held FROM fetches
             WHERE source = ?1 AND trusted = 0 AND due_at IS NOT NULL
             GROUP BY hinted_by ORDER BY held DESC LIMIT 1",
        )?
        .query_row([source], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Takes a place from an address: that of an object that the PSP did not know when it was asked, or else of the one that
/// would be looked up last. What the PSP has told of once was not made up and stays. Says whether there was one to take.
pub(super) fn displace(connection: &Connection, source: &str, address: &str) -> rusqlite::Result<bool> {
    let found: Option<i64> = connection
        .prepare_cached(
            "SELECT id FROM fetches
             WHERE source = ?1 AND hinted_by = ?2 AND trusted = 0 AND due_at IS NOT NULL AND fetched_at IS NULL
             ORDER BY missing_since IS NULL, max(turn, due_at) DESC LIMIT 1",
        )?
        .query_row([source, address], |row| row.get(0))
        .optional()?;
    let Some(fetch) = found else { return Ok(false) };
    let waiting = fetches::awaiting(connection, fetch, i64::MAX, usize::MAX)?;
    connection.prepare_cached("DELETE FROM fetch_waiting WHERE fetch = ?1")?.execute([fetch])?;
    for waiting in waiting.iter().filter(|waiting| waiting.notification.outcome == Outcome::Fetching) {
        inbox::drop_hint(connection, &waiting.notification)?;
    }
    connection.prepare_cached("DELETE FROM fetches WHERE id = ?1")?.execute([fetch])?;
    Ok(true)
}
