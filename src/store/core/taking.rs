//! The taking of a notification, or of a dead letter once more: inbox row, records, outbox and fetches, as one piece of
//! work.

use std::borrow::Cow;
use std::collections::HashSet;

use uuid::Uuid;

use super::first_times::{self, Told};
use super::inbound::Inbound;
use super::inbox::{self, Became, Seen};
use super::owners::{self, Content, Counts};
use super::set::{Decided, WorkingSet};
use super::work::{Finished, Work, joined};
use super::{fetches, findings, giving_way, parked, parking};
use crate::domain::event::Event;
use crate::domain::message::{Meaning, Message};
use crate::store::{GaveWay, LedElsewhere, Outcome, Receipt, StoreOptions, Taken};

/// The result of taking a notification.
pub(in crate::store) enum Took {
    /// It is taken.
    In(Receipt),
    /// It would change something, but too many other contents of its dedupe key are kept. The work must not be
    /// committed.
    OneTooMany(Receipt),
    /// Its signed text came before and pointed elsewhere. The notification is only a hint, and the work must not be
    /// committed.
    PointsElsewhere(Receipt),
}

/// The reason of a dead letter whose signed text came before, with other borders between its fields.
const SHIFTED: &str =
    "its signed text came before with other borders between its fields: somebody has moved the borders";

/// The reason of a dead letter whose signed text came before, with another body.
const ANOTHER_BODY: &str = "its signed text came before with another body and belongs to that one: the signature covers only \
                            the body's CRC-32, so that somebody may have made this body";

/// Checks whether a message was told of before, if its first time is kept, and dates its events.
fn told(set: &WorkingSet, taken: &Taken, id: Uuid, message: &Message, events: &mut Cow<'_, [Event]>) -> Decided<Told> {
    let understood = matches!(message.meaning, Meaning::Events(_) | Meaning::Fetch(_));
    let (source, receipt) = (taken.source.as_str(), taken.received_at.wall);
    match &message.identity {
        // A signed text that binds its body belongs to that body alone, even if the message is not understood.
        Some(identity) if identity.is_remembered() && (understood || identity.binds_body) => {
            first_times::date(set, source, id, identity, events.to_mut(), receipt)
        }
        Some(identity) if identity.is_behind && matches!(message.meaning, Meaning::NotUnderstood(_)) => {
            let is_first = first_times::not_understood(set, source, id, identity, receipt)?;
            Ok(if is_first { Told::First } else { Told::Unknown })
        }
        _ => Ok(Told::Unknown),
    }
}

/// The content of a message, if it has events and unsigned parts.
fn content<'a>(taken: &'a Taken, notification: Uuid, message: &'a Message) -> Option<Content<'a>> {
    let identity = message.identity.as_ref().filter(|identity| identity.needs_owner)?;
    let events = message.events();
    let of = Content { source: &taken.source, key: &identity.key, notification, events, vouched: taken.vouched };
    (!events.is_empty()).then_some(of)
}

/// The owner of a message's signed text, if that is another notification with another content. A text with moved borders
/// is judged as such.
fn owner(set: &WorkingSet, content: Option<&Content<'_>>, message: &Message) -> Decided<Option<Uuid>> {
    match (content, &message.identity) {
        (Some(content), Some(identity)) if !first_times::is_of_another(set, content.source, identity)? => {
            Ok(if let Counts::No(owner) = owners::counts(set, content)? { Some(owner) } else { None })
        }
        _ => Ok(None),
    }
}

/// Gives a notification the dedupe key of its signed text, if that text belongs to another body. Anybody can make any
/// number of such bodies, with any dedupe keys. So they share the limit of one dedupe key.
fn keyed<'a>(set: &WorkingSet, taken: &'a Inbound) -> Decided<Cow<'a, Inbound>> {
    if let Some(identity) = taken.normalised.bound_by()
        && first_times::is_of_another(set, &taken.source, identity)?
    {
        return Ok(Cow::Owned(taken.with_key(&identity.key)));
    }
    Ok(Cow::Borrowed(taken))
}

