//! The way from an event to its record, by references and PSP ids.

use rusqlite::Connection;

use super::records::Stored;
use super::unwritten::Unwritten;
use crate::domain::event::Event;
use crate::domain::ids::Kind;
use crate::domain::record::Record;

/// Finds the record of an event, as it stands by now. The merchant's reference is the surest way; the event's own PSP
/// ids come next, then the shared ones. Signed references and ids lead before unsigned ones.
pub(super) fn of_event(
    connection: &Connection,
    among: &Unwritten,
    source: &str,
    event: &Event,
) -> rusqlite::Result<Option<Stored>> {
    let mut way = Way { connection, among, source, event, awaited: false };
    match way.led(true)? {
        None if event.loose.is_some() => way.led(false),
        found => Ok(found),
    }
}

/// The way from an event to its record.
struct Way<'a> {
    connection: &'a Connection,
    among: &'a Unwritten,
    source: &'a str,
    event: &'a Event,
    /// Whether the event names a transaction that is not registered yet. Then only a record that was registered with
    /// one of the event's own ids may take it. A record that learned or shares an id may not.
    awaited: bool,
}

impl Way<'_> {
    /// The record to which the event's references and ids lead. `sure` selects the signed ones, or else the unsigned
    /// ones.
    fn led(&mut self, sure: bool) -> rusqlite::Result<Option<Stored>> {
        let event = self.event;
        for id in event.references.iter().filter(|id| event.is_sure_of(id.as_str()) == sure) {
            match self.among.by_id(self.connection, id)? {
                Some(found) if self.takes(&found) => return Ok(Some(found)),
                Some(_) => {}
                None => self.awaited |= id.has_transforms_form(),
            }
        }
        let ids = || event.psp_ids.iter().chain(&event.shared_ids).filter(|id| event.is_sure_of(id) == sure);
        for (kind, psp_id) in event.kinds.iter().flat_map(|kind| ids().map(move |id| (kind, id))) {
            let found = self.among.by_psp_id(self.connection, *kind, self.source, psp_id)?;
            if let Some(found) = found.filter(|found| self.leads(psp_id, found)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn takes(&self, found: &Stored) -> bool {
        let bound = found.record.source.as_deref().is_none_or(|own| own == self.source);
        bound && concerns(self.event, &found.record)
    }

    fn leads(&self, psp_id: &String, found: &Stored) -> bool {
        let own = self.event.psp_ids.contains(psp_id);
        let registered = found.record.registered.psp_id.as_ref() == Some(psp_id) && own;
        self.takes(found) && (registered || !self.awaited)
    }
}

/// An event that may concern a preauthorization never concerns the payment that captures it: the capture has events
/// of its own.
fn concerns(event: &Event, record: &Record) -> bool {
    let capture = record.key.kind == Kind::Payment && record.registered.preauth_id.is_some();
    event.kinds.contains(&record.key.kind) && !(capture && event.kinds.contains(&Kind::Preauth))
}
