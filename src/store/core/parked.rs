//! Parked events: verified events that wait for a record, each with the keys that would release it.

use std::sync::Arc;

use uuid::Uuid;

use super::findings;
use super::set::rows::parked::{Key, ParkedRow};
use super::set::rows::state::WaitingRow;
use super::set::{Decided, Halt, Readable, Want, WorkingSet};
use crate::domain::due::Moment;
use crate::domain::event::Event;
use crate::domain::ids::{Kind, TransformId};

/// An event that is to be applied to its record.
#[derive(Debug)]
pub(in crate::store) struct Pending {
    /// Its notification.
    pub(in crate::store) notification: Uuid,
    /// Its source.
    pub(in crate::store) source: String,
    /// The event.
    pub(in crate::store) event: Event,
}

impl Pending {
    /// An event of a notification.
    pub(in crate::store) const fn of(notification: Uuid, source: String, event: Event) -> Self {
        Self { notification, source, event }
    }

    /// The same as an event that waits in silence.
    pub(super) fn in_silence(&self) -> Self {
        let event = Event { companion: true, ..self.event.clone() };
        Self { notification: self.notification, source: self.source.clone(), event }
    }
}

/// The key under which an event waits: a change of records that releases it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct ReleaseKey(String);

impl ReleaseKey {
    /// A record becomes known by this PSP id of an object of that kind.
    pub(in crate::store) fn psp_id(kind: Kind, id: &str) -> Self {
        Self(format!("psp:{kind}:{id}"))
    }

    /// A record is registered.
    pub(super) fn record(id: &TransformId) -> Self {
        Self(format!("record:{id}"))
    }

    /// A payment, or a preauthorization, is registered with its agreement.
    pub(super) fn agreement_of(payment: &TransformId) -> Self {
        Self(format!("agreement-of:{payment}"))
    }

    /// A payment becomes known that captured the authorization with this PSP id.
    pub(super) fn captured(authorization: &str) -> Self {
        Self(format!("captured:{authorization}"))
    }

    /// A payment that captures this preauthorization is registered.
    pub(super) fn captures(preauth: &TransformId) -> Self {
        Self(format!("captures:{preauth}"))
    }

    /// The key as it is stored.
    pub(in crate::store) fn as_str(&self) -> &str {
        &self.0
    }

    fn rows(&self) -> Key {
        Key::By(self.0.clone())
    }
}

/// Parks an event until its record is known by one of these keys. Returns its row.
pub(super) fn until_known(set: &WorkingSet, parked: &Pending, keys: &[ReleaseKey], now: Moment) -> Decided<i64> {
    let row = set.next_row(|next| &mut next.parked)?;
    let mut keys: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    let silent = parked.event.companion;
    set.parked.put(ParkedRow {
        row,
        notification: parked.notification,
        source: parked.source.clone(),
        event: Readable::Sound(Arc::new(parked.event.clone())),
        silent,
        finding: None,
        keys,
        parked_at: Some((now.wall, now.steady)),
    });
    if !silent {
        count(set, &parked.source, 1)?;
    }
    Ok(row)
}

/// Adds to the number of a source's events that wait.
fn count(set: &WorkingSet, source: &str, by: i64) -> Decided<()> {
    let count = waiting(set, source)?;
    set.waiting.put(WaitingRow { source: source.to_owned(), count: count.saturating_add(by) });
    Ok(())
}

/// The number of a source's events that wait for their records. Those that wait in silence do not count.
pub(super) fn waiting(set: &WorkingSet, source: &str) -> Decided<i64> {
    Ok(set.waiting.first(&source.to_owned())?.map_or(0, |row| row.count))
}

/// Whether all events that a notification parked were parked before by these other notifications.
pub(super) fn is_parked_before(set: &WorkingSet, notification: Uuid, others: &[Uuid]) -> Decided<bool> {
    let mut before = Vec::new();
    for other in others.iter().filter(|other| **other != notification) {
        before.extend(set.parked.rows(&Key::Of(*other))?);
    }
    let own = set.parked.rows(&Key::Of(notification))?;
    Ok(own.iter().all(|own| before.iter().any(|other| other.event == own.event && other.silent == own.silent)))
}

/// Whether an event waits for a key. Events that wait in silence do not count.
pub(super) fn is_awaited(set: &WorkingSet, key: &ReleaseKey) -> Decided<bool> {
    Ok(set.parked.rows(&key.rows())?.iter().any(|row| !row.silent))
}

