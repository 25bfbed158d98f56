//! Owners of signed texts, for messages with unsigned parts. Anybody with a captured notification can send it again with
//! other unsigned parts. So a signed text belongs to the first content that came with it, and another content is without
//! effect. The first content owns its text once an event of it is in a record, or waits. These rows are kept for ever, as
//! records are.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::columns::digest;
use super::inbox::CONTENTS_MAX;
use super::pages::PAGE_ROWS;
use crate::domain::event::Event;

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

/// Whether the content of a message counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// It counts: its text has no owner, or says what the owner says, or credentials vouch for it.
    Yes,
    /// It is without effect: this notification owns its text.
    No(Uuid),
}

/// A notification with a signed text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) source: &'a str,
    /// The key of the text.
    pub(super) key: &'a str,
    pub(super) notification: Uuid,
    /// The events of the message.
    pub(super) events: &'a [Event],
    /// Whether credentials vouch for the unsigned parts.
    pub(super) vouched: bool,
}

/// Whether the content of a message counts. The times of its events make no difference: an unsigned time counts as the
/// first one.
pub(super) fn counts(connection: &Connection, of: &Content<'_>) -> rusqlite::Result<Counts> {
    if of.vouched {
        return Ok(Counts::Yes);
    }
    let mut find = connection.prepare_cached(
        "SELECT notification, content FROM owners WHERE source = ?1 AND key = ?2 ORDER BY notification",
    )?;
    let rows: Vec<([u8; 16], Option<[u8; 16]>)> = find
        .query_map(params![of.source, digest(of.key.as_bytes())], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let own = (of.notification.into_bytes(), Some(content(of.events)));
    let is_open = rows.iter().any(|(by, content)| *by == own.0 || *content == own.1);
    Ok(match rows.first() {
        Some((by, _)) if !is_open => Counts::No(Uuid::from_bytes(*by)),
        _ => Counts::Yes,
    })
}

/// Remembers that the content of a message counts. Of one text so many notifications are remembered as contents are kept.
pub(super) fn note(connection: &Connection, of: &Content<'_>) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO owners (source, key, notification, content) SELECT ?1, ?2, ?3, ?4
                 WHERE (SELECT count(*) FROM owners WHERE source = ?1 AND key = ?2 AND notification <> ?3) < ?5
             ON CONFLICT (source, key, notification) DO UPDATE SET content = excluded.content",
        )?
        .execute(params![
            of.source,
            digest(of.key.as_bytes()),
            of.notification.into_bytes(),
            content(of.events),
            CONTENTS_MAX
        ])
        .map(drop)
}

/// What events say, apart from their times.
fn content(events: &[Event]) -> [u8; 16] {
    let undated = |event: &Event| {
        let mut event = event.clone();
        event.date(Timestamp::UNIX_EPOCH);
        event.key = event.message_key().to_owned();
        event
    };
    let events: Vec<Event> = events.iter().map(undated).collect();
    digest(&serde_json::to_vec(&events).unwrap_or_default())
}

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

    use super::super::migrations::migrate;
    use super::*;
    use crate::domain::event::Facts;
    use crate::domain::ids::Kind;

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
    fn a_text_belongs_to_the_first_content_whatever_its_time() {
        let connection = store();
        let [genuine, later, forged] = [event(1, "1111"), event(90_000, "1111"), event(1, "9999")].map(|one| [one]);
        let counts = |one: &Content<'_>| counts(&connection, one).unwrap();
        assert_eq!(counts(&of(&forged, 9)), Counts::Yes, "nothing came before");
        note(&connection, &of(&genuine, 1)).unwrap();
        assert_eq!(counts(&of(&later, 2)), Counts::Yes, "it says the same");
        assert_eq!(counts(&of(&forged, 3)), Counts::No(Uuid::from_u128(1)));
        assert_eq!(counts(&Content { vouched: true, ..of(&forged, 3) }), Counts::Yes);
        assert_eq!(counts(&Content { source: "another", ..of(&forged, 3) }), Counts::Yes);
        // Judged anew, by another version of the profile, the owner stays the owner.
        let anew = [event(1, "2222")];
        assert_eq!(counts(&of(&anew, 1)), Counts::Yes);
        note(&connection, &of(&anew, 1)).unwrap();
        assert_eq!(counts(&of(&anew, 4)), Counts::Yes);
        assert_eq!(counts(&of(&genuine, 4)), Counts::No(Uuid::from_u128(1)));
    }

    #[test]
    fn so_many_notifications_of_a_text_are_remembered_and_taken_over() {
        let (past, stage) = (store(), store());
        let events = [event(1, "1111")];
        for by in 1..=u128::from(CONTENTS_MAX) + 5 {
            note(&past, &of(&events, by)).unwrap();
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
                 INSERT INTO first_times VALUES ('s', x'bb', x'', 0, x'02000000000000000000000000000000');",
            )
            .unwrap();
        connection.execute_batch(STEP).unwrap();
        let mut rows = connection.prepare("SELECT hex(key) || hex(substr(notification, 1, 1)) FROM owners").unwrap();
        let rows: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows, ["AA01", "BB02", "BB03"]);
    }
}
