//! Owners of signed texts, for messages with unsigned parts. Anybody with a captured notification can send it again with
//! other unsigned parts. So a signed text belongs to the first content that came with it, and another content is without
//! effect. The first content owns its text once an event of it is in a record, or waits. These rows are kept for ever, as
//! records are.

use rusqlite::{Connection, params};

use super::pages::PAGE_ROWS;

/// The step of the schema that adds the table of owners. What earlier versions took counts by its notification: by the
/// first one of its text, by each that led its text to a record, and by each that is kept of such a text or is a dead letter.
pub(super) const STEP: &str = r"
-- The notifications whose content counts for a signed text; only where not all is signed that is read. By the text, and by what
-- its events say (SHA-256, cut to 16 bytes; none if an earlier version took it). Kept as long as records are.
CREATE TABLE owners (
    source       TEXT NOT NULL,
    key          BLOB NOT NULL,
    notification BLOB NOT NULL,
    content      BLOB,
    PRIMARY KEY (source, key, notification)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO owners (source, key, notification) SELECT source, key, notification FROM first_times;
INSERT OR IGNORE INTO owners (source, key, notification) SELECT DISTINCT source, key, notification FROM reached;
INSERT OR IGNORE INTO owners (source, key, notification)
    SELECT source, dedupe_key, id FROM notifications WHERE hint = 0 AND outcome <> 'ignored'
        AND (outcome = 'parked' OR (source, dedupe_key) IN (SELECT source, key FROM owners));

-- A record that was registered by mistake can be removed, with all that leads to it.
CREATE INDEX reached_by_record ON reached (record);
CREATE INDEX findings_by_record ON findings (record);
";

/// Takes over all rows of another store, even of notifications that are read again: the order in which notifications
/// came is a fact of the past.
pub(super) fn take_over(connection: &Connection, other: &Connection) -> rusqlite::Result<()> {
    if !other.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'owners'")?.exists([])? {
        return Ok(());
    }
    let mut insert =
        connection.prepare("INSERT INTO owners (source, key, notification, content) VALUES (?1, ?2, ?3, ?4)")?;
    let mut after = (String::new(), Vec::new(), Vec::new());
    loop {
        let page = page(other, &after)?;
        let Some((source, key, notification, _)) = page.last() else { return Ok(()) };
        after = (source.clone(), key.clone(), notification.clone());
        for (source, key, notification, content) in page {
            insert.execute(params![source, key, notification, content])?;
        }
    }
}

/// The source, the key, the notification and the content of a row.
type Row = (String, Vec<u8>, Vec<u8>, Option<Vec<u8>>);

fn page(other: &Connection, after: &(String, Vec<u8>, Vec<u8>)) -> rusqlite::Result<Vec<Row>> {
    other
        .prepare_cached(
            "SELECT source, key, notification, content FROM owners WHERE (source, key, notification) > (?1, ?2, ?3)
             ORDER BY source, key, notification LIMIT ?4",
        )?
        .query_map(params![after.0, after.1, after.2, PAGE_ROWS], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use uuid::Uuid;

    use super::super::decide::at_once;
    use super::super::migrations::migrate;
    use super::*;
    use crate::domain::event::{Event, Facts};
    use crate::domain::ids::Kind;
    use crate::store::core::inbox::CONTENTS_MAX;
    use crate::store::core::owners::{Content, note};

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection
    }

    fn event(second: i64, last4: &str) -> Event {
        Event {
            event_type: "paid".into(),
            kinds: vec![Kind::Payment],
            psp_ids: vec!["pi_1".into()],
            at: Timestamp::from_second(second).unwrap(),
            key: format!("k#{second}{last4}"),
            facts: Facts { bearer: BTreeMap::from([("last4".into(), last4.into())]), ..Facts::default() },
            ..Event::default()
        }
    }

    fn of(events: &[Event], by: u128) -> Content<'_> {
        Content { source: "s", key: "text", notification: Uuid::from_u128(by), events, vouched: false }
    }

    #[test]
    fn so_many_notifications_of_a_text_are_remembered_and_taken_over() {
        let (past, stage) = (store(), store());
        let events = [event(1, "1111")];
        for by in 1..=u128::from(CONTENTS_MAX) + 5 {
            at_once(&past, |set| note(set, &of(&events, by))).unwrap();
        }
        take_over(&stage, &past).unwrap();
        let rows: u32 = stage.query_row("SELECT count(*) FROM owners", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, CONTENTS_MAX);
        take_over(&stage, &Connection::open_in_memory().unwrap()).unwrap();
    }

    /// A store of version 14 knows who has a text, but not what it said.
    #[test]
    fn what_an_earlier_version_took_owns_its_text() {
        let connection = store();
        connection
            .execute_batch(
                "DROP TABLE owners; DROP INDEX reached_by_record; DROP INDEX findings_by_record;
                 INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body) VALUES
                     (x'01000000000000000000000000000000', 's', 0, x'aa', x'01', 'parked', '[]', x''),
                     (x'02000000000000000000000000000000', 's', 0, x'bb', x'02', 'applied', '[]', x''),
                     (x'03000000000000000000000000000000', 's', 0, x'bb', x'03', 'repeated', '[]', x''),
                     (x'04000000000000000000000000000000', 's', 0, x'cc', x'04', 'ignored', '[]', x'');
                 INSERT INTO first_times (source, key, fields, at, notification)
                     VALUES ('s', x'bb', x'', 0, x'02000000000000000000000000000000');",
            )
            .unwrap();
        connection.execute_batch(STEP).unwrap();
        let mut rows = connection.prepare("SELECT hex(key) || hex(substr(notification, 1, 1)) FROM owners").unwrap();
        let rows: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows, ["AA01", "BB02", "BB03"]);
    }
}
