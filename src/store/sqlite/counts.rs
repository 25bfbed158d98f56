//! Counts by which rows are deleted, kept by triggers of the tables. Beside each count stands its inverse: the same
//! number with all its bits turned over. It shows whether the count is damaged. A damaged or missing count is made anew
//! before it is used.

use rusqlite::{Connection, OptionalExtension, Params};

/// The step of the schema that adds the inverses of the counts and of the store's clock.
pub(super) const STEP: &str = r"
-- ..._inverse: the same value with all its bits turned over (~). Where the two do not agree, one is damaged.
ALTER TABLE clock ADD COLUMN steady_inverse INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN wall_inverse INTEGER NOT NULL DEFAULT 0;
UPDATE clock SET steady_inverse = ~steady, wall_inverse = ~wall;

DROP INDEX parked_by_source;
CREATE INDEX parked_waiting ON parked (source) WHERE reason IS NULL;
DROP TRIGGER parked_in;
DROP TRIGGER parked_out;
DELETE FROM parked_counts;
ALTER TABLE parked_counts ADD COLUMN parked_inverse INTEGER NOT NULL DEFAULT 0;
INSERT INTO parked_counts SELECT source, count(*), ~count(*) FROM parked WHERE reason IS NULL GROUP BY source;
CREATE TRIGGER parked_in AFTER INSERT ON parked WHEN new.reason IS NULL BEGIN
    INSERT INTO parked_counts VALUES (new.source, 1, ~1)
        ON CONFLICT (source) DO UPDATE SET parked = parked + 1, parked_inverse = parked_inverse - 1;
END;
CREATE TRIGGER parked_out AFTER DELETE ON parked WHEN old.reason IS NULL BEGIN
    UPDATE parked_counts SET parked = parked - 1, parked_inverse = parked_inverse + 1 WHERE source = old.source;
END;

DROP TRIGGER dead_letter_in;
DROP TRIGGER dead_letter_out;
DROP TRIGGER dead_letter_was;
DROP TRIGGER dead_letter_is;
DELETE FROM dead_letter_bytes;
ALTER TABLE dead_letter_bytes ADD COLUMN bytes_inverse INTEGER NOT NULL DEFAULT 0;
INSERT INTO dead_letter_bytes SELECT 1, bytes, ~bytes FROM (
    SELECT ifnull(sum(octet_length(body) + octet_length(headers)), 0) AS bytes FROM notifications
    WHERE outcome = 'dead_letter');
CREATE TRIGGER dead_letter_in AFTER INSERT ON notifications WHEN new.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET bytes = bytes + octet_length(new.body) + octet_length(new.headers),
        bytes_inverse = bytes_inverse - octet_length(new.body) - octet_length(new.headers);
END;
CREATE TRIGGER dead_letter_out AFTER DELETE ON notifications WHEN old.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET bytes = bytes - octet_length(old.body) - octet_length(old.headers),
        bytes_inverse = bytes_inverse + octet_length(old.body) + octet_length(old.headers);
END;
CREATE TRIGGER dead_letter_was AFTER UPDATE OF outcome, body, headers ON notifications WHEN old.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET bytes = bytes - octet_length(old.body) - octet_length(old.headers),
        bytes_inverse = bytes_inverse + octet_length(old.body) + octet_length(old.headers);
END;
CREATE TRIGGER dead_letter_is AFTER UPDATE OF outcome, body, headers ON notifications WHEN new.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET bytes = bytes + octet_length(new.body) + octet_length(new.headers),
        bytes_inverse = bytes_inverse - octet_length(new.body) - octet_length(new.headers);
END;
";

/// A number that is kept with its inverse, if the two agree.
pub(super) fn agreed(number: i64, inverse: i64) -> Option<i64> {
    (number == !inverse).then_some(number)
}

/// The number of a source's events that wait for their records.
pub(super) fn parked(connection: &Connection, source: &str) -> rusqlite::Result<i64> {
    let kept = kept(connection, "SELECT parked, parked_inverse FROM parked_counts WHERE source = ?1", [source])?;
    if let Kept::Sound(parked) = kept {
        return Ok(parked);
    }
    let counted: i64 = connection
        .prepare_cached("SELECT count(*) FROM parked WHERE source = ?1 AND reason IS NULL")?
        .query_row([source], |row| row.get(0))?;
    // A source has no count before its first parked event.
    if matches!(kept, Kept::Damaged) || counted > 0 {
        tracing::error!(
            source,
            counted,
            "the count of parked events was damaged or missing; it was made anew. {CHECK}"
        );
        connection
            .prepare_cached("INSERT OR REPLACE INTO parked_counts VALUES (?1, ?2, ~?2)")?
            .execute((source, counted))?;
    }
    Ok(counted)
}

/// The bytes of the bodies and headers of all dead letters.
pub(super) fn dead_letter_bytes(connection: &Connection) -> rusqlite::Result<i64> {
    let kept = kept(connection, "SELECT bytes, bytes_inverse FROM dead_letter_bytes WHERE id = 1", [])?;
    if let Kept::Sound(bytes) = kept {
        return Ok(bytes);
    }
    let counted: i64 = connection.query_row(
        "SELECT ifnull(sum(ifnull(bytes, octet_length(body) + octet_length(headers))), 0) FROM notifications
         WHERE outcome = 'dead_letter'",
        [],
        |row| row.get(0),
    )?;
    tracing::error!(counted, "the count of the dead letters' bytes was damaged or missing; it was made anew. {CHECK}");
    connection.execute("INSERT OR REPLACE INTO dead_letter_bytes VALUES (1, ?1, ~?1)", [counted])?;
    Ok(counted)
}

