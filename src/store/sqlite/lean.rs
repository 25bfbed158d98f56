//! Rows that are as small as their questions allow.

/// The step of the schema from which on each version knows the one before it, and a record the latest: so a history needs no index.
/// Versions of earlier relays keep theirs. Dedupe keys and contents are found by their first bytes, and compared as a whole. Records,
/// events and notifications are sealed and compressed: new ones are bytes where earlier ones are text.
pub(super) const STEP: &str = r"
-- previous: the version before; 0 for the first, NULL in the version of an earlier relay.
ALTER TABLE transitions ADD COLUMN previous INTEGER;
ALTER TABLE records ADD COLUMN last_transition INTEGER;
DROP INDEX transitions_by_record;
CREATE INDEX earlier_transitions ON transitions (record) WHERE previous IS NULL;

DROP INDEX notifications_by_content;
CREATE INDEX notifications_by_content ON notifications (substr(dedupe_key, 1, 8), substr(body_hash, 1, 4));

-- A debt is owed to a reader: 1 is Transform.
CREATE TABLE debts (
    record          INTEGER NOT NULL REFERENCES records (id),
    reader          INTEGER NOT NULL DEFAULT 1,
    version         INTEGER NOT NULL,
    first_untold_at INTEGER,
    due_at          INTEGER NOT NULL,
    not_before      INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,
    failing_since   INTEGER,
    reason          TEXT,
    host            TEXT,
    owed_since      INTEGER NOT NULL DEFAULT 0,
    changed_at      INTEGER NOT NULL DEFAULT 0,
    dead_at         INTEGER,
    given_up_at     INTEGER,
    awaits_host     INTEGER,
    PRIMARY KEY (record, reader)
) STRICT, WITHOUT ROWID;
INSERT INTO debts (record, version, first_untold_at, due_at, not_before, attempts, failing_since, reason, host, owed_since,
        changed_at, dead_at, given_up_at, awaits_host)
    SELECT record, version, first_untold_at, due_at, not_before, attempts, failing_since, reason, host, owed_since,
        changed_at, dead_at, given_up_at, awaits_host FROM outbox;
DROP TABLE outbox;
ALTER TABLE debts RENAME TO outbox;
CREATE INDEX given_up ON outbox (dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX outbox_by_host ON outbox (host, awaits_host, dead_at) WHERE host IS NOT NULL;

-- sum: the checksum of the row's other columns, or of those that never change; NULL if an earlier relay wrote it.
ALTER TABLE psp_ids ADD COLUMN sum INTEGER;
ALTER TABLE reached ADD COLUMN sum INTEGER;
ALTER TABLE owners ADD COLUMN sum INTEGER;
ALTER TABLE first_times ADD COLUMN sum INTEGER;
ALTER TABLE transitions ADD COLUMN sum INTEGER;
ALTER TABLE attempts ADD COLUMN sum INTEGER;
ALTER TABLE notifications ADD COLUMN sum INTEGER;

-- packing: 0, headers and body stand there as they came; 1, the body has both, sealed and compressed.
-- bytes: the length of both as they came; NULL if they stand there so.
ALTER TABLE notifications ADD COLUMN packing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN bytes INTEGER;

-- Dead letters are counted by the bytes that came.
DROP TRIGGER dead_letter_in;
DROP TRIGGER dead_letter_out;
DROP TRIGGER dead_letter_was;
DROP TRIGGER dead_letter_is;
DROP TRIGGER further_in;
DROP TRIGGER further_out;
DROP TRIGGER further_was;
DROP TRIGGER further_is;
CREATE TRIGGER dead_letter_in AFTER INSERT ON notifications WHEN new.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET
        bytes = bytes + ifnull(new.bytes, octet_length(new.body) + octet_length(new.headers)),
        bytes_inverse = bytes_inverse - ifnull(new.bytes, octet_length(new.body) + octet_length(new.headers));
END;
CREATE TRIGGER dead_letter_out AFTER DELETE ON notifications WHEN old.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET
        bytes = bytes - ifnull(old.bytes, octet_length(old.body) + octet_length(old.headers)),
        bytes_inverse = bytes_inverse + ifnull(old.bytes, octet_length(old.body) + octet_length(old.headers));
END;
CREATE TRIGGER dead_letter_was AFTER UPDATE OF outcome, body, headers ON notifications WHEN old.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET
        bytes = bytes - ifnull(old.bytes, octet_length(old.body) + octet_length(old.headers)),
        bytes_inverse = bytes_inverse + ifnull(old.bytes, octet_length(old.body) + octet_length(old.headers));
END;
CREATE TRIGGER dead_letter_is AFTER UPDATE OF outcome, body, headers ON notifications WHEN new.outcome = 'dead_letter' BEGIN
    UPDATE dead_letter_bytes SET
        bytes = bytes + ifnull(new.bytes, octet_length(new.body) + octet_length(new.headers)),
        bytes_inverse = bytes_inverse - ifnull(new.bytes, octet_length(new.body) + octet_length(new.headers));
END;
CREATE TRIGGER further_in AFTER INSERT ON notifications WHEN new.outcome = 'dead_letter' AND new.further = 1 BEGIN
    INSERT INTO dead_letter_keys VALUES (new.source, new.dedupe_key,
            ifnull(new.bytes, octet_length(new.body) + octet_length(new.headers)))
        ON CONFLICT (source, dedupe_key) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER further_out AFTER DELETE ON notifications WHEN old.outcome = 'dead_letter' AND old.further = 1 BEGIN
    UPDATE dead_letter_keys SET bytes = bytes - ifnull(old.bytes, octet_length(old.body) + octet_length(old.headers))
        WHERE source = old.source AND dedupe_key = old.dedupe_key;
    DELETE FROM dead_letter_keys WHERE source = old.source AND dedupe_key = old.dedupe_key AND bytes <= 0;
END;
CREATE TRIGGER further_was AFTER UPDATE OF outcome, body, headers ON notifications
    WHEN old.outcome = 'dead_letter' AND old.further = 1 BEGIN
    UPDATE dead_letter_keys SET bytes = bytes - ifnull(old.bytes, octet_length(old.body) + octet_length(old.headers))
        WHERE source = old.source AND dedupe_key = old.dedupe_key;
    DELETE FROM dead_letter_keys WHERE source = old.source AND dedupe_key = old.dedupe_key AND bytes <= 0;
END;
CREATE TRIGGER further_is AFTER UPDATE OF outcome, body, headers ON notifications
    WHEN new.outcome = 'dead_letter' AND new.further = 1 BEGIN
    INSERT INTO dead_letter_keys VALUES (new.source, new.dedupe_key,
            ifnull(new.bytes, octet_length(new.body) + octet_length(new.headers)))
        ON CONFLICT (source, dedupe_key) DO UPDATE SET bytes = bytes + excluded.bytes;
END;

-- Only the declared type changes, and no row: a text stays a text.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'record       TEXT NOT NULL', 'record       ANY NOT NULL')
    WHERE type = 'table' AND name = 'records';
