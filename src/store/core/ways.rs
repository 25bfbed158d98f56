//! The ways from PSP ids to records.

use std::cmp::Reverse;
use std::sync::Arc;

use super::records::{self, Stored};
use super::set::rows::way::Key;
pub(in crate::store) use super::set::rows::way::Way;
use super::set::{Decided, Row, WorkingSet};
use crate::domain::attempt::Attempt;
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::store::sureness::Sureness;

/// A record that a PSP id leads to.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) stored: Stored,
    /// How surely it does.
    pub(super) sureness: Sureness,
}

/// A PSP id that leads to a record.
pub(in crate::store) struct Lead<'a> {
    /// The kind of the object that has the id.
    pub(in crate::store) kind: Kind,
    /// The id.
    pub(in crate::store) psp_id: &'a str,
    /// How surely it leads to the record.
    pub(in crate::store) sureness: Sureness,
}

/// The beginning of a text under which the PSP id of an authorization leads to payments. No PSP id looks like that.
const ORIGINAL: &str = "original:";

/// The text under which the PSP id of an authorization leads to the payments that captured it.
pub(in crate::store) fn original(authorization: &str) -> String {
    format!("{ORIGINAL}{authorization}")
}

/// Whether a PSP id of an object of that kind may lead to several records: agreements may share a means of payment, and
/// payments an authorization.
pub(in crate::store) fn is_shared(kind: Kind, psp_id: &str) -> bool {
    kind == Kind::Agreement || psp_id.starts_with(ORIGINAL)
}

/// The ways from an id of an object of that kind.
fn of(set: &WorkingSet, kind: Kind, psp_id: &str) -> Decided<Vec<Arc<Way>>> {
    let mut ways = set.ways.rows(&Key::Of(psp_id.to_owned()))?;
    ways.retain(|way| way.kind == kind);
    Ok(ways)
}

/// Whether a way is open to a source: it is the source's, or of a record that is bound to none.
fn is_of(way: &Way, source: &str) -> bool {
    way.source.is_empty() || way.source == source
}

/// Whether a way and a record may be of the same source. A record that is bound to no source may be of any.
fn is_of_record(way: &Way, record: &Record) -> bool {
    record.source.as_ref().is_none_or(|source| source.is_empty() || is_of(way, source))
}

/// The records with this PSP id of an object of that kind: those bound to the source first, then those bound to none yet; of
/// these the surest first. A refund's id may lead to its payment.
pub(super) fn by_psp_id(set: &WorkingSet, kind: Kind, source: &str, psp_id: &str) -> Decided<Vec<Known>> {
    let mut found = Vec::new();
    for way in of(set, kind, psp_id)?.iter().filter(|way| is_of(way, source)) {
        if let Some(stored) = records::by_row(set, way.record)? {
            found.push((way.source.is_empty(), Known { stored, sureness: way.sureness }));
        }
    }
    found.sort_by(|(unbound, one), (other_unbound, other)| {
        let order = |unbound: bool, known: &Known| (unbound, Reverse(known.sureness));
        let ids = || one.stored.record.key.id.cmp(&other.stored.record.key.id);
        order(*unbound, one).cmp(&order(*other_unbound, other)).then_with(ids)
    });
    Ok(found.into_iter().map(|(_, known)| known).collect())
}

/// The payments that captured the authorization with this PSP id by what events tell: those of the source, or of all sources if it
/// is none. The preauthorization may be bound to no source yet.
pub(super) fn captured(set: &WorkingSet, source: Option<&str>, authorization: &str) -> Decided<Vec<Stored>> {
    let mut captured = Vec::new();
    let ways = of(set, Kind::Payment, &original(authorization))?;
    for way in ways.iter().filter(|way| source.is_none_or(|source| is_of(way, source))) {
        captured.extend(records::by_row(set, way.record)?);
    }
    captured.sort_by_key(|stored| stored.row);
    Ok(captured)
}

/// Whether a PSP id leads to this record alone, as surely as this: there is nothing to learn.
pub(super) fn is_learned(set: &WorkingSet, stored: &Stored, lead: &Lead<'_>) -> Decided<bool> {
    let is_as_sure =
        |way: &Way| way.record == stored.row && way.sureness >= lead.sureness && is_of_record(way, &stored.record);
    Ok(matches!(of(set, lead.kind, lead.psp_id)?.as_slice(), [way] if is_as_sure(way)))
}

/// Lets a PSP id lead to a record, unless it already leads to another one as surely or more so. It may lead to several if it may be
/// shared, or because of placed events. Returns whether the way is new, or is surer now.
pub(in crate::store) fn learn(set: &WorkingSet, stored: &Stored, lead: &Lead<'_>) -> Decided<bool> {
    if is_learned(set, stored, lead)? {
        return Ok(false);
    }
    let is_surer = make_surer(set, stored, lead)?;
    let is_shared = is_shared(lead.kind, lead.psp_id);
    let is_as_sure = |way: &Way| match (way.sureness, lead.sureness) {
        (Sureness::Own, _) => true,
        (_, Sureness::Own) => false,
        (one, other) => one > other,
    };
    let is_taken = of(set, lead.kind, lead.psp_id)?
        .iter()
        .filter(|way| is_of_record(way, &stored.record))
        .any(|way| way.record == stored.row || !is_shared && is_as_sure(way));
    if !is_taken {
        put(set, stored, lead);
    }
    Ok(is_surer || !is_taken)
}

