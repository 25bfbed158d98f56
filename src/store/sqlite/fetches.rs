//! The queue of fetches from the PSPs: one row for each object, and the messages that wait for it.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::columns::{Listed, micros, timestamp};
use crate::store::{AskedBy, Fetch, FetchFailed, FetchesSought};

/// The shortest time between the beginnings of two fetches of an object. A burst of its news then costs two fetches.
const SPACING: Duration = Duration::from_secs(1);
/// The most fetches in vain that are counted: fetches in a row that only hints asked for, and that brought nothing new. Each
/// after the first doubles the spacing. Endless hints at an object thus have it fetched every 32 seconds.
pub(super) const IN_VAIN_MAX: u32 = 6;
/// After this time without a fetch, the first hint has an object fetched as if no fetch had been in vain.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// The longest wait of the relay's own after a failure, with the call. The PSP has asked for any longer wait.
const OWN_WAIT_MAX: Duration = Duration::from_secs(360);

/// The request for an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) fetch: i64,
    /// How often the object was asked for by now.
    pub(super) asked: i64,
}

/// The origin of a request for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker<'a> {
    /// The PSP.
    Trusted,
    /// A hint at an object of ours.
    Hint,
    /// A hint at an object that only strangers have named.
    Stranger {
        /// The address whose slot it takes.
        address: &'a str,
    },
}

/// Asks for an object. A request during a fetch of the object has it fetched once more.
///
/// - News of an object of ours begins its patience anew; news of a stranger's does not.
/// - A request of the PSP waits for no hint: it is due a second after the last fetch. That holds also if the PSP did not
///   know the object when hints had it fetched.
/// - No row gets the id of a deleted one, since a fetch may still be under way for that.
pub(super) fn ask(
    connection: &Connection,
    source: &str,
    path: &str,
    asker: Asker<'_>,
    now: Timestamp,
) -> rusqlite::Result<Asked> {
    let (trusted, address) = match asker {
        Asker::Trusted => (PSP, ""),
        Asker::Hint => (HINT, ""),
        Asker::Stranger { address } => (STRANGER, address),
    };
    connection
        .prepare_cached(
            "INSERT INTO fetches (id, source, path, trusted, asked, due_at, hinted_by)
             VALUES (max(?4, (SELECT ifnull(max(id), 0) + 1 FROM fetches)), ?1, ?2, ?3, 1, ?4, ?6)
             ON CONFLICT (source, path) DO UPDATE SET
                 asked = asked + 1,
                 trusted = iif(due_at IS NULL, excluded.trusted, max(trusted, excluded.trusted)),
                 hinted_by = iif(due_at IS NULL, excluded.hinted_by, hinted_by),
                 attempts = iif(excluded.trusted = 2 AND trusted < 2 AND missing_since IS NOT NULL AND due_at <= began_at + ?9, 0, attempts),
                 failing_since = iif(excluded.trusted > 0, NULL, failing_since),
                 missing_since = iif(excluded.trusted > 0, NULL, missing_since),
                 in_vain = iif(excluded.trusted = 2 OR ifnull(began_at, 0) + ?7 < ?4, 0, in_vain),
                 due_at = CASE
                     WHEN due_at IS NULL THEN
                         min(max(?4, ifnull(began_at, 0)
                                 + (?5 << iif(excluded.trusted = 2, 0, min(max(in_vain - 1, 0), ?8)))),
                             ?4 + (?5 << iif(excluded.trusted = 2, 0, min(max(in_vain - 1, 0), ?8))))
                     WHEN excluded.trusted = 2 AND (attempts = 0 OR (trusted < 2 AND missing_since IS NOT NULL AND due_at <= began_at + ?9))
                         THEN min(due_at, max(?4, ifnull(began_at, 0) + ?5))
                     ELSE due_at END
             RETURNING id, asked",
        )?
        .query_row(
            params![source, path, trusted, micros(now), spacing(0), address, span(FORGIVEN_AFTER), IN_VAIN_MAX - 1, span(OWN_WAIT_MAX)],
            |row| Ok(Asked { fetch: row.get(0)?, asked: row.get(1)? }),
        )
}

/// Values of the column `trusted`: the origin of the request for an object.
const STRANGER: u8 = 0;
const HINT: u8 = 1;
const PSP: u8 = 2;

/// Whether any message waits for an object.
pub(super) fn is_waited_for(connection: &Connection, source: &str, path: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM fetches WHERE source = ?1 AND path = ?2 AND due_at IS NOT NULL")?
        .exists([source, path])
}

