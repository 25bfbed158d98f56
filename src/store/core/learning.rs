//! What records learn of events: the ids by which later events find them.

use super::parked::{Pending, ReleaseKey};
use super::reached::Open;
use super::records::Stored;
use super::set::Decided;
use super::way;
use super::ways::{self, Lead};
use super::work::Work;
use crate::domain::ids::{Kind, RecordKey};
use crate::store::sureness::Sureness;

/// What an event has shown of the ids that lead to its record.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// The ids of authorizations of which another payment may be a capture, too.
    pub(super) authorizations: Vec<String>,
    /// The payments whose placed events have to find their way anew: an id leads to the record more surely now than it led to
    /// them.
    pub(super) to_place: Vec<RecordKey>,
}

impl Work<'_> {
    /// Lets the ids that an event names lead to its record, and releases the events that wait for them.
    ///
    /// Unsigned ids are learned from the first notification only: anybody can write other ids into a copy of it.
    pub(super) fn learn(
        &mut self,
        stored: &Stored,
        pending: &Pending,
        (open, sureness): (&Open, Sureness),
    ) -> Decided<Learned> {
        let event = &pending.event;
        let source = stored.record.source.as_deref();
        // A refund that is not registered is found by its own id as well.
        let kind = if event.is_refund() { Kind::Refund } else { stored.record.key.kind };
        let sure = |psp_id: &&String| *open == Open::All || event.is_sure_of(psp_id);
        let mut learned = Learned::default();
        for psp_id in event.psp_ids.iter().filter(sure) {
            let lead = Lead { kind, psp_id, sureness };
            if ways::is_learned(self.set, stored, &lead)? {
                continue;
            }
            let others = ways::displace(self.set, stored, &lead)?;
            learned.to_place.extend(others.into_iter().map(|other| other.record.key.clone()));
            if ways::make_surer(self.set, stored, &lead)? {
                learned.to_place.push(stored.record.key.clone());
                // An event that names a record to come takes no less sure way, and waits for this one.
                self.release(source, &ReleaseKey::psp_id(kind, psp_id))?;
            }
            if ways::learn(self.set, stored, &lead)? {
                self.release(source, &ReleaseKey::psp_id(kind, psp_id))?;
                learned.authorizations.extend((kind == Kind::Preauth).then(|| psp_id.clone()));
            }
        }
        for customer in &event.customers {
            self.learn_customer(stored, customer)?;
        }
        if kind == Kind::Payment && sureness == Sureness::Own {
            for authorization in event.originals.iter().filter(sure) {
                let psp_id = ways::original(authorization);
                if ways::learn(self.set, stored, &Lead { kind, psp_id: &psp_id, sureness })? {
                    self.release(source, &ReleaseKey::captured(authorization))?;
                    learned.authorizations.push(authorization.clone());
                }
            }
        }
        Ok(learned)
    }

    /// Lets a customer lead to an agreement with a means of payment of that customer.
    pub(super) fn learn_customer(&mut self, stored: &Stored, customer: &str) -> Decided<()> {
        let psp_id = way::customer(customer);
        let lead = Lead { kind: Kind::Agreement, psp_id: &psp_id, sureness: Sureness::Own };
        if ways::learn(self.set, stored, &lead)? {
            self.release(stored.record.source.as_deref(), &ReleaseKey::psp_id(Kind::Agreement, &psp_id))?;
        }
        Ok(())
    }
}
