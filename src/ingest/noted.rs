//! Log lines about a notification that was taken: what became of it, and what is odd about it.

use uuid::Uuid;

use super::names::Names;
use crate::domain::event::{AHEAD_MAX, Ahead};
use crate::domain::message::Message;
use crate::source::Source;
use crate::store::{Outcome, Receipt, Redated};

/// Logs the times of a notification that lay ahead of its receipt. The time of the receipt counts instead of them.
pub fn told_ahead(source: &str, notification: Uuid, ahead: &[Ahead]) {
    for Ahead { what, said } in ahead {
        tracing::warn!(
            source, %notification, of = what, said,
            "a time of this notification lies more than {} minutes ahead of its receipt, and counts as the receipt. Check that \
             the machine's clock is right",
            AHEAD_MAX.as_mins()
        );
    }
}

/// Logs the parked events that became dead letters, since too many of the source were parked.
pub fn told_crowded_out(source: &str, events: u32) {
    if events > 0 {
        tracing::warn!(
            source,
            events,
            "too many are parked (store.parked.per_source): the oldest are dead letters now. Register their records, or raise it"
        );
    }
}

/// The times that lay ahead of the receipt, as many as are logged at most.
pub(super) fn ahead(messages: &[Message]) -> Vec<Ahead> {
    const TOLD: usize = 10;
    messages.iter().flat_map(|message| message.ahead.iter().cloned()).take(TOLD).collect()
}

/// Logs what is odd about a notification that was taken.
pub(super) fn warn(source: &Source, receipt: &Receipt, ahead: &[Ahead]) {
    let (source, notification) = (source.name.as_str(), receipt.id);
    if !receipt.replayed {
        told_ahead(source, notification, ahead);
    }
    if let Some(owner) = receipt.owned_by {
        tracing::warn!(
            source, %notification, %owner,
            "events without effect: their signed text came before with other unsigned parts, which count. Somebody may have \
             captured the notification and changed it. With basic or ip_ranges at the source, later unsigned parts count as well"
        );
    } else if let Some(before) = receipt.key_reused {
        tracing::warn!(
            source, %notification, %before,
            "dedupe key came before with another content; the notification is judged by its content. If the PSP does not \
             send one event with two contents, then a stranger changes unsigned parts, or the profile's dedupe key does not \
             tell notifications apart"
        );
    }
    if let Some(Redated { first, another }) = receipt.redated {
        tracing::warn!(
            source, %notification, %first, %another,
            "dedupe key came before with another time. Nobody signs the time, so the time of the first notification counts. \
             If the PSP does not give its repetitions a new time, then a stranger sends captured notifications again"
        );
    }
    if let Some(led) = &receipt.led_elsewhere {
        led.log();
    }
}

/// Logs the notifications that gave way to this one and are deleted.
pub(super) fn told_what_gave_way(source: &Source, receipt: &Receipt) {
    let (source, notification) = (source.name.as_str(), receipt.id);
    if !receipt.gave_way.is_empty() {
        let count = receipt.gave_way.len();
        let gone = receipt.gave_way.iter().map(|gone| format!("{} ({})", gone.notification, gone.outcome.name()));
        let gone = gone.collect::<Vec<_>>().join(", ");
        tracing::warn!(
            source, %notification, gone, count,
            "others of its dedupe key gave way to this notification and are deleted: a limited number of contents of one key is kept"
        );
    }
}

/// Logs what became of a notification that was taken, and of other events because of it.
pub(super) fn log(source: &Source, receipt: &Receipt, names: &Names) {
    let (source, notification, outcome) = (source.name.as_str(), receipt.id, receipt.outcome.name());
    let Names { types, ids } = names;
    told_crowded_out(source, receipt.crowded_out);
    match (&receipt.reason, receipt.outcome) {
        (Some(reason), Outcome::DeadLetter) => {
            tracing::warn!(source, %notification, outcome, types, ids, reason, "notification kept as a dead letter");
        }
        _ if receipt.replayed => {
            tracing::info!(source, %notification, outcome, types, ids, "notification repeated");
        }
        _ => {
            let (records, changed) = (Names::of_records(receipt), receipt.owed.len());
            tracing::info!(source, %notification, outcome, types, ids, records, changed, "notification taken");
        }
    }
}
