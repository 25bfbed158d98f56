//! The inbox: notifications as received, and their outcomes.

use std::sync::Arc;

use uuid::Uuid;

use super::digest::digest;
use super::inbound::Inbound;
use super::set::rows::notification::{ContentsRow, Key, NotificationRow, OfKey};
use super::set::{Decided, Order, Readable, WorkingSet};
use crate::store::{Outcome, Taken};

/// The kept notifications with the dedupe key of a notification.
pub(super) enum Seen {
    /// None.
    New,
    /// The very same notification, byte for byte.
    Same {
        /// The id of the first.
        id: Uuid,
        /// The outcome that it was answered with.
        outcome: Outcome,
        /// Whether notifications with the same dedupe key and another content came before.
        further: bool,
    },
    /// The very same notification, which is a dead letter.
    DeadLetter {
        /// The id of the first.
        id: Uuid,
        /// Whether notifications with the same dedupe key and another content came before.
        further: bool,
    },
    /// Only notifications with the same dedupe key and another content.
    KeyOnly {
        /// The id of one of them: the first, unless there are more than [`CONTENTS_MAX`].
        one: Uuid,
        /// Whether there is no room for one more content. Only a content that is signed in parts needs room: all of
        /// them may be made from one captured notification.
        full: bool,
    },
}

impl Seen {
    /// The id of a kept notification with the same dedupe key, if another content of that key came before.
    pub(super) const fn after(&self) -> Option<Uuid> {
        match self {
            Self::KeyOnly { one, .. } => Some(*one),
            Self::Same { id, further: true, .. } | Self::DeadLetter { id, further: true } => Some(*id),
            Self::New | Self::Same { .. } | Self::DeadLetter { .. } => None,
        }
    }
}

/// The number of contents that are kept of one dedupe key, where a signature covers only parts of a body. Anybody with
/// a captured notification can make any number of such contents. A body that is signed as a whole is the PSP's own news
/// and has no limit.
pub(in crate::store) const CONTENTS_MAX: u32 = 100;
/// Once the contents after the first have so many bytes, there is no room for another large one. Each content may be as
/// large as `server.max_body`. Without this limit, a hundred times that size could be kept for each captured
/// notification.
pub(in crate::store) const FURTHER_BYTES_MAX: i64 = 1024 * 1024;
/// A content up to this size is not large. A small content is kept even where large ones have filled their room. A PSP's
/// item has some 2 KB, with its headers.
const LARGE_BYTES: usize = 10 * 1024;

/// The most times that one content counts again where states recur. Each costs a look into the index, and a row. Anybody with
/// two captured notifications could send them in turn without end.
const AGAIN_MAX: u32 = 100;

/// The hash of a content that is new: where states recur, it may have come before, with others after it. Then it is told
/// from the earlier ones by their number.
fn new_content(set: &WorkingSet, taken: &Inbound) -> Decided<[u8; 16]> {
    let (key, mut content) = (&taken.of_key, taken.content);
    if taken.normalised.recurs() {
        while set.notifications.is_any(&Key::Content(key.clone(), content))? {
            content = again(content);
        }
    }
    Ok(content)
}

/// The hash of the same content once more.
fn again(content: [u8; 16]) -> [u8; 16] {
    digest(&[content.as_slice(), b"again"].concat())
}

/// Looks a notification up by its dedupe key and its content.
pub(super) fn seen(set: &WorkingSet, taken: &Inbound) -> Decided<Seen> {
    let key = &taken.of_key;
    if let Some(same) = same(set, taken)? {
        return Ok(same);
    }
    if taken.partly_signed {
        let kept = contents(set, key)?;
        let Some(first) = kept.first() else { return Ok(Seen::New) };
        return Ok(Seen::KeyOnly { one: first.id, full: is_full(taken, &kept) });
    }
    let kept = set.contents.first(key)?;
    Ok(kept.map_or(Seen::New, |kept| Seen::KeyOnly { one: kept.one, full: false }))
}