fn span(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// The time between two fetches of an object, after this many in vain.
fn spacing(in_vain: u32) -> i64 {
    span(SPACING) << in_vain.min(IN_VAIN_MAX).saturating_sub(1)
}

/// Notes that a message waits for an object that it asked for. If it waits already, the next response serves it, and it
/// waits on for another. A message that asks again and again therefore does not wait for ever.
pub(super) fn wait(connection: &Connection, asked: Asked, notification: Uuid, message: usize) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO fetch_waiting (fetch, notification, message, asked) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (fetch, notification, message) DO UPDATE SET again = excluded.asked",
        )?
        .execute(params![asked.fetch, notification.into_bytes(), index(message), asked.asked])
        .map(drop)
}

fn index(message: usize) -> i64 {
    i64::try_from(message).unwrap_or(i64::MAX)
}

/// Whether the notification waits for any fetch.
pub(super) fn awaits(connection: &Connection, notification: Uuid) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM fetch_waiting WHERE notification = ?1")?
        .exists([notification.into_bytes()])
}

/// Ends the waiting of a notification, since it is judged anew. A fetch that no message waits for is made once, in vain.
pub(super) fn forget(connection: &Connection, notification: Uuid) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM fetch_waiting WHERE notification = ?1")?
        .execute([notification.into_bytes()])
        .map(drop)
}

pub(super) fn fetch(row: &Row<'_>, scarce: bool) -> rusqlite::Result<Fetch> {
    let at = |column: usize| row.get::<_, Option<i64>>(column)?.map(|at| timestamp(column, at)).transpose();
    Ok(Fetch {
        id: row.get(0)?,
        path: row.get(1)?,
        asked: row.get(2)?,
        attempts: row.get(3)?,
        failing_since: at(4)?,
        missing_since: at(5)?,
        fetched_at: at(6)?,
        by: match row.get(7)? {
            STRANGER => AskedBy::Stranger,
            HINT => AskedBy::Hint,
            _ => AskedBy::Psp,
        },
        scarce,
    })
}

const OF: &str = "SELECT id, path, asked, attempts, failing_since, missing_since, fetched_at, trusted FROM fetches";

/// The due fetches that the PSP asks for, by due time, up to the limit.
pub(super) fn asked_by_psp(connection: &Connection, sought: &FetchesSought) -> rusqlite::Result<Listed<Fetch>> {
    let mut psp = connection
        .prepare_cached(&format!("{OF} WHERE source = ?1 AND due_at <= ?2 AND trusted = 2 ORDER BY due_at"))?;
    let rows = psp.query(params![sought.source, micros(sought.now)])?;
    Listed::read_most("fetches", rows, sought.most, |row| fetch(row, false))
}

pub(super) const HINTED: &str = "INDEXED BY fetches_hinted
    WHERE source = ?1 AND trusted = 1 AND in_vain = ?3 AND due_at <= ?2 ORDER BY due_at";

/// The due fetches of our objects that hints ask for, up to the limit. Those with the fewest fetches in vain come first.
pub(super) fn hinted(connection: &Connection, sought: &FetchesSought) -> rusqlite::Result<Listed<Fetch>> {
    let mut query = connection.prepare_cached(&format!("{OF} {HINTED}"))?;
    let mut found: Listed<Fetch> = Listed { rows: Vec::new(), damaged: Vec::new(), last: None };
    for in_vain in 0..=IN_VAIN_MAX {
        let left = sought.most.saturating_sub(found.rows.len());
        let rows = query.query(params![sought.source, micros(sought.now), in_vain])?;
        found.append(Listed::read_most("fetches", rows, left, |row| fetch(row, false))?);
    }
    Ok(found)
}

pub(super) const NTH_OF_ADDRESS: &str =
    "INDEXED BY fetches_of_strangers WHERE source = ?1 AND due_at <= ?2 AND trusted = 0
    AND hinted_by = (SELECT address FROM hint_addresses WHERE id = ?3) ORDER BY due_at LIMIT 1 OFFSET ?4";

/// Adds the due fetch of an address that has waited longest, after leaving out `before` of them. Returns whether there is
/// one, even a damaged one.
pub(super) fn nth(
    connection: &Connection,
    sought: &FetchesSought,
    (address, scarce): (i64, bool),
    before: usize,
    due: &mut Listed<Fetch>,
) -> rusqlite::Result<bool> {
    let mut query = connection.prepare_cached(&format!("{OF} {NTH_OF_ADDRESS}"))?;
    let rows = query.query(params![sought.source, micros(sought.now), address, index(before)])?;
    let found = Listed::read("fetches", rows, |row| fetch(row, scarce))?;
    let any = found.len() > 0;
    due.append(found);
    Ok(any)
}

