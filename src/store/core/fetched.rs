//! What a fetch changes: the messages that waited for it are read with its response.

use uuid::Uuid;

use super::set::{Decided, WorkingSet};
use super::work::{Finished, Work, joined};
use super::{findings, inbox, outcomes, parked, parking};
use crate::domain::due::Moment;
use crate::domain::message::{Meaning, Message};
use crate::store::{FetchSettled, Outcome, StoreOptions};

/// A message that is read with a response.
pub(in crate::store) struct Served<'a> {
    /// Its notification.
    pub(in crate::store) notification: Uuid,
    /// What it says with the response.
    pub(in crate::store) says: &'a Message,
    /// Whether it was read with the same response before.
    pub(in crate::store) is_told_again: bool,
}

/// Applies the events of messages that are read with a response.
pub(in crate::store) fn apply(
    set: &WorkingSet,
    options: &StoreOptions,
    source: &str,
    served: &[Served<'_>],
    now: Moment,
) -> Decided<FetchSettled> {
    let mut settled = FetchSettled::default();
    let mut work = Work::new(set, options, now);
    for Served { notification, says, is_told_again } in served {
        let Some(kept) = inbox::find(set, *notification)? else { continue };
        if kept.hint {
            // The new response contains all news of the earlier responses. Their events may still be parked.
            parked::forget(set, *notification)?;
        }
        if !is_told_again {
            work.note_missing(*notification, source, says)?;
        }
        findings::understood(set, source, *notification, std::slice::from_ref(*says))?;
        let (outcome, reasons) = match &says.meaning {
            Meaning::Ignored => (Outcome::Ignored, Vec::new()),
            Meaning::NotUnderstood(reason) => (Outcome::DeadLetter, vec![says.because(reason)]),
            Meaning::Fetch(_) => {
                (Outcome::DeadLetter, vec!["the fetched object only points to another object".to_owned()])
            }
            Meaning::Events(events) => work.place_all(*notification, source, events)?,
        };
        settled.through.push(outcomes::through(set, &kept, outcome, joined(&reasons))?);
    }
    settled.crowded_out = parking::crowd_out(set, source, options.parked.per_source)?;
    let Finished { owed, led_elsewhere, findings, .. } = work.finish()?;
    Ok(FetchSettled { owed, led_elsewhere, findings, ..settled })
}
