//! The look over all rows, for damage, while the relay runs. Damage is logged for as long as it is there, even if
//! nobody needs the row. Otherwise a webhook or a fetch with an unreadable row would wait for ever, and nobody would
//! know.

use std::time::Duration;

use rusqlite::Connection;

use super::columns::{Listed, damage};
use super::damage::said;
use super::store::Store;
use super::store_search::FILE;
use super::writer::unavailable;
use super::{fetches_care, history, inbox, outbox, parked, records, registrations};
use crate::domain::due::Moment;
use crate::store::{LongestWaits, StoreError};

/// A table, and how it is looked over.
struct Table {
    name: &'static str,
    /// The function that reads a page of it.
    look: fn(&Connection, i64, u32) -> rusqlite::Result<Listed<()>>,
    /// The number of pages that are read in one round. A table whose rows somebody waits for is read whole.
    pages: usize,
}

const fn table(
    name: &'static str,
    look: fn(&Connection, i64, u32) -> rusqlite::Result<Listed<()>>,
    pages: usize,
) -> Table {
    Table { name, look, pages }
}

const WHOLE: usize = usize::MAX;
/// At this number of pages, a million rows take some eight hours.
const PART: usize = 4;
const TABLES: [Table; 9] = [
    table("outbox", outbox::look, WHOLE),
    table("parked", parked::look, WHOLE),
    table("fetches", fetches_care::look, WHOLE),
    table("fetch_waiting", fetches_care::look_at_waiting, WHOLE),
    table("records", records::look, PART),
    table("registrations", registrations::look, PART),
    table("notifications", inbox::look, PART),
    table("transitions", history::look_at_versions, PART),
    table("attempts", history::look_at_attempts, PART),
];

/// The number of rows in a page.
const PAGE_ROWS: u32 = 500;
/// The pause between two pages: other work needs the disk, too.
const PAGE_EVERY: Duration = Duration::from_millis(5);
/// The longest time from reading the clock to the write with that time.
const SLACK: Duration = Duration::from_secs(60);

/// The number of damaged rows of a table that are named in a round. If a disk has lost many rows, a text for each would
/// fill the log and the memory.
const NAMED: usize = 20;

