//! The `Store` on SQLite, with the methods that the rest of the relay calls. A reader does each read, and the writer
//! does each piece of work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rusqlite::Connection;

use super::checkpointer::Checkpointer;
use super::connection::Opened;
use super::damage::{Met, Standing, said};
use super::engine::Access;
use super::outbox::Bounds;
use super::readers::Readers;
use super::writer::{Writer, unavailable};
use super::{connection, engine, outbox, prune, records};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::record::Record;
use crate::domain::registration::Registration;
use crate::store::core::inbound::Inbound;
use crate::store::core::set::WorkingSet;
use crate::store::core::taking::{self, Took};
use crate::store::core::{inbox, owing, register, removal};
use crate::store::{
    Attempt, Delivery, Finding, OpenError, OwedPage, Pruned, Receipt, RegisterError, RegistrationReceipt, Removed,
    Settlement, StoreError, StoreOptions, TakeError, Taken, Wake,
};

/// The store. Everything that it returns is on disk.
#[derive(Debug)]
pub struct Store {
    pub(super) writer: Writer,
    pub(super) thread: JoinHandle<()>,
    pub(super) readers: Readers,
    pub(super) options: Arc<ArcSwap<StoreOptions>>,
    pub(super) wake: Wake,
    /// Recently met damage, by its text.
    pub(super) damage: Mutex<HashMap<String, Met>>,
    /// Damage that the last look over the rows found.
    pub(super) standing: Mutex<Standing>,
    /// Whether the start has searched the whole file for damage.
    pub(super) searched: bool,
}

impl Store {
    /// Opens the store, or makes it. `wake` is told of every record that Transform is owed a webhook for, as soon as
    /// that is on disk. It is told even if the caller with the change has hung up.
    ///
    /// # Errors
    /// Another relay has the store, a later version wrote it, it is damaged, or the file cannot be used.
    pub fn open(options: StoreOptions, wake: Wake) -> Result<Self, OpenError> {
        let Opened { connection, files, lock, path, searched } = connection::open(&options.path, options.must_exist)?;
        let (files, lock) = (Arc::new(files), Arc::new(lock));
        let beside = |error: String| OpenError::failed(&options.path, error);
        let checkpoints = engine::open(&path, Access::Write).map_err(|error| beside(error.to_string()))?;
        let checkpointer =
            Checkpointer::start(checkpoints, Arc::clone(&lock)).map_err(|error| beside(error.to_string()))?;
        let readers = Readers::new(path, Arc::clone(&files), Arc::clone(&lock));
        let (writer, thread) = Writer::start(connection, files, Some(lock), Some(checkpointer), options.max_waiting)
            .map_err(|error| beside(error.to_string()))?;
        let (options, damage, standing) =
            (Arc::new(ArcSwap::from_pointee(options)), Mutex::default(), Mutex::default());
        Ok(Self { writer, thread, readers, options, wake, damage, standing, searched })
    }

    /// The options in force. They can be replaced while the store runs, except the path and the length of the queue.
    pub fn options(&self) -> Arc<ArcSwap<StoreOptions>> {
        Arc::clone(&self.options)
    }

