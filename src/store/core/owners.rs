//! Owners of signed texts, for messages with unsigned parts. Anybody with a captured notification can send it again with
//! other unsigned parts. So a signed text belongs to the first content that came with it, and another content is without
//! effect. The first content owns its text once an event of it is in a record, or waits. These rows are kept for ever, as
//! records are.

use jiff::Timestamp;
use uuid::Uuid;

use super::digest::digest;
use super::inbox::is_below_most;
use super::set::rows::text::{Key, OwnerRow};
use super::set::{Decided, WorkingSet};
use crate::domain::event::Event;

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
pub(in crate::store) struct Content<'a> {
    pub(in crate::store) source: &'a str,
    /// The key of the text.
    pub(in crate::store) key: &'a str,
    pub(in crate::store) notification: Uuid,
    /// The events of the message.
    pub(in crate::store) events: &'a [Event],
    /// Whether credentials vouch for the unsigned parts.
    pub(in crate::store) vouched: bool,
}

/// Whether the content of a message counts. The times of its events make no difference: an unsigned time counts as the
/// first one.
pub(super) fn counts(set: &WorkingSet, of: &Content<'_>) -> Decided<Counts> {
    if of.vouched {
        return Ok(Counts::Yes);
    }
    let rows = set.owners.rows(&Key::Of(of.source.to_owned(), digest(of.key.as_bytes())))?;
    let own = Some(content(of.events));
    let is_open = rows.iter().any(|row| row.notification == of.notification || row.content == own);
    Ok(match rows.first() {
        Some(row) if !is_open => Counts::No(row.notification),
        _ => Counts::Yes,
    })
}

/// Remembers that the content of a message counts. Of one text so many notifications are remembered as contents are kept.
pub(in crate::store) fn note(set: &WorkingSet, of: &Content<'_>) -> Decided<()> {
    let key = digest(of.key.as_bytes());
    let rows = set.owners.rows(&Key::Of(of.source.to_owned(), key))?;
    if is_below_most(rows.iter().filter(|row| row.notification != of.notification).count()) {
        let content = Some(content(of.events));
        set.owners.put(OwnerRow { source: of.source.to_owned(), key, notification: of.notification, content });
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::event::Facts;
    use crate::domain::ids::Kind;

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
        let set = WorkingSet::complete();
        let [genuine, later, forged] = [event(1, "1111"), event(90_000, "1111"), event(1, "9999")].map(|one| [one]);
        let counts = |one: &Content<'_>| counts(&set, one).unwrap();
        assert_eq!(counts(&of(&forged, 9)), Counts::Yes, "nothing came before");
        note(&set, &of(&genuine, 1)).unwrap();
        assert_eq!(counts(&of(&later, 2)), Counts::Yes, "it says the same");
        assert_eq!(counts(&of(&forged, 3)), Counts::No(Uuid::from_u128(1)));
        assert_eq!(counts(&Content { vouched: true, ..of(&forged, 3) }), Counts::Yes);
        assert_eq!(counts(&Content { source: "another", ..of(&forged, 3) }), Counts::Yes);
        // Judged anew, by another version of the profile, the owner stays the owner.
        let anew = [event(1, "2222")];
        assert_eq!(counts(&of(&anew, 1)), Counts::Yes);
        note(&set, &of(&anew, 1)).unwrap();
        assert_eq!(counts(&of(&anew, 4)), Counts::Yes);
        assert_eq!(counts(&of(&genuine, 4)), Counts::No(Uuid::from_u128(1)));
    }
}