impl Store {
    /// Looks over all rows that somebody waits for, and a part of all other rows. An unreadable row is logged, and makes the
    /// store unfit until it can be read.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn look_over(&self) -> Result<(), StoreError> {
        let of_the_file = self.standing().of(FILE).cloned();
        of_the_file.into_iter().for_each(|reason| self.met(&StoreError::Damaged(reason)));
        for Table { name, look, pages } in TABLES {
            let (mut named, mut more) = (0, 0_usize);
            for _ in 0..pages {
                let after = self.standing().after(name);
                let listed = self.read(move |connection| look(connection, after, PAGE_ROWS)).await?;
                let (rows, last) = (listed.len(), listed.last);
                more = more.saturating_add(listed.damaged.len().saturating_sub(NAMED - named));
                let found = self.met_first(listed.damaged, &mut named);
                let is_full = u32::try_from(rows) == Ok(PAGE_ROWS);
                self.standing().note(name, found, last.filter(|_| is_full));
                if !is_full {
                    break;
                }
                tokio::time::sleep(PAGE_EVERY).await;
            }
            if more > 0 {
                tracing::error!(
                    table = name,
                    more,
                    "more rows of this table are damaged than are named; restore a backup"
                );
            }
        }
        Ok(())
    }

    /// Remembers the damage that was found in a page, until [`NAMED`] rows are `named`. Returns the first damage.
    fn met_first(&self, damaged: Vec<rusqlite::Error>, named: &mut usize) -> Option<String> {
        let mut first = None;
        for error in damaged.into_iter().map(unavailable) {
            if *named < NAMED {
                *named += 1;
                self.met(&error);
            }
            if let (None, StoreError::Damaged(reason)) = (&first, error) {
                first = Some(reason);
            }
        }
        first
    }

    /// Brings back times that no wait has made, and wakes the deliveries of the records concerned.
    ///
    /// # Errors
    /// The store cannot take it now; nothing was written.
    pub async fn bring_back(&self, now: Moment, longest: LongestWaits) -> Result<(), StoreError> {
        let (wake, longest_debounce) = (self.wake.clone(), self.options.load_full().debounce.max_wait);
        let bounds =
            move || outbox::Bounds { now: now.steady, longest_debounce, longest_retry: longest.retry, slack: SLACK };
        let is_any_wrong = move |connection: &Connection| {
            Ok(outbox::is_any_wrong(connection, &bounds())?
                || fetches_care::is_any_wrong(connection, now.steady, longest.fetch, SLACK)?)
        };
        if !self.read(is_any_wrong).await? {
            return Ok(());
        }
        let work = move |connection: &Connection| {
            let bounds = bounds();
            let records = outbox::clamp(connection, &bounds).map_err(unavailable)?;
            let fetches = fetches_care::clamp(connection, now.steady, longest.fetch, SLACK).map_err(unavailable)?;
            let mut owed = Vec::new();
            for row in &records {
                match outbox::owed_of(connection, *row) {
                    Ok(found) => owed.extend(found),
                    // It is named where all rows are read.
                    Err(error) if damage(&error).is_some() => {}
                    Err(error) => return Err(unavailable(error)),
                }
            }
            Ok((records.len(), fetches, owed))
        };
        let after = move |(_, _, owed): &(usize, usize, Vec<_>)| wake.each(owed);
        let (records, fetches, _) = self.writer.write(work, after).await.inspect_err(|error| self.met(error))?;
        said(records, fetches);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::damage::Standing;
    use super::*;
    use crate::domain::due::Debounce;
    use crate::store::{Keep, ParkedLimits, StoreOptions, Wake};

    const NOW: i64 = 1_800_000_000_000_000;
    const HOUR: Duration = Duration::from_secs(3600);

    fn options(folder: &std::path::Path) -> StoreOptions {
        StoreOptions {
            path: folder.join("relay.db"),
            must_exist: false,
            debounce: Debounce { quiet: HOUR, max_wait: HOUR },
            max_waiting: 10,
            parked: ParkedLimits { per_source: 1, max_age: HOUR },
            keep: Keep { notifications: HOUR, dead_letters: HOUR, dead_letters_size: 0, attempts: HOUR, history: HOUR },
        }
    }

    fn now() -> Moment {
        let at = jiff::Timestamp::from_microsecond(NOW).unwrap();
        Moment { wall: at, steady: at }
    }

    /// A store with records that are owed, and another connection to it.
    fn store() -> (tempfile::TempDir, Store, Connection, Arc<Mutex<Vec<String>>>) {
        let folder = tempfile::tempdir().unwrap();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let wakes = Arc::clone(&woken);
        let wake = Wake::new(move |owed| wakes.lock().unwrap().push(format!("{} {}", owed.key, owed.due)));
        let store = Store::open(options(folder.path()), wake).unwrap();
        let other = Connection::open(folder.path().join("relay.db")).unwrap();
        let rows = format!(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO records (id, transform_id, kind, payment_id, record) VALUES (1, 'tx-1', 2, NULL, '{{}}'), (2, 'tx-2', 2, NULL, '{{}}');
             INSERT INTO outbox (record, version, due_at, changed_at, owed_since)
                SELECT id, 1, {NOW} + 1000000, {NOW}, {NOW} FROM records;"
        );
        other.execute_batch(&rows).unwrap();
        (folder, store, other, woken)
    }

    #[tokio::test]
    async fn damage_is_said_for_as_long_as_it_is_there() {
        let (_folder, store, other, _) = store();
        other.execute_batch("DELETE FROM records").unwrap();
        for _ in 0..3 {
            store.look_over().await.unwrap();
            // The damage is reported even after met damage is forgotten.
            store.damage.lock().unwrap().clear();
            let said = store.probe(now()).await.unwrap_err().to_string();
            assert!(said.contains("table outbox, row 1: its record is missing"), "{said}");
        }
        other.execute_batch("DELETE FROM outbox").unwrap();
        store.look_over().await.unwrap();
        store.damage.lock().unwrap().clear();
        assert_eq!(store.probe(now()).await, Ok(()));
    }

    /// While the relay runs: a record that waits for a time that never comes gets a due time that comes.
    #[tokio::test]
    async fn what_is_brought_back_is_looked_at_again() {
        for due in ["-9223372036854775808", "-1", "9223372036854775807", "1 << 57"] {
            let (_folder, store, other, woken) = store();
            other.execute_batch(&format!("UPDATE outbox SET due_at = {due} WHERE record = 2")).unwrap();
            other
                .execute_batch(&format!(
                    "INSERT INTO fetches (source, path, trusted, due_at) VALUES ('s', '/', 1, {due})"
                ))
                .unwrap();
            let longest = LongestWaits { retry: HOUR, fetch: HOUR };
            store.bring_back(now(), longest).await.unwrap();
            let soon = if due.starts_with('-') { NOW } else { NOW + 3_600_000_000 };
            let soon = jiff::Timestamp::from_microsecond(soon).unwrap();
            assert_eq!(*woken.lock().unwrap(), [format!("payment/tx-2 {soon}")], "{due}");
            let fetch: i64 = other.query_row("SELECT due_at FROM fetches", [], |row| row.get(0)).unwrap();
            assert_eq!(fetch, soon.as_microsecond(), "{due}");
            store.bring_back(now(), longest).await.unwrap();
            assert_eq!(woken.lock().unwrap().len(), 1, "once");
        }
    }

    /// Each wrong time is found by the reader that looks before anything is written.
    #[tokio::test]
    async fn what_is_wrong_is_found_before_anything_is_written() {
        let longest = LongestWaits { retry: HOUR, fetch: HOUR };
        let (_folder, store, other, _) = store();
        let hints = format!(
            "INSERT INTO fetches (id, source, path, trusted, due_at, hinted_by)
                 VALUES (1, 's', '/1', 0, {NOW}, 'a'), (2, 's', '/2', 0, {NOW}, 'b'), (3, 's', '/3', 2, {NOW}, '')"
        );
        other.execute_batch(&hints).unwrap();
        let changes = || other.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
        let before = changes();
        store.bring_back(now(), longest).await.unwrap();
        assert_eq!(changes(), before, "what is well is not written");
        for wrong in [
            "UPDATE outbox SET due_at = -1 WHERE record = 1",
            "UPDATE fetches SET in_vain = 99 WHERE id = 3",
            "UPDATE fetches SET due_at = 1 << 60 WHERE id = 3",
            "UPDATE hint_counts SET held = 7",
            "DELETE FROM hint_counts",
            "UPDATE hint_addresses SET held = 7 WHERE address = 'a'",
            "UPDATE hint_addresses SET turn_at = 7 WHERE address = 'a'",
            "UPDATE hint_addresses SET served_at = 1 << 60",
            "DELETE FROM hint_addresses WHERE address = 'b'",
            "INSERT INTO hint_addresses (source, address, held, turn_at) VALUES ('s', 'c', 1, 0)",
        ] {
            other.execute_batch(wrong).unwrap();
            let before = changes();
            store.bring_back(now(), longest).await.unwrap();
            let after = changes();
            assert_ne!(after, before, "{wrong}");
            store.bring_back(now(), longest).await.unwrap();
            assert_eq!(changes(), after, "{wrong}: once");
        }
    }

    /// If a disk has lost many rows, some are named, and no others are held in memory.
    #[tokio::test]
    async fn of_many_damaged_rows_few_are_named() {
        let (_folder, store, other, _) = store();
        let rows = format!(
            "WITH RECURSIVE n (n) AS (SELECT 3 UNION ALL SELECT n + 1 FROM n WHERE n < 1400)
             INSERT INTO outbox (record, version, due_at, changed_at, owed_since) SELECT n, 1, {NOW}, {NOW}, {NOW} FROM n"
        );
        other.execute_batch(&rows).unwrap();
        store.look_over().await.unwrap();
        assert_eq!(store.damage.lock().unwrap().len(), NAMED + 2, "of the outbox, and two records");
        let said = store.probe(now()).await.unwrap_err().to_string();
        assert!(said.contains("table outbox, row 3: its record is missing"), "{said}");
    }

    /// A lap of many pages: damage found in the lap before stands until this one is over.
    #[test]
    fn what_was_found_stands_until_the_next_lap_is_over() {
        let mut standing = Standing::default();
        standing.note("t", Some("a".to_owned()), Some(500));
        assert_eq!((standing.any(), standing.after("t")), (Some(&"a".to_owned()), 500));
        standing.note("t", None, None);
        standing.note("t", None, Some(500));
        assert_eq!(standing.any(), Some(&"a".to_owned()));
        standing.note("t", None, None);
        assert_eq!((standing.any(), standing.after("t")), (None, i64::MIN));
    }
}
