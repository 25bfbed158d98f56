//! Hints: notifications that nobody vouches for. What they point to is looked up at the PSP; of themselves nothing is
//! believed and next to nothing is kept.

use rusqlite::Connection;

use super::{fetches, inbox};
use crate::store::{Hinted, Outcome, Receipt};

/// Takes a hint; none if too many objects of strangers wait already.
pub(super) fn take(connection: &Connection, hinted: &Hinted) -> rusqlite::Result<Option<Receipt>> {
    let mut first = None;
    for (id, path) in &hinted.calls {
        // What a record is registered for is no stranger's: a flood of ids that somebody made up cannot keep it out.
        let known = fetches::is_known(connection, &hinted.source, path)?;
        let asked = fetches::ask(connection, &hinted.source, path, known, hinted.received_at.steady)?;
        if asked.first && !known && fetches::strangers(connection, &hinted.source)? > hinted.most {
            return Ok(None);
        }
        let kept = inbox::hint(connection, &hinted.source, path)?;
        let id = match kept {
            Some(kept) => kept,
            None => {
                inbox::insert_hint(connection, *id, hinted, path)?;
                *id
            }
        };
        fetches::wait(connection, asked, id, 0)?;
        first.get_or_insert(id);
    }
    Ok(first.map(|id| Receipt {
        id,
        outcome: Outcome::Fetching,
        replayed: false,
        reason: None,
        key_reused: false,
        redated: false,
        crowded_out: 0,
        owed: Vec::new(),
        fetches: true,
    }))
}
