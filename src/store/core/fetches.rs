//! Requests to fetch, as far as the core gives them: the engine keeps the queue.

use jiff::Timestamp;
use uuid::Uuid;

use super::set::rows::state::AwaitsRow;
use super::set::{Decided, Order, WorkingSet};

/// Asks for an object, for a message of a notification that waits for it.
pub(super) fn ask(set: &WorkingSet, source: &str, path: &str, now: Timestamp, (notification, message): (Uuid, usize)) {
    let (source, path) = (source.to_owned(), path.to_owned());
    set.order(Order::Ask { source, path, now, notification, message });
    set.awaits.put(AwaitsRow { notification });
}

/// Whether a notification waits for any fetch.
pub(super) fn awaits(set: &WorkingSet, notification: Uuid) -> Decided<bool> {
    set.awaits.is_any(&notification)
}

/// Ends the waiting of a notification that is judged anew or deleted. A fetch that no message waits for any more is
/// still made once.
pub(super) fn forget(set: &WorkingSet, notification: Uuid) -> Decided<()> {
    if awaits(set, notification)? {
        set.order(Order::ForgetFetches(notification));
        set.awaits.delete(&notification);
    }
    Ok(())
}
