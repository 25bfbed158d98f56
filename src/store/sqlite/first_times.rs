//! First times: the time at which a message with an unsigned time was told of first. A captured notification can be
//! sent again with another time, so that old news would count as the latest. First times are kept for ever, as records
//! are: a captured notification can be sent again after the inbox has deleted it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::columns::{digest, micros, timestamp};
use super::pages::PAGE_ROWS;
use crate::domain::event::Event;
use crate::domain::message::Identity;
use crate::store::Redated;

/// The result of comparing a message with the first message of its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The message is the first.
    First,
    /// The message was told of before.
    Again {
        /// Set if one of its events named another time.
        redated: Option<Redated>,
    },
    /// The signed text came before with other fields, or with another body that it is bound to.
    Shifted,
    /// Unknown: first times of such messages are not kept.
    Unknown,
}

/// Looks up the first time of a message, or remembers it now. Events with unsigned times get the first time.
///
/// The first time is the earliest of several unsigned times. So a message that is told again outranks no news that came
/// after it.
pub(super) fn date(
    connection: &Connection,
    source: &str,
    notification: Uuid,
    identity: &Identity,
    events: &mut [Event],
    receipt: Timestamp,
) -> rusqlite::Result<Told> {
    let (key, fields) = (digest(identity.key.as_bytes()), digest(identity.fields.as_bytes()));
    let undated = || identity.first_time.iter().copied();
    let Some((at, known)) = first(connection, source, key)? else {
        let at = undated().filter_map(|index| events.get(index)).map(|event| event.at).min().unwrap_or(receipt);
        insert(connection, source, &FirstTime { key, fields, at, notification })?;
        return Ok(Told::First);
    };
    if known != fields {
        return Ok(Told::Shifted);
    }
    let mut redated = None;
    for index in undated() {
        if let Some(event) = events.get_mut(index) {
            // Times are compared as precisely as they are stored.
            if micros(event.at) != micros(at) {
                redated.get_or_insert(Redated { first: at, another: event.at });
            }
            event.date(at);
        }
    }
    Ok(Told::Again { redated })
}

/// Whether the signed text of a message came before with other fields or, where it binds its body, with another body.
pub(super) fn is_of_another(connection: &Connection, source: &str, identity: &Identity) -> rusqlite::Result<bool> {
    let known = first(connection, source, digest(identity.key.as_bytes()))?;
    Ok(known.is_some_and(|(_, fields)| fields != digest(identity.fields.as_bytes())))
}

/// Whether a message that cannot be understood is the first with its signed text; remembers that it came. Once the
/// message is understood, neither its first time nor its fields come from this entry.
pub(super) fn not_understood(
    connection: &Connection,
    source: &str,
    notification: Uuid,
    identity: &Identity,
    receipt: Timestamp,
) -> rusqlite::Result<bool> {
    let key = digest(format!("not understood {}", identity.key).as_bytes());
    if first(connection, source, digest(identity.key.as_bytes()))?.is_some()
        || first(connection, source, key)?.is_some()
    {
        return Ok(false);
    }
    insert(connection, source, &FirstTime { key, fields: key, at: receipt, notification })?;
    Ok(true)
}

/// The first time of a message.
struct FirstTime {
    key: [u8; 16],
    fields: [u8; 16],
    at: Timestamp,
    notification: Uuid,
}

fn first(connection: &Connection, source: &str, key: [u8; 16]) -> rusqlite::Result<Option<(Timestamp, [u8; 16])>> {
    connection
        .prepare_cached("SELECT at, fields FROM first_times WHERE source = ?1 AND key = ?2")?
        .query_row(params![source, key], |row| Ok((timestamp(0, row.get(0)?)?, row.get(1)?)))
        .optional()
}

fn insert(connection: &Connection, source: &str, one: &FirstTime) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO first_times (source, key, fields, at, notification) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![source, one.key, one.fields, micros(one.at), one.notification.into_bytes()])
        .map(drop)
}

