//! Outcomes of notifications that change later: once their events are released or taken back, or have waited in vain.

use uuid::Uuid;

use super::parked::Pending;
use super::set::rows::notification::NotificationRow;
use super::set::{Decided, WorkingSet};
use super::way::ANY_CAPTURE;
use super::{inbox, parked};
use crate::domain::event::Event;
use crate::store::Outcome;

/// Whether a notification is a dead letter since this event of it could be meant for any of several captures.
pub(super) fn is_of_any_capture(set: &WorkingSet, pending: &Pending) -> Decided<bool> {
    let Some(row) = inbox::find(set, pending.notification)? else { return Ok(false) };
    let is_dead = *row.outcome.get()? == Outcome::DeadLetter;
    Ok(is_dead && Reasons::of(&row).of_any_capture(&pending.event).is_some())
}

/// The reasons of a dead letter.
struct Reasons(Vec<String>);

impl Reasons {
    fn of(row: &NotificationRow) -> Self {
        let joined = row.reason.as_deref().unwrap_or_default();
        Self(joined.split("; ").filter(|reason| !reason.is_empty()).map(str::to_owned).collect())
    }

    /// The place of the reason that this event could be meant for any of several captures.
    fn of_any_capture(&self, event: &Event) -> Option<usize> {
        let begins = format!("{}{ANY_CAPTURE}", event.event_type);
        self.0.iter().position(|reason| reason.starts_with(&begins))
    }

    fn joined(&self) -> Option<String> {
        Some(self.0.join("; ")).filter(|joined| !joined.is_empty())
    }
}

/// Sets the outcome of a notification after one of its parked events was released. It stays a dead letter while it has another
/// reason, and parked while another of its events waits for a record. What waited in silence changes only an outcome that says that
/// nothing changed, or takes its own reason from a dead letter.
pub(super) fn released(set: &WorkingSet, pending: &Pending, outcome: Outcome, reason: Option<&str>) -> Decided<()> {
    let (id, is_silent) = (pending.notification, pending.event.companion);
    let Some(row) = inbox::find(set, id)? else { return Ok(()) };
    let mut reasons = Reasons::of(&row);
    let solved = reasons.of_any_capture(&pending.event).filter(|_| is_silent);
    let counts = match row.outcome.get()? {
        Outcome::Parked => !is_silent,
        Outcome::Ignored | Outcome::Repeated | Outcome::Stale => is_silent,
        Outcome::DeadLetter => solved.is_some() || !is_silent && outcome == Outcome::DeadLetter,
        _ => false,
    };
    if !counts {
        return Ok(());
    }
    solved.map(|solved| reasons.0.remove(solved));
    reasons.0.extend(reason.map(str::to_owned));
    let outcome = match outcome {
        _ if !reasons.0.is_empty() => Outcome::DeadLetter,
        _ if parked::awaits(set, id)? => Outcome::Parked,
        outcome => outcome,
    };
    set.notifications.put(inbox::with_outcome(&row, outcome, reasons.joined()));
    Ok(())
}

/// Sets the outcome of a notification after an event of it was taken back from a record. What became of the event now counts
/// only if it waits, or is a dead letter. Nothing can wait any more for a notification that was deleted.
pub(super) fn taken_back(set: &WorkingSet, id: Uuid, outcome: Outcome, reason: Option<&str>) -> Decided<()> {
    let row = match outcome {
        Outcome::DeadLetter | Outcome::Parked => inbox::find(set, id)?,
        _ => return Ok(()),
    };
    let Some(row) = row else { return parked::forget(set, id) };
    match (outcome, row.outcome.sound()) {
        // It waits in silence, and takes its own reason away once that is solved.
        (Outcome::DeadLetter, Some(Outcome::DeadLetter)) if row.reason.is_some() => {
            let mut reasons = Reasons::of(&row);
            reasons.0.extend(reason.map(str::to_owned));
            set.notifications.put(inbox::with_outcome(&row, outcome, reasons.joined()));
        }
        (Outcome::DeadLetter, _) => in_vain(set, &row, reason.unwrap_or_default()),
        (_, Some(Outcome::DeadLetter | Outcome::Fetching)) => {}
        _ => set.notifications.put(inbox::with_outcome(&row, Outcome::Parked, row.reason.clone())),
    }
    Ok(())
}

/// Makes a notification a dead letter, since an event of it waited for its record in vain. A dead letter keeps the reason
/// that it has.
pub(super) fn waited_in_vain(set: &WorkingSet, id: Uuid, reason: &str) -> Decided<()> {
    if let Some(row) = inbox::find(set, id)? {
        in_vain(set, &row, reason);
    }
    Ok(())
}

fn in_vain(set: &WorkingSet, row: &NotificationRow, reason: &str) {
    if row.outcome.sound() != Some(&Outcome::DeadLetter) {
        set.notifications.put(inbox::with_outcome(row, Outcome::DeadLetter, Some(reason.to_owned())));
    }
}
