//! Stores in memory for tests: the code of the store, without its file and its threads.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::rehearse::without_limits;
use super::taking::{self, Took};
use super::{findings, inbox, migrations, parked, records, register, waited};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::record::Record;
use crate::domain::registration::Registration;
use crate::store::{Finding, Outcome, Receipt, RegistrationReceipt, StoreOptions, Taken};

thread_local! {
    /// Empty stores. The steps of the schema take longer than a short history.
    static EMPTY: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
}

/// An empty store that is lent to one history. Nothing of the history is committed, so that the store is empty again at its end.
pub(super) struct Lent(Option<Connection>);

impl Lent {
    pub(super) fn new() -> Self {
        let connection = EMPTY.with_borrow_mut(Vec::pop).unwrap_or_else(empty);
        connection.execute_batch("BEGIN").unwrap();
        Self(Some(connection))
    }
}

impl Deref for Lent {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Connection {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take()
            && connection.execute_batch("ROLLBACK").is_ok()
        {
            EMPTY.with_borrow_mut(|empty| empty.push(connection));
        }
    }
}

fn empty() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrations::migrate(&mut connection).unwrap();
    // The work of one history has more kinds of statements than the usual number.
    connection.set_prepared_statement_cache_capacity(200);
    connection
}

/// A store in memory for the tests of other folders.
pub(crate) struct InMemory {
    connection: Connection,
    options: StoreOptions,
}

impl InMemory {
    pub(crate) fn new() -> Self {
        Self { connection: empty(), options: without_limits() }
    }

    /// Plays a history. The store is empty before it and after it.
    pub(crate) fn play<T>(&self, history: impl FnOnce(&Self) -> T) -> T {
        self.connection.execute_batch("BEGIN").unwrap();
        let end = history(self);
        self.connection.execute_batch("ROLLBACK").unwrap();
        end
    }

    pub(crate) fn take(&self, taken: &Taken) -> Receipt {
        match taking::take(&self.connection, &self.options, taken).unwrap() {
            Took::In(receipt) => receipt,
            Took::OneTooMany(receipt) | Took::PointsElsewhere(receipt) => panic!("it is not taken: {receipt:?}"),
        }
    }

    pub(crate) fn register(&self, key: &RecordKey, said: &Registration, now: Moment) -> RegistrationReceipt {
        register::register(&self.connection, &self.options, key, said, now).unwrap().unwrap()
    }

    /// A record, if it is registered, with the agreement under which it runs.
    pub(crate) fn record(&self, key: &RecordKey) -> Option<(Record, Option<Record>)> {
        let record = records::by_key(&self.connection, key).unwrap()?.record;
        let agreement = records::agreement_of(&self.connection, &record).unwrap();
        Some((record, agreement))
    }

    /// What became of a notification, with the reason of a dead letter.
    pub(crate) fn outcome(&self, id: Uuid) -> Option<(Outcome, Option<String>)> {
        let kept = inbox::kept(&self.connection, id).unwrap()?;
        let (_, reason) = inbox::through(&self.connection, id).unwrap();
        Some((kept.outcome, reason))
    }

    /// The findings, once all parked events have waited for long.
    pub(crate) fn findings(&self, now: Moment) -> Vec<Finding> {
        waited::look(&self.connection, now, Timestamp::MAX, u32::MAX).unwrap();
        findings::list(&self.connection, None, 0, u32::MAX).unwrap().rows
    }

    /// The number of events of a source that wait for their records. Those that wait in silence do not count.
    pub(crate) fn waiting(&self, source: &str) -> usize {
        parked::oldest(&self.connection, source, u32::MAX).unwrap().len()
    }
}
