//! Decisions of the core over this engine: what they ask for is loaded, and what they change is written.

use rusqlite::Connection;
use rusqlite::types::Type;

use super::columns::unreadable;
use super::{flush, load};
use crate::store::core::set::{Decided, Halt, WorkingSet};

/// Makes a decision over a working set. What it has missed is loaded. If that brings rows which it did not know, it is made again
/// from its beginning.
pub(super) fn decide<T>(
    connection: &Connection,
    set: &WorkingSet,
    mut decision: impl FnMut(&WorkingSet) -> Decided<T>,
) -> rusqlite::Result<T> {
    loop {
        let mark = set.mark();
        let decided = decision(set);
        set.has_grown();
        let missed = set.missed();
        let load_all = || missed.iter().try_for_each(|want| load::load(connection, set, want));
        load_all().inspect_err(|_| set.roll_back(mark))?;
        let stands = !set.has_grown();
        match decided {
            Ok(decided) if stands => return Ok(decided),
            Err(Halt::Damaged(reason)) if stands => {
                set.roll_back(mark);
                return Err(unreadable(0, Type::Null, reason));
            }
            Err(Halt::Unknown(want)) => {
                set.roll_back(mark);
                load::load(connection, set, &want)?;
            }
            _ => set.roll_back(mark),
        }
        // Where the decision had written a row that it did not know, that row could not be taken in before.
        load_all()?;
    }
}

/// Makes a decision over a working set of its own, and writes what it changes at once.
pub(super) fn at_once<T>(
    connection: &Connection,
    decision: impl FnMut(&WorkingSet) -> Decided<T>,
) -> rusqlite::Result<T> {
    let set = WorkingSet::default();
    let decided = decide(connection, &set, decision)?;
    flush::flush(connection, &set)?;
    Ok(decided)
}
