//! A piece of work under way: what it has changed and released, and what is reported once it is on disk.

use std::collections::{HashSet, VecDeque};

use rusqlite::Connection;
use uuid::Uuid;

use super::owing;
use super::parked::{self, Pending, ReleaseKey};
use super::records::{self, Lead, Stored};
use super::unwritten::Unwritten;
use super::way;
use crate::domain::due::Moment;
use crate::domain::ids::{Kind, RecordKey};
use crate::store::{Finding, LedElsewhere, Owed, StoreOptions};

/// One piece of work under way. Its changes are complete only after [`Work::finish`].
pub(super) struct Work<'a> {
    pub(super) connection: &'a Connection,
    pub(super) options: &'a StoreOptions,
    pub(super) now: Moment,
    pub(super) released: VecDeque<Pending>,
    pub(super) taken_back: VecDeque<Pending>,
    pub(super) unwritten: Unwritten,
    pub(super) finished: Finished,
}

/// The results of a piece of work that are reported once it is on disk.
#[derive(Default)]
pub(super) struct Finished {
    /// The records that Transform is owed a webhook for.
    pub(super) owed: Vec<Owed>,
    /// The events without effect.
    pub(super) led_elsewhere: Option<LedElsewhere>,
    /// What somebody should look at.
    pub(super) findings: Vec<Finding>,
}

impl<'a> Work<'a> {
    pub(super) fn new(connection: &'a Connection, options: &'a StoreOptions, now: Moment) -> Self {
        let (unwritten, finished) = (Unwritten::default(), Finished::default());
        Self { connection, options, now, released: VecDeque::new(), taken_back: VecDeque::new(), unwritten, finished }
    }

    /// The notifications with released events that are not applied yet. Their outcome is not known yet.
    pub(super) fn under_way(&self) -> HashSet<Uuid> {
        self.released.iter().map(|pending| pending.notification).collect()
    }

    pub(super) fn release(&mut self, source: Option<&str>, key: &ReleaseKey) -> rusqlite::Result<()> {
        self.released.extend(parked::release(self.connection, source, key)?);
        Ok(())
    }

    /// Lets events that were taken back from their record be applied to others.
    pub(super) fn take_back(&mut self, events: Vec<Pending>) {
        self.taken_back.extend(events);
    }

    /// Notes that Transform is owed a webhook for a record, once it has been told of the records `after`.
    pub(super) fn owe(&mut self, stored: &Stored, after: Vec<RecordKey>) -> rusqlite::Result<()> {
        let due = owing::owe(self.connection, &self.options.debounce, stored, self.now.steady)?;
        self.finished.owed.push(Owed { key: stored.record.key.clone(), due, after });
        Ok(())
    }

    /// Lets a customer lead to an agreement with a means of payment of that customer.
    pub(super) fn learn_customer(&mut self, stored: &Stored, customer: &str) -> rusqlite::Result<()> {
        let psp_id = way::customer(customer);
        let lead = Lead { kind: Kind::Agreement, psp_id: &psp_id, placed: false };
        if records::learn(self.connection, stored, &lead)? {
            self.release(stored.record.source.as_deref(), &ReleaseKey::psp_id(Kind::Agreement, &psp_id))?;
        }
        Ok(())
    }

    /// Reports a finding once the work is on disk.
    pub(super) fn found(&mut self, finding: Finding) {
        self.finished.findings.push(finding);
    }
}

/// Joins the first reasons and adds the number of the others: a batch may have thousands.
pub(super) fn joined(reasons: &[String]) -> Option<String> {
    const SHOWN: usize = 10;
    let first = reasons.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match reasons.len() {
        0 => None,
        1..=SHOWN => Some(first),
        count => Some(format!("{first}; and {} more", count - SHOWN)),
    }
}
