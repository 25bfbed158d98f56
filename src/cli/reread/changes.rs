//! The changes of a reread: what is handed to the owner of the store, and what is printed of it.

use serde::Serialize;

use crate::cli::reading::changed;
use crate::guide::difference;
use crate::store::rehearsal::{Differing, Rehearsal, Rehearsed};
use crate::store::{Correction, Corrections, Judgement, Outcome};

/// One change: of a family, or of a notification.
pub(super) struct Change {
    pub(super) summary: Summary,
    wanted: Wanted,
}

/// A change in words and numbers.
pub(super) struct Summary {
    /// A line for each record with a difference that Transform can see, or for the notification.
    pub(super) lines: Vec<String>,
    /// The number of its records.
    pub(super) records: usize,
    /// If it is of a notification, whether that is a dead letter.
    pub(super) dead_letter: Option<bool>,
}

/// What the owner of the store is asked for.
enum Wanted {
    Records(Vec<Correction>),
    Notification(Box<Judgement>),
}

/// The changes that a rehearsal asks for: the records, then the notifications.
pub(super) fn changes(rehearsal: Rehearsal) -> Vec<Change> {
    let families = rehearsal.differing.into_iter().map(of_family);
    families.chain(rehearsal.notifications.into_iter().filter_map(of_notification)).collect()
}

fn of_family(family: Vec<Differing>) -> Change {
    let line = |record: &Differing| {
        let fields = difference(&record.stands, &record.would);
        let key = &record.stands.key;
        (!fields.is_empty()).then(|| format!("{} {}: {}", key.kind, key.id, fields.join("; ")))
    };
    let lines = family.iter().filter_map(line).collect();
    Change {
        summary: Summary { lines, records: family.len(), dead_letter: None },
        wanted: Wanted::Records(family.into_iter().map(Correction::of).collect()),
    }
}

fn of_notification(mut one: Rehearsed) -> Option<Change> {
    let normalised = one.anew.take()?;
    // What waits in silence differs for nobody who does not look into the store.
    let had_waited = [Outcome::DeadLetter, Outcome::Parked].iter().any(|outcome| one.was.0 == outcome.name());
    let has_events = normalised.messages.iter().any(|message| !message.events().is_empty());
    let is_silent = one.now.0 == Outcome::Ignored && has_events && !had_waited;
    let is_same = one.now.0.name() == one.was.0 && !one.another && !had_waited;
    let lines = if is_silent || is_same { Vec::new() } else { vec![changed(&one)] };
    let Rehearsed { id, source, was, now: (now, _), .. } = one;
    Some(Change {
        summary: Summary { lines, records: 0, dead_letter: Some(was.0 == Outcome::DeadLetter.name()) },
        wanted: Wanted::Notification(Box::new(Judgement { notification: id, source, was, now, normalised })),
    })
}

/// The most changes of a portion, and roughly its most bytes: other work of the store waits behind it.
const CHANGES_MAX: usize = 100;
const BYTES_MAX: usize = 1024 * 1024;

/// Takes the next changes that are made together; nothing if none is left.
pub(super) fn portion(changes: &mut impl Iterator<Item = Change>) -> (Corrections, Vec<Summary>) {
    let (mut corrections, mut summaries, mut bytes) = (Corrections::default(), Vec::new(), 0_usize);
    while summaries.len() < CHANGES_MAX
        && bytes < BYTES_MAX
        && let Some(Change { summary, wanted }) = changes.next()
    {
        summaries.push(summary);
        match wanted {
            Wanted::Records(family) => {
                bytes = bytes.saturating_add(size(&family));
                corrections.families.push(family);
            }
            Wanted::Notification(judgement) => {
                bytes = bytes.saturating_add(size(&judgement));
                corrections.judgements.push(*judgement);
            }
        }
    }
    (corrections, summaries)
}

fn size(wanted: &impl Serialize) -> usize {
    serde_json::to_vec(wanted).map_or(0, |bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::event::Event;
    use crate::domain::message::{Meaning, Message, Normalised};

    #[test]
    fn a_companion_that_waits_in_silence_is_not_told() {
        let lines = |was: &str, now, events| {
            let messages = vec![Message::new("test".to_owned(), Meaning::Events(events))];
            let anew = Some(Normalised { dedupe_key: "key".to_owned(), beside: String::new(), messages });
            let (id, source) = (Uuid::nil(), "psp-a".to_owned());
            let one = Rehearsed { id, source, was: (was.to_owned(), None), now: (now, None), another: false, anew };
            of_notification(one).unwrap().summary.lines.len()
        };
        let companion = || vec![Event { companion: true, ..Event::default() }];
        for (was, now, events, told) in [
            ("applied", Outcome::Ignored, companion(), 0),
            ("repeated", Outcome::Repeated, vec![Event::default()], 0),
            ("parked", Outcome::Parked, vec![Event::default()], 1),
            ("ignored", Outcome::Ignored, companion(), 0),
            ("parked", Outcome::Ignored, companion(), 1),
            ("dead_letter", Outcome::Ignored, companion(), 1),
            ("applied", Outcome::Ignored, Vec::new(), 1),
            ("applied", Outcome::Parked, companion(), 1),
        ] {
            assert_eq!(lines(was, now, events), told, "{was} -> {now:?}");
        }
    }
}
