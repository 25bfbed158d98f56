//! First times: the time at which a message with an unsigned time was told of first. A captured notification can be
//! sent again with another time, so that old news would count as the latest. First times are kept for ever, as records
//! are: a captured notification can be sent again after the inbox has deleted it.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::digest::digest;
use super::set::rows::text::{FirstTimeRow, Key};
use super::set::{Decided, Row, WorkingSet};
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
    set: &WorkingSet,
    source: &str,
    notification: Uuid,
    identity: &Identity,
    events: &mut [Event],
    receipt: Timestamp,
) -> Decided<Told> {
    let (key, fields) = (digest(identity.key.as_bytes()), digest(identity.fields.as_bytes()));
    let undated = || identity.first_time.iter().copied();
    let Some(first) = first(set, source, key)? else {
        let at = undated().filter_map(|index| events.get(index)).map(|event| event.at).min().unwrap_or(receipt);
        put(set, source, notification, (key, fields), at);
        return Ok(Told::First);
    };
    if first.fields != fields {
        return Ok(Told::Shifted);
    }
    let mut redated = None;
    for index in undated() {
        if let Some(event) = events.get_mut(index) {
            // Times are compared as precisely as they are stored.
            if event.at.as_microsecond() != first.at.as_microsecond() {
                redated.get_or_insert(Redated { first: first.at, another: event.at });
            }
            event.date(first.at);
        }
    }
    Ok(Told::Again { redated })
}

/// Whether the signed text of a message came before with other fields or, where it binds its body, with another body.
pub(super) fn is_of_another(set: &WorkingSet, source: &str, identity: &Identity) -> Decided<bool> {
    let known = first(set, source, digest(identity.key.as_bytes()))?;
    Ok(known.is_some_and(|known| known.fields != digest(identity.fields.as_bytes())))
}

/// Whether a message that cannot be understood is the first with its signed text; remembers that it came. Once the
/// message is understood, neither its first time nor its fields come from this entry.
pub(super) fn not_understood(
    set: &WorkingSet,
    source: &str,
    notification: Uuid,
    identity: &Identity,
    receipt: Timestamp,
) -> Decided<bool> {
    let key = digest(format!("not understood {}", identity.key).as_bytes());
    if first(set, source, digest(identity.key.as_bytes()))?.is_some() || first(set, source, key)?.is_some() {
        return Ok(false);
    }
    put(set, source, notification, (key, key), receipt);
    Ok(true)
}

fn first(set: &WorkingSet, source: &str, key: [u8; 16]) -> Decided<Option<Arc<FirstTimeRow>>> {
    set.first_times.first(&Key::Of(source.to_owned(), key))
}

fn put(set: &WorkingSet, source: &str, notification: Uuid, (key, fields): ([u8; 16], [u8; 16]), at: Timestamp) {
    // The time is kept in microseconds. It must count the same before it is read again.
    let at = Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
    set.first_times.put(FirstTimeRow { source: source.to_owned(), key, fields, at, notification });
}

/// Forgets the first time of a message, if this notification has set it.
pub(super) fn forget(set: &WorkingSet, source: &str, notification: Uuid, identity: &Identity) -> Decided<()> {
    let known = first(set, source, digest(identity.key.as_bytes()))?;
    if let Some(known) = known.filter(|known| known.notification == notification) {
        set.first_times.delete(&known.id());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
        let set = WorkingSet::complete();
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
            let told = date(&set, "s", Uuid::nil(), &identity, &mut events, at(receipt)).unwrap();
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
        let set = WorkingSet::complete();
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
            let told = date(&set, "s", Uuid::nil(), identity, &mut events, at(900)).unwrap();
            (told, events.map(|event| event.at.as_second()))
        };
        assert_eq!(tell(&identity, [70, 50]), (Told::First, [70, 50]));
        let redated = Some(Redated { first: at(50), another: at(800) });
        assert_eq!(tell(&identity, [800, 900]), (Told::Again { redated }, [50, 50]));
        let shifted = Identity { fields: "other".into(), ..identity };
        assert_eq!(tell(&shifted, [70, 50]).0, Told::Shifted);
    }
}
