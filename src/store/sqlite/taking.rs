//! A notification is taken, or judged anew: inbox row, records, outbox and what is to be fetched, as one piece of work.

use rusqlite::Connection;
use uuid::Uuid;

use super::commit::{Work, joined};
use super::fetches::Asker;
use super::inbox::{self, Became, Seen};
use super::{fetches, parked};
use crate::psp::normalise::Meaning;
use crate::store::{Outcome, Receipt, StoreOptions, Taken};

/// Takes a notification.
pub(super) fn take(connection: &Connection, options: &StoreOptions, taken: &Taken) -> rusqlite::Result<Receipt> {
    match inbox::seen(connection, taken)? {
        Seen::Same(id, outcome) => repeated(connection, taken, id, outcome),
        // The remedy for a dead letter is to have the PSP send it again, once what stood in its way is gone.
        Seen::DeadLetter(id) => {
            inbox::count_repeat(connection, id)?;
            judge_anew(connection, options, taken, id)
        }
        seen => {
            let receipt =
                judge(connection, options, taken, taken.id, |judged| inbox::insert(connection, taken, judged))?;
            Ok(Receipt { key_reused: matches!(seen, Seen::KeyOnly), ..receipt })
        }
    }
}

/// Judges a dead letter anew; none if there is no such dead letter.
pub(super) fn replay(
    connection: &Connection,
    options: &StoreOptions,
    taken: &Taken,
) -> rusqlite::Result<Option<Receipt>> {
    let kept = inbox::kept(connection, taken.id)?;
    match kept.filter(|kept| kept.outcome == Outcome::DeadLetter) {
        Some(kept) => judge_anew(connection, options, taken, kept.id).map(Some),
        None => Ok(None),
    }
}

fn judge_anew(connection: &Connection, options: &StoreOptions, taken: &Taken, id: Uuid) -> rusqlite::Result<Receipt> {
    parked::forget(connection, id.into_bytes())?;
    fetches::forget(connection, id)?;
    judge(connection, options, taken, id, |judged| inbox::judged(connection, taken, id, judged))
}

/// The very same notification was here before. What it points to is fetched again all the same: where a PSP gives its
/// notifications no id, the next news of an object looks like the last.
fn repeated(connection: &Connection, taken: &Taken, id: Uuid, outcome: Outcome) -> rusqlite::Result<Receipt> {
    inbox::count_repeat(connection, id)?;
    let mut fetches = false;
    for (index, message) in taken.normalised.messages.iter().enumerate() {
        if let Meaning::Fetch(path) = &message.meaning {
            let asked = fetches::ask(connection, &taken.source, path, Asker::Trusted, taken.received_at.steady)?;
            fetches::wait(connection, asked, id, index)?;
            fetches = true;
        }
    }
    Ok(Receipt { replayed: true, fetches, ..receipt(id, outcome) })
}

const fn receipt(id: Uuid, outcome: Outcome) -> Receipt {
    Receipt {
        id,
        outcome,
        replayed: false,
        reason: None,
        key_reused: false,
        crowded_out: 0,
        displaced: 0,
        owed: Vec::new(),
        fetches: false,
    }
}

/// What was judged is saved before anything is released: that may concern the notification itself.
fn judge(
    connection: &Connection,
    options: &StoreOptions,
    taken: &Taken,
    id: Uuid,
    save: impl FnOnce(&Became) -> rusqlite::Result<()>,
) -> rusqlite::Result<Receipt> {
    let mut work = Work::new(connection, options, taken.received_at);
    let (mut through, mut fetches) = (Outcome::Ignored, false);
    let mut reasons = Vec::new();
    for (index, message) in taken.normalised.messages.iter().enumerate() {
        match &message.meaning {
            Meaning::Ignored => {}
            Meaning::NotUnderstood(reason) => {
                through = Outcome::DeadLetter;
                reasons.push(message.because(reason));
            }
            Meaning::Events(events) => {
                let (became, why) = work.place_all(id, &taken.source, events)?;
                through = through.max(became);
                reasons.extend(why);
            }
            Meaning::Fetch(path) => {
                let asked = fetches::ask(connection, &taken.source, path, Asker::Trusted, taken.received_at.steady)?;
                fetches::wait(connection, asked, id, index)?;
                fetches = true;
            }
        }
    }
    let outcome = if fetches { through.max(Outcome::Fetching) } else { through };
    let reason = joined(&reasons);
    save(&Became { outcome, through: fetches.then_some(through), reason: reason.clone() })?;
    let crowded_out = parked::crowd_out(connection, &taken.source, options.parked.per_source)?;
    work.apply_released()?;
    Ok(Receipt { reason, crowded_out, owed: work.into_owed(), fetches, ..receipt(id, outcome) })
}
