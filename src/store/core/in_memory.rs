//! A store in memory for the tests of other folders: the core alone, without an engine.

use std::sync::Arc;

use uuid::Uuid;

use super::inbound::Inbound;
use super::set::WorkingSet;
use super::set::rows::finding::FindingRow;
use super::taking::{self, Took};
use super::{inbox, parked, records, register, waited};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::record::Record;
use crate::domain::registration::Registration;
use crate::store::options::without_limits;
use crate::store::{Finding, Outcome, Receipt, RegistrationReceipt, StoreOptions, Taken};

/// A store in memory.
pub(crate) struct InMemory {
    set: WorkingSet,
    options: StoreOptions,
}

impl InMemory {
    pub(crate) fn new() -> Self {
        Self { set: WorkingSet::complete(), options: without_limits() }
    }

    /// Plays a history in an empty store.
    #[expect(clippy::unused_self, reason = "an engine could have to empty itself")]
    pub(crate) fn play<T>(&self, history: impl FnOnce(&Self) -> T) -> T {
        history(&Self::new())
    }

    pub(crate) fn take(&self, taken: &Taken) -> Receipt {
        match taking::take(&self.set, &self.options, &Inbound::of(taken.clone())).unwrap() {
            Took::In(receipt) => receipt,
            Took::OneTooMany(receipt) | Took::PointsElsewhere(receipt) => panic!("it is not taken: {receipt:?}"),
        }
    }

    pub(crate) fn register(&self, key: &RecordKey, said: &Registration, now: Moment) -> RegistrationReceipt {
        register::register(&self.set, &self.options, key, said, now).unwrap().unwrap()
    }

    /// A record, if it is registered, with the agreement under which it runs.
    pub(crate) fn record(&self, key: &RecordKey) -> Option<(Record, Option<Record>)> {
        let record = records::by_key(&self.set, key).unwrap()?.record;
        let agreement = records::agreement_of(&self.set, &record).unwrap();
        Some((Arc::unwrap_or_clone(record), agreement.map(Arc::unwrap_or_clone)))
    }

    /// What became of a notification, with the reason of a dead letter.
    pub(crate) fn outcome(&self, id: Uuid) -> Option<(Outcome, Option<String>)> {
        let row = inbox::find(&self.set, id).unwrap()?;
        Some((*row.outcome.get().unwrap(), row.reason.clone()))
    }

    /// The findings, once all parked events have waited for long.
    pub(crate) fn findings(&self, now: Moment) -> Vec<Finding> {
        let waiting: Vec<i64> = self
            .set
            .parked
            .written()
            .iter()
            .filter(|row| !row.silent && row.finding.is_none())
            .map(|row| row.row)
            .collect();
        waited::look(&self.set, now, &waiting).unwrap();
        self.set.findings.written().iter().map(|row| self.finding(row)).collect()
    }

    fn finding(&self, row: &FindingRow) -> Finding {
        let record = row.record.and_then(|record| records::row_of(&self.set, record).unwrap());
        Finding {
            cursor: row.row,
            what: row.what,
            source: row.source.clone(),
            event_type: row.event_type.clone(),
            count: row.count.unsigned_abs(),
            notification: row.notification,
            record: record.map(|record| record.key.clone()),
            missing: row.missing.clone(),
            first_at: row.first_at,
            last_at: row.last_at,
        }
    }

    /// The events that wait for their records, each by its notification, with the keys that release it. Those that wait in silence do
    /// not count.
    pub(crate) fn parked(&self) -> Vec<(Uuid, Vec<String>)> {
        let waiting = self.set.parked.written().into_iter().filter(|row| !row.silent);
        waiting.map(|row| (row.notification, row.keys.clone())).collect()
    }

    /// The number of events of a source that wait for their records. Those that wait in silence do not count.
    pub(crate) fn waiting(&self, source: &str) -> usize {
        parked::oldest(&self.set, source, usize::MAX).unwrap().len()
    }
}
