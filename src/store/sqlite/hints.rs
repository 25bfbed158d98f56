//! Hints: notifications that nobody vouches for. What they point to is looked up at the PSP; of themselves nothing is
//! believed and next to nothing is kept.

use rusqlite::Connection;
use uuid::Uuid;

use super::fetches::Asker;
use super::{fetches, inbox, strangers};
use crate::store::{Admission, HintError, Hinted, Outcome, PlacesTaken, Receipt};

/// Takes a hint, or says why too many objects of strangers wait already.
pub(super) fn take(connection: &Connection, hinted: &Hinted) -> rusqlite::Result<Result<Receipt, HintError>> {
    let (mut first, mut displaced) = (None, 0);
    for (id, path) in &hinted.calls {
        let (asker, displacing) = match asker(connection, hinted, path)? {
            Ok(admitted) => admitted,
            Err(full) => return Ok(Err(full)),
        };
        displaced += u32::from(displacing);
        let asked = fetches::ask(connection, &hinted.source, path, asker, hinted.received_at.steady)?;
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
    Ok(first.map(|id| receipt(id, displaced)).ok_or(HintError::Crowded))
}

/// Whether there is a place for one more object of this address; and the address that has most, if all are taken.
fn admit(connection: &Connection, hinted: &Hinted) -> rusqlite::Result<(Admission, String)> {
    let (all, own) = strangers::held(connection, &hinted.source, &hinted.address)?;
    let full = all >= hinted.places.all;
    let largest = if full { strangers::holds_most(connection, &hinted.source)? } else { None };
    let (largest, most) = largest.unwrap_or_default();
    Ok((hinted.places.admit(PlacesTaken { all, own, most }), largest))
}

/// As whom a hint asks for an object, and whether another one gave way to it; or why there is no place for it. What a record
/// is registered for is no stranger's: a flood of ids that somebody made up cannot keep it out.
fn asker<'a>(
    connection: &Connection,
    hinted: &'a Hinted,
    path: &str,
) -> rusqlite::Result<Result<(Asker<'a>, bool), HintError>> {
    let (source, address) = (hinted.source.as_str(), hinted.address.as_str());
    if strangers::is_known(connection, source, path)? {
        return Ok(Ok((Asker::Trusted, false)));
    }
    let stranger = Asker::Stranger { address };
    if fetches::is_waited_for(connection, source, path)? {
        return Ok(Ok((stranger, false)));
    }
    let mut admitted = admit(connection, hinted)?;
    // Nobody is refused, and no place taken from anybody, on the word of a count that may be damaged.
    if admitted.0 != Admission::Free && strangers::recount(connection, source)? {
        tracing::error!(
            source,
            "the counts of hints were damaged; they were made anew. Check the disk and the memory of the machine"
        );
        admitted = admit(connection, hinted)?;
    }
    let (admission, largest) = admitted;
    Ok(match admission {
        Admission::Free => Ok((stranger, false)),
        Admission::Displacing if strangers::displace(connection, source, &largest)? => Ok((stranger, true)),
        Admission::Displacing | Admission::Full => Err(HintError::Crowded),
        Admission::AddressFull => Err(HintError::AddressFull),
    })
}

const fn receipt(id: Uuid, displaced: u32) -> Receipt {
    Receipt {
        id,
        outcome: Outcome::Fetching,
        replayed: false,
        reason: None,
        key_reused: false,
        redated: false,
        crowded_out: 0,
        displaced,
        owed: Vec::new(),
        fetches: true,
    }
}