UPDATE sqlite_schema SET sql = replace(sql, 'event        TEXT NOT NULL', 'event        ANY NOT NULL')
    WHERE type = 'table' AND name IN ('parked', 'placed');
PRAGMA writable_schema = RESET;
";

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rusqlite::{Connection, params};

    use super::super::one_by_one::register;
    use super::super::{history, migrations, outbox, rehearse};
    use super::*;
    use crate::domain::due::Moment;
    use crate::domain::ids::{Kind, RecordKey};

    /// A store of version 18 with a payment that has three versions, is owed, and has an id of the PSP.
    fn earlier() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        migrations::before(&connection, STEP);
        let record = include_str!("../../../fixtures/stored/18/record.json");
        let event = include_str!("../../../fixtures/stored/18/event.json");
        let insert = "INSERT INTO records (id, transform_id, kind, payment_id, record, preauth_id)
            VALUES (1, 'tx-7', 2, 'pay-7', ?1, 'pre-7')";
        connection.execute(insert, [record]).unwrap();
        let rows = "INSERT INTO psp_ids (psp_id, kind, source, record) VALUES ('pi_7', 2, 'stripe-main', 1);
            INSERT INTO outbox (record, version, due_at, owed_since, changed_at) VALUES (1, 4, 900, 500, 500);
            INSERT INTO transitions (record, version, at, notification, event_type, status)
                SELECT 1, value, value, x'00000000000000000000000000000001', 'paid', 'Pending' FROM json_each('[2,3,4]');
            INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
                VALUES (x'00000000000000000000000000000001', 'stripe-main', 0, x'aa', x'bb', 'applied', '[]', x'01');";
        connection.execute_batch(rows).unwrap();
        let parked = "INSERT INTO parked (notification, source, parked_at, event)
            VALUES (x'00000000000000000000000000000001', 'stripe-main', 0, ?1)";
        connection.execute(parked, [event]).unwrap();
        connection
    }

    fn versions(connection: &Connection) -> Vec<u64> {
        let (versions, _) = history::of_record(connection, 1, 10).unwrap();
        assert!(versions.damaged.is_empty());
        versions.rows.iter().map(|made| made.version).collect()
    }

    #[test]
    fn a_store_of_version_18_goes_on() {
        let mut connection = earlier();
        migrations::migrate(&mut connection).unwrap();
        for (table, column) in [("records", "record"), ("parked", "event"), ("placed", "event")] {
            let declared = format!("SELECT type FROM pragma_table_info('{table}') WHERE name = '{column}'");
            let declared: String = connection.query_row(&declared, [], |row| row.get(0)).unwrap();
            assert_eq!(declared, "ANY", "{table}");
        }
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        assert_eq!(versions(&connection), [4, 3, 2]);
        assert_eq!(outbox::owed(&connection, i64::MIN, 9).unwrap().rows.len(), 1);
        // A version that this relay makes stands before those of the earlier one.
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let now = Moment { wall: now, steady: now };
        let key = RecordKey::new(Kind::Payment, "tx-7".parse().unwrap());
        let said = serde_json::from_value(serde_json::json!({"webhookTarget": "https://other.example/hook"})).unwrap();
        register(&connection, &rehearse::without_limits(), &key, &said, now).unwrap().unwrap();
        let sealed: String = connection.query_row("SELECT typeof(record) FROM records", [], |row| row.get(0)).unwrap();
        assert_eq!(sealed, "blob", "a record is sealed once it changes");
        let add = "INSERT INTO transitions (id, previous, record, version, at, notification, event_type, status)
            VALUES (?1, ?2, 1, ?3, 0, x'00000000000000000000000000000001', 'paid', 'Pending')";
        for (row, previous, version) in [(10, 0, 5), (11, 10, 6)] {
            connection.execute(add, params![row, previous, version]).unwrap();
        }
        connection.execute("UPDATE records SET last_transition = 11", []).unwrap();
        assert_eq!(versions(&connection), [6, 5, 4, 3, 2]);
        assert_eq!(history::of_record(&connection, 1, 2).unwrap().0.rows.len(), 2);
        // A damaged link leads neither in a circle nor to another record.
        connection.execute("UPDATE transitions SET previous = 11 WHERE id = 10", []).unwrap();
        assert_eq!(versions(&connection), [6, 5, 4, 3, 2]);
        history::forget(&connection, 1).unwrap();
        let left: i64 = connection.query_row("SELECT count(*) FROM transitions", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }
}
