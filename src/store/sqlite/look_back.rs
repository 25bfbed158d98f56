//! A look back: the findings of a store, and those that its kept notifications and parked events would have raised. A store of an
//! earlier version has no findings of its own. The store is only read.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::columns::{fact, timestamp};
use super::findings::{self, PARKED_FOR};
use super::pages::each;
use super::{named, past, whose};
use crate::domain::message::{Message, MissingKind};
use crate::store::core::findings::Named;
use crate::store::core::parked::Pending;
use crate::store::core::waited;
use crate::store::rehearsal::{Past, RehearsalError, Reread, Wanted};
use crate::store::{Finding, FindingKind};

/// The findings of a store, the oldest first. The wanted notifications are read again, each by `read`; parked events count
/// that have waited for an hour at `now`.
///
/// # Errors
/// The store cannot be read.
pub fn look_back(
    store: &Path,
    wanted: &Wanted,
    now: Timestamp,
    mut read: impl FnMut(&Past) -> Reread,
) -> Result<Vec<Finding>, RehearsalError> {
    past::at_rest_or_not(store, |past| {
        let mut look = Look { past, found: BTreeMap::new() };
        past::notifications(past, wanted, past::latest(past)?, |one, _| {
            // The relay names damaged rows.
            let Ok(one) = one else { return Ok(()) };
            let reread = read(&one);
            reread.normalised.messages.iter().try_for_each(|message| look.message(&one, message))
        })?;
        look.parked(wanted, now)?;
        look.merged(wanted)
    })
}

/// What two findings of the same have in common.
type Key = (String, FindingKind, String);

struct Look<'a> {
    past: &'a Connection,
    found: BTreeMap<Key, Finding>,
}

/// What a look has found once.
struct Seen<'a> {
    what: FindingKind,
    source: &'a str,
    event_type: &'a str,
    notification: Uuid,
    record: Option<Named>,
    missing: String,
    at: Timestamp,
}

impl Look<'_> {
    fn message(&mut self, one: &Past, message: &Message) -> rusqlite::Result<()> {
        let Some(missing) = &message.missing else { return Ok(()) };
        let names = missing.names.iter().map(String::as_str);
        let (what, record) = match missing.what {
            MissingKind::Fetch => (FindingKind::NotFetched, None),
            MissingKind::Rule => match named::named(self.past, &one.source, names)? {
                Some(record) => (FindingKind::NoRule, Some(record)),
                None => return Ok(()),
            },
        };
        let (source, event_type, missing) = (one.source.as_str(), message.event_type.as_str(), missing.said.clone());
        self.note(Seen { what, source, event_type, notification: one.id, record, missing, at: one.received_at });
        Ok(())
    }

    fn parked(&mut self, wanted: &Wanted, now: Timestamp) -> rusqlite::Result<()> {
        let hour = SignedDuration::try_from(PARKED_FOR).unwrap_or_default();
        let cutoff = now.saturating_sub(hour).unwrap_or(Timestamp::MIN);
        let query = "SELECT id, notification, source, event, parked_at FROM parked
             WHERE id > ?1 AND reason IS NULL ORDER BY id LIMIT ?2";
        let read = |row: &Row<'_>| {
            let pending = Pending::of(Uuid::from_bytes(row.get(1)?), row.get(2)?, fact(row, 3)?);
            Ok((row.get(0)?, pending, timestamp(4, row.get(4)?)?))
        };
        each(self.past, query, read, |(row, pending, at): (i64, Pending, Timestamp)| {
            let Pending { notification, source, event } = &pending;
            if at > cutoff || !wanted.sources.contains(source) {
                return Ok(());
            }
            let Some(record) = named::record_of(self.past, source, event)? else { return Ok(()) };
            self.note(Seen {
                what: FindingKind::NoRecord,
                source,
                event_type: &event.event_type,
                notification: *notification,
                record: Some(record),
                missing: waited::missing(&named::waits_for(self.past, row)?),
                at,
            });
            Ok(())
        })
    }

    fn note(&mut self, seen: Seen<'_>) {
        let key = (seen.source.to_owned(), seen.what, seen.event_type.to_owned());
        let found = self.found.entry(key).or_insert_with(|| Finding {
            cursor: 0,
            what: seen.what,
            source: seen.source.to_owned(),
            event_type: seen.event_type.to_owned(),
            count: 0,
            notification: None,
            record: None,
            missing: None,
            first_at: seen.at,
            last_at: seen.at,
        });
        found.count = found.count.saturating_add(1);
        found.notification = Some(seen.notification);
        found.record = seen.record.map(|(_, key)| key);
        found.missing = Some(seen.missing);
        found.first_at = found.first_at.min(seen.at);
        found.last_at = found.last_at.max(seen.at);
    }

    /// All findings: those of the store with the greater count, and those of the look that the store does not have.
    fn merged(mut self, wanted: &Wanted) -> rusqlite::Result<Vec<Finding>> {
        let mut all = Vec::new();
        if whose::version(self.past)? >= findings::SINCE {
            let mut after = 0;
            loop {
                let page = findings::list(self.past, None, after, PAGE)?;
                let Some(last) = page.last else { break };
                after = last;
                all.extend(page.rows);
            }
        }
        all.retain(|finding| finding.source.is_empty() || wanted.sources.contains(&finding.source));
        for finding in &mut all {
            let key = (finding.source.clone(), finding.what, finding.event_type.clone());
            if let Some(own) = self.found.remove(&key) {
                finding.count = finding.count.max(own.count);
            }
        }
        all.extend(self.found.into_values());
        all.sort_by_key(|finding| finding.first_at);
        Ok(all)
    }
}

/// The number of findings that are read at a time.
const PAGE: u32 = 500;