/// Takes out the events that a key releases: the events of one source, or of all sources if `source` is none.
pub(super) fn release(set: &WorkingSet, source: Option<&str>, key: &ReleaseKey) -> Decided<Vec<Pending>> {
    let mut rows = set.parked.rows(&key.rows())?;
    rows.retain(|row| source.is_none_or(|source| row.source == source));
    rows.sort_by(|one, other| (&one.source, one.row).cmp(&(&other.source, other.row)));
    rows.iter().map(|row| take_out(set, row)).collect()
}

/// The oldest events of a source that wait for their records, up to `most`.
pub(super) fn oldest(set: &WorkingSet, source: &str, most: usize) -> Decided<Vec<Arc<ParkedRow>>> {
    let until = set.oldest.first(&source.to_owned())?.map_or(i64::MAX, |row| row.until);
    let mut rows = set.parked.here(&Key::From(source.to_owned()));
    rows.retain(|row| row.row <= until);
    rows.truncate(most);
    if rows.len() < most && until < i64::MAX {
        return Err(Halt::Unknown(Want::Oldest(source.to_owned(), until)));
    }
    Ok(rows)
}

/// The parked event of a row; none if it does not wait any more.
pub(super) fn find(set: &WorkingSet, row: i64) -> Decided<Option<Arc<ParkedRow>>> {
    set.parked.first(&Key::Row(row))
}

/// Deletes a parked event that has waited in vain. Its finding stays: what was found is so still, and the event is in a dead
/// letter now.
pub(super) fn let_go(set: &WorkingSet, row: &ParkedRow) -> Decided<()> {
    set.parked.delete(&row.row);
    if row.silent { Ok(()) } else { count(set, &row.source, -1) }
}

/// The most events that are looked at because they wait for the same key.
const OF_KEY_MAX: usize = 10;

/// Events that wait for a key, the latest first: the companions, or the others.
pub(super) fn waiting_by(
    set: &WorkingSet,
    source: &str,
    key: &ReleaseKey,
    companions: bool,
) -> Decided<Vec<Arc<ParkedRow>>> {
    let rows = set.parked.rows(&key.rows())?;
    let its = rows.into_iter().rev().filter(|row| row.source == source && row.silent == companions);
    Ok(its.take(OF_KEY_MAX).collect())
}

/// Notes the finding of a parked event; 0 for none.
pub(super) fn set_finding(set: &WorkingSet, row: &ParkedRow, finding: i64) {
    set.parked.put(ParkedRow { finding: Some(finding), ..row.clone() });
}

/// Has the events looked at again that wait for a PSP id as that of another kind of object: a record has the id now.
pub(super) fn look_again(set: &WorkingSet, psp_id: &str) -> Decided<()> {
    for kind in Kind::ALL {
        for row in set.parked.rows(&ReleaseKey::psp_id(kind, psp_id).rows())? {
            if row.finding == Some(0) {
                set.parked.put(ParkedRow { finding: None, ..ParkedRow::clone(&row) });
            }
        }
    }
    Ok(())
}

/// Whether any event of a notification is parked.
pub(super) fn holds(set: &WorkingSet, notification: Uuid) -> Decided<bool> {
    set.parked.is_any(&Key::Of(notification))
}

/// Whether any event of a notification waits, and not in silence.
pub(super) fn awaits(set: &WorkingSet, notification: Uuid) -> Decided<bool> {
    Ok(set.parked.rows(&Key::Of(notification))?.iter().any(|row| !row.silent))
}

fn take_out(set: &WorkingSet, row: &ParkedRow) -> Decided<Pending> {
    let event = row.event.get()?.as_ref().clone();
    withdraw(set, row)?;
    Ok(Pending { notification: row.notification, source: row.source.clone(), event })
}

/// Deletes the parked events of a notification that is deleted or judged anew.
pub(in crate::store) fn forget(set: &WorkingSet, notification: Uuid) -> Decided<()> {
    set.parked.rows(&Key::Of(notification))?.iter().try_for_each(|row| withdraw(set, row))
}

/// Deletes the silent wait of an event: it finds its way anew, and may wait anew.
pub(super) fn forget_silent(set: &WorkingSet, pending: &Pending) -> Decided<()> {
    let silent = pending.in_silence().event;
    for row in set.parked.rows(&Key::Of(pending.notification))? {
        if row.silent && row.event.sound().is_some_and(|event| **event == silent) {
            withdraw(set, &row)?;
        }
    }
    Ok(())
}

/// Deletes a parked event that does not wait any more, and takes it out of its finding.
fn withdraw(set: &WorkingSet, row: &ParkedRow) -> Decided<()> {
    let_go(set, row)?;
    match row.finding {
        Some(finding) if finding > 0 => findings::withdraw(set, finding, row.notification),
        _ => Ok(()),
    }
}