/// Forgets the first time of a message, if this notification has set it.
pub(super) fn forget(
    connection: &Connection,
    source: &str,
    notification: Uuid,
    identity: &Identity,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM first_times WHERE source = ?1 AND key = ?2 AND notification = ?3")?
        .execute(params![source, digest(identity.key.as_bytes()), notification.into_bytes()])
        .map(drop)
}

/// Takes over the first times of another store, except the ones of notifications that are read again (`is_read`):
/// reading sets them anew.
pub(super) fn take_over(
    connection: &Connection,
    other: &Connection,
    is_read: impl Fn(&str, Uuid) -> rusqlite::Result<bool>,
) -> rusqlite::Result<()> {
    let mut after = (String::new(), Vec::new());
    loop {
        let page = page(other, &after)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.0.clone(), last.1.key.to_vec());
        for (source, one) in page {
            if !is_read(&source, one.notification)? {
                insert(connection, &source, &one)?;
            }
        }
    }
}

fn page(other: &Connection, after: &(String, Vec<u8>)) -> rusqlite::Result<Vec<(String, FirstTime)>> {
    other
        .prepare_cached(
            "SELECT source, key, at, notification, fields FROM first_times WHERE (source, key) > (?1, ?2)
             ORDER BY source, key LIMIT ?3",
        )?
        .query_map(params![after.0, after.1, PAGE_ROWS], |row| {
            let (at, notification) = (timestamp(2, row.get(2)?)?, Uuid::from_bytes(row.get(3)?));
            Ok((row.get(0)?, FirstTime { key: row.get(1)?, fields: row.get(4)?, at, notification }))
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::migrations::migrate;
    use super::*;
    use crate::domain::event::Facts;
    use crate::domain::ids::Kind;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn event(second: i64) -> Event {
        Event {
            event_type: "paid".into(),
            kinds: vec![Kind::Payment],
            psp_ids: vec!["pi_1".into()],
            at: at(second),
            key: "k#0".into(),
            facts: Facts::default(),
            ..Event::default()
        }
    }

    /// An event that names a time keeps it, also beside an event that names none. The first message keeps all its
    /// times.
    #[test]
    fn only_what_has_no_time_of_its_own_is_dated() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let identity = Identity {
            key: "k".into(),
            fields: String::new(),
            has_borders: false,
            binds_body: false,
            partly_signed: false,
            needs_owner: false,
            is_behind: false,
            first_time: vec![1],
        };
        let tell = |receipt: i64| {
            let mut events = [event(5), event(receipt)];
            let told = date(&connection, "s", Uuid::nil(), &identity, &mut events, at(receipt)).unwrap();
            (told, events.map(|event| event.at.as_second()))
        };
        assert_eq!(tell(100), (Told::First, [5, 100]));
        let redated = Some(Redated { first: at(100), another: at(200) });
        assert_eq!(tell(200), (Told::Again { redated }, [5, 100]));
        assert_eq!(tell(100), (Told::Again { redated: None }, [5, 100]));
    }

    /// Of several unsigned times the earliest counts for a message that is told again.
    #[test]
    fn what_is_told_again_outranks_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let identity = Identity {
            key: "k".into(),
            fields: "f".into(),
            has_borders: true,
            binds_body: false,
            partly_signed: true,
            needs_owner: true,
            is_behind: false,
            first_time: vec![0, 1],
        };
        let tell = |identity: &Identity, times: [i64; 2]| {
            let mut events = times.map(event);
            let told = date(&connection, "s", Uuid::nil(), identity, &mut events, at(900)).unwrap();
            (told, events.map(|event| event.at.as_second()))
        };
        assert_eq!(tell(&identity, [70, 50]), (Told::First, [70, 50]));
        let redated = Some(Redated { first: at(50), another: at(800) });
        assert_eq!(tell(&identity, [800, 900]), (Told::Again { redated }, [50, 50]));
        let shifted = Identity { fields: "other".into(), ..identity };
        assert_eq!(tell(&shifted, [70, 50]).0, Told::Shifted);
    }
}
