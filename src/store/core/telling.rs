//! Telling again, as somebody asks: a webhook is owed and due now, whether or not one is owed already.

use super::outbox;
use super::records::{self, Stored};
use super::set::{Decided, WorkingSet};
use crate::domain::due::Moment;
use crate::domain::ids::TransformId;
use crate::store::{Owed, TellError};

/// Makes Transform owed a webhook for each of these records. If one is not registered, none is told.
pub(in crate::store) fn tell(
    set: &WorkingSet,
    ids: &[TransformId],
    now: Moment,
) -> Decided<Result<Vec<Owed>, TellError>> {
    let now = now.steady;
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        match records::by_id(set, id)? {
            Some(stored) => found.push(stored),
            None => unknown.push(id.clone()),
        }
    }
    if !unknown.is_empty() {
        return Ok(Err(TellError::Unknown(unknown)));
    }
    let mut owed = Vec::new();
    for Stored { row, record } in found {
        match outbox::find(set, row)?.filter(|row| !row.is_dead()) {
            Some(found) => outbox::hasten(set, &found, now),
            None => outbox::owe(set, (row, record.version), now, now, now)?,
        }
        owed.push((record.key.clone(), now, record.registered.payment_id.clone()));
    }
    Ok(Ok(outbox::refunds_first(owed)))
}
