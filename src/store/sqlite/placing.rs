//! Placing anew: events that were placed on the only capture of a preauthorization find their way once more. There is another
//! capture, the capture has got an id of the PSP, or an event has shown that an id is a payment's own.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::parked::{self, Pending};
use super::records::{self, Stored};
use super::unwritten::Unwritten;
use super::way::{self, Found, Target};
use super::work::Work;
use super::{family, placed};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::{Record, Seen};
use crate::domain::transition::{self, Layer};

/// Places anew what was placed on the captures of a preauthorization, since there is another capture, or the preauthorization
/// is registered only now.
pub(super) fn with_captures(work: &mut Work<'_>, preauth: &TransformId) -> rusqlite::Result<()> {
    let connection = work.connection;
    let mut captures = records::captures_of(connection, preauth, records::stored)?;
    if let Some(stored) = records::by_key(connection, &RecordKey::new(Kind::Preauth, preauth.clone()))? {
        let Record { source, registered, seen, .. } = &stored.record;
        let ids = registered.psp_id.iter().chain(seen.attempts.iter().flat_map(|attempt| &attempt.ids));
        for id in ids {
            captures.extend(known(work, source.as_deref().unwrap_or_default(), id)?);
        }
    }
    all_anew(work, captures)
}

/// Places anew what was placed on the captures of the authorization with this PSP id, since an event has told of another
/// capture, or that the id is a preauthorization's.
pub(super) fn with_captures_known(work: &mut Work<'_>, source: &str, authorization: &str) -> rusqlite::Result<()> {
    let mut captures = known(work, source, authorization)?;
    for preauth in work.unwritten.by_psp_id(work.connection, Kind::Preauth, source, authorization)? {
        captures.extend(work.unwritten.captures_of(work.connection, &preauth.stored.record.key.id)?);
    }
    all_anew(work, captures)
}

/// Places anew what was placed on payments, since an event has shown that an id is a record's own.
pub(super) fn on(work: &mut Work<'_>, payments: &[RecordKey]) -> rusqlite::Result<()> {
    let mut stored = Vec::new();
    for payment in payments {
        stored.extend(work.unwritten.by_key(work.connection, payment)?);
    }
    all_anew(work, stored)
}

/// Places anew where the events of a notification were placed: one of them has found the record that it names.
pub(super) fn elsewhere(work: &mut Work<'_>, notification: Uuid) -> rusqlite::Result<()> {
    let payments = placed::payments_of(work.connection, notification)?;
    all_anew(work, payments)
}

/// The payments that captured the authorization with this PSP id by what events tell.
fn known(work: &Work<'_>, source: &str, authorization: &str) -> rusqlite::Result<Vec<Stored>> {
    let original = records::original(authorization);
    let known = work.unwritten.by_psp_id(work.connection, Kind::Payment, source, &original)?;
    Ok(known.into_iter().map(|known| known.stored).collect())
}

/// Places anew what was placed on these payments.
fn all_anew(work: &mut Work<'_>, captures: Vec<Stored>) -> rusqlite::Result<()> {
    let captures: BTreeMap<i64, RecordKey> =
        captures.into_iter().map(|stored| (stored.row, stored.record.key)).collect();
    for (row, key) in captures {
        if placed::is_on(work.connection, row)? {
            work.unwritten.write(work.connection)?;
            // Placing anew on another capture may have changed this one.
            if let Some(capture) = records::by_key(work.connection, &key)? {
                anew(work, capture)?;
            }
        }
    }
    Ok(())
}

/// Places anew what was placed on a payment. Events that lead elsewhere now are applied with the released events.
pub(super) fn anew(work: &mut Work<'_>, payment: Stored) -> rusqlite::Result<Stored> {
    if !placed::is_on(work.connection, payment.row)? {
        return Ok(payment);
    }
    let mut now = Stored { row: payment.row, record: payment.record.clone() };
    let mut round = Round { is_over: false, to_place: Vec::new(), authorizations: Vec::new(), taken_back: Vec::new() };
    while !round.is_over {
        now = round.play(work, now)?;
    }
    let payment = family::changed(work, now, &payment.record)?;
    family::note(work, &payment)?;
    if !round.taken_back.is_empty() {
        work.take_back((payment.row, payment.record.key.clone()), round.taken_back);
    }
    if round.authorizations.is_empty() && round.to_place.is_empty() {
        return Ok(payment);
    }
    on(work, &round.to_place)?;
    for (source, authorization) in round.authorizations {
        with_captures_known(work, &source, &authorization)?;
    }
    Ok(records::by_key(work.connection, &payment.record.key)?.unwrap_or(payment))
}

/// A round in which the events that were placed on a payment find their way once more. An event that turns out to be the
/// payment's own may show the same of events that came before it. So there is a further round then.
struct Round {
    is_over: bool,
    /// Other payments on which events were placed by an id that is this payment's own.
    to_place: Vec<RecordKey>,
    /// The authorizations that the payment's own events have shown, each with its source.
    authorizations: Vec<(String, String)>,
    /// The events that do not lead to the payment any more.
    taken_back: Vec<Pending>,
}

impl Round {
    fn play(&mut self, work: &mut Work<'_>, payment: Stored) -> rusqlite::Result<Stored> {
        self.is_over = true;
        records::forget_placed(work.connection, payment.row)?;
        let mut bare = Stored { row: payment.row, record: Record { placed: Seen::default(), ..payment.record } };
        records::update(work.connection, bare.row, &bare.record)?;
        for pending in placed::take_out(work.connection, bare.row)? {
            match self.again(work, &bare, &pending)? {
                Some(record) => bare.record = record,
                None => self.taken_back.push(pending),
            }
            records::update(work.connection, bare.row, &bare.record)?;
        }
        Ok(bare)
    }

    /// The payment with the event, if the event still leads to it.
    fn again(&mut self, work: &mut Work<'_>, payment: &Stored, pending: &Pending) -> rusqlite::Result<Option<Record>> {
        let connection = work.connection;
        parked::forget_silent(connection, pending)?;
        let found = way::of_event(connection, &Unwritten::default(), &pending.source, &pending.event)?;
        let Found::Targets(targets, further) = found else { return Ok(None) };
        let Some(Target { layer, .. }) = targets.into_iter().find(|target| target.stored.row == payment.row) else {
            return Ok(None);
        };
        let mut record = payment.record.clone();
        if transition::write(&mut record, &pending.event, layer).is_err() {
            return Ok(None);
        }
        if layer == Layer::Placed {
            placed::note(connection, payment.row, pending)?;
            if !further.is_empty() {
                work.wait_as_well(pending, &further)?;
            }
        }
        let open = work.open(pending)?;
        let learned = work.learn(payment, pending, (&open, layer))?;
        let (its, others): (Vec<_>, Vec<_>) = learned.to_place.into_iter().partition(|key| *key == payment.record.key);
        self.is_over &= layer == Layer::Placed || !learned.is_new && its.is_empty();
        self.to_place.extend(others);
        self.authorizations.extend(learned.authorizations.into_iter().map(|one| (pending.source.clone(), one)));
        Ok(Some(record))
    }
}