/// Takes a notification.
pub(in crate::store) fn take(set: &WorkingSet, options: &StoreOptions, taken: &Inbound) -> Decided<Took> {
    let keyed = keyed(set, taken)?;
    let taken = keyed.as_ref();
    let insert = |judged: &Became, _: &Work<'_>| inbox::insert(set, taken, judged);
    let seen = inbox::seen(set, taken)?;
    if let Some(one) = seen.after().filter(|_| may_point_anywhere(taken)) {
        return Ok(Took::PointsElsewhere(Receipt::of(one, Outcome::Fetching)));
    }
    match seen {
        Seen::Same { id, outcome, .. } => repeated(set, options, taken, (id, outcome)).map(Took::In),
        // Once the obstacle of a dead letter is gone, the remedy is that the PSP sends it again.
        Seen::DeadLetter { id, .. } => {
            inbox::count_repeat(set, id);
            let receipt = judge_anew(set, options, taken, id)?;
            Ok(Took::In(Receipt { is_news: false, ..receipt }))
        }
        Seen::New => judge(set, options, taken, taken.id, insert).map(Took::In),
        Seen::KeyOnly { one, full: false } => {
            let receipt = judge(set, options, taken, taken.id, insert)?;
            // A notification that is signed as a whole is the PSP's own. Anybody can make another content of a
            // notification that is signed in parts.
            let is_news = receipt.is_news && !taken.partly_signed;
            // Where states recur, the key is that of the object.
            let key_reused = Some(one).filter(|_| !taken.normalised.recurs());
            Ok(Took::In(Receipt { key_reused, is_news, ..receipt }))
        }
        Seen::KeyOnly { one, full: true } => one_more(set, options, taken, one),
    }
}

/// Whether anybody with a captured pointer could have changed the object that it points to. Then its fetches do not
/// count as the PSP's.
fn may_point_anywhere(taken: &Taken) -> bool {
    let points = |message: &Message| matches!(message.meaning, Meaning::Fetch(_));
    taken.is_pointer && taken.partly_signed && taken.normalised.messages.iter().any(points)
}

/// Takes one more content of a dedupe key that has no room. A content without news needs no row of its own; neither
/// does a content whose events already wait for another content. A content that would change something takes the room
/// of another one, which may be forged from the same message. If none can give way, the content is not taken: its
/// sender must not be told that it is kept.
fn one_more(set: &WorkingSet, options: &StoreOptions, taken: &Inbound, one: Uuid) -> Decided<Took> {
    let mut fate = Fate::NothingNew;
    let receipt = judge(set, options, taken, taken.id, |judged, work| {
        fate = match judged.outcome {
            Outcome::Ignored | Outcome::Repeated | Outcome::Stale => Fate::NothingNew,
            Outcome::Parked if waits_already(set, taken)? => Fate::NothingNew,
            became => giving_way::gives_way(set, taken, became, &work.under_way())?.map_or(Fate::NoRoom, Fate::Kept),
        };
        match fate {
            Fate::NothingNew => {
                inbox::count_repeat(set, one);
                Ok(())
            }
            Fate::Kept(_) => inbox::insert(set, taken, judged),
            Fate::NoRoom => Ok(()),
        }
    })?;
    let receipt = Receipt { is_news: false, key_reused: Some(one), ..receipt };
    Ok(match fate {
        Fate::NothingNew => {
            findings::rename(set, taken.id, one);
            Took::In(without_row(receipt, one))
        }
        Fate::Kept(gave_way) => Took::In(Receipt { gave_way, ..receipt }),
        Fate::NoRoom => Took::OneTooMany(receipt),
    })
}

/// Gives the receipt of a content without a row the id of another content of its key. Its own id is not in the store.
fn without_row(receipt: Receipt, one: Uuid) -> Receipt {
    let own = receipt.id;
    let found = |led: LedElsewhere| {
        let notification = if led.notification == own { one } else { led.notification };
        LedElsewhere { notification, ..led }
    };
    Receipt { id: one, led_elsewhere: receipt.led_elsewhere.map(found), ..receipt }
}

