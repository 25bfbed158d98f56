//! Read-only connections: reads see committed rows and never wait for the writer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::Semaphore;

use super::engine::{self, Access, wait_for_locks};
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

    /// The path of the database file, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the WAL that are in use.
    pub(super) fn wal_in_use(&self) -> u64 {
        self.lock.wal_length()
    }

    /// Runs a read of a few rows on the thread that asks: it is over before another thread would have begun. A read that has to wait
    /// for a lock, a connection or its turn is run as [`Self::read`] does.
    pub(super) async fn read_few<T: Send + 'static>(
        &self,
        query: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.read_here(&query) {
            Some(found) => found,
            None => self.read(query).await,
        }
    }

    fn read_here<T>(&self, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Option<Result<T, StoreError>> {
        let _permit = self.permits.try_acquire().ok()?;
        let connection = self.idle()?;
        let found = self.run(connection, |connection| {
            connection.busy_timeout(Duration::ZERO)?;
            let found = query(connection);
            wait_for_locks(connection)?;
            found
        });
        match found {
            Ok(Err(error)) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => None,
            Ok(found) => Some(found.map_err(unavailable)),
            Err(error) => Some(Err(error)),
        }
    }

    /// Runs a read on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = |_| StoreError::Unavailable("the readers have stopped".into());
        let permit = self.permits.clone().acquire_owned().await.map_err(gone)?;
        let readers = self.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let connection = match readers.idle() {
                Some(connection) => connection,
                None => {
                    readers.check()?;
                    engine::open(&readers.path, Access::Read).map_err(unavailable)?
                }
            };
            readers.run(connection, query)?.map_err(unavailable)
        });
        read.await.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    /// A connection that nobody uses now, if there is one.
    fn idle(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Runs a read on a connection, which is idle again then. The result counts only if the path still leads to the file that was
    /// opened: another file there may have newer rows. The connection is dropped if its file was replaced.
    fn run<T>(
        &self,
        connection: Connection,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<rusqlite::Result<T>, StoreError> {
        let found = query(&connection);
        self.check()?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(found)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.files.check().and_then(|()| self.lock.check())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread::{self, ThreadId};

    use rusqlite::ffi;

    use super::super::connection;
    use super::super::connection::Opened;
    use super::*;

    /// The thread of a read, and its wait for locks in milliseconds.
    fn how(connection: &Connection) -> rusqlite::Result<(ThreadId, i64)> {
        Ok((thread::current().id(), connection.pragma_query_value(None, "busy_timeout", |row| row.get(0))?))
    }

    #[tokio::test]
    async fn a_read_of_few_rows_runs_where_it_is_asked_for_unless_it_would_wait() {
        let folder = tempfile::tempdir().unwrap();
        let Opened { files, lock, path, connection: _writer, .. } =
            connection::open(&folder.path().join("relay.db"), false).unwrap();
        let readers = Readers::new(path, Arc::new(files), Arc::new(lock));
        let here = thread::current().id();
        let (opens, usual) = readers.read_few(how).await.unwrap();
        assert!(opens != here && usual > 1_000, "the first one opens a connection");
        assert_eq!(readers.read_few(how).await, Ok((here, 0)));
        let calls = AtomicU32::new(0);
        let locked_once = move |connection: &Connection| match calls.fetch_add(1, Ordering::Relaxed) {
            0 => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
            _ => how(connection),
        };
        let (waits, usual_again) = readers.read_few(locked_once).await.unwrap();
        assert!(waits != here && usual_again == usual, "it waits elsewhere, as long as usual");
        let _all = readers.permits.clone().acquire_many_owned(4).await.unwrap();
        assert!(readers.read_here(how).is_none(), "others have their turn");
    }
}
