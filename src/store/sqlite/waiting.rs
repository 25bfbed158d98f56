//! Messages that wait for a fetch, with the notifications that hold them.

use rusqlite::Connection;

use super::{fetches, inbox, records};
use crate::store::Awaiting;

/// Up to `most` waiting messages whose request is among the first `asked` requests.
pub(super) fn awaiting(
    connection: &Connection,
    fetch: i64,
    asked: i64,
    most: usize,
) -> rusqlite::Result<Vec<Awaiting>> {
    let mut awaiting = Vec::new();
    for (id, message) in fetches::waiting(connection, fetch, asked, most)? {
        let notification = inbox::kept(connection, id)?;
        awaiting.extend(notification.map(|notification| Awaiting { notification, message }));
    }
    Ok(awaiting)
}

/// The source of a fetch, and whether its object is known: the PSP or a hint at an object of ours asks for it, or a
/// record has its id.
pub(super) fn asked_for(connection: &Connection, fetch: i64) -> rusqlite::Result<Option<(String, bool)>> {
    let Some((source, path, trusted)) = fetches::asked_for(connection, fetch)? else { return Ok(None) };
    let trusted = trusted || records::is_known(connection, &source, &path)?;
    Ok(Some((source, trusted)))
}
