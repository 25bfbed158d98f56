//! Peeks: questions to a relay's store that no route answers, and the few changes that tests make to it. All SQL of the
//! suite is here, but for the tests of the store's own promises in `tests/relay/store`. Another engine has to answer this
//! file alone.

mod guard;

use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;
use transform_relay::store::encoding::json_of;
use transform_relay::store::encoding::notification::unpack;
use uuid::Uuid;

use super::{PATIENCE, Relay};

/// How many rows of each kind the store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) records: i64,
    pub(crate) notifications: i64,
    /// Events that wait for their record, without those that wait in silence.
    pub(crate) parked: i64,
    /// The keys that would release a parked event.
    pub(crate) release_keys: i64,
    /// Records that are owed a webhook, and those whose webhook was given up.
    pub(crate) outbox: i64,
    /// Objects of PSPs that were asked for, also those that nobody waits for any more.
    pub(crate) fetches: i64,
    /// Messages that wait for an object.
    pub(crate) waiting_for_fetches: i64,
    /// Messages that were read with a fetched object.
    pub(crate) read_with_responses: i64,
    /// Identities whose first time is known.
    pub(crate) first_times: i64,
}

/// A notification in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The id, as routes and log lines have it.
    pub(crate) id: String,
    pub(crate) outcome: String,
    /// The reason of a dead letter.
    pub(crate) reason: String,
    pub(crate) repeats: i64,
    /// The headers as JSON text.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    pub(crate) hint: bool,
    /// Whether another content of its dedupe key was there before it.
    pub(crate) further: bool,
}

/// A record that is owed a webhook, or whose webhook was given up. Times are microseconds from its first failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owed {
    pub(crate) given_up: bool,
    pub(crate) due: Option<i64>,
    /// No attempt comes before this time.
    pub(crate) not_before: Option<i64>,
}

/// An object of a PSP that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) path: String,
    /// Whether somebody still waits for it.
    pub(crate) waits: bool,
    /// Whether the PSP itself spoke of it, with a signature.
    pub(crate) told_by_psp: bool,
    /// How many fetches in a row brought nothing new, if only hints had asked.
    pub(crate) in_vain: i64,
}

/// A lock on the store, held by another process than the relay: nothing can be written until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "it is held, and released with its value")] Connection);

impl Relay {
    pub(crate) fn rows(&self) -> Rows {
        let question = "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM notifications),
            (SELECT count(*) FROM parked WHERE reason IS NULL),
            (SELECT count(*) FROM parked_keys k JOIN parked p ON p.id = k.parked WHERE p.reason IS NULL), (SELECT count(*) FROM outbox),
            (SELECT count(*) FROM fetches), (SELECT count(*) FROM fetch_waiting), (SELECT count(*) FROM answered),
            (SELECT count(*) FROM first_times)";
        let [only] = self.all(question, |row| {
            Ok(Rows {
                records: row.get(0)?,
                notifications: row.get(1)?,
                parked: row.get(2)?,
                release_keys: row.get(3)?,
                outbox: row.get(4)?,
                fetches: row.get(5)?,
                waiting_for_fetches: row.get(6)?,
                read_with_responses: row.get(7)?,
                first_times: row.get(8)?,
            })
        })[..] else {
            panic!("one row of counts")
        };
        only
    }

    /// The inbox, in the order of arrival.
    pub(crate) fn notifications(&self) -> Vec<Kept> {
        let question = "SELECT id, outcome, ifnull(reason, ''), repeats, headers, body, hint, further, packing
            FROM notifications ORDER BY rowid";
        self.all(question, |row| {
            let (headers, body) = unpack(row.get(8)?, row.get_ref(4)?.as_str()?, row.get_ref(5)?.as_blob()?).unwrap();
            Ok(Kept {
                id: Uuid::from_bytes(row.get(0)?).to_string(),
                outcome: row.get(1)?,
                reason: row.get(2)?,
                repeats: row.get(3)?,
                headers,
                body,
                hint: row.get(6)?,
                further: row.get(7)?,
            })
        })
    }

