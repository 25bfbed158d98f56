//! The store on SQLite: one file beside the relay.

mod columns;
mod commit;
mod connection;
#[cfg(test)]
mod faults;
mod inbox;
mod migrations;
mod outbox;
mod parked;
mod readers;
mod records;
mod writer;

use std::fs::File;
use std::thread::JoinHandle;

use jiff::Timestamp;
use rusqlite::Connection;

use self::readers::Readers;
use self::writer::{Writer, unavailable};
use super::{
    Delivery, OpenError, Owed, Receipt, RegisterError, RegistrationReceipt, Settlement, StoreError, StoreOptions,
    Taken, Wake,
};
use crate::domain::due::Debounce;
use crate::domain::ids::RecordKey;
use crate::domain::record::Record;
use crate::domain::registration::Registration;

/// The store. All that it answers is on disk.
#[derive(Debug)]
pub struct Store {
    writer: Writer,
    thread: JoinHandle<()>,
    readers: Readers,
    debounce: Debounce,
    wake: Wake,
    /// Held, not read: it keeps a second relay out.
    _lock: File,
}

impl Store {
    /// Opens the store, or makes it. `wake` hears of every record that is owed a webhook as soon as that is on disk, also
    /// if whoever brought the change has hung up.
    ///
    /// # Errors
    /// Another relay has it, a later one wrote it, or the file cannot be used.
    pub fn open(options: &StoreOptions, wake: Wake) -> Result<Self, OpenError> {
        let opened = connection::open(&options.path)?;
        let failed =
            |error: std::io::Error| OpenError::Failed { path: options.path.clone(), reason: error.to_string() };
        let (writer, thread) = Writer::start(opened.connection).map_err(failed)?;
        let readers = Readers::new(options.path.clone());
        Ok(Self { writer, thread, readers, debounce: options.debounce, wake, _lock: opened.lock })
    }

    /// Takes a verified notification: it and all that it changes are on disk when this returns.
    ///
    /// # Errors
    /// The store cannot take it now; nothing was written.
    pub async fn take(&self, taken: Taken) -> Result<Receipt, StoreError> {
        let (debounce, wake) = (self.debounce, self.wake.clone());
        let work = move |connection: &Connection| commit::take(connection, &debounce, &taken).map_err(unavailable);
        self.writer.write(work, move |receipt: &Receipt| wake.each(&receipt.owed)).await
    }

    /// Registers or amends a record, and applies the parked events that waited for it.
    ///
    /// # Errors
    /// The registration is refused, or the store cannot take it now; nothing was written.
    pub async fn register(
        &self,
        key: RecordKey,
        said: Registration,
        now: Timestamp,
    ) -> Result<RegistrationReceipt, RegisterError> {
        let (debounce, wake) = (self.debounce, self.wake.clone());
        let work = move |connection: &Connection| {
            commit::register(connection, &debounce, &key, &said, now).map_err(unavailable)?.map_err(Into::into)
        };
        self.writer.write(work, move |receipt: &RegistrationReceipt| wake.each(&receipt.owed)).await
    }

    /// A record as it is on disk.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn record(&self, key: RecordKey) -> Result<Option<Record>, StoreError> {
        self.readers.read(move |connection| Ok(records::by_key(connection, &key)?.map(|stored| stored.record))).await
    }

    /// All that Transform is owed, by due time: what a restart begins with.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn owed(&self) -> Result<Vec<Owed>, StoreError> {
        self.readers.read(outbox::owed).await
    }

    /// What an attempt for this record needs; none if nothing is owed.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn delivery(&self, key: RecordKey) -> Result<Option<Delivery>, StoreError> {
        self.readers.read(move |connection| outbox::delivery(connection, &key)).await
    }

    /// Settles an attempt that told `version` and began at `began`. Says when the next one for this record is due,
    /// if it is still owed one.
    ///
    /// # Errors
    /// The store cannot take it now; the record stays owed as it was.
    pub async fn settle(
        &self,
        key: RecordKey,
        version: u64,
        began: Timestamp,
        settlement: Settlement,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let debounce = self.debounce;
        let work = move |connection: &Connection| {
            outbox::settle(connection, &debounce, &key, version, began, &settlement, now).map_err(unavailable)
        };
        self.writer.write(work, |_| ()).await
    }

    /// Writes something and waits until it is on disk.
    ///
    /// # Errors
    /// Why the store cannot write now.
    pub async fn probe(&self, now: Timestamp) -> Result<(), StoreError> {
        let at = columns::micros(now);
        let work = move |connection: &Connection| {
            connection.execute("UPDATE probe SET at = ?1", [at]).map(drop).map_err(unavailable)
        };
        self.writer.write(work, |()| ()).await
    }

    /// Writes what was accepted and closes the file.
    pub fn close(self) {
        // The writer's connection is the last one to go: only a connection that may write empties the WAL.
        drop(self.readers);
        drop(self.writer);
        if self.thread.join().is_err() {
            tracing::error!("the store's writer had panicked");
        }
    }
}
