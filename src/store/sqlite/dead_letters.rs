//! The limit of the room of dead letters. Past it, dead letters that may have been made from one notification are
//! deleted first, then the oldest.

use rusqlite::Connection;
use uuid::Uuid;

use super::{counts, parked};
use crate::store::DeadLetterGone;

/// A step ends after this many deleted bytes, so that no notification waits long behind it.
const STEP_BYTES: i64 = 4 * 1024 * 1024;

/// Deletes a dead letter, with its events that wait in silence. Returns the data for the log.
pub(super) fn delete(connection: &Connection, id: [u8; 16]) -> rusqlite::Result<DeadLetterGone> {
    parked::forget(connection, Uuid::from_bytes(id))?;
    connection
        .prepare_cached("DELETE FROM notifications WHERE id = ?1 RETURNING source, ifnull(reason, '')")?
        .query_row([id], |row| {
            Ok(DeadLetterGone { notification: Uuid::from_bytes(id), source: row.get(0)?, reason: row.get(1)? })
        })
}

/// Further contents of dedupe keys. The key whose further contents have most bytes comes first; within a key, the
/// newest content.
const FURTHER: &str = "SELECT n.id, ifnull(n.bytes, octet_length(n.body) + octet_length(n.headers))
    FROM dead_letter_keys k CROSS JOIN notifications n INDEXED BY dead_letters_further
        ON n.source = k.source AND n.dedupe_key = k.dedupe_key
    WHERE n.outcome = 'dead_letter' AND n.further = 1
        AND NOT EXISTS (SELECT 1 FROM parked WHERE notification = n.id AND reason IS NULL)
        AND NOT EXISTS (SELECT 1 FROM fetch_waiting WHERE notification = n.id)
    ORDER BY k.bytes DESC, k.source, k.dedupe_key, n.rowid DESC LIMIT ?1";

const OLDEST: &str =
    "SELECT id, ifnull(bytes, octet_length(body) + octet_length(headers)) FROM notifications WHERE outcome = 'dead_letter'
        AND NOT EXISTS (SELECT 1 FROM parked WHERE notification = notifications.id AND reason IS NULL)
        AND NOT EXISTS (SELECT 1 FROM fetch_waiting WHERE notification = notifications.id)
    ORDER BY rowid LIMIT ?1";

