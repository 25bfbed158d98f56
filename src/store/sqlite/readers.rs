//! Read-only connections: fetches see what is committed and never wait for the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::lock::Lock;
use super::writer::unavailable;
use crate::store::StoreError;

/// How many reads run at once.
const READERS_MAX: usize = 4;

/// A pool of connections; they are opened as they are needed and kept.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    /// Held until the connections have gone.
    _lock: Arc<Lock>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, lock: Arc<Lock>) -> Self {
        Self { path, idle: Arc::default(), permits: Arc::new(Semaphore::new(READERS_MAX)), _lock: lock }
    }

    /// Runs a read on a thread where it may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = |_| StoreError::Unavailable("the readers have stopped".into());
        let permit = self.permits.clone().acquire_owned().await.map_err(gone)?;
        let readers = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match idle {
                Some(connection) => connection,
                None => readers.open()?,
            };
            let found = query(&connection);
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            found
        });
        read.await.map_err(|error| StoreError::Unavailable(error.to_string()))?.map_err(unavailable)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection)
    }
}