fn put(set: &WorkingSet, stored: &Stored, lead: &Lead<'_>) {
    set.ways.put(Way {
        psp_id: lead.psp_id.to_owned(),
        kind: lead.kind,
        source: stored.record.source.clone().unwrap_or_default(),
        record: stored.row,
        sureness: lead.sureness,
    });
}

/// Makes the way from an id to the record as sure as this. Returns whether it was less sure.
pub(super) fn make_surer(set: &WorkingSet, stored: &Stored, lead: &Lead<'_>) -> Decided<bool> {
    let mut is_any = false;
    for way in of(set, lead.kind, lead.psp_id)? {
        if way.record == stored.row && way.sureness < lead.sureness {
            set.ways.put(Way { sureness: lead.sureness, ..Way::clone(&way) });
            is_any = true;
        }
    }
    Ok(is_any)
}

/// Deletes the ways from an id to other records than this one that are less sure. Returns those records: the events that were
/// placed on them have to find their way anew.
pub(super) fn displace(set: &WorkingSet, stored: &Stored, lead: &Lead<'_>) -> Decided<Vec<Stored>> {
    let mut others = Vec::new();
    for way in of(set, lead.kind, lead.psp_id)? {
        if way.record != stored.row && way.sureness < lead.sureness && is_of_record(&way, &stored.record) {
            others.extend(records::by_row(set, way.record)?);
        }
    }
    others.iter().try_for_each(|other| forget(set, other.row, lead.kind, lead.psp_id))?;
    Ok(others)
}

/// Whether an id of a payment or a refund leads to another record than that of this row, too.
pub(super) fn is_contested(set: &WorkingSet, source: &str, row: i64, psp_id: &str) -> Decided<bool> {
    let ways = set.ways.rows(&Key::Of(psp_id.to_owned()))?;
    let is_other =
        |way: &Arc<Way>| matches!(way.kind, Kind::Payment | Kind::Refund) && way.record != row && is_of(way, source);
    Ok(ways.iter().any(is_other))
}

/// Deletes the way from a PSP id of an object of that kind to a record: the integrator has changed the id, or has given it to
/// another record.
pub(in crate::store) fn forget(set: &WorkingSet, row: i64, kind: Kind, psp_id: &str) -> Decided<()> {
    for way in of(set, kind, psp_id)?.iter().filter(|way| way.record == row) {
        set.ways.delete(&way.id());
    }
    Ok(())
}

/// Deletes all ways to a record.
pub(super) fn forget_all(set: &WorkingSet, row: i64) -> Decided<()> {
    set.ways.rows(&Key::To(row))?.iter().for_each(|way| set.ways.delete(&way.id()));
    Ok(())
}

/// The ways to a record that placed events have shown.
pub(in crate::store) fn placed_ways(set: &WorkingSet, row: i64) -> Decided<Vec<Arc<Way>>> {
    let mut ways = set.ways.rows(&Key::To(row))?;
    ways.retain(|way| way.sureness < Sureness::Own);
    Ok(ways)
}

/// Deletes the ways that only events have named which were placed on a record.
pub(in crate::store) fn forget_placed(set: &WorkingSet, row: i64) -> Decided<()> {
    placed_ways(set, row)?.iter().for_each(|way| set.ways.delete(&way.id()));
    Ok(())
}

/// The other records that a PSP id of an object of this record's kind leads to.
pub(super) fn others_of_psp_id(set: &WorkingSet, stored: &Stored, psp_id: &str) -> Decided<Vec<Stored>> {
    let mut others = Vec::new();
    for way in of(set, stored.record.key.kind, psp_id)? {
        if way.record != stored.row && is_of_record(&way, &stored.record) {
            others.extend(records::by_row(set, way.record)?);
        }
    }
    Ok(others)
}

/// Binds a record's PSP ids to the source that the record is bound to now.
pub(in crate::store) fn bind(set: &WorkingSet, row: i64, source: &str) -> Decided<()> {
    let ways = set.ways.rows(&Key::To(row))?;
    for way in ways.iter().filter(|way| way.source.is_empty()) {
        let bound = Way { source: source.to_owned(), ..Way::clone(way) };
        if ways.iter().all(|other| other.id() != bound.id()) {
            set.ways.delete(&way.id());
            set.ways.put(bound);
        }
    }
    Ok(())
}

/// What other agreements than this one know of the means of payment with these PSP ids.
pub(super) fn means_of_others(set: &WorkingSet, source: &str, row: i64, psp_ids: &[String]) -> Decided<Vec<Attempt>> {
    let mut means = Vec::new();
    for psp_id in psp_ids {
        let known = by_psp_id(set, Kind::Agreement, source, psp_id)?;
        let others = known.into_iter().map(|known| known.stored).filter(|other| other.row != row);
        for other in others {
            means.extend(other.record.seen.attempts.iter().filter(|attempt| attempt.is_under(psp_id)).cloned());
        }
    }
    Ok(means)
}

/// Lets PSP ids lead to a record from any source: the record is bound to none any more.
pub(super) fn unbind(set: &WorkingSet, row: i64) -> Decided<()> {
    let ways = set.ways.rows(&Key::To(row))?;
    for way in ways.iter().filter(|way| !way.source.is_empty()) {
        let free = Way { source: String::new(), ..Way::clone(way) };
        if set.ways.rows(&Key::To(row))?.iter().all(|other| other.id() != free.id()) {
            set.ways.delete(&way.id());
            set.ways.put(free);
        }
    }
    Ok(())
}
