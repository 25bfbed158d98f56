//! Rows of the inbox: notifications as they were taken.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::store::Outcome;
pub(in crate::store) use crate::store::core::set::keys::notification::{Key, OfKey};
use crate::store::core::set::{Readable, Row, Want};
use crate::store::encoding::Sum;
use crate::store::encoding::notification::Packed;

/// A notification.
#[derive(Debug, Clone)]
pub(in crate::store) struct NotificationRow {
    /// The row: a later notification has a greater one.
    pub(in crate::store) row: i64,
    /// The id.
    pub(in crate::store) id: Uuid,
    /// Its source and the digest of its dedupe key.
    pub(in crate::store) of_key: OfKey,
    /// The digest of its content.
    pub(in crate::store) content: [u8; 16],
    /// Whether it is a hint.
    pub(in crate::store) hint: bool,
    /// Its outcome.
    pub(in crate::store) outcome: Readable<Outcome>,
    /// The outcome that its PSP was answered, where another has followed.
    pub(in crate::store) answered: Option<Readable<Outcome>>,
    /// The outcome of its messages that are through, while others are fetched.
    pub(in crate::store) through: Option<Readable<Outcome>>,
    /// The reason, if it is a dead letter.
    pub(in crate::store) reason: Option<String>,
    /// The form that it was read as.
    pub(in crate::store) form: Option<String>,
    /// The time that was signed with it, as text.
    pub(in crate::store) signed_at: Option<String>,
    /// Whether another content of its dedupe key was there before it, from which somebody may have made it.
    pub(in crate::store) further: bool,
    /// Whether it was the first with one of its signed texts.
    pub(in crate::store) tells_first: bool,
    /// The bytes of its headers and its body, as they came.
    pub(in crate::store) bytes: i64,
    /// What is only written: its time, its headers and its body. None of a row that was loaded.
    pub(in crate::store) received: Option<Arc<Received>>,
}

/// A notification as it was received.
#[derive(Debug)]
pub(in crate::store) struct Received {
    /// The time by the machine's clock.
    pub(in crate::store) at: Timestamp,
    /// The time by the store's clock.
    pub(in crate::store) kept_since: Timestamp,
    /// The headers and the body.
    pub(in crate::store) packed: Packed,
}

/// The checksum of what never changes of a notification, apart from its headers and its body, which are sealed. The times are in
/// microseconds.
pub(in crate::store) fn sum(
    id: Uuid,
    source: &str,
    (at, kept_since): (i64, i64),
    (dedupe_key, content): (&[u8], &[u8]),
) -> i64 {
    let sum = Sum::of("notifications").bytes(id.as_bytes()).text(source).number(at).number(kept_since);
    sum.bytes(dedupe_key).bytes(content).end()
}

impl Row for NotificationRow {
    type Id = Uuid;
    type Key = Key;

    fn id(&self) -> Uuid {
        self.id
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys = vec![Key::Id(self.id)];
        if !self.hint {
            keys.push(Key::Content(self.of_key.clone(), self.content));
            keys.push(Key::Contents(self.of_key.clone()));
        }
        keys
    }

    fn want(key: &Key) -> Want {
        Want::Notifications(key.clone())
    }
}

/// The contents of a dedupe key, in brief.
#[derive(Debug, Clone)]
pub(in crate::store) struct ContentsRow {
    /// The key.
    pub(in crate::store) of_key: OfKey,
    /// One of its contents: the first, unless there are very many.
    pub(in crate::store) one: Uuid,
    /// The row of the last one.
    pub(in crate::store) last: i64,
}

impl Row for ContentsRow {
    type Id = OfKey;
    type Key = OfKey;

    fn id(&self) -> OfKey {
        self.of_key.clone()
    }

    fn keys(&self) -> Vec<OfKey> {
        vec![self.of_key.clone()]
    }

    fn want(key: &OfKey) -> Want {
        Want::Contents(key.clone())
    }
}
