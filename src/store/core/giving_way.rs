//! Giving way: the choice of the contents that a dedupe key without room loses to another content.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use super::inbound::Inbound;
use super::inbox::{self, is_full};
use super::set::rows::notification::NotificationRow;
use super::set::{Decided, WorkingSet};
use super::{fetches, parked};
use crate::store::{GaveWay, Outcome};

/// Deletes other contents of a dedupe key until there is room for one more, whose outcome is `became`. Returns the
/// deleted contents; none if they cannot make room.
///
/// These contents stay:
/// - the first, since it may be the genuine one;
/// - each that waits or is a dead letter, and was the first to tell of some signed text: behind the message that they
///   have in common, it has news of its own;
/// - each in `under_way`: its released events are not applied yet.
///
/// Of the others, the contents of least use go first. For a dead letter, neither dead letters nor waiting contents give
/// way.
pub(super) fn gives_way(
    set: &WorkingSet,
    taken: &Inbound,
    became: Outcome,
    under_way: &HashSet<Uuid>,
) -> Decided<Option<Vec<GaveWay>>> {
    let key = &taken.of_key;
    let mut gone = Vec::new();
    loop {
        let kept = inbox::contents(set, key)?;
        if !is_full(taken, &kept) {
            return Ok(Some(gone));
        }
        let Some((row, one)) = last_of_use(set, taken, &kept, became, under_way)? else { return Ok(None) };
        parked::forget(set, row.id)?;
        fetches::forget(set, row.id)?;
        inbox::delete(set, &row)?;
        gone.push(one);
    }
}

/// The use of a further content of a dedupe key, from least to most. Contents of the least use go first, the latest of
/// them before the others; among waiting contents, the oldest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// It is a dead letter.
    Dead,
    /// It changed nothing.
    Nothing,
    /// It is in the records by now.
    Applied,
    /// It waits for a record or for a fetch.
    Waiting,
}

fn use_of(set: &WorkingSet, row: &NotificationRow) -> Decided<Use> {
    if parked::awaits(set, row.id)? || fetches::awaits(set, row.id)? {
        return Ok(Use::Waiting);
    }
    Ok(match row.outcome.get()? {
        Outcome::DeadLetter => Use::Dead,
        Outcome::Ignored | Outcome::Repeated | Outcome::Stale => Use::Nothing,
        _ => Use::Applied,
    })
}

/// The notification of least use among those of a dedupe key after the first.
fn last_of_use(
    set: &WorkingSet,
    taken: &Inbound,
    kept: &[Arc<NotificationRow>],
    became: Outcome,
    under_way: &HashSet<Uuid>,
) -> Decided<Option<(Arc<NotificationRow>, GaveWay)>> {
    // No waiting content has to give way to a pointer: without room, the pointer is taken as a hint.
    let range = match became {
        Outcome::DeadLetter => Use::Nothing..=Use::Applied,
        _ if taken.is_pointer => Use::Dead..=Use::Applied,
        _ => Use::Dead..=Use::Waiting,
    };
    let mut free = Vec::new();
    for row in kept.iter().skip(1).filter(|row| !under_way.contains(&row.id)) {
        let of = use_of(set, row)?;
        let is_unsettled = matches!(of, Use::Dead | Use::Waiting);
        if range.contains(&of) && !(row.tells_first && is_unsettled) {
            free.push((of, is_unsettled, row));
        }
    }
    let order = |(of, _, row): &(Use, bool, &Arc<NotificationRow>)| match of {
        Use::Waiting => (*of, row.row, Reverse(0)),
        _ => (*of, 0, Reverse(row.row)),
    };
    let Some((_, unsettled, row)) = free.into_iter().min_by_key(order) else { return Ok(None) };
    let one = GaveWay { notification: row.id, outcome: *row.outcome.get()?, unsettled };
    Ok(Some((Arc::clone(row), one)))
}

#[cfg(test)]
mod tests {
    use super::super::inbox::{Became, CONTENTS_MAX, find, insert};
    use super::*;
    use crate::domain::message::Normalised;
    use crate::store::Taken;

    fn taken(id: Uuid, body: Vec<u8>) -> Inbound {
        let at = jiff::Timestamp::UNIX_EPOCH;
        Inbound::of(Taken {
            id,
            source: "s".to_owned(),
            received_at: crate::domain::due::Moment { wall: at, steady: at },
            headers: Vec::new(),
            body,
            form: "f".to_owned(),
            signed_at: None,
            partly_signed: true,
            vouched: false,
            is_pointer: false,
            normalised: Normalised { dedupe_key: "k".to_owned(), beside: String::new(), messages: Vec::new() },
        })
    }

    /// An event that was released is neither parked nor in its record before it is applied.
    #[test]
    fn what_is_on_its_way_gives_no_way() {
        let set = WorkingSet::complete();
        let keep = |id: Uuid| {
            let became = Became { outcome: Outcome::Parked, through: None, reason: None, tells_first: false };
            insert(&set, &taken(id, id.into_bytes().to_vec()), &became).unwrap();
        };
        (0..u128::from(CONTENTS_MAX)).map(Uuid::from_u128).for_each(keep);
        let taken = taken(Uuid::max(), Vec::new());
        let gives = |on_the_way: &HashSet<Uuid>| gives_way(&set, &taken, Outcome::Applied, on_the_way).unwrap();
        let on_the_way: HashSet<_> = (2..u128::from(CONTENTS_MAX)).map(Uuid::from_u128).collect();
        assert_eq!(gives(&on_the_way).unwrap().len(), 1);
        assert!(find(&set, Uuid::from_u128(1)).unwrap().is_none(), "the only one that is not on its way");
        assert_eq!(gives(&on_the_way), Some(Vec::new()), "there is room");
        keep(Uuid::max());
        let all = on_the_way.iter().copied().chain([Uuid::max()]).collect();
        assert_eq!(gives(&all), None);
    }
}
