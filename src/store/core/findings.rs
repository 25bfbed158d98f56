//! Findings: one row for each kind, source and type, or for each record. A row is written with what caused it, and goes once
//! nothing like it has come for as long as notifications are kept.

use jiff::Timestamp;
use uuid::Uuid;

use super::inbox;
use super::records;
use super::set::rows::finding::{FindingRow, Key};
use super::set::rows::{parked, record, way};
use super::set::{Decided, WorkingSet};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::message::{Meaning, Message};
use crate::store::{Finding, FindingKind};

/// The most findings of one kind that are kept of one source. A stranger who can change the type of a captured notification
/// could make any number of one kind, and leaves the others their room.
pub(in crate::store) const OF_SOURCE_MAX: usize = 1000;

/// The type of the finding that counts what had no room, and what is missing there, in words. No PSP has such a type.
pub(in crate::store) const OTHERS: (&str, &str) =
    ("(others)", "room: a source has at most 1000 findings of a kind, and this one counts the others");

/// A record that a notification names: its row and its key.
pub(in crate::store) type Named = (i64, RecordKey);

/// What was found now.
#[derive(Debug, Clone)]
pub(in crate::store) struct FindingSeen {
    pub(in crate::store) what: FindingKind,
    pub(in crate::store) source: String,
    pub(in crate::store) event_type: String,
    pub(in crate::store) count: usize,
    pub(in crate::store) notification: Option<Uuid>,
    pub(in crate::store) record: Option<Named>,
    pub(in crate::store) missing: Option<String>,
}

/// A finding as it was noted: its row, and the finding if it was not told today.
pub(in crate::store) struct FindingKept {
    pub(super) row: i64,
    pub(in crate::store) told: Option<Finding>,
}

/// Notes a finding. If its source has too many of its kind, it is counted among the others of that kind.
pub(in crate::store) fn note(set: &WorkingSet, now: Moment, sighting: &FindingSeen) -> Decided<FindingKept> {
    let FindingSeen { what, source, event_type, record, missing, .. } = sighting;
    let row_of_record = record.as_ref().map(|(row, _)| *row);
    let is_others = event_type == OTHERS.0;
    let about = row_of_record.filter(|_| what.is_of_one_record() && !is_others).unwrap_or_default();
    let today = day(now.wall);
    let of_type = set.findings.rows(&Key::Type(source.clone(), what.name(), event_type.clone()))?;
    let known = of_type.into_iter().find(|row| row.about == about);
    if known.is_none() && !is_others && of_source(set, source, *what)? >= OF_SOURCE_MAX {
        let (event_type, missing) = (OTHERS.0.to_owned(), Some(OTHERS.1.to_owned()));
        return note(set, now, &FindingSeen { event_type, missing, ..sighting.clone() });
    }
    let count = i64::try_from(sighting.count).unwrap_or(i64::MAX);
    let row = FindingRow {
        row: known.as_ref().map_or_else(|| set.next_row(|next| &mut next.finding), |known| Ok(known.row))?,
        what: *what,
        source: source.clone(),
        event_type: event_type.clone(),
        about,
        count: known.as_ref().map_or(count, |known| known.count.saturating_add(count)),
        notification: sighting.notification.or_else(|| known.as_ref().and_then(|known| known.notification)),
        record: row_of_record,
        missing: missing.clone(),
        first_at: known.as_ref().map_or(now.wall, |known| known.first_at),
        last_at: now.wall,
        kept_since: now.steady,
        told_on: today,
    };
    let told = known.is_none_or(|known| known.told_on != today).then(|| Finding {
        cursor: row.row,
        what: *what,
        source: source.clone(),
        event_type: event_type.clone(),
        count: row.count.unsigned_abs(),
        notification: sighting.notification,
        record: record.as_ref().map(|(_, key)| key.clone()),
        missing: missing.clone(),
        first_at: row.first_at,
        last_at: now.wall,
    });
    let kept = FindingKept { row: row.row, told };
    set.findings.put(row);
    Ok(kept)
}

/// The number of the day, from 1970 on.
fn day(at: Timestamp) -> i64 {
    const SECONDS: i64 = 24 * 60 * 60;
    at.as_second().div_euclid(SECONDS)
}