/// The very same notification; none where its state recurs and another one of its object came after it. After [`AGAIN_MAX`]
/// times it counts as a repetition.
fn same(set: &WorkingSet, taken: &Inbound) -> Decided<Option<Seen>> {
    let (key, mut content, mut times) = (&taken.of_key, taken.content, 0);
    loop {
        let found = set.notifications.first(&Key::Content(key.clone(), content))?;
        let Some(row) = found else { return Ok(None) };
        let may_recur = taken.normalised.recurs() && times < AGAIN_MAX;
        if may_recur && set.contents.first(key)?.is_some_and(|kept| kept.last > row.row) {
            content = again(content);
            times += 1;
            continue;
        }
        let (id, further) = (row.id, row.further);
        return Ok(Some(match row.outcome.get()? {
            Outcome::DeadLetter => Seen::DeadLetter { id, further },
            outcome => {
                let outcome = row.answered.as_ref().map_or(Ok(outcome), Readable::get)?;
                Seen::Same { id, outcome: *outcome, further }
            }
        }));
    }
}

/// All contents of a dedupe key, the first one first. Asked only where there is a limit to their number.
pub(super) fn contents(set: &WorkingSet, key: &OfKey) -> Decided<Vec<Arc<NotificationRow>>> {
    let mut rows = set.notifications.rows(&Key::Contents(key.clone()))?;
    rows.sort_by_key(|row| row.row);
    Ok(rows)
}

/// Whether a key with these contents has no room for one more: the key has too many contents, or this content is large and the
/// contents after the first have too many bytes.
pub(super) fn is_full(taken: &Inbound, kept: &[Arc<NotificationRow>]) -> bool {
    let is_large = taken.length > LARGE_BYTES;
    let further = || kept.iter().skip(1).map(|row| row.bytes).fold(0_i64, i64::saturating_add);
    !is_below_most(kept.len()) || is_large && further() >= FURTHER_BYTES_MAX
}

/// Whether so many contents leave room for one more.
pub(super) fn is_below_most(contents: usize) -> bool {
    u32::try_from(contents).is_ok_and(|contents| contents < CONTENTS_MAX)
}

/// Counts a repetition.
pub(super) fn count_repeat(set: &WorkingSet, id: Uuid) {
    set.order(Order::CountRepeat(id));
}

/// The outcome of a notification so far.
#[derive(Debug, Clone)]
pub(in crate::store) struct Became {
    /// The outcome of the whole notification.
    pub(in crate::store) outcome: Outcome,
    /// The outcome of the judged messages, while others wait for fetches.
    pub(in crate::store) through: Option<Outcome>,
    /// The reason, if it is a dead letter.
    pub(in crate::store) reason: Option<String>,
    /// Whether this notification was the first with one of its signed texts, as far as that is remembered.
    pub(in crate::store) tells_first: bool,
}

/// Adds a notification.
pub(in crate::store) fn insert(set: &WorkingSet, taken: &Inbound, became: &Became) -> Decided<()> {
    let key = taken.of_key.clone();
    let kept = set.contents.first(&key)?;
    let is_after = || became.tells_first || kept.is_none();
    let row = set.next_row(|next| &mut next.notification)?;
    set.notifications.put(NotificationRow {
        row,
        id: taken.id,
        of_key: key.clone(),
        content: new_content(set, taken)?,
        hint: false,
        outcome: Readable::Sound(became.outcome),
        answered: None,
        through: became.through.map(Readable::Sound),
        reason: became.reason.clone(),
        form: Some(taken.form.clone()),
        signed_at: taken.signed_at.clone(),
        further: taken.partly_signed && (taken.normalised.is_made_up() || !is_after()),
        tells_first: became.tells_first,
        bytes: taken.received.packed.bytes,
        received: Some(Arc::clone(&taken.received)),
    });
    let one = kept.map_or(taken.id, |kept| kept.one);
    set.contents.put(ContentsRow { of_key: key, one, last: row });
    Ok(())
}

