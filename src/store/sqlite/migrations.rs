//! The schema and its migration, in steps. A released step is never edited; a change of the schema is a new step.

use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::time::Instant;

use super::whose::{APPLICATION_ID, version};

/// One step per schema version. Times are UTC microseconds since 1970.
const STEPS: [&str; 20] = [
    FIRST,
    SECOND,
    THIRD,
    super::clock::STEP,
    FIFTH,
    FIRST_TIMES,
    PROBE_ROOM,
    super::strangers::STEP,
    super::counts::STEP,
    super::fair::STEP,
    super::reached::STEP,
    super::held::STEP,
    super::placed::STEP,
    super::findings::STEP,
    super::owners::STEP,
    super::given_up::STEP,
    super::placed::BY_NOTIFICATION,
    super::placed::BOUND,
    super::lean::STEP,
    super::registrations::STEP,
];

const FIRST: &str = r"
-- The inbox: what PSPs sent, as received. dedupe_key and body_hash are SHA-256, cut to 16 bytes.
CREATE TABLE notifications (
    id          BLOB NOT NULL PRIMARY KEY,
    source      TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    dedupe_key  BLOB NOT NULL,
    body_hash   BLOB NOT NULL,
    outcome     TEXT NOT NULL,
    reason      TEXT,
    repeats     INTEGER NOT NULL DEFAULT 0,
    headers     TEXT NOT NULL,
    body        BLOB NOT NULL
) STRICT;
CREATE INDEX notifications_by_dedupe_key ON notifications (source, dedupe_key);
CREATE INDEX dead_letters ON notifications (received_at) WHERE outcome = 'dead_letter';

-- The records; `record` is the whole of one as JSON, the other columns are for finding it.
CREATE TABLE records (
    id           INTEGER PRIMARY KEY,
    transform_id TEXT NOT NULL UNIQUE,
    kind         INTEGER NOT NULL,
    payment_id   TEXT,
    record       TEXT NOT NULL
) STRICT;
CREATE INDEX refunds_by_payment ON records (payment_id) WHERE payment_id IS NOT NULL;

