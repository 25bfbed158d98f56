//! Reached records, by signed text, for messages whose way to a record is partly unsigned. Anybody with a captured
//! notification can write other ids and references into it. So a notification counts for the records that its signed
//! text reached first, and for no others. These rows are kept for ever, as records are.

use rusqlite::{Connection, params};

use super::pages::PAGE_ROWS;

/// The step of the schema that adds the table of reached records.
pub(super) const STEP: &str = r"
-- The records that a signed text has reached, and the notification that led it there; only where not all is signed that leads to
-- a record. By the text (SHA-256, cut to 16 bytes). Kept as long as records are.
CREATE TABLE reached (
    source       TEXT NOT NULL,
    key          BLOB NOT NULL,
    record       INTEGER NOT NULL REFERENCES records (id),
    notification BLOB NOT NULL,
    PRIMARY KEY (source, key, record)
) STRICT, WITHOUT ROWID;
";

/// Takes over all rows of another store, even of notifications that are read again: the order in which notifications
/// came is a fact of the past.
pub(super) fn take_over(connection: &Connection, other: &Connection) -> rusqlite::Result<()> {
    if !other.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'reached'")?.exists([])? {
        return Ok(());
    }
    let mut insert = connection.prepare(
        "INSERT OR IGNORE INTO reached (source, key, record, notification)
         SELECT ?1, ?2, id, ?4 FROM records WHERE transform_id = ?3",
    )?;
    let mut after = (String::new(), Vec::new(), i64::MIN);
    loop {
        let page = page(other, &after)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.source.clone(), last.key.clone(), last.row);
        for one in page {
            insert.execute(params![one.source, one.key, one.transform_id, one.notification])?;
        }
    }
}

/// A record that a signed text has reached in another store.
struct Reached {
    source: String,
    key: Vec<u8>,
    row: i64,
    transform_id: String,
    notification: Vec<u8>,
}

fn page(other: &Connection, after: &(String, Vec<u8>, i64)) -> rusqlite::Result<Vec<Reached>> {
    other
        .prepare_cached(
            "SELECT e.source, e.key, e.record, r.transform_id, e.notification FROM reached e JOIN records r ON r.id = e.record
             WHERE (e.source, e.key, e.record) > (?1, ?2, ?3) ORDER BY e.source, e.key, e.record LIMIT ?4",
        )?
        .query_map(params![after.0, after.1, after.2, PAGE_ROWS], |row| {
            Ok(Reached {
                source: row.get(0)?,
                key: row.get(1)?,
                row: row.get(2)?,
                transform_id: row.get(3)?,
                notification: row.get(4)?,
            })
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::decide::at_once;
    use super::super::migrations::migrate;
    use super::*;
    use crate::store::core::reached::{Open, note, open};

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection
    }

    fn record(connection: &Connection, row: i64, id: &str) {
        connection
            .execute(
                "INSERT INTO records (id, transform_id, kind, payment_id, record) VALUES (?1, ?2, 2, NULL, '{}')",
                params![row, id],
            )
            .unwrap();
    }

    fn opened(connection: &Connection, text: &str) -> Open {
        at_once(connection, |set| open(set, "s", text, Uuid::from_u128(2))).unwrap()
    }

    /// The records of another store have other row numbers.
    #[test]
    fn what_was_reached_is_taken_over_by_the_ids_of_the_records() {
        let (past, stage) = (store(), store());
        for n in 0..600 {
            record(&past, n + 1, &format!("tx-{n}"));
            at_once(&past, |set| note(set, "s", &format!("text {n}"), n + 1, Uuid::from_u128(1))).unwrap();
        }
        record(&stage, 1, "tx-599");
        take_over(&stage, &past).unwrap();
        assert_eq!(opened(&stage, "text 599"), Open::Only(vec![1]));
        assert_eq!(opened(&stage, "text 3"), Open::All);
        let earlier = Connection::open_in_memory().unwrap();
        take_over(&stage, &earlier).unwrap();
    }
}