/// The fate of one more content of a dedupe key without room.
enum Fate {
    /// It needs no row.
    NothingNew,
    /// It is kept, and these contents gave way.
    Kept(Vec<GaveWay>),
    /// There is no room.
    NoRoom,
}

/// Whether all its parked events already wait for another content of its key. If so, deletes them: they need not wait
/// twice.
fn waits_already(set: &WorkingSet, taken: &Inbound) -> Decided<bool> {
    let others: Vec<Uuid> = inbox::contents(set, &taken.of_key)?.iter().map(|row| row.id).collect();
    let waits = parked::is_parked_before(set, taken.id, &others)?;
    if waits {
        parked::forget(set, taken.id)?;
    }
    Ok(waits)
}

/// Judges a dead letter anew; none if there is no such dead letter.
pub(in crate::store) fn replay(set: &WorkingSet, options: &StoreOptions, taken: &Taken) -> Decided<Option<Receipt>> {
    let kept = inbox::find(set, taken.id)?;
    match kept.filter(|kept| kept.outcome.sound() == Some(&Outcome::DeadLetter)) {
        Some(kept) => judge_anew(set, options, taken, kept.id).map(Some),
        None => Ok(None),
    }
}

fn judge_anew(set: &WorkingSet, options: &StoreOptions, taken: &Taken, id: Uuid) -> Decided<Receipt> {
    parked::forget(set, id)?;
    fetches::forget(set, id)?;
    findings::understood(set, &taken.source, id, &taken.normalised.messages)?;
    judge(set, options, taken, id, |judged, _| inbox::judged(set, taken, id, judged))
}

/// Takes a repetition: the very same notification was here before. The object that it points to is fetched again all the
/// same. Where a PSP gives its notifications no id, the next news of an object looks like the last. What was given up of its records is
/// owed again.
fn repeated(
    set: &WorkingSet,
    options: &StoreOptions,
    taken: &Taken,
    (id, outcome): (Uuid, Outcome),
) -> Decided<Receipt> {
    inbox::count_repeat(set, id);
    let mut work = Work::new(set, options, taken.received_at);
    let mut fetches = false;
    for (index, message) in taken.normalised.messages.iter().enumerate() {
        // The same body may come with a new signature. The new signed text belongs to that body as well.
        if message.identity.as_ref().is_some_and(|identity| identity.binds_body) {
            told(set, taken, id, message, &mut Cow::from(message.events()))?;
        }
        let content = content(taken, id, message);
        if owner(set, content.as_ref(), message)?.is_none() {
            work.owe_again(id, &taken.source, message.events())?;
        }
        if let Meaning::Fetch(path) = &message.meaning {
            fetches::ask(set, &taken.source, path, taken.received_at.steady, (id, index));
            fetches = true;
        }
    }
    let owed = work.finish()?.owed;
    Ok(Receipt { replayed: true, owed, fetches, ..Receipt::of(id, outcome) })
}

/// The news among a notification's messages: which were not told of before, as far as that is remembered.
#[derive(Default)]
struct FirstSeen {
    /// Whether the notification's first message is among them.
    first: bool,
    /// Whether any message is among them.
    any: bool,
    /// Whether first times show it of any message. Then nobody can have made the notification from captured ones.
    proven: bool,
}

impl FirstSeen {
    fn note(&mut self, index: usize, told: Told) {
        let is_first = matches!(told, Told::First | Told::Unknown);
        self.proven |= told == Told::First;
        self.first |= is_first && index == 0;
        self.any |= is_first;
    }

    /// Whether a notification with these messages is news. Anybody can put together messages that are signed one by
    /// one. For such a notification only the first message counts, since the reported secret is the one that vouched
    /// for it.
    const fn is_news(&self, partly_signed: bool) -> bool {
        if partly_signed { self.first } else { self.any }
    }
}

