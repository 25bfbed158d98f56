//! The comparison at the end of a rehearsal: the records that would differ, and the notifications that would have to be judged
//! anew.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;

use super::{Stage, bare, head, keys};
use crate::domain::ids::{Kind, TransformId};
use crate::domain::record::Record;
use crate::store::Outcome;
use crate::store::core::digest::digest;
use crate::store::core::parked::Pending;
use crate::store::core::ways;
use crate::store::rehearsal::{Differing, Learned, Left, LeftReason, PlacedEvent, Rehearsal, Rehearsed};
use crate::store::sqlite::{past, placed, records, whose};
use crate::store::sureness::Sureness;

/// The events that wait, as text, each with the digest of its message's key; by notification.
type Waiting = HashMap<Uuid, BTreeMap<String, [u8; 16]>>;

/// Records as they would stand, where they differ.
type Would = HashMap<TransformId, Record>;

impl Stage {
    pub(super) fn compare(self, past: &Connection, notifications: Vec<Rehearsed>) -> rusqlite::Result<Rehearsal> {
        let (before, now) = (waiting(past)?, waiting(&self.connection)?);
        let uncovered = self.uncovered();
        let (would, partly) = self.would(&uncovered, parked_now(&before, &now))?;
        let is_compared = |stands: &&Record| {
            !partly.contains(&stands.key.id) && (is_touched(stands) || would.contains_key(&stands.key.id))
        };
        let (compared, meanwhile) = (self.stand.iter().filter(is_compared).count(), self.meanwhile.len());
        let (repaired, damaged) = (self.repaired()?, self.damaged);
        // Its history knows of events that do not find it.
        let is_lost = |one: &Differing| {
            Ok::<_, rusqlite::Error>(!is_touched(&one.would) && past::has_versions(past, &one.stands.key.id)?)
        };
        let mut partly = partly;
        if let Some(one) = &repaired
            && is_lost(one)?
        {
            partly.insert(one.stands.key.id.clone());
            partly = self.with_families(partly);
        }
        let left = self.left(&uncovered, &partly);
        let differing = self.in_families(past, would, &partly, repaired.as_ref())?;
        let mut notifications = notifications;
        let is_same = |one: &Rehearsed| {
            let is_gone = one.was.0 == Outcome::Parked.name() && !before.contains_key(&one.id);
            !one.another && !is_gone && before.get(&one.id) == now.get(&one.id)
        };
        notifications.iter_mut().filter(|one| is_same(one)).for_each(|one| one.anew = None);
        Ok(Rehearsal { notifications, compared, differing, partly, meanwhile, left, damaged, repaired })
    }

    /// The record that is to be repaired, with all PSP ids that lead to it on the stage.
    fn repaired(&self) -> rusqlite::Result<Option<Differing>> {
        let Some(key) = &self.repaired else { return Ok(None) };
        let Some(stands) = self.stand.iter().find(|record| record.key == *key) else { return Ok(None) };
        let Some(found) = records::by_key(&self.connection, key)? else { return Ok(None) };
        let would = as_now(Arc::unwrap_or_clone(found.record), stands);
        let mut ways =
            self.connection.prepare_cached("SELECT psp_id, kind FROM psp_ids WHERE record = ?1 AND NOT placed")?;
        let ways = ways.query_map([found.row], |row| {
            Ok(Learned { psp_id: row.get(0)?, kind: records::kind(row, 1)?, sureness: Sureness::Own })
        })?;
        let learns = ways.collect::<rusqlite::Result<_>>()?;
        let (placed, shown) = (placed_on(&self.connection, stands)?, shown(&self.connection, stands)?);
        Ok(Some(Differing { stands: stands.clone(), would, learns, placed, shown }))
    }