/// Counts the parked events of all sources, and makes all counts anew if one differs. A count that was missing when an
/// event came lacks the events before it, although it agrees with its inverse.
pub(super) fn look_at_parked(connection: &Connection) -> rusqlite::Result<()> {
    let differ: i64 = connection.query_row(
        "SELECT count(*) FROM parked_counts c FULL JOIN (
             SELECT source, count(*) AS counted FROM parked WHERE reason IS NULL GROUP BY source) p ON p.source = c.source
         WHERE ifnull(p.counted, 0) <> ifnull(c.parked, 0) OR c.parked <> ~c.parked_inverse",
        [],
        |row| row.get(0),
    )?;
    if differ > 0 {
        tracing::error!(
            sources = differ,
            "counts of parked events were damaged or missing; they were made anew. {CHECK}"
        );
        connection.execute_batch(
            "BEGIN IMMEDIATE;
             DELETE FROM parked_counts;
             INSERT INTO parked_counts SELECT source, count(*), ~count(*) FROM parked WHERE reason IS NULL GROUP BY source;
             COMMIT;",
        )?;
    }
    Ok(())
}

const CHECK: &str = "Nothing was deleted by the old count; check the disk and the memory of the machine";

/// The state in which a count was found.
enum Kept {
    Sound(i64),
    Missing,
    Damaged,
}

fn kept(connection: &Connection, question: &str, of: impl Params) -> rusqlite::Result<Kept> {
    let found = connection
        .prepare_cached(question)?
        // A value that is no integer is damage as well.
        .query_row(of, |row| Ok((row.get::<_, i64>(0).ok(), row.get::<_, i64>(1).ok())))
        .optional()?;
    Ok(match found {
        None => Kept::Missing,
        Some((Some(number), Some(inverse))) => agreed(number, inverse).map_or(Kept::Damaged, Kept::Sound),
        Some(_) => Kept::Damaged,
    })
}

#[cfg(test)]
mod tests {
    use super::super::one_by_one::crowd_out;
    use super::super::{dead_letters, migrations};
    use super::*;

    /// Five dead letters of 100 bytes, and three events of a source that wait.
    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::migrate(&mut connection).unwrap();
        let rows = "CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5) SELECT n FROM n;
            INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
                SELECT randomblob(16), 's', n, x'', x'', 'dead_letter', '[]', zeroblob(98) FROM n;
            INSERT INTO parked (notification, source, parked_at, event) SELECT randomblob(16), 's', n, '{}' FROM n WHERE n < 4;";
        connection.execute_batch(rows).unwrap();
        connection
    }

    fn one(connection: &Connection, question: &str) -> i64 {
        connection.query_row(question, [], |row| row.get(0)).unwrap()
    }

    /// Damage to each bit of a count and of its inverse, and the loss of the row.
    fn damages(table: &'static str, column: &'static str) -> impl Iterator<Item = String> {
        let flips = (0..63).flat_map(move |bit| {
            [column.to_owned(), format!("{column}_inverse")].map(|column| {
                format!("UPDATE {table} SET {column} = ({column} | 1 << {bit}) - ({column} & 1 << {bit})")
            })
        });
        flips.chain([format!("DELETE FROM {table}")])
    }

    #[test]
    fn a_damaged_count_deletes_no_dead_letter() {
        for damage in damages("dead_letter_bytes", "bytes") {
            let connection = store();
            connection.execute_batch(&damage).unwrap();
            assert_eq!(dead_letters::beyond(&connection, 500, 100).unwrap(), [], "{damage}");
            assert_eq!(dead_letters::beyond(&connection, 400, 100).unwrap().len(), 1, "{damage}");
            assert_eq!(one(&connection, "SELECT bytes FROM dead_letter_bytes WHERE bytes = ~bytes_inverse"), 400);
        }
    }

    #[test]
    fn a_damaged_count_crowds_no_event_out() {
        for damage in damages("parked_counts", "parked") {
            let connection = store();
            connection.execute_batch(&damage).unwrap();
            assert_eq!(crowd_out(&connection, "s", 3), Ok(0), "{damage}");
            assert_eq!(crowd_out(&connection, "s", 2), Ok(1), "{damage}");
            assert_eq!(one(&connection, "SELECT parked FROM parked_counts WHERE parked = ~parked_inverse"), 2);
            assert_eq!(crowd_out(&connection, "other", 0), Ok(0));
        }
    }

    /// The row was missing when an event came. The new count agrees with its inverse, but lacks the events from before.
    #[test]
    fn a_count_that_was_missing_is_whole_after_a_start() {
        let connection = store();
        let rows = "DELETE FROM parked_counts;
            INSERT INTO parked (notification, source, parked_at, event) VALUES (randomblob(16), 's', 0, '{}');";
        connection.execute_batch(rows).unwrap();
        assert_eq!(parked(&connection, "s"), Ok(1));
        look_at_parked(&connection).unwrap();
        assert_eq!(parked(&connection, "s"), Ok(4));
        look_at_parked(&connection).unwrap();
    }
}