/// The due time of the source's next fetch that is not due yet. An unreadable time never comes.
pub(super) fn next_due(connection: &Connection, source: &str, now: Timestamp) -> rusqlite::Result<Listed<Timestamp>> {
    let mut query = connection.prepare_cached(
        "SELECT id, due_at FROM fetches WHERE source = ?1 AND trusted = ?2 AND due_at > ?3 ORDER BY due_at LIMIT 1",
    )?;
    let mut of = |trusted: u8| {
        let rows = query.query(params![source, trusted, micros(now)])?;
        Listed::read("fetches", rows, |row| timestamp(1, row.get(1)?))
    };
    let mut next = of(PSP)?;
    next.append(of(HINT)?);
    next.append(of(STRANGER)?);
    Ok(next)
}

/// How many fetches wait, by source.
pub(super) fn backlog(connection: &Connection) -> rusqlite::Result<Vec<(String, u32)>> {
    let mut query =
        connection.prepare("SELECT source, count(*) FROM fetches WHERE due_at IS NOT NULL GROUP BY source")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Leaves out waiting messages whose notification is missing. Serving them would be tried without end; the look over the
/// store reports them instead.
macro_rules! its_notification_is_there {
    () => {
        "EXISTS (SELECT 1 FROM notifications WHERE id = fetch_waiting.notification)"
    };
}

/// Up to `most` waiting messages that asked up to this count: the notification, and the message's index in it.
pub(super) fn waiting(
    connection: &Connection,
    fetch: i64,
    asked: i64,
    most: usize,
) -> rusqlite::Result<Vec<(Uuid, usize)>> {
    connection
        .prepare_cached(concat!(
            "SELECT notification, message FROM fetch_waiting WHERE fetch = ?1 AND asked <= ?2 AND ",
            its_notification_is_there!(),
            " LIMIT ?3",
        ))?
        .query_map(params![fetch, asked, index(most)], |row| {
            Ok((Uuid::from_bytes(row.get(0)?), usize::try_from(row.get::<_, i64>(1)?).unwrap_or_default()))
        })?
        .collect()
}

/// The source and the call of a fetch, and whether more than strangers ask for it.
pub(super) fn asked_for(connection: &Connection, fetch: i64) -> rusqlite::Result<Option<(String, String, bool)>> {
    connection
        .prepare_cached("SELECT source, path, trusted FROM fetches WHERE id = ?1")?
        .query_row([fetch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
}

/// The object of an address that loses its slot, among those of which the PSP has never told. It is one that the PSP did not
/// know when it was asked, or else the one that would be fetched last.
pub(super) fn least_of(connection: &Connection, source: &str, address: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT id FROM fetches
             WHERE source = ?1 AND hinted_by = ?2 AND trusted = 0 AND due_at IS NOT NULL AND fetched_at IS NULL
             ORDER BY missing_since IS NULL, due_at DESC LIMIT 1",
        )?
        .query_row([source, address], |row| row.get(0))
        .optional()
}

/// Ends all waiting for a fetch.
pub(super) fn let_go(connection: &Connection, fetch: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM fetch_waiting WHERE fetch = ?1")?.execute([fetch]).map(drop)
}

/// Deletes a fetch.
pub(super) fn delete(connection: &Connection, fetch: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM fetches WHERE id = ?1")?.execute([fetch]).map(drop)
}

/// Whether a message waits for this fetch.
pub(super) fn waits_on(
    connection: &Connection,
    fetch: i64,
    (notification, message): (Uuid, usize),
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM fetch_waiting WHERE fetch = ?1 AND notification = ?2 AND message = ?3")?
        .exists(params![fetch, notification.into_bytes(), index(message)])
}

/// Marks a message that asked up to this count as served. If it asked again since, it waits on. Returns whether it was
/// waiting.
pub(super) fn serve(
    connection: &Connection,
    fetch: i64,
    asked: i64,
    (notification, message): (Uuid, usize),
) -> rusqlite::Result<bool> {
    let key = params![fetch, notification.into_bytes(), index(message), asked];
    let waits_on = connection
        .prepare_cached(
            "UPDATE fetch_waiting SET asked = again, again = NULL
             WHERE fetch = ?1 AND notification = ?2 AND message = ?3 AND asked <= ?4 AND again > ?4",
        )?
        .execute(key)?;
    let done = connection
        .prepare_cached(
            "DELETE FROM fetch_waiting WHERE fetch = ?1 AND notification = ?2 AND message = ?3 AND asked <= ?4",
        )?
        .execute(params![fetch, notification.into_bytes(), index(message), asked])?;
    Ok(waits_on + done > 0)
}

/// Whether a message that asked up to this count still waits.
pub(super) fn waits(connection: &Connection, fetch: i64, asked: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(concat!(
            "SELECT 1 FROM fetch_waiting WHERE fetch = ?1 AND asked <= ?2 AND ",
            its_notification_is_there!(),
        ))?
        .exists(params![fetch, asked])
}

/// Ends a fetch, once all messages that had asked by then are served. Messages that asked since have the object fetched once
/// more. That is later if only hints asked and the last fetches were in vain. `news`: this fetch was not in vain.
pub(super) fn rest(
    connection: &Connection,
    fetch: i64,
    began: Timestamp,
    fetched_at: Option<Timestamp>,
    news: bool,
) -> rusqlite::Result<()> {
    let (trusted, in_vain, psp_waits): (u8, u32, bool) = connection
        .prepare_cached(
            "SELECT trusted, in_vain, EXISTS (SELECT 1 FROM fetch_waiting w JOIN notifications n ON n.id = w.notification
                 WHERE w.fetch = fetches.id AND n.hint = 0)
             FROM fetches WHERE id = ?1",
        )?
        .query_row([fetch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let in_vain = if news || trusted == PSP { 0 } else { in_vain.saturating_add(1).min(IN_VAIN_MAX) };
    // The next fetch is not the PSP's if only hints wait for it.
    let trusted = if trusted == PSP && !psp_waits { HINT } else { trusted };
    connection
        .prepare_cached(concat!(
            "UPDATE fetches SET attempts = 0, failing_since = NULL, missing_since = NULL, reason = NULL,
                 began_at = ?2, fetched_at = ifnull(?3, fetched_at), trusted = ?5, in_vain = ?6,
                 due_at = iif(EXISTS (SELECT 1 FROM fetch_waiting WHERE fetch = ?1 AND ",
            its_notification_is_there!(),
            "), ?2 + ?4, NULL)
             WHERE id = ?1",
        ))?
        .execute(params![fetch, micros(began), fetched_at.map(micros), spacing(in_vain), trusted, in_vain])
        .map(drop)
}

/// Deletes the fetch of an object that a stranger may have made up: nothing of it is remembered.
pub(super) fn forget_stranger(connection: &Connection, fetch: i64) -> rusqlite::Result<()> {
    let mut delete =
        connection.prepare_cached("DELETE FROM fetches WHERE id = ?1 AND trusted = 0 AND due_at IS NULL")?;
    delete.execute([fetch]).map(drop)
}

/// Notes that a fetch failed and when it is tried again.
pub(super) fn retry(connection: &Connection, failed: &FetchFailed, again: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE fetches SET attempts = attempts + 1, failing_since = ifnull(failing_since, ?2),
                 missing_since = iif(?3, ifnull(missing_since, ?2), NULL), reason = ?4, due_at = ?5, began_at = ?2
             WHERE id = ?1",
        )?
        .execute(params![failed.fetch, micros(failed.began), failed.missing, failed.reason, micros(again)])
        .map(drop)
}

pub(super) const FORGOTTEN: &str = "DELETE FROM fetches WHERE id IN (
    SELECT id FROM fetches WHERE due_at IS NULL AND began_at < ?1
        AND NOT EXISTS (SELECT 1 FROM fetch_waiting WHERE fetch = fetches.id)
    ORDER BY began_at LIMIT ?2)";

/// Deletes the rows of objects that were last fetched before `cutoff` and not asked for since.
pub(super) fn prune(connection: &Connection, cutoff: Timestamp, most: u32) -> rusqlite::Result<usize> {
    connection.prepare_cached(FORGOTTEN)?.execute(params![micros(cutoff), most])
}

#[cfg(test)]
mod tests {
    use super::super::waiting::awaiting;
    use super::super::{fetch_ends, migrations};
    use super::*;

    /// A fetch ends although no message can be served. It is not begun again and again, and is in no other's way.
    #[test]
    fn a_fetch_ends_for_those_whose_notification_is_missing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::migrate(&mut connection).unwrap();
        let rows = "INSERT INTO fetches (id, source, path, trusted, asked, due_at) VALUES (1, 's', '/', 1, 1, 5);
            INSERT INTO fetch_waiting VALUES (1, x'00000000000000000000000000000001', 0, 1, NULL);";
        connection.execute_batch(rows).unwrap();
        let (began, reason) = (Timestamp::from_second(1000).unwrap(), "gone".to_owned());
        assert!(awaiting(&connection, 1, 1, 9).unwrap().is_empty());
        let failed = FetchFailed { fetch: 1, asked: 1, began, reason, missing: false, again: None };
        assert!(!fetch_ends::failed(&connection, &failed).unwrap().more);
        assert_eq!(backlog(&connection), Ok(Vec::new()));
        assert_eq!(prune(&connection, Timestamp::MAX, 9), Ok(0));
        let said = super::super::fetches_care::look_at_waiting(&connection, i64::MIN, 9).unwrap().damaged;
        assert!(said[0].to_string().contains("table fetch_waiting, row 1: its notification is missing"), "{said:?}");
    }
}
