//! The room that dead letters take: past its limit the oldest go.

use rusqlite::Connection;
use uuid::Uuid;

use super::{counts, parked};
use crate::store::DeadLetterGone;

/// A step ends once so many bytes are deleted, so that no notification waits long behind it.
const STEP_BYTES: i64 = 4 * 1024 * 1024;

/// Deletes one, with the events that wait for room to refund. Says what somebody may still want to know of it.
pub(super) fn delete(connection: &Connection, id: [u8; 16]) -> rusqlite::Result<DeadLetterGone> {
    parked::forget(connection, id)?;
    connection
        .prepare_cached("DELETE FROM notifications WHERE id = ?1 RETURNING source, ifnull(reason, '')")?
        .query_row([id], |row| {
            Ok(DeadLetterGone { notification: Uuid::from_bytes(id), source: row.get(0)?, reason: row.get(1)? })
        })
}

/// Deletes so many of the oldest dead letters at most, while all together have more bytes than this; but none of which an
/// event still waits, for its record or for room to refund, or that waits to be fetched.
pub(super) fn beyond(connection: &Connection, bytes: u64, most: u32) -> rusqlite::Result<Vec<DeadLetterGone>> {
    let excess = counts::dead_letter_bytes(connection)?.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    if excess <= 0 {
        return Ok(Vec::new());
    }
    let oldest: Vec<([u8; 16], i64)> = connection
        .prepare_cached(
            "SELECT id, octet_length(body) + octet_length(headers) FROM notifications WHERE outcome = 'dead_letter'
                 AND NOT EXISTS (SELECT 1 FROM parked WHERE notification = notifications.id)
                 AND NOT EXISTS (SELECT 1 FROM fetch_waiting WHERE notification = notifications.id)
             ORDER BY rowid LIMIT ?1",
        )?
        .query_map([most], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let (mut deleted, mut gone) = (0, Vec::new());
    for (id, size) in oldest {
        if deleted >= excess.min(STEP_BYTES) {
            break;
        }
        gone.push(delete(connection, id)?);
        deleted += size;
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
        connection
            .execute(
                "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
                 VALUES (?1, 's', ?2, x'', x'', ?3, '[]', zeroblob(98))",
                params![[n; 16], n, outcome],
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
        let gone: Vec<_> =
            beyond(&connection, 750, 500).unwrap().iter().map(|one| one.notification.as_bytes()[0]).collect();
        assert_eq!(gone, [1, 2]);
        assert_eq!((one(&connection, COUNTED), one(&connection, "SELECT count(*) FROM notifications")), (700, 8));
        assert!(beyond(&connection, 750, 500).unwrap().is_empty());
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
        /// Whatever becomes of notifications, the count is what there is.
        #[test]
        fn the_count_is_kept(steps in prop::collection::vec((1_u8..6, 0_u8..4), 0..60)) {
            let connection = store();
            for (n, what) in steps {
                let there = one(&connection, &format!("SELECT count(*) FROM notifications WHERE received_at = {n}")) > 0;
                match what {
                    0 if !there => insert(&connection, n, "dead_letter"),
                    1 if !there => insert(&connection, n, "applied"),
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
                let kept = "SELECT bytes FROM dead_letter_bytes WHERE bytes = ~bytes_inverse";
                prop_assert_eq!(one(&connection, kept), one(&connection, COUNTED));
            }
        }
    }
}