    /// The records that would differ, and the records that cannot be compared.
    ///
    /// A record keeps a fact that would not stand anywhere else: its event would wait for another record, or would reach a
    /// record that cannot be compared. Such a record cannot be compared either.
    fn would(
        &self,
        uncovered: &HashSet<TransformId>,
        mut elsewhere: HashSet<[u8; 16]>,
    ) -> rusqlite::Result<(Would, HashSet<TransformId>)> {
        let mut partly = self.with_families(uncovered.clone());
        let mut would = Would::new();
        for stands in &self.stand {
            let Some(found) = records::by_key(&self.connection, &stands.key)? else { continue };
            let now = as_now(Arc::unwrap_or_clone(found.record), stands);
            if partly.contains(&stands.key.id) {
                elsewhere.extend(&digests(&now) - &digests(stands));
            } else if now != *stands {
                would.insert(stands.key.id.clone(), now);
            }
        }
        loop {
            let loses = |stands: &&Record| {
                would
                    .get(&stands.key.id)
                    .is_some_and(|now| digests(stands).difference(&digests(now)).any(|key| elsewhere.contains(key)))
            };
            let losing: Vec<_> = self.stand.iter().filter(loses).map(|stands| stands.key.id.clone()).collect();
            if losing.is_empty() {
                return Ok((would, partly));
            }
            partly.extend(losing);
            partly = self.with_families(partly);
            for stands in self.stand.iter().filter(|stands| partly.contains(&stands.key.id)) {
                if let Some(now) = would.remove(&stands.key.id) {
                    elsewhere.extend(&digests(&now) - &digests(stands));
                }
            }
        }
    }

    /// The records that cannot be compared although all their notifications are kept, each with the reason. A record that
    /// changed meanwhile is not among them: the next run compares it.
    fn left(&self, uncovered: &HashSet<TransformId>, partly: &HashSet<TransformId>) -> Vec<Left> {
        let covered = self.with_families(uncovered.clone());
        let why = |record: &Record| match &record.key.id {
            id if self.meanwhile.contains(id) => None,
            _ if self.has_left_out(record) => Some(LeftReason::LeftOut),
            id if covered.contains(id) => None,
            _ => Some(LeftReason::NowhereElse),
        };
        let left = self.stand.iter().filter(|record| partly.contains(&record.key.id));
        left.filter_map(|record| Some(Left { key: record.key.clone(), why: why(record)? })).collect()
    }

    /// The records that would differ, by families. Events that would be placed on a record are a difference, and so are PSP ids that
    /// would lead to it.
    fn in_families(
        self,
        past: &Connection,
        mut would: Would,
        partly: &HashSet<TransformId>,
        repaired: Option<&Differing>,
    ) -> rusqlite::Result<Vec<Vec<Differing>>> {
        let covered = self.stand.iter().filter(|record| !partly.contains(&record.key.id));
        let registered: Registered =
            covered.map(|record| (record.key.id.to_string(), record.registered.psp_id.clone())).collect();
        let parents = self.parents();
        let has_placed = whose::version(past)? >= placed::SINCE;
        let mut families: BTreeMap<usize, Vec<Differing>> = BTreeMap::new();
        let mut places: HashMap<TransformId, usize> = HashMap::new();
        for stands in self.stand.into_iter().filter(|record| !partly.contains(&record.key.id)) {
            let next = places.len();
            let mut family = || *places.entry(head(&parents, &stands.key.id).clone()).or_insert(next);
            if let Some(repaired) = repaired.filter(|one| one.stands.key == stands.key) {
                families.entry(family()).or_default().push(repaired.clone());
                continue;
            }
            let now = would.remove(&stands.key.id);
            let learns = learns(&self.connection, past, &stands, &registered)?;
            let placed = placed_on(&self.connection, &stands)?;
            let is_placed_anew = has_placed && texts(&placed)? != texts(&placed_on(past, &stands)?)?;
            if now.is_none() && learns.is_empty() && !is_placed_anew {
                continue;
            }
            let place = family();
            let would = now.unwrap_or_else(|| stands.clone());
            let shown = shown(&self.connection, &stands)?;
            families.entry(place).or_default().push(Differing { stands, would, learns, placed, shown });
        }
        Ok(families.into_values().collect())
    }
}

/// The records that are compared, by their ids, each with the PSP id that it was registered with.
type Registered = HashMap<String, Option<String>>;

