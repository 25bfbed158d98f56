//! The queue of fetches from the PSPs: one row for each object, and the messages that wait for it.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::columns::{Listed, micros, timestamp};
use crate::store::{AskedBy, Fetch, FetchFailed, FetchesSought};

/// The shortest time between the beginnings of two fetches of an object. Thus a burst of news of an object costs two
/// fetches.
const SPACING: Duration = Duration::from_secs(1);
/// The limit of counted fetches in vain. A fetch is in vain if only hints asked for it and it brought nothing new; only
/// those in a row count. Each after the first doubles the spacing. Thus an object with endless hints is fetched every
/// 32 seconds.
pub(super) const IN_VAIN_MAX: u32 = 6;
/// After this time without a fetch, the next hint counts as if no fetch had been in vain.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// The longest wait of the relay's own choice after a failure, with the duration of the call. A longer wait was asked
/// for by the PSP.
const OWN_WAIT_MAX: Duration = Duration::from_secs(360);

/// A request for an object, in its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) fetch: i64,
    /// The number of requests for the object, this one included.
    pub(super) asked: i64,
}

/// The origin of a request for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker<'a> {
    /// The PSP.
    Trusted,
    /// A hint at an object of ours.
    Hint,
    /// A hint at an object that only strangers have named. The object takes a slot.
    Stranger {
        /// The address whose slot the object takes.
        address: &'a str,
    },
}

/// Asks for an object. After a request during a fetch, the object is fetched once more.
///
/// - A request for an object of ours begins its patience anew; a request for a stranger's object does not.
/// - A request of the PSP does not wait as hints do: it is due a second after the last fetch began. That holds also if
///   the PSP did not know the object in fetches for hints.
/// - No row gets the id of a deleted row, since a fetch may still be under way for that row.
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

/// Whether a fetch of the object is due now or later.
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

/// Notes that a message waits for an object that it asked for. A message that already waits is served by the next
/// response, and then waits for one more. Otherwise a message that asks again and again would wait for ever.
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

/// Ends the waiting of a notification that is judged anew or deleted. A fetch that no message waits for any more is
/// still made once.
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

/// Adds the due fetch of an address that has waited longest, without the first `before` of them. Returns whether there
/// is one, even if its row is damaged.
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

/// The due times of the source's next fetches that are not due yet, one for each kind of request. An unreadable time is
/// damage.
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

/// The number of waiting fetches, by source.
pub(super) fn backlog(connection: &Connection) -> rusqlite::Result<Vec<(String, u32)>> {
    let mut query =
        connection.prepare("SELECT source, count(*) FROM fetches WHERE due_at IS NOT NULL GROUP BY source")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The condition that leaves out waiting messages whose notification is missing. They could never be served, and their
/// fetch would begin again and again. The look over the store reports them.
macro_rules! its_notification_is_there {
    () => {
        "EXISTS (SELECT 1 FROM notifications WHERE id = fetch_waiting.notification)"
    };
}

/// Up to `most` waiting messages whose request is among the first `asked` requests: the notification, and the message's
/// index in it.
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

/// The source and the call of a fetch, and whether anybody but strangers asks for it.
pub(super) fn asked_for(connection: &Connection, fetch: i64) -> rusqlite::Result<Option<(String, String, bool)>> {
    connection
        .prepare_cached("SELECT source, path, trusted FROM fetches WHERE id = ?1")?
        .query_row([fetch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()
}

/// The object of an address that loses its slot, among the objects that were never fetched with success. An object that
/// the PSP did not know goes first, or else the object that would be fetched last.
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

/// Marks a message as served if its request is among the first `asked` requests. If it asked again since, it waits on.
/// Returns whether it was waiting.
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

/// Whether a message whose request is among the first `asked` requests still waits.
pub(super) fn waits(connection: &Connection, fetch: i64, asked: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(concat!(
            "SELECT 1 FROM fetch_waiting WHERE fetch = ?1 AND asked <= ?2 AND ",
            its_notification_is_there!(),
        ))?
        .exists(params![fetch, asked])
}

/// Ends a fetch, once all messages that had asked at its start are served. For messages that asked since, the object is
/// fetched once more. That fetch comes later if only hints asked and the last fetches were in vain. `news` says that
/// this fetch was not in vain.
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
    // If only hints wait for the next fetch, it does not count as the PSP's.
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

/// Deletes the row of an object that a stranger may have made up, if nobody waits for it. Nothing of it is remembered.
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

    /// A fetch ends although its only message cannot be served. It does not begin again and again, and is in the way of
    /// no other.
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