    /// Takes a verified notification: the notification and all its changes are on disk when this returns. `noted` is
    /// then called with the receipt, even if the caller has gone.
    ///
    /// # Errors
    /// Too many other contents of its dedupe key are kept, or the store cannot take it now; nothing was written.
    pub async fn take(
        &self,
        taken: Taken,
        noted: impl FnOnce(&Receipt) + Send + 'static,
    ) -> Result<Receipt, TakeError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let source = taken.source.clone();
        let taken = Inbound::of(taken);
        let decision = move |set: &WorkingSet| {
            Ok(match taking::take(set, &options, &taken)? {
                Took::In(receipt) => Ok(receipt),
                Took::PointsElsewhere(_) => Err(TakeError::PointsElsewhere),
                Took::OneTooMany(_) => {
                    Err(TakeError::TooManyContents { most: inbox::CONTENTS_MAX, bytes: inbox::FURTHER_BYTES_MAX })
                }
            })
        };
        let after = move |receipt: &Receipt| {
            wake.taken(&source, receipt);
            noted(receipt);
        };
        self.writer.decide(decision, after).await.inspect_err(|error| {
            if let TakeError::Store(error) = error {
                self.met(error);
            }
        })
    }

    /// Registers or amends a record, and applies the parked events that waited for it.
    ///
    /// # Errors
    /// The registration is refused, or the store cannot take it now; nothing was written.
    pub async fn register(
        &self,
        key: RecordKey,
        said: Registration,
        now: Moment,
    ) -> Result<RegistrationReceipt, RegisterError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let decision = move |set: &WorkingSet| {
            Ok(register::register(set, &options, &key, &said, now)?.map_err(RegisterError::from))
        };
        let after = move |receipt: &RegistrationReceipt| {
            wake.each(&receipt.owed);
            if let Some(led) = &receipt.led_elsewhere {
                led.log();
            }
            receipt.findings.iter().for_each(Finding::log);
        };
        self.writer.decide(decision, after).await.inspect_err(|error| {
            if let RegisterError::Store(error) = error {
                self.met(error);
            }
        })
    }

    /// Removes a record to which no event has been applied; none if there is no such record.
    ///
    /// # Errors
    /// The record has to stay, or the store cannot do it now; nothing was written.
    pub async fn remove(&self, key: RecordKey, now: Moment) -> Result<Option<Removed>, RegisterError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let decision =
            move |set: &WorkingSet| Ok(removal::remove(set, &options, &key, now)?.map_err(RegisterError::from));
        let after = move |removed: &Option<Removed>| {
            let Some(Removed { owed, led_elsewhere, findings }) = removed else { return };
            wake.each(owed);
            if let Some(led) = led_elsewhere {
                led.log();
            }
            findings.iter().for_each(Finding::log);
        };
        self.writer.decide(decision, after).await.inspect_err(|error| {
            if let RegisterError::Store(error) = error {
                self.met(error);
            }
        })
    }

    /// A record as it is on disk.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn record(&self, key: RecordKey) -> Result<Option<Record>, StoreError> {
        self.read_few(move |connection| {
            Ok(records::by_key(connection, &key)?.map(|stored| Arc::unwrap_or_clone(stored.record)))
        })
        .await
    }

    /// A record as it is on disk, and the agreement under which it runs, if that is registered.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn with_agreement(&self, key: RecordKey) -> Result<Option<(Record, Option<Record>)>, StoreError> {
        self.read_few(move |connection| {
            let Some(stored) = records::by_key(connection, &key)? else { return Ok(None) };
            let agreement = records::agreement_of(connection, &stored.record)?;
            Ok(Some((Arc::unwrap_or_clone(stored.record), agreement)))
        })
        .await
    }

    /// Brings back times of the outbox that no wait has made: a start of the relay begins with that. `longest_retry` is the
    /// longest wait after a failure. Returns the number of webhooks that Transform is owed.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn resume(&self, now: Moment, longest_retry: Duration) -> Result<usize, StoreError> {
        let longest_debounce = self.options.load_full().debounce.max_wait;
        let work = move |connection: &Connection| {
            let bounds = Bounds { now: now.steady, longest_debounce, longest_retry, slack: Duration::ZERO };
            outbox::clamp(connection, &bounds).map_err(unavailable)
        };
        said(self.writer.write(work, |_| ()).await?.len(), 0);
        let owed = self.read(outbox::count).await?;
        Ok(usize::try_from(owed).unwrap_or(usize::MAX))
    }

    /// A page of the webhooks that Transform is owed: those of the rows after this one.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn owed(&self, after: i64, most: u32) -> Result<OwedPage, StoreError> {
        let listed = self.read(move |connection| outbox::owed(connection, after, most)).await?;
        let (rows, last) = (listed.len(), listed.last);
        let owed = self.sound(listed).into_iter().flatten().collect();
        Ok(OwedPage { owed, rows, more: last.filter(|_| u32::try_from(rows) == Ok(most)) })
    }

    /// The delivery that an attempt for this record needs; none if nothing is owed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn delivery(&self, key: RecordKey) -> Result<Option<Delivery>, StoreError> {
        self.read_few(move |connection| outbox::delivery_of(connection, &key)).await
    }

    /// Settles an attempt. Returns when the next one for this record is due, if it is still owed one.
    ///
    /// # Errors
    /// The store cannot take it now; the record stays owed as it was.
    pub async fn settle(&self, attempt: Attempt, settlement: Settlement) -> Result<Option<Timestamp>, StoreError> {
        let options = self.options.load_full();
        let decision = move |set: &WorkingSet| {
            owing::settle(set, &options.debounce, &attempt, &settlement).map(Ok::<_, StoreError>)
        };
        self.writer.decide(decision, |_| ()).await.inspect_err(|error| self.met(error))
    }

    /// Runs one step of housekeeping, which deletes up to `most` rows of a kind.
    ///
    /// # Errors
    /// The store cannot take it now; nothing was written.
    pub async fn prune(&self, now: Moment, most: u32) -> Result<Pruned, StoreError> {
        let options = self.options.load_full();
        let work = move |connection: &Connection| prune::step(connection, &options, now, most).map_err(unavailable);
        let (pruned, damaged) = self.writer.write(work, |_| ()).await.inspect_err(|error| self.met(error))?;
        self.in_the_way(damaged);
        Ok(pruned)
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(query).await.inspect_err(|error| self.met(error))
    }

    async fn read_few<T: Send + 'static>(
        &self,
        query: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read_few(query).await.inspect_err(|error| self.met(error))
    }

    /// Writes all work that was accepted, and closes the file.
    pub fn close(self) {
        // The writer's connection is closed last: the last connection empties the WAL, and only one that may write can
        // do that.
        drop(self.readers);
        drop(self.writer);
        if self.thread.join().is_err() {
            tracing::error!("the store's writer thread has panicked; work that it had not committed is not written");
        }
    }
}
