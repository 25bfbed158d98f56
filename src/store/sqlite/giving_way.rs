//! Giving way: the choice of the contents that a dedupe key without room loses to another content.

use std::collections::HashSet;

use rusqlite::{Connection, named_params};
use uuid::Uuid;

use super::columns::digest;
use super::inbox::{self, is_full, of_key, outcome};
use super::{fetches, parked};
use crate::store::{GaveWay, Outcome, Taken};

/// Deletes other contents of a dedupe key until there is room for one more, whose outcome is `became`. Returns the
/// deleted contents; none if they cannot make room.
///
/// These contents stay:
/// - the first, since it may be the genuine one;
/// - each that waits or is a dead letter, and was the first to tell of some signed text: behind the message that they
///   have in common, it has news of its own;
/// - each in `under_way`: its released events are not applied yet.
///
/// Of the others, the contents of least use go first. For a dead letter, neither dead letters nor waiting contents give
/// way.
pub(super) fn gives_way(
    connection: &Connection,
    taken: &Taken,
    became: Outcome,
    under_way: &HashSet<Uuid>,
) -> rusqlite::Result<Option<Vec<GaveWay>>> {
    let key = digest(taken.normalised.dedupe_key.as_bytes());
    let mut gone = Vec::new();
    while let Some(kept) = of_key(connection, taken, key)?
        && is_full(connection, taken, key, &kept)?
    {
        let Some(one) = last_of_use(connection, taken, (key, kept.row), became, under_way)? else { return Ok(None) };
        let id = one.notification;
        parked::forget(connection, id.into_bytes())?;
        fetches::forget(connection, id)?;
        inbox::delete(connection, id)?;
        gone.push(one);
    }
    Ok(Some(gone))
}

/// The use of a further content of a dedupe key, from least to most. Contents of the least use go first, the latest of
/// them before the others; among waiting contents, the oldest goes first. The least use has a dead letter.
const DEAD: u8 = 0;
/// The content changed nothing.
const NOTHING: u8 = 1;
/// The content is in the records by now.
const APPLIED: u8 = 2;
/// The content waits for a record or for a fetch.
const WAITING: u8 = 3;

/// The contents of a key after a row, within a range of uses, in the order in which they give way.
const BY_USE: &str = "SELECT id, outcome, use IN (:dead, :waiting) FROM (
         SELECT id, outcome, tells_first, rowid AS number, CASE
             WHEN EXISTS (SELECT 1 FROM parked WHERE notification = n.id AND reason IS NULL)
                 OR EXISTS (SELECT 1 FROM fetch_waiting WHERE notification = n.id) THEN :waiting
             WHEN outcome = 'dead_letter' THEN :dead
             WHEN outcome IN ('ignored', 'repeated', 'stale') THEN :nothing
             ELSE :applied END AS use
         FROM notifications n
         WHERE source = :source AND dedupe_key = :key AND body_hash <> dedupe_key AND rowid > :first)
     WHERE use BETWEEN :least AND :most AND NOT (tells_first = 1 AND use IN (:dead, :waiting))
     ORDER BY use, iif(use = :waiting, number, -number)";

/// The notification of least use among those of a dedupe key after the first.
fn last_of_use(
    connection: &Connection,
    taken: &Taken,
    (key, first): ([u8; 16], i64),
    became: Outcome,
    under_way: &HashSet<Uuid>,
) -> rusqlite::Result<Option<GaveWay>> {
    // No waiting content has to give way to a pointer: without room, the pointer is taken as a hint.
    let (least, most) = match became {
        Outcome::DeadLetter => (NOTHING, APPLIED),
        _ if taken.is_pointer => (DEAD, APPLIED),
        _ => (DEAD, WAITING),
    };
    let mut by_use = connection.prepare_cached(BY_USE)?;
    let asked = named_params! {
        ":source": taken.source, ":key": key, ":first": first, ":least": least, ":most": most,
        ":dead": DEAD, ":nothing": NOTHING, ":applied": APPLIED, ":waiting": WAITING,
    };
    let found = by_use.query_map(asked, |row| {
        let (notification, outcome) = (Uuid::from_bytes(row.get(0)?), outcome(1, &row.get::<_, String>(1)?)?);
        Ok(GaveWay { notification, outcome, unsettled: row.get(2)? })
    })?;
    let mut free = found.filter(|one| !one.as_ref().is_ok_and(|one| under_way.contains(&one.notification)));
    free.next().transpose()
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::super::inbox::{CONTENTS_MAX, kept};
    use super::*;
    use crate::domain::message::Normalised;

    /// An event that was released is neither parked nor in its record before it is applied.
    #[test]
    fn what_is_on_its_way_gives_no_way() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let key = digest(b"k");
        for n in 0..u128::from(CONTENTS_MAX) {
            let id = Uuid::from_u128(n).into_bytes();
            let row =
                "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
                VALUES (?1, 's', 0, ?2, ?1, 'parked', '[]', x'')";
            connection.execute(row, params![id, key]).unwrap();
        }
        let at = jiff::Timestamp::UNIX_EPOCH;
        let taken = Taken {
            id: Uuid::max(),
            source: "s".to_owned(),
            received_at: crate::domain::due::Moment { wall: at, steady: at },
            headers: Vec::new(),
            body: Vec::new(),
            form: "f".to_owned(),
            signed_at: None,
            partly_signed: true,
            vouched: false,
            is_pointer: false,
            normalised: Normalised { dedupe_key: "k".to_owned(), beside: String::new(), messages: Vec::new() },
        };
        let on_the_way: HashSet<_> = (2..u128::from(CONTENTS_MAX)).map(Uuid::from_u128).collect();
        let gone = gives_way(&connection, &taken, Outcome::Applied, &on_the_way).unwrap().unwrap();
        assert_eq!(gone.len(), 1);
        assert!(kept(&connection, Uuid::from_u128(1)).unwrap().is_none(), "the only one that is not on its way");
        assert_eq!(
            gives_way(&connection, &taken, Outcome::Applied, &on_the_way).unwrap(),
            Some(Vec::new()),
            "there is room"
        );
        let again = "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
            SELECT ?1, source, 0, dedupe_key, ?1, outcome, headers, body FROM notifications LIMIT 1";
        connection.execute(again, [Uuid::max().into_bytes()]).unwrap();
        let all = on_the_way.iter().copied().chain([Uuid::max()]).collect();
        assert_eq!(gives_way(&connection, &taken, Outcome::Applied, &all).unwrap(), None);
    }
}
