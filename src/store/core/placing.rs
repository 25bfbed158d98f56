//! Placing anew: events that were placed on payments find their way once more. There is another capture, a capture has got an
//! id of the PSP, or an event has shown to whom an id belongs.

use uuid::Uuid;

use super::circle::Circle;
use super::records::{self, Stored};
use super::set::Decided;
use super::work::Work;
use super::{placed, ways};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::Record;

/// Places anew what was placed on the captures of a preauthorization, since there is another capture, or the preauthorization
/// is registered only now.
pub(super) fn with_captures(work: &mut Work<'_>, preauth: &TransformId) -> Decided<()> {
    let set = work.set;
    let mut captures = records::captures_of(set, preauth)?;
    if let Some(stored) = records::by_key(set, &RecordKey::new(Kind::Preauth, preauth.clone()))? {
        let Record { source, registered, seen, .. } = stored.record.as_ref();
        let ids = registered.psp_id.iter().chain(seen.attempts.iter().flat_map(|attempt| &attempt.ids));
        for id in ids {
            captures.extend(ways::captured(set, source.as_deref(), id)?);
        }
    }
    all_anew(work, captures)
}

/// Places anew what was placed on the captures of the authorization with this PSP id, since an event has told of another
/// capture, or that the id is a preauthorization's.
pub(super) fn with_captures_known(work: &mut Work<'_>, source: &str, authorization: &str) -> Decided<()> {
    let mut captures = ways::captured(work.set, Some(source), authorization)?;
    for preauth in ways::by_psp_id(work.set, Kind::Preauth, source, authorization)? {
        captures.extend(records::captures_of(work.set, &preauth.stored.record.key.id)?);
    }
    all_anew(work, captures)
}

/// Places anew what was placed on payments, since an event has shown that an id is a record's own.
pub(super) fn on(work: &mut Work<'_>, payments: &[RecordKey]) -> Decided<()> {
    let mut stored = Vec::new();
    for payment in payments {
        stored.extend(records::by_key(work.set, payment)?);
    }
    all_anew(work, stored)
}

/// Places anew where the events of a notification were placed on other payments than these: one of them has found these.
pub(super) fn elsewhere(work: &mut Work<'_>, notification: Uuid, these: &[i64]) -> Decided<()> {
    let mut payments = placed::payments_of(work.set, notification)?;
    payments.retain(|payment| !these.contains(&payment.row));
    if payments.is_empty() { Ok(()) } else { all_anew(work, payments) }
}

/// Places anew what was placed on these payments, and on those of their circles.
fn all_anew(work: &mut Work<'_>, payments: Vec<Stored>) -> Decided<()> {
    let Some(circle) = Circle::of(work, payments)? else { return Ok(()) };
    let shown = circle.place(work)?;
    on(work, &shown.to_place)?;
    for (source, authorization) in shown.authorizations {
        with_captures_known(work, &source, &authorization)?;
    }
    Ok(())
}