-- Which PSP id leads to which record. An empty source: the record is not bound to one yet.
CREATE TABLE psp_ids (
    psp_id TEXT NOT NULL,
    kind   INTEGER NOT NULL,
    source TEXT NOT NULL,
    record INTEGER NOT NULL REFERENCES records (id),
    PRIMARY KEY (psp_id, kind, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX psp_ids_by_record ON psp_ids (record);

-- The outbox is state: a row is a record that Transform has yet to hear of. `version` is the last version that is
-- worth telling; first_untold_at is the first change since the last attempt began, if any. A row with dead_at was given
-- up and waits for the next change.
CREATE TABLE outbox (
    record          INTEGER PRIMARY KEY REFERENCES records (id),
    version         INTEGER NOT NULL,
    first_untold_at INTEGER,
    due_at          INTEGER NOT NULL,
    not_before      INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,
    failing_since   INTEGER,
    reason          TEXT,
    dead_at         INTEGER
) STRICT;

-- Verified events that wait: for their record to be known, or for room to refund. One row of parked_keys for each
-- thing that would release one.
CREATE TABLE parked (
    id           INTEGER PRIMARY KEY,
    notification BLOB NOT NULL,
    source       TEXT NOT NULL,
    parked_at    INTEGER NOT NULL,
    event        TEXT NOT NULL,
    reason       TEXT
) STRICT;
CREATE TABLE parked_keys (
    key    TEXT NOT NULL,
    source TEXT NOT NULL,
    parked INTEGER NOT NULL REFERENCES parked (id),
    PRIMARY KEY (key, source, parked)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_keys_by_parked ON parked_keys (parked);

-- One row that a readiness probe writes.
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL) STRICT;
INSERT INTO probe VALUES (1, 0);
";

const SECOND: &str = r"
-- The outcome that the PSP was answered, where another has followed: a repetition is answered as the first was.
ALTER TABLE notifications ADD COLUMN answered TEXT;

-- owed_since: the first change that Transform has not heard of. changed_at: the last one.
ALTER TABLE outbox ADD COLUMN owed_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET owed_since = ifnull(first_untold_at, due_at), changed_at = ifnull(first_untold_at, due_at);

-- How many events of a source wait for their records, kept by the table itself: counting them all for each new one would take
-- longer the more there are.
CREATE INDEX parked_by_source ON parked (source);
CREATE INDEX parked_by_notification ON parked (notification);
CREATE INDEX parked_by_age ON parked (parked_at) WHERE reason IS NULL;

-- Housekeeping and lists find what they look for without looking at the rest.
CREATE INDEX notifications_over ON notifications (received_at) WHERE outcome NOT IN ('parked', 'dead_letter');
CREATE INDEX dead_letter_places ON notifications (outcome) WHERE outcome = 'dead_letter';
CREATE INDEX given_up ON outbox (dead_at) WHERE dead_at IS NOT NULL;
CREATE TABLE parked_counts (source TEXT NOT NULL PRIMARY KEY, parked INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO parked_counts SELECT source, count(*) FROM parked WHERE reason IS NULL GROUP BY source;
CREATE TRIGGER parked_in AFTER INSERT ON parked WHEN new.reason IS NULL BEGIN
    INSERT INTO parked_counts VALUES (new.source, 1) ON CONFLICT (source) DO UPDATE SET parked = parked + 1;
END;
CREATE TRIGGER parked_out AFTER DELETE ON parked WHEN old.reason IS NULL BEGIN
    UPDATE parked_counts SET parked = parked - 1 WHERE source = old.source;
END;

-- A record's history: which notification made which version of it, and how Transform was told of it. An attempt
-- without a failure was answered 2xx.
CREATE TABLE transitions (
    id           INTEGER PRIMARY KEY,
    record       INTEGER NOT NULL REFERENCES records (id),
    version      INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    notification BLOB NOT NULL,
    event_type   TEXT NOT NULL,
    status       TEXT NOT NULL
) STRICT;
CREATE INDEX transitions_by_record ON transitions (record);
CREATE TABLE attempts (
    id       INTEGER PRIMARY KEY,
    record   INTEGER NOT NULL REFERENCES records (id),
    version  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    millis   INTEGER NOT NULL,
    failure  TEXT
) STRICT;
CREATE INDEX attempts_by_record ON attempts (record);
";

const THIRD: &str = r"
-- form: the form of notification that it was read as; none for what earlier versions took. signed_at: the time that was
-- signed with it, as text. hint: nobody vouches for it, and nothing is kept of it but its call, in the place of the body.
-- became: what became of those of its messages that are through while others are fetched, or fetched again.
ALTER TABLE notifications ADD COLUMN form TEXT;
ALTER TABLE notifications ADD COLUMN signed_at TEXT;
ALTER TABLE notifications ADD COLUMN hint INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN became TEXT;

-- What is fetched from the PSPs: one row for each object, by the call that fetches it. `asked` counts who asked; a fetch
-- serves those that had asked when it began. A row without due_at waits for nobody; it remembers when the object was fetched
-- last (began_at on the clock that only runs, fetched_at as events are dated). trusted: not only strangers ask for it.
CREATE TABLE fetches (
    id            INTEGER PRIMARY KEY,
    source        TEXT NOT NULL,
    path          TEXT NOT NULL,
    trusted       INTEGER NOT NULL,
    asked         INTEGER NOT NULL DEFAULT 0,
    due_at        INTEGER,
    attempts      INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    missing_since INTEGER,
    reason        TEXT,
    began_at      INTEGER,
    fetched_at    INTEGER,
    UNIQUE (source, path)
) STRICT;
CREATE INDEX fetches_due ON fetches (source, trusted, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX fetches_idle ON fetches (began_at) WHERE due_at IS NULL;

-- Who waits for a fetch: a message of a notification, and what `asked` was when it asked; and when it asked once more.
CREATE TABLE fetch_waiting (
    fetch        INTEGER NOT NULL REFERENCES fetches (id),
    notification BLOB NOT NULL,
    message      INTEGER NOT NULL,
    asked        INTEGER NOT NULL,
    again        INTEGER,
    PRIMARY KEY (fetch, notification, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX fetch_waiting_by_notification ON fetch_waiting (notification, message);

-- What was fetched, and the messages that were read with it. An answer goes with the last of them.
CREATE TABLE answers (id INTEGER PRIMARY KEY, fetched_at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE answered (
    notification BLOB NOT NULL,
    message      INTEGER NOT NULL,
    answer       INTEGER NOT NULL REFERENCES answers (id),
    PRIMARY KEY (notification, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX answered_by_answer ON answered (answer);
CREATE TRIGGER answered_with AFTER DELETE ON notifications BEGIN
    DELETE FROM answered WHERE notification = old.id;
END;
CREATE TRIGGER answer_out AFTER DELETE ON answered BEGIN
    DELETE FROM answers WHERE id = old.answer AND NOT EXISTS (SELECT 1 FROM answered WHERE answer = old.answer);
END;
";

const FIFTH: &str = r"
-- Of an object of which nobody but strangers has spoken: the address whose place it has (of IPv6 the network), and the turn
-- that it waits for. Addresses take turns, and the one that has most places gives one up.
ALTER TABLE fetches ADD COLUMN hinted_by TEXT NOT NULL DEFAULT '';
ALTER TABLE fetches ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
CREATE INDEX fetches_of_strangers ON fetches (source, hinted_by) WHERE trusted = 0 AND due_at IS NOT NULL;

-- How many bytes the bodies and headers of all dead letters have, kept by the table itself: adding them up for each step of
-- housekeeping would take longer the more there are.
CREATE TABLE dead_letter_bytes (id INTEGER PRIMARY KEY CHECK (id = 1), bytes INTEGER NOT NULL) STRICT;
INSERT INTO dead_letter_bytes SELECT 1, ifnull(sum(octet_length(body) + octet_length(headers)), 0) FROM notifications
    WHERE outcome = 'dead_letter';
CREATE TRIGGER dead_letter_in AFTER INSERT ON notifications WHEN new.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET bytes = bytes + octet_length(new.body) + octet_length(new.headers);
END;
CREATE TRIGGER dead_letter_out AFTER DELETE ON notifications WHEN old.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET bytes = bytes - octet_length(old.body) - octet_length(old.headers);
END;
CREATE TRIGGER dead_letter_was AFTER UPDATE OF outcome, body, headers ON notifications WHEN old.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET bytes = bytes - octet_length(old.body) - octet_length(old.headers);
END;
CREATE TRIGGER dead_letter_is AFTER UPDATE OF outcome, body, headers ON notifications WHEN new.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET bytes = bytes + octet_length(new.body) + octet_length(new.headers);
END;
";

const FIRST_TIMES: &str = r"
-- When a message was told of first, and by which notification; only where nobody signs its times, or where it is signed in
-- several fields. By what is signed of it, as one text and field by field (SHA-256, cut to 16 bytes). Kept as long as records
-- are.
CREATE TABLE first_times (
    source       TEXT NOT NULL,
    key          BLOB NOT NULL,
    fields       BLOB NOT NULL,
    at           INTEGER NOT NULL,
    notification BLOB NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;

-- One dedupe key may have many contents: each is found without looking at the others. Of a hint both columns are the same.
DROP INDEX notifications_by_dedupe_key;
CREATE INDEX notifications_by_content ON notifications (source, dedupe_key, body_hash);
";

const PROBE_ROOM: &str = r"
-- What a readiness probe writes takes as much room as a notification does, so that a full disk shows.
ALTER TABLE probe ADD COLUMN room BLOB NOT NULL DEFAULT x'';
";

/// The schema version that this program writes: the number of steps. It also rises when records or events that are stored as
/// JSON get a field: an earlier relay takes an unknown field for damage.
pub(super) const VERSION: i64 = 20;

/// A store as it is before a step.
#[cfg(test)]
pub(super) fn before(connection: &Connection, step: &str) {
    let before: Vec<_> = STEPS.iter().take_while(|one| **one != step).collect();
    before.iter().for_each(|step| connection.execute_batch(step).unwrap());
    connection.pragma_update(None, "user_version", i64::try_from(before.len()).unwrap()).unwrap();
}

/// Runs the missing steps, all or none.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let done = usize::try_from(version(connection)?).unwrap_or(0);
    let begun = announce(connection, done)?;
    super::registrations::add_function(connection)?;
    if let Some(begun) = begun {
        connection.progress_handler(PROGRESS_STEPS, Some(said_at_times(begun)))?;
    }
    let brought = bring(connection);
    connection.progress_handler(0, None::<fn() -> bool>)?;
    brought?;
    if let Some(begun) = begun {
        tracing::info!(to = VERSION, seconds = begun.elapsed().as_secs(), "the store is brought to this version");
    }
    Ok(())
}

fn bring(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(version(&transaction)?).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Steps of the engine between two looks at the time, and the time between two log lines.
const PROGRESS_STEPS: i32 = 1_000_000;
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Logs now and then that the change goes on. It never ends it.
fn said_at_times(begun: Instant) -> impl FnMut() -> bool + Send {
    let mut said = begun;
    move || {
        if said.elapsed() >= SAID_EVERY {
            said = Instant::now();
            tracing::info!(seconds = begun.elapsed().as_secs(), "the store is still being brought to this version");
        }
        false
    }
}

/// Logs that a store of an earlier version is changed. That may take long: some steps read all notifications. Returns
/// the time at which the change begins.
fn announce(connection: &Connection, from: usize) -> rusqlite::Result<Option<Instant>> {
    if from == 0 || from >= STEPS.len() {
        return Ok(None);
    }
    let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes: i64 = connection.query_row(size, [], |row| row.get(0))?;
    tracing::warn!(
        from,
        to = VERSION,
        bytes,
        "the store is brought from an earlier version to this one; this may take some minutes for several GB. Nothing is changed \
         if it is stopped meanwhile; an earlier relay cannot read the store afterwards"
    );
    Ok(Some(Instant::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_store_gets_every_step_and_an_old_one_none_twice() {
        assert_eq!(i64::try_from(STEPS.len()), Ok(VERSION));
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection), Ok(VERSION));
        migrate(&mut connection).unwrap();
    }

    #[test]
    fn a_change_of_an_earlier_store_is_said_before_it_begins() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(announce(&connection, 0).unwrap().is_none(), "a new store takes no time");
        assert!(
            announce(&connection, 1).unwrap().is_some() && announce(&connection, STEPS.len() - 1).unwrap().is_some()
        );
        assert!(announce(&connection, STEPS.len()).unwrap().is_none());
    }

    /// Rows that the first version wrote are still owed, parked and counted.
    #[test]
    fn a_store_of_the_first_version_is_taken_over() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(FIRST).unwrap();
        let rows = "
            INSERT INTO records VALUES (1, 'tx-1', 2, NULL, '{}');
            INSERT INTO outbox (record, version, first_untold_at, due_at) VALUES (1, 2, 500, 900);
            INSERT INTO parked VALUES (1, x'00', 'stripe-main', 0, '{}', NULL), (2, x'00', 'adyen', 0, '{}', NULL),
                (3, x'01', 'adyen', 0, '{}', NULL);
            INSERT INTO notifications VALUES (x'02', 'adyen', 0, x'', x'', 'dead_letter', '?', 0, '[]', x'010203'),
                (x'03', 'adyen', 0, x'', x'', 'applied', NULL, 0, '[]', x'010203');
            PRAGMA user_version = 1;";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let one = |question: &str| connection.query_row(question, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(one("SELECT owed_since FROM outbox"), 500);
        assert_eq!(one("SELECT parked FROM parked_counts WHERE source = 'adyen'"), 2);
        assert_eq!(one("SELECT bytes FROM dead_letter_bytes"), 5);
        connection.execute("DELETE FROM parked WHERE id > 1", []).unwrap();
        assert_eq!(one("SELECT parked FROM parked_counts WHERE source = 'adyen'"), 0);
    }

    /// Hints that an earlier version stored, before addresses took turns, wait in the queues of their addresses.
    #[test]
    fn hints_of_an_earlier_version_keep_their_places() {
        let mut connection = Connection::open_in_memory().unwrap();
        let before = STEPS.iter().take_while(|step| **step != super::super::strangers::STEP);
        before.for_each(|step| connection.execute_batch(step).unwrap());
        let rows =
            "INSERT INTO fetches (source, path, trusted, due_at, hinted_by, turn) VALUES ('s', '/1', 0, 9, 'a', 70),
                ('s', '/2', 0, 8, 'a', 10), ('s', '/3', 0, NULL, 'a', 0), ('s', '/4', 1, 5, '', 0);
            PRAGMA user_version = 7;";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let one = |question: &str| connection.query_row(question, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(one("SELECT held FROM hint_counts WHERE source = 's'"), 2);
        assert_eq!(one("SELECT sum(held * 100 + turn_at) FROM hint_addresses"), 208);
    }

    /// Clock and counts, by which rows are deleted, get their inverses; wrong counts are corrected.
    #[test]
    fn what_an_earlier_version_kept_once_is_kept_twice() {
        let mut connection = Connection::open_in_memory().unwrap();
        let before = STEPS.iter().take_while(|step| **step != super::super::counts::STEP);
        before.for_each(|step| connection.execute_batch(step).unwrap());
        let rows = "INSERT INTO clock VALUES (1, 1800000000000000, -5);
            INSERT INTO parked (notification, source, parked_at, event) VALUES (x'00', 's', 0, '{}'), (x'01', 's', 0, '{}');
            UPDATE parked_counts SET parked = 4096;
            INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
                VALUES (x'02', 's', 0, x'', x'', 'dead_letter', '[]', x'0102');
            PRAGMA user_version = 8;";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let one = |question: &str| connection.query_row(question, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(
            one("SELECT steady FROM clock WHERE steady = ~steady_inverse AND wall = ~wall_inverse"),
            1_800_000_000_000_000
        );
        assert_eq!(one("SELECT parked FROM parked_counts WHERE parked = ~parked_inverse"), 2);
        assert_eq!(one("SELECT bytes FROM dead_letter_bytes WHERE bytes = ~bytes_inverse"), 4);
    }

    /// Ways to records stay, captures are found by their preauthorization, and nothing waits for room to refund any more.
    #[test]
    fn a_store_of_version_12_is_taken_over() {
        let mut connection = Connection::open_in_memory().unwrap();
        let before: Vec<_> = STEPS.iter().take_while(|step| **step != super::super::placed::STEP).collect();
        assert_eq!(before.len(), 12);
        before.iter().for_each(|step| connection.execute_batch(step).unwrap());
        let rows = r#"
            INSERT INTO records VALUES (1, 'a', 1, NULL, '{}'), (2, 'c', 2, NULL, '{"registered":{"preauth_id":"a"}}'),
                (3, 'p', 2, NULL, '{"registered":{"preauth_id":null}}'), (4, 'damaged', 2, NULL, '{');
            INSERT INTO psp_ids (psp_id, kind, source, record) VALUES ('auth', 1, 's', 1), ('cap', 2, '', 2);
            INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
                VALUES (x'01', 's', 0, x'', x'', 'dead_letter', '[]', x''), (x'02', 's', 0, x'', x'', 'parked', '[]', x'');
            INSERT INTO parked (id, notification, source, parked_at, event, reason)
                VALUES (1, x'01', 's', 0, '{}', 'too much'), (2, x'02', 's', 0, '{}', NULL);
            INSERT INTO parked_keys (key, source, parked) VALUES ('refunds:p', 's', 1), ('record:x', 's', 2);
            PRAGMA user_version = 12;"#;
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let one = |question: &str| connection.query_row(question, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(one("SELECT group_concat(transform_id, ' ') FROM records WHERE preauth_id = 'a'"), "c");
        let ways = "SELECT group_concat(psp_id || kind || source || record || placed, ' ') FROM psp_ids";
        assert_eq!(one(ways), "auth1s10 cap220");
        assert_eq!(
            one("SELECT group_concat(p.id || k.key) FROM parked p JOIN parked_keys k ON k.parked = p.id"),
            "2record:x"
        );
        assert_eq!(one("SELECT group_concat(outcome, ' ') FROM notifications"), "dead_letter parked", "to be replayed");
        assert_eq!(one("SELECT CAST(parked AS TEXT) FROM parked_counts"), "1");
    }

    /// A waiting fetch that is trusted may be for the PSP's own news. It goes first, as before.
    #[test]
    fn fetches_of_an_earlier_version_that_could_be_trusted_go_first() {
        let mut connection = Connection::open_in_memory().unwrap();
        let before: Vec<_> = STEPS.iter().take_while(|step| **step != super::super::fair::STEP).collect();
        before.iter().for_each(|step| connection.execute_batch(step).unwrap());
        connection.pragma_update(None, "user_version", i64::try_from(before.len()).unwrap()).unwrap();
        let rows = "INSERT INTO fetches (source, path, trusted, due_at, hinted_by) VALUES ('s', '/1', 0, 9, 'a'),
                ('s', '/2', 1, 8, '')";
        connection.execute_batch(rows).unwrap();
        migrate(&mut connection).unwrap();
        let trusted = "SELECT group_concat(trusted, ' ') FROM fetches ORDER BY id";
        assert_eq!(connection.query_row(trusted, [], |row| row.get::<_, String>(0)).unwrap(), "0 2");
    }
}