/// A notification; none if it is not kept.
pub(in crate::store) fn find(set: &WorkingSet, id: Uuid) -> Decided<Option<Arc<NotificationRow>>> {
    set.notifications.first(&Key::Id(id))
}

/// Whether a notification is kept.
pub(super) fn is_kept(set: &WorkingSet, id: Uuid) -> Decided<bool> {
    set.notifications.is_any(&Key::Id(id))
}

/// Deletes a notification. Its rows in other tables must be deleted before.
pub(super) fn delete(set: &WorkingSet, row: &NotificationRow) -> Decided<()> {
    if row.hint {
        set.notifications.delete(&row.id);
        return Ok(());
    }
    let mut left = contents(set, &row.of_key)?;
    left.retain(|other| other.id != row.id);
    set.contents.first(&row.of_key)?;
    set.notifications.delete(&row.id);
    match (left.first(), left.last()) {
        (Some(first), Some(last)) => {
            set.contents.put(ContentsRow { of_key: row.of_key.clone(), one: first.id, last: last.row });
        }
        _ => set.contents.delete(&row.of_key),
    }
    Ok(())
}

/// A notification with another outcome. The first outcome stays as the one that its PSP was answered.
pub(super) fn with_outcome(row: &NotificationRow, outcome: Outcome, reason: Option<String>) -> NotificationRow {
    let answered = row.answered.clone().or_else(|| Some(row.outcome.clone()));
    NotificationRow { outcome: Readable::Sound(outcome), reason, answered, ..row.clone() }
}

/// Sets a notification's outcome. The first outcome is kept: its PSP was answered with that one.
pub(in crate::store) fn set(set: &WorkingSet, id: Uuid, became: &Became) -> Decided<()> {
    if let Some(row) = find(set, id)? {
        let through = became.through.map(Readable::Sound);
        set.notifications.put(NotificationRow { through, ..with_outcome(&row, became.outcome, became.reason.clone()) });
    }
    Ok(())
}

/// Sets the outcome of a dead letter that was sent again, or replayed, and judged anew.
pub(super) fn judged(set: &WorkingSet, taken: &Taken, id: Uuid, became: &Became) -> Decided<()> {
    if let Some(row) = find(set, id)? {
        set.notifications.put(NotificationRow {
            outcome: Readable::Sound(became.outcome),
            reason: became.reason.clone(),
            answered: Some(Readable::Sound(became.outcome)),
            through: became.through.map(Readable::Sound),
            form: Some(taken.form.clone()),
            signed_at: taken.signed_at.clone(),
            ..NotificationRow::clone(&row)
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::due::Moment;
    use crate::domain::message::{Meaning, Message, Normalised};

    /// Two contents of one object in turn, without end.
    #[test]
    fn a_content_recurs_so_often_and_is_a_repetition_then() {
        let set = WorkingSet::complete();
        let message = Message { recurs: true, ..Message::new("state".to_owned(), Meaning::Ignored) };
        let at = Moment { wall: Timestamp::UNIX_EPOCH, steady: Timestamp::UNIX_EPOCH };
        let told = |n: u32| Taken {
            id: Uuid::from_u128(u128::from(n)),
            source: "s".to_owned(),
            received_at: at,
            headers: Vec::new(),
            body: vec![u8::from(n.is_multiple_of(2))],
            form: "form".to_owned(),
            signed_at: None,
            partly_signed: false,
            vouched: false,
            is_pointer: false,
            normalised: Normalised {
                dedupe_key: "object".to_owned(),
                beside: String::new(),
                messages: vec![message.clone()],
            },
        };
        let is_same = |n| matches!(seen(&set, &Inbound::of(told(n))).unwrap(), Seen::Same { .. });
        let judged = Became { outcome: Outcome::Ignored, through: None, reason: None, tells_first: false };
        let most = 2 * (AGAIN_MAX + 1);
        for n in 0..most {
            assert!(!is_same(n), "{n}");
            insert(&set, &Inbound::of(told(n)), &judged).unwrap();
        }
        assert!(is_same(most) && is_same(most + 1));
    }
}
