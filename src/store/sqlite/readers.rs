//! Read-only connections: reads see committed rows and never wait for the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::engine::{self, Access};
use super::files::Files;
use super::lock::Lock;
use super::writer::unavailable;
use crate::store::StoreError;

/// How many reads run at once.
const READERS_MAX: usize = 4;

/// A pool of connections. A connection is opened when it is needed, and is kept.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    files: Arc<Files>,
    /// The lock, held until the connections are closed.
    lock: Arc<Lock>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, files: Arc<Files>, lock: Arc<Lock>) -> Self {
        Self { path, idle: Arc::default(), permits: Arc::new(Semaphore::new(READERS_MAX)), files, lock }
    }

    /// Runs a read on a thread that may block. The result counts only if the path still leads to the file that was
    /// opened: another file there may have newer rows.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = |_| StoreError::Unavailable("the readers have stopped".into());
        let permit = self.permits.clone().acquire_owned().await.map_err(gone)?;
        let readers = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            readers.check()?;
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match idle {
                Some(connection) => connection,
                None => engine::open(&readers.path, Access::Read).map_err(unavailable)?,
            };
            let found = query(&connection);
            // The connection is dropped if its file was replaced.
            readers.check()?;
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            found.map_err(unavailable)
        });
        read.await.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    fn check(&self) -> Result<(), StoreError> {
        self.files.check().and_then(|()| self.lock.check())
    }
}