fn of_source(set: &WorkingSet, source: &str, what: FindingKind) -> Decided<usize> {
    Ok(set.findings.rows(&Key::Kind(source.to_owned(), what.name()))?.len())
}

/// The first registered record that one of these texts leads to, as a PSP id of any kind or as a Transform id.
pub(super) fn named<'n>(
    set: &WorkingSet,
    source: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Decided<Option<Named>> {
    for name in names {
        let ways = set.ways.rows(&way::Key::Of(name.to_owned()))?;
        for way in ways.iter().filter(|way| way.source.is_empty() || way.source == source) {
            if let Some(row) = records::row_of(set, way.record)? {
                return Ok(Some((row.row, row.key.clone())));
            }
        }
        let Ok(id) = name.parse() else { continue };
        let Some(row) = set.records.first(&record::Key::Id(id))? else { continue };
        // A damaged record counts as bound to no source: a finding must not keep a notification out.
        let own = row.record.sound().and_then(|record| record.source.as_deref());
        if own.is_none_or(|own| own == source) {
            return Ok(Some((row.row, row.key.clone())));
        }
    }
    Ok(None)
}

/// Takes a parked event out of its finding, since it does not wait any more. The finding goes with the last one.
pub(super) fn withdraw(set: &WorkingSet, row: i64, notification: Uuid) -> Decided<()> {
    let Some(known) = set.findings.first(&Key::Row(row))? else { return Ok(()) };
    let count = known.count.saturating_sub(1);
    if count <= 0 {
        set.findings.delete(&row);
        return Ok(());
    }
    let mut example = known.notification;
    if example == Some(notification) {
        let others = set.parked.rows(&parked::Key::In(row))?;
        example = others.last().map(|other| other.notification).or(example);
    }
    set.findings.put(FindingRow { count, notification: example, ..FindingRow::clone(&known) });
    Ok(())
}

/// Deletes the finding of one record, since what was found is so no more.
pub(super) fn is_over(set: &WorkingSet, what: FindingKind, record: i64) -> Decided<()> {
    for row in set.findings.rows(&Key::Of(record))? {
        if row.what == what && row.about == record {
            set.findings.delete(&row.row);
        }
    }
    Ok(())
}

/// Takes a record that is removed out of the findings. Those that are not of this record alone name it only as an example.
pub(super) fn forget(set: &WorkingSet, record: i64) -> Decided<()> {
    for row in set.findings.rows(&Key::Of(record))? {
        if row.about == record && row.record == Some(record) {
            set.findings.delete(&row.row);
        } else if row.record == Some(record) {
            set.findings.put(FindingRow { record: None, ..FindingRow::clone(&row) });
        }
    }
    Ok(())
}

/// Deletes the findings of which a notification is the latest, if it is understood by now, or ignored on purpose. Others of its
/// type may have another shape, which no rule reads yet. A message that points shows only that its source fetches.
pub(in crate::store) fn understood(
    set: &WorkingSet,
    source: &str,
    notification: Uuid,
    messages: &[Message],
) -> Decided<()> {
    for message in messages.iter().filter(|message| message.missing.is_none()) {
        let points = matches!(message.meaning, Meaning::Fetch(_));
        let more = (!points).then_some(FindingKind::NoRule);
        for what in [FindingKind::NotFetched].into_iter().chain(more) {
            for row in set.findings.rows(&Key::Type(source.to_owned(), what.name(), message.event_type.clone()))? {
                let is_over = match row.notification {
                    Some(latest) => latest == notification || !inbox::is_kept(set, latest)?,
                    None => true,
                };
                if is_over {
                    set.findings.delete(&row.row);
                }
            }
        }
    }
    Ok(())
}

/// Names another notification in the place of one that is not kept, where this piece of work has named it.
pub(super) fn rename(set: &WorkingSet, from: Uuid, to: Uuid) {
    for row in set.findings.written() {
        if row.notification == Some(from) {
            set.findings.put(FindingRow { notification: Some(to), ..FindingRow::clone(&row) });
        }
    }
}
