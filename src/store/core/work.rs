//! A piece of work under way: what it has changed and released, and what is reported once it is on disk.

use std::collections::{HashSet, VecDeque};

use uuid::Uuid;

use super::findings::{self, FindingSeen, Named};
use super::parked::{self, Pending, ReleaseKey};
use super::records::Stored;
use super::set::{Decided, WorkingSet};
use super::{given_up, owing};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::message::{Message, Missing, MissingKind};
use crate::store::{Finding, FindingKind, LedElsewhere, Owed, StoreOptions};

/// The most messages of one piece of work whose names are looked up, since no rule reads them.
const LOOKED_UP_MAX: usize = 100;

/// The most records of one piece of work that are named in the log.
const RECORDS_TOLD: usize = 10;

/// One piece of work under way. Its changes are complete only after [`Work::finish`].
pub(in crate::store) struct Work<'a> {
    pub(in crate::store) set: &'a WorkingSet,
    pub(in crate::store) options: &'a StoreOptions,
    pub(in crate::store) now: Moment,
    pub(in crate::store) released: VecDeque<Pending>,
    /// Events that were taken back from a record, each with that record.
    pub(in crate::store) taken_back: VecDeque<(Named, Pending)>,
    /// The number of messages without a rule whose names were looked up.
    looked_up: usize,
    pub(in crate::store) finished: Finished,
}

/// The results of a piece of work that are reported once it is on disk.
#[derive(Default)]
pub(in crate::store) struct Finished {
    /// The records that Transform is owed a webhook for.
    pub(in crate::store) owed: Vec<Owed>,
    /// The records that events were applied to, the first [`RECORDS_TOLD`] of them.
    pub(in crate::store) records: Vec<RecordKey>,
    /// The events without effect.
    pub(in crate::store) led_elsewhere: Option<LedElsewhere>,
    /// What somebody should look at.
    pub(in crate::store) findings: Vec<Finding>,
}

impl<'a> Work<'a> {
    pub(in crate::store) fn new(set: &'a WorkingSet, options: &'a StoreOptions, now: Moment) -> Self {
        let (released, taken_back) = (VecDeque::new(), VecDeque::new());
        Self { set, options, now, released, taken_back, looked_up: 0, finished: Finished::default() }
    }

    /// The notifications with released events that are not applied yet. Their outcome is not known yet.
    pub(in crate::store) fn under_way(&self) -> HashSet<Uuid> {
        self.released.iter().map(|pending| pending.notification).collect()
    }

    pub(in crate::store) fn release(&mut self, source: Option<&str>, key: &ReleaseKey) -> Decided<()> {
        self.released.extend(parked::release(self.set, source, key)?);
        Ok(())
    }

    /// Lets events that were taken back from their record be applied to others.
    pub(in crate::store) fn take_back(&mut self, record: Named, events: Vec<Pending>) {
        self.taken_back.extend(events.into_iter().map(|event| (record.clone(), event)));
    }

    /// Notes that Transform is owed a webhook for a record, once it has been told of the records `after`.
    pub(in crate::store) fn owe(&mut self, stored: &Stored, after: Vec<RecordKey>) -> Decided<()> {
        let due = owing::owe(self.set, &self.options.debounce, stored, self.now.steady)?;
        self.finished.owed.push(Owed { key: stored.record.key.clone(), due, after });
        Ok(())
    }

    /// Notes that an event was applied to a record.
    pub(in crate::store) fn reaches(&mut self, key: &RecordKey) {
        let records = &mut self.finished.records;
        if records.len() < RECORDS_TOLD && !records.contains(key) {
            records.push(key.clone());
        }
    }

    /// Notes that Transform is owed a webhook for a record, if it was given up: somebody speaks of the record again.
    pub(in crate::store) fn owe_given_up(&mut self, stored: &Stored) -> Decided<()> {
        if given_up::is(self.set, stored.row)? { self.owe(stored, Vec::new()) } else { Ok(()) }
    }

    /// Notes a finding. It is logged once the work is on disk, if it was not logged today.
    pub(in crate::store) fn found(&mut self, sighting: &FindingSeen) -> Decided<()> {
        let noted = findings::note(self.set, self.now, sighting)?;
        self.finished.findings.extend(noted.told);
        Ok(())
    }

    /// Notes what is missing to read a message, if anything is. Messages past a number are not looked up: a batch may have
    /// thousands.
    pub(in crate::store) fn note_missing(
        &mut self,
        notification: Uuid,
        source: &str,
        message: &Message,
    ) -> Decided<()> {
        let Some(Missing { what, said, names }) = &message.missing else { return Ok(()) };
        let record = match what {
            MissingKind::Fetch => None,
            MissingKind::Rule if self.looked_up >= LOOKED_UP_MAX => return Ok(()),
            MissingKind::Rule => {
                self.looked_up += 1;
                match findings::named(self.set, source, names.iter().map(String::as_str))? {
                    Some(record) => Some(record),
                    None => return Ok(()),
                }
            }
        };
        self.found(&FindingSeen {
            what: if *what == MissingKind::Fetch { FindingKind::NotFetched } else { FindingKind::NoRule },
            source: source.to_owned(),
            event_type: message.event_type.clone(),
            count: 1,
            notification: Some(notification),
            record,
            missing: Some(said.clone()),
        })
    }
}

/// Joins the first reasons and adds the number of the others: a batch may have thousands.
pub(in crate::store) fn joined(reasons: &[String]) -> Option<String> {
    const SHOWN: usize = 10;
    let first = reasons.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match reasons.len() {
        0 => None,
        1..=SHOWN => Some(first),
        count => Some(format!("{first}; and {} more", count - SHOWN)),
    }
}
