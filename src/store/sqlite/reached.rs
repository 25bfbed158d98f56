//! Reached records, by signed text, for messages whose way to a record is partly unsigned. Anybody with a captured
//! notification can write other ids and references into it. So a notification counts for the records that its signed
//! text reached first, and for no others. These rows are kept for ever, as records are.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::columns::digest;
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

/// The records that are open to an event of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Open {
    /// All records: the signed text has reached none before, or only by this notification itself.
    All,
    /// Only these rows: the records that the signed text has reached, at least one of them by another notification.
    Only(Vec<i64>),
}

impl Open {
    /// Whether the record of this row is open.
    pub(super) fn holds(&self, row: i64) -> bool {
        match self {
            Self::All => true,
            Self::Only(rows) => rows.contains(&row),
        }
    }
}

/// The records that are open to an event with this signed text.
pub(super) fn open(connection: &Connection, source: &str, text: &str, notification: Uuid) -> rusqlite::Result<Open> {
    let mut find =
        connection.prepare_cached("SELECT record, notification FROM reached WHERE source = ?1 AND key = ?2")?;
    let rows: Vec<(i64, [u8; 16])> = find
        .query_map(params![source, digest(text.as_bytes())], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let own = notification.into_bytes();
    if rows.iter().all(|(_, by)| *by == own) {
        return Ok(Open::All);
    }
    Ok(Open::Only(rows.into_iter().map(|(row, _)| row).collect()))
}

/// Remembers that a signed text has reached a record.
pub(super) fn note(
    connection: &Connection,
    source: &str,
    text: &str,
    row: i64,
    notification: Uuid,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO reached (source, key, record, notification) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![source, digest(text.as_bytes()), row, notification.into_bytes()])
        .map(drop)
}

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
    use super::super::migrations::migrate;
    use super::*;

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

    #[test]
    fn a_text_counts_for_the_records_that_its_first_notification_reached() {
        let connection = store();
        record(&connection, 1, "tx-1");
        record(&connection, 2, "tx-2");
        let (first, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let open = |source: &str, by: Uuid| open(&connection, source, "text", by).unwrap();
        assert_eq!(open("s", first), Open::All);
        note(&connection, "s", "text", 1, first).unwrap();
        assert_eq!(open("s", first), Open::All, "one notification may speak of several records");
        note(&connection, "s", "text", 2, first).unwrap();
        assert_eq!(open("s", other), Open::Only(vec![1, 2]));
        assert!(open("s", other).holds(2) && !open("s", other).holds(3));
        note(&connection, "s", "text", 1, other).unwrap();
        assert_eq!(open("s", first), Open::All, "a repetition takes nothing away");
        assert_eq!(open("another", other), Open::All);
    }

    /// The records of another store have other row numbers.
    #[test]
    fn what_was_reached_is_taken_over_by_the_ids_of_the_records() {
        let (past, stage) = (store(), store());
        for n in 0..600 {
            record(&past, n + 1, &format!("tx-{n}"));
            note(&past, "s", &format!("text {n}"), n + 1, Uuid::from_u128(1)).unwrap();
        }
        record(&stage, 1, "tx-599");
        take_over(&stage, &past).unwrap();
        assert_eq!(open(&stage, "s", "text 599", Uuid::from_u128(2)).unwrap(), Open::Only(vec![1]));
        assert_eq!(open(&stage, "s", "text 3", Uuid::from_u128(2)).unwrap(), Open::All);
        let earlier = Connection::open_in_memory().unwrap();
        take_over(&stage, &earlier).unwrap();
    }
}