/// Deletes up to `most` dead letters while all together have more than `bytes`. A dead letter stays while one of its events
/// waits for a record, or while it waits for a fetch.
///
/// Many dead letters can be made from one captured notification. Dead letters that may be such copies are deleted
/// before the first content of any dedupe key.
pub(super) fn beyond(connection: &Connection, bytes: u64, most: u32) -> rusqlite::Result<Vec<DeadLetterGone>> {
    let excess = counts::dead_letter_bytes(connection)?.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    if excess <= 0 {
        return Ok(Vec::new());
    }
    let (mut deleted, mut gone) = (0_i64, Vec::new());
    for order in [FURTHER, OLDEST] {
        let left = u32::try_from(gone.len()).map_or(0, |gone| most.saturating_sub(gone));
        let next: Vec<([u8; 16], i64)> = connection
            .prepare_cached(order)?
            .query_map([left], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (id, size) in next {
            if deleted >= excess.min(STEP_BYTES) {
                return Ok(gone);
            }
            gone.push(delete(connection, id)?);
            deleted = deleted.saturating_add(size);
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::params;

    use super::*;

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        connection
    }

    /// The n-th notification, of 100 bytes in all.
    fn insert(connection: &Connection, n: u8, outcome: &str) {
        insert_one(connection, n, outcome, false);
    }

    fn insert_one(connection: &Connection, n: u8, outcome: &str, further: bool) {
        connection
            .execute(
                "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body, further)
                 VALUES (?1, 's', ?2, x'', x'', ?3, '[]', zeroblob(98), ?4)",
                params![[n; 16], n, outcome, further],
            )
            .unwrap();
    }

    fn one(connection: &Connection, question: &str) -> i64 {
        connection.query_row(question, [], |row| row.get(0)).unwrap()
    }

    const COUNTED: &str = "SELECT ifnull(sum(octet_length(body) + octet_length(headers)), 0) FROM notifications
         WHERE outcome = 'dead_letter'";

    #[test]
    fn the_oldest_go_until_the_rest_fits() {
        let connection = store();
        for n in 1..=10 {
            insert(&connection, n, if n == 3 { "applied" } else { "dead_letter" });
        }
        assert!(beyond(&connection, 900, 500).unwrap().is_empty(), "nine of a hundred bytes each");
        assert_eq!(numbers(&beyond(&connection, 750, 500).unwrap()), [1, 2]);
        assert_eq!((one(&connection, COUNTED), one(&connection, "SELECT count(*) FROM notifications")), (700, 8));
        assert!(beyond(&connection, 750, 500).unwrap().is_empty());
    }

    fn numbers(gone: &[DeadLetterGone]) -> Vec<u8> {
        gone.iter().map(|one| one.notification.as_bytes()[0]).collect()
    }

    /// The n-th notification becomes a further content of a key, with this number of bytes.
    fn is_further(connection: &Connection, n: u8, key: &str, bytes: u32) {
        insert(connection, n, "applied");
        let further = "UPDATE notifications SET dedupe_key = CAST(?2 AS BLOB), further = 1, body = zeroblob(?3 - 2) WHERE id = ?1";
        connection.execute(further, params![[n; 16], key, bytes]).unwrap();
        connection.execute("UPDATE notifications SET outcome = 'dead_letter' WHERE id = ?1", [[n; 16]]).unwrap();
    }

    #[test]
    fn what_may_have_been_made_of_one_goes_first() {
        let connection = store();
        insert(&connection, 1, "dead_letter");
        is_further(&connection, 2, "small", 100);
        is_further(&connection, 3, "large", 100);
        is_further(&connection, 4, "large", 100);
        insert(&connection, 5, "dead_letter");
        is_further(&connection, 6, "larger", 300);
        is_further(&connection, 7, "large", 100);
        let mut order = Vec::new();
        while let Some(gone) = numbers(&beyond(&connection, 0, 1).unwrap()).first() {
            order.push(*gone);
        }
        // Two keys of the same size take turns.
        assert_eq!(order, [7, 6, 4, 3, 2, 1, 5]);
        assert_eq!(one(&connection, "SELECT count(*) FROM dead_letter_keys"), 0);
    }

    #[test]
    fn a_further_one_that_waits_is_in_the_way_of_none() {
        let connection = store();
        is_further(&connection, 1, "large", 900);
        is_further(&connection, 2, "small", 100);
        connection
            .execute("INSERT INTO parked (notification, source, parked_at, event) VALUES (?1, 's', 0, '{}')", [[1; 16]])
            .unwrap();
        assert_eq!(numbers(&beyond(&connection, 0, 500).unwrap()), [2]);
    }

    #[test]
    fn what_goes_first_is_found_by_indexes() {
        let connection = store();
        for (question, index) in
            [(FURTHER, "dead_letters_further (source=? AND dedupe_key=?)"), (OLDEST, "dead_letter_places")]
        {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
            let plan: Vec<String> = plan.query_map([0], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            let plan = plan.join("\n");
            assert!(plan.contains(index) && !plan.contains("B-TREE"), "{plan}");
            assert!(question == OLDEST || plan.contains("USING COVERING INDEX dead_letter_keys_by_bytes"), "{plan}");
        }
    }

    #[test]
    fn what_still_waits_stays_whatever_room_it_takes() {
        let connection = store();
        (1..=3).for_each(|n| insert(&connection, n, "dead_letter"));
        connection
            .execute("INSERT INTO parked (notification, source, parked_at, event) VALUES (?1, 's', 0, '{}')", [[1; 16]])
            .unwrap();
        connection.execute("INSERT INTO fetches (id, source, path, trusted) VALUES (1, 's', '/', 1)", []).unwrap();
        connection.execute("INSERT INTO fetch_waiting VALUES (1, ?1, 0, 1, NULL)", [[2; 16]]).unwrap();
        let (notification, source) = (Uuid::from_bytes([3; 16]), "s".to_owned());
        let third = DeadLetterGone { notification, source, reason: String::new() };
        assert_eq!(beyond(&connection, 0, 500).unwrap(), [third]);
        assert!(beyond(&connection, 0, 500).unwrap().is_empty());
    }

    #[test]
    fn a_step_is_short() {
        let connection = store();
        for n in 1..=8 {
            insert(&connection, n, "dead_letter");
        }
        connection.execute("UPDATE notifications SET body = zeroblob(2097152)", []).unwrap();
        assert_eq!(one(&connection, "SELECT bytes FROM dead_letter_bytes"), one(&connection, COUNTED));
        assert_eq!(beyond(&connection, 0, 500).unwrap().len(), 2);
    }

    proptest! {
        /// The count equals the bytes of the rows after any insertions, updates and deletions.
        #[test]
        fn the_count_is_kept(steps in prop::collection::vec((1_u8..6, 0_u8..4), 0..60)) {
            let connection = store();
            for (n, what) in steps {
                let there = one(&connection, &format!("SELECT count(*) FROM notifications WHERE received_at = {n}")) > 0;
                match what {
                    0 if !there => insert_one(&connection, n, "dead_letter", n % 2 == 1),
                    1 if !there => insert_one(&connection, n, "applied", n % 2 == 1),
                    0 | 1 => {
                        let outcome = if what == 0 { "dead_letter" } else { "applied" };
                        let key = params![n, outcome];
                        connection.execute("UPDATE notifications SET outcome = ?2 WHERE received_at = ?1", key).unwrap();
                    }
                    2 => drop(connection.execute("DELETE FROM notifications WHERE received_at = ?1", [n]).unwrap()),
                    _ => {
                        let key = params![n, vec![0_u8; usize::from(n)]];
                        connection.execute("UPDATE notifications SET body = ?2 WHERE received_at = ?1", key).unwrap();
                    }
                }
                let further = "SELECT ifnull(sum(bytes), 0) FROM dead_letter_keys";
                prop_assert_eq!(one(&connection, further), one(&connection, &format!("{COUNTED} AND further = 1")));
                let kept = "SELECT bytes FROM dead_letter_bytes WHERE bytes = ~bytes_inverse";
                prop_assert_eq!(one(&connection, kept), one(&connection, COUNTED));
            }
        }
    }
}