/// The PSP ids that lead to a record on the stage, and in the store to no record or to another one. If the other record is
/// not compared or is registered with the id, it keeps the id.
fn learns(
    stage: &Connection,
    past: &Connection,
    stands: &Record,
    registered: &Registered,
) -> rusqlite::Result<Vec<Learned>> {
    let mut learned = stage.prepare_cached(
        "SELECT p.psp_id, p.source, p.kind FROM psp_ids p JOIN records r ON r.id = p.record
         WHERE r.transform_id = ?1 AND NOT p.placed",
    )?;
    let mut leads = past.prepare_cached(
        "SELECT r.transform_id FROM psp_ids p JOIN records r ON r.id = p.record
         WHERE p.psp_id = ?1 AND p.kind = ?2 AND (p.source IN (?3, '') OR ?3 = '')",
    )?;
    let mut rows = learned.query([stands.key.id.as_str()])?;
    let mut learns = Vec::new();
    while let Some(row) = rows.next()? {
        let (psp_id, source, code): (String, String, u8) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some(kind) = Kind::from_code(code) else { continue };
        let led = leads.query_map((&psp_id, code, &source), |row| row.get::<_, String>(0))?;
        let led: Vec<String> = led.collect::<rusqlite::Result<_>>()?;
        let gives_up = |id: &String| {
            ways::is_shared(kind, &psp_id) || registered.get(id).is_some_and(|own| own.as_ref() != Some(&psp_id))
        };
        if led.iter().all(|id| id != stands.key.id.as_str() && gives_up(id)) {
            learns.push(Learned { kind, psp_id, sureness: Sureness::Own });
        }
    }
    Ok(learns)
}

/// The events that are placed on a record, in the order in which they came.
fn placed_on(connection: &Connection, record: &Record) -> rusqlite::Result<Vec<PlacedEvent>> {
    if record.key.kind != Kind::Payment {
        return Ok(Vec::new());
    }
    let Some(stored) = records::by_key(connection, &record.key)? else { return Ok(Vec::new()) };
    let of = |Pending { notification, source, event }| PlacedEvent { notification, source, event };
    Ok(placed::list(connection, stored.row)?.into_iter().map(of).collect())
}

/// The PSP ids that lead to a record because of placed events.
fn shown(connection: &Connection, record: &Record) -> rusqlite::Result<Vec<Learned>> {
    let Some(stored) = records::by_key(connection, &record.key)? else { return Ok(Vec::new()) };
    connection
        .prepare_cached("SELECT psp_id, kind, placed FROM psp_ids WHERE record = ?1 AND placed > 0")?
        .query_map([stored.row], |row| {
            Ok(Learned { psp_id: row.get(0)?, kind: records::kind(row, 1)?, sureness: records::sureness(row, 2)? })
        })?
        .collect()
}

/// Placed events as text, without their order.
fn texts(events: &[PlacedEvent]) -> rusqlite::Result<BTreeSet<String>> {
    let text = |event: &PlacedEvent| serde_json::to_string(event);
    let texts: Result<_, _> = events.iter().map(text).collect();
    texts.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Whether a record has more than it was registered with: facts of events, or what its children have confirmed.
fn is_touched(record: &Record) -> bool {
    bare(record) != Record { version: 1, ..record.clone() }
}

/// The digests of the keys of the messages whose facts stand in a record.
fn digests(record: &Record) -> BTreeSet<[u8; 16]> {
    keys(record).map(|key| digest(key.as_bytes())).collect()
}

fn waiting(connection: &Connection) -> rusqlite::Result<Waiting> {
    let mut waiting = Waiting::new();
    past::waiting(connection, |notification, waits| {
        let Some((event, reason)) = waits else { return Ok(()) };
        let text = serde_json::to_string(&(&event, reason));
        let text = text.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        waiting.entry(notification).or_default().insert(text, digest(event.message_key().as_bytes()));
        Ok(())
    })?;
    Ok(waiting)
}

/// The digests of the messages with an event that would wait now and did not wait before.
fn parked_now(before: &Waiting, now: &Waiting) -> HashSet<[u8; 16]> {
    let did = |notification: &Uuid, text: &String| before.get(notification).is_some_and(|one| one.contains_key(text));
    let each = now.iter().flat_map(|(notification, events)| {
        events.iter().filter(move |(text, _)| !did(notification, text)).map(|(_, key)| *key)
    });
    each.collect()
}

/// A record of the stage with the versions of the store: nobody was told of those on the stage.
fn as_now(found: Record, stands: &Record) -> Record {
    let mut now = Record { version: stands.version, last_updated: stands.last_updated, ..found };
    now.registered.silent_since = stands.registered.silent_since;
    // A payment stays bound to the source of what was placed on it and left again. That shows nothing.
    if !is_touched(&now) && !is_touched(stands) {
        now.source.clone_from(&stands.source);
    }
    now
}