/// Judges a notification. The judgement is saved before any released event is applied: that event may be the
/// notification's own.
pub(in crate::store) fn judge(
    set: &WorkingSet,
    options: &StoreOptions,
    taken: &Taken,
    id: Uuid,
    save: impl FnOnce(&Became, &Work<'_>) -> Decided<()>,
) -> Decided<Receipt> {
    let mut work = Work::new(set, options, taken.received_at);
    let (mut through, mut fetches, mut redated) = (Outcome::Ignored, false, None);
    let mut owned_by = None;
    let mut reasons = Vec::new();
    let (mut judged, mut first_seen) = (HashSet::new(), FirstSeen::default());
    for (index, message) in taken.normalised.messages.iter().enumerate() {
        let identity = message.identity.as_ref();
        // A captured message can be put into a batch a thousand times.
        if identity.is_some_and(|identity| identity.partly_signed && !judged.insert(&identity.key)) {
            through = through.max(Outcome::Repeated);
            continue;
        }
        let content = content(taken, id, message);
        if let Some(owner) = owner(set, content.as_ref(), message)? {
            owned_by = owned_by.or(Some(owner));
            through = through.max(Outcome::Repeated);
            continue;
        }
        let mut events = Cow::from(message.events());
        let told = told(set, taken, id, message, &mut events)?;
        first_seen.note(index, told);
        match told {
            Told::Shifted => {
                through = Outcome::DeadLetter;
                let is_body = identity.is_some_and(|identity| identity.binds_body);
                reasons.push(message.because(if is_body { ANOTHER_BODY } else { SHIFTED }));
                continue;
            }
            Told::Again { redated: again } => redated = redated.or(again),
            Told::First | Told::Unknown => {}
        }
        if message.missing.is_some() && !inbox::is_kept(set, id)? {
            work.note_missing(id, &taken.source, message)?;
        }
        match &message.meaning {
            Meaning::Ignored => {}
            Meaning::NotUnderstood(reason) => {
                through = Outcome::DeadLetter;
                reasons.push(message.because(reason));
            }
            Meaning::Events(_) => {
                let (became, why) = work.place_all(id, &taken.source, &events)?;
                through = through.max(became);
                reasons.extend(why);
                // What a record refused owns nothing: somebody may have made it before the PSP's own came.
                if let Some(content) = &content
                    && (became != Outcome::DeadLetter || parked::holds(set, id)?)
                {
                    owners::note(set, content)?;
                }
            }
            Meaning::Fetch(path) => {
                fetches::ask(set, &taken.source, path, taken.received_at.steady, (id, index));
                fetches = true;
            }
        }
    }
    let outcome = if fetches { through.max(Outcome::Fetching) } else { through };
    let reason = joined(&reasons);
    let through = fetches.then_some(through);
    save(&Became { outcome, through, reason: reason.clone(), tells_first: first_seen.proven }, &work)?;
    let crowded_out = parking::crowd_out(set, &taken.source, options.parked.per_source)?;
    let Finished { owed, records, led_elsewhere, findings } = work.finish()?;
    let is_news = first_seen.is_news(taken.partly_signed);
    let told = Receipt { is_news, reason, redated, owned_by, led_elsewhere, findings, ..Receipt::of(id, outcome) };
    Ok(Receipt { crowded_out, owed, records, fetches, ..told })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_row_is_told_by_an_id_that_has_one() {
        let [own, one, released] = [1, 2, 3].map(Uuid::from_u128);
        let told = |notification| {
            let led = LedElsewhere { source: "s".to_owned(), notification, record: None, events: 1 };
            let told = without_row(Receipt { led_elsewhere: Some(led), ..Receipt::of(own, Outcome::Repeated) }, one);
            (told.id, told.led_elsewhere.unwrap().notification)
        };
        assert_eq!(told(own), (one, one));
        assert_eq!(told(released), (one, released));
    }
}
