//! The order of due fetches: first the PSP's own, then hints at objects of ours, then strangers' hints by turns.

use rusqlite::{Connection, params};

use super::columns::{Listed, micros};
use super::{fetches, held, strangers};
use crate::store::{Fetch, FetchesSought};

/// The due fetches, in order. First come fetches that the PSP asks for, by due time. Then come hinted fetches of
/// objects of ours, those with the fewest fetches in vain first. Then come strangers' fetches, by the turns of their
/// addresses.
pub(super) fn due(connection: &Connection, sought: &FetchesSought) -> rusqlite::Result<Listed<Fetch>> {
    let mut due = fetches::asked_by_psp(connection, sought)?;
    due.append(fetches::hinted(connection, sought)?);
    let most = due.rows.len().saturating_add(sought.strangers.min(sought.most));
    by_turns(connection, sought, most, &mut due)?;
    Ok(due)
}

/// Adds strangers' fetches until there are `most`: one of each waiting address, then another one of each, and so on.
fn by_turns(
    connection: &Connection,
    sought: &FetchesSought,
    most: usize,
    due: &mut Listed<Fetch>,
) -> rusqlite::Result<()> {
    if due.rows.len() >= most {
        return Ok(());
    }
    let all = held::by_all(connection, &sought.source)?;
    let mut turns = connection.prepare_cached(strangers::TURNS)?;
    let mut turns = turns.query(params![sought.source, micros(sought.now)])?;
    let mut addresses = Vec::new();
    while due.rows.len() < most
        && let Some(turn) = turns.next()?
    {
        let (address, own): (i64, u32) = (turn.get(0)?, held::count(turn, 1)?);
        let address = (address, sought.slots.scarce(all, own));
        if fetches::nth(connection, sought, address, 0, due)? {
            addresses.push(address);
        }
    }
    let mut round = 1;
    while due.rows.len() < most && !addresses.is_empty() {
        let mut left = Vec::new();
        for address in addresses {
            if due.rows.len() < most && fetches::nth(connection, sought, address, round, due)? {
                left.push(address);
            }
        }
        (addresses, round) = (left, round.saturating_add(1));
    }
    Ok(())
}