    /// The outcomes of all notifications, in the order of arrival.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        self.all("SELECT outcome FROM notifications ORDER BY rowid", |row| row.get(0))
    }

    /// How many notifications have this outcome.
    pub(crate) fn with_outcome(&self, outcome: &str) -> usize {
        self.outcomes().iter().filter(|it| *it == outcome).count()
    }

    /// How many notifications have which outcome, such as "applied 2".
    pub(crate) fn outcome_counts(&self) -> Vec<String> {
        self.all("SELECT outcome || ' ' || count(*) FROM notifications GROUP BY outcome ORDER BY 1", |row| row.get(0))
    }

    /// The notifications of which an event waits, for its record or for room to refund: the id once for each event.
    pub(crate) fn waiting(&self) -> Vec<String> {
        self.all("SELECT notification FROM parked ORDER BY id", |row| Ok(Uuid::from_bytes(row.get(0)?).to_string()))
    }

    /// How many events of a source wait for their records, as the store counts them for the limit.
    pub(crate) fn counted_as_parked(&self, source: &str) -> Option<i64> {
        let counts: Vec<(String, i64)> =
            self.all("SELECT source, parked FROM parked_counts", |row| Ok((row.get(0)?, row.get(1)?)));
        counts.into_iter().find(|(name, _)| name == source).map(|(_, parked)| parked)
    }

    /// All records as the store has them, in the order of their registration.
    pub(crate) fn stored_records(&self) -> Vec<String> {
        self.all("SELECT record FROM records ORDER BY id", |row| Ok(json_of(row.get_ref(0)?.as_bytes()?).unwrap()))
    }

    /// The number of findings.
    pub(crate) fn stored_findings(&self) -> i64 {
        self.stored("SELECT count(*) FROM findings")
    }

    /// The PSP ids that lead to a record.
    pub(crate) fn psp_ids(&self) -> Vec<String> {
        self.all("SELECT psp_id FROM psp_ids", |row| row.get(0))
    }

    pub(crate) fn outbox(&self) -> Vec<Owed> {
        let question = "SELECT dead_at IS NOT NULL, due_at - failing_since, not_before - failing_since FROM outbox";
        self.all(question, |row| Ok(Owed { given_up: row.get(0)?, due: row.get(1)?, not_before: row.get(2)? }))
    }

    pub(crate) fn fetches(&self) -> Vec<Fetch> {
        self.all("SELECT path, due_at IS NOT NULL, trusted = 2, in_vain FROM fetches ORDER BY id", |row| {
            Ok(Fetch { path: row.get(0)?, waits: row.get(1)?, told_by_psp: row.get(2)?, in_vain: row.get(3)? })
        })
    }

    /// The objects that were fetched and are kept with their notifications.
    pub(crate) fn responses(&self) -> Vec<Vec<u8>> {
        self.all("SELECT body FROM answers ORDER BY id", |row| row.get(0))
    }

    /// All rows of all tables, except for the rows that a readiness probe and the store's clock write.
    pub(crate) fn all_stored(&self) -> Vec<String> {
        let tables: Vec<String> = self.all(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('probe', 'clock') ORDER BY name",
            |row| row.get(0),
        );
        let rows = |table: &String| {
            self.all(&format!("SELECT * FROM {table}"), |row| Ok(format!("{table}: {}", cells(row).join(" | "))))
        };
        let mut all: Vec<String> = tables.iter().flat_map(rows).collect();
        all.sort();
        all
    }

    /// The same without the inbox: rows that a notification must not touch when it is kept as a dead letter.
    pub(crate) fn all_but_the_inbox(&self) -> Vec<String> {
        let mut all = self.all_stored();
        all.retain(|row| {
            !["notifications: ", "dead_letter_bytes: ", "dead_letter_keys: "].iter().any(|inbox| row.starts_with(inbox))
        });
        all
    }

    /// The store's own finding about its file.
    pub(crate) fn is_sound(&self) -> bool {
        self.all::<String>("PRAGMA integrity_check", |row| row.get(0)) == ["ok"]
    }

    /// Deletes these notifications, as housekeeping does after a while.
    pub(crate) fn forget(&self, notifications: &[Kept]) {
        self.change_by_id("DELETE FROM notifications WHERE id = ?1", notifications);
    }

    /// Deletes the versions that these notifications made, as housekeeping does after a while.
    pub(crate) fn forget_versions(&self, notifications: &[Kept]) {
        self.change_by_id("DELETE FROM transitions WHERE notification = ?1", notifications);
    }

    /// Moves the time since which all events wait back by this much.
    pub(crate) fn parked_since_minutes(&self, minutes: i64) {
        let change = "UPDATE parked SET parked_at = parked_at - ?1, kept_since = kept_since - ?1";
        self.writable().execute(change, [minutes * 60_000_000]).unwrap();
    }

    /// Deletes all findings, as in a store of an earlier version.
    pub(crate) fn forget_findings(&self) {
        self.writable().execute_batch("DELETE FROM findings; UPDATE parked SET finding = NULL").unwrap();
    }

    /// Gives the n-th registered record (from 0) an earlier text of it, with the version and the time that it has.
    pub(crate) fn set_back(&self, n: usize, earlier: &str) {
        let now: Value = serde_json::from_str(&self.stored_records()[n]).unwrap();
        let mut set_back: Value = serde_json::from_str(earlier).unwrap();
        for kept in ["version", "last_updated"] {
            set_back[kept] = now[kept].clone();
        }
        self.write_record(n, &set_back.to_string());
    }

    /// Gives the n-th registered record (from 0) another text, as relays before version 19 of the schema wrote it.
    pub(crate) fn write_record(&self, n: usize, text: &str) {
        let change = "UPDATE records SET record = ?2 WHERE id = (SELECT id FROM records ORDER BY id LIMIT 1 OFFSET ?1)";
        assert_eq!(self.writable().execute(change, (i64::try_from(n).unwrap(), text)).unwrap(), 1);
    }

    /// Damages the payment tx-1 (`record`), the copy of its registration, or the way from pi_1 to it; the payment tx-2 or its
    /// notification; the only event that waits. Or deletes its row, the copies, or the oldest version.
    pub(crate) fn damage(&self, what: &str) {
        let change = match what {
            "record" => spoilt("records", "record", "transform_id = 'tx-1'"),
            "copy" => spoilt("registrations", "copy", "record = (SELECT id FROM records WHERE transform_id = 'tx-1')"),
            "way" => "UPDATE psp_ids SET psp_id = 'pi_2' WHERE psp_id = 'pi_1'".to_owned(),
            "record of tx-2" => spoilt("records", "record", "transform_id = 'tx-2'"),
            "notification of tx-2" => spoilt("notifications", "body", "rowid = (SELECT max(rowid) FROM notifications)"),
            "copy row" => "DELETE FROM registrations".to_owned(),
            "oldest version" => "DELETE FROM transitions WHERE id = (SELECT min(id) FROM transitions)".to_owned(),
            "parked" => spoilt("parked", "event", "true"),
            "parked row" => "DELETE FROM parked_keys; DELETE FROM parked".to_owned(),
            _ => panic!("what is {what}?"),
        };
        self.writable().execute_batch(&change).unwrap();
    }

    /// Moves the due times of all that is owed to now, as if its quiet period had passed. Returns how many there are.
    pub(crate) fn make_all_due(&self) -> usize {
        self.writable().execute("UPDATE outbox SET due_at = first_untold_at", []).unwrap()
    }

    /// Keeps the relay from writing. Waits until the relay does not write.
    pub(crate) fn hold_store(&self) -> Held {
        let other = self.writable();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        Held(other)
    }

    /// The store, read only.
    pub(crate) fn store(&self) -> Connection {
        let store = Connection::open_with_flags(self.file("relay.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        store.busy_timeout(PATIENCE).unwrap();
        store
    }

    /// One value of the store.
    #[track_caller]
    pub(crate) fn stored<T: FromSql>(&self, question: &str) -> T {
        self.store().query_row(question, [], |row| row.get(0)).unwrap()
    }

    fn all<T>(&self, question: &str, read: impl Fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let store = self.store();
        let mut rows = store.prepare(question).unwrap();
        rows.query_map([], |row| read(row)).unwrap().map(Result::unwrap).collect()
    }

    /// Each of the changes must change something.
    fn change_by_id(&self, change: &str, notifications: &[Kept]) {
        let store = self.writable();
        assert!(!notifications.is_empty());
        for notification in notifications {
            let id = Uuid::parse_str(&notification.id).unwrap().into_bytes();
            assert_ne!(store.execute(change, [id]).unwrap(), 0, "{notification:?}");
        }
    }

    fn writable(&self) -> Connection {
        let store = Connection::open(self.file("relay.db")).unwrap();
        store.busy_timeout(PATIENCE).unwrap();
        store
    }
}

/// What SQLite finds wrong with the file of a store that no relay has.
#[cfg(target_os = "linux")]
pub(crate) fn damage_in(store: &std::path::Path) -> Vec<String> {
    let check = |store: Connection| -> rusqlite::Result<Vec<String>> {
        let mut rows = store.prepare("PRAGMA integrity_check")?;
        rows.query_map([], |row| row.get(0))?.collect()
    };
    match Connection::open(store).and_then(check) {
        Ok(found) if found == ["ok"] => Vec::new(),
        Ok(found) => found,
        Err(error) => vec![error.to_string()],
    }
}

/// The statement that spoils a byte of a value.
fn spoilt(table: &str, column: &str, which: &str) -> String {
    format!(
        "UPDATE {table} SET {column} = CAST(substr({column}, 1, 20) || x'00' || substr({column}, 22) AS BLOB) WHERE {which}"
    )
}

/// The cells of a row as text.
fn cells(row: &Row<'_>) -> Vec<String> {
    use rusqlite::types::ValueRef;
    let columns = row.as_ref().column_count();
    let cells = (0..columns).map(|column| match row.get_ref_unwrap(column) {
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    });
    cells.collect()
}
