//! Opening the database: one relay at a time, a schema that is known, settings that keep promises.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::time::Instant;

use super::migrations;
use crate::store::{OpenError, StoreError};

/// The write connection, and the lock that keeps a second relay out for as long as it is held.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: File,
    pub(super) place: Place,
}

/// Where the file is, and which one it was when it was opened. SQLite would go on writing into one that has been removed,
/// and nothing of that would be there after a restart.
pub(super) struct Place(Vec<(PathBuf, FileId)>);

/// Device and number on it.
type FileId = (u64, u64);

impl Place {
    /// The database and, if there is one by now, the WAL, which has what is not in the database yet.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let mut files = vec![(path.to_owned(), identity(path)?)];
        let wal = PathBuf::from(format!("{}-wal", path.display()));
        if wal.exists() {
            let identity = identity(&wal)?;
            files.push((wal, identity));
        }
        Ok(Self(files))
    }

    /// Checks that the file is still there.
    ///
    /// # Errors
    /// It was removed, or another is in its place.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.0.iter().try_for_each(|(path, opened)| {
            let name = path.display();
            match identity(path) {
                Ok(file) if file == *opened => Ok(()),
                Ok(_) => Err(StoreError::Unavailable(format!("{name} was replaced; restart the relay"))),
                Err(error) => Err(StoreError::Unavailable(format!("{name} is gone: {error}"))),
            }
        })
    }
}

fn identity(path: &Path) -> std::io::Result<FileId> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    private(path).map_err(failed(path))?;
    // One file has one lock, whatever links lead to it.
    let path = &path.canonicalize().map_err(failed(path))?;
    let lock = lock(path)?;
    let mut connection = Connection::open(path).map_err(failed(path))?;
    prepare(&connection).map_err(failed(path))?;
    if let Some(reason) = damage(&mut connection, Some(CHECK_TIMEOUT)).map_err(failed(path))? {
        return Err(OpenError::Damaged { path: path.to_owned(), reason });
    }
    let found = migrations::version(&connection).map_err(failed(path))?;
    if found > migrations::VERSION {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known: migrations::VERSION });
    }
    migrations::migrate(&mut connection).map_err(failed(path))?;
    give_back_pages(&connection).map_err(failed(path))?;
    let place = Place::of(path).map_err(failed(path))?;
    Ok(Opened { connection, lock, place })
}

/// SQLite would let two relays write in turns, and both would tell Transform. The lock goes with the process, even
/// a killed one.
fn lock(path: &Path) -> Result<File, OpenError> {
    let beside = PathBuf::from(format!("{}.lock", path.display()));
    let file = File::create(&beside).map_err(failed(&beside))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(&beside)(error)),
    }
}

/// The file holds payer data: a new one is the operator's alone. SQLite gives its companions the same permissions.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().create(true).append(true).mode(0o600).open(path).map(drop)
}

/// How long another process's lock on the database is waited for.
pub(super) fn wait_for_locks(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(LOCK_TIMEOUT)
}

const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long looking for damage may take at the start; a large file is not looked at whole.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// How many steps of the engine between two looks at the time.
const CHECK_STEPS: i32 = 10_000;

/// The first thing that is wrong with the database itself, as far as can be seen in this time, if it is limited.
pub(super) fn damage(connection: &mut Connection, timeout: Option<Duration>) -> rusqlite::Result<Option<String>> {
    if let Some(timeout) = timeout {
        let began = Instant::now();
        connection.progress_handler(CHECK_STEPS, Some(move || began.elapsed() > timeout))?;
    }
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Ok(sound) if sound == "ok" => Ok(None),
        Ok(damage) => Ok(Some(damage)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                tracing::info!("the store is too large to be looked at whole; no damage was seen so far");
                Ok(None)
            }
            Some(ErrorCode::DatabaseCorrupt) => Ok(Some(error.to_string())),
            _ => Err(error),
        },
    }
}

/// A file that was made without the book-keeping for it cannot give back pages: it is written anew once.
fn give_back_pages(connection: &Connection) -> rusqlite::Result<()> {
    let mode: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if mode != AUTO_VACUUM_INCREMENTAL {
        connection.pragma_update(None, "auto_vacuum", AUTO_VACUUM_INCREMENTAL)?;
        if let Err(error) = connection.execute_batch("VACUUM") {
            tracing::warn!(%error, "the store cannot be written anew; it gives no pages back");
        }
    }
    Ok(())
}

const AUTO_VACUUM_INCREMENTAL: i64 = 2;

/// synchronous=FULL: a commit is on disk when it returns, also in WAL mode.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    wait_for_locks(connection)?;
    // Takes effect in a new file only, and there only before anything is written.
    connection.pragma_update(None, "auto_vacuum", AUTO_VACUUM_INCREMENTAL)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn failed<E: ToString>(path: &Path) -> impl Fn(E) -> OpenError {
    move |error| OpenError::Failed { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No test can pull the plug; these are the settings that SQLite's own tests pull it on.
    #[test]
    fn a_commit_is_on_disk_when_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(&folder.path().join("relay.db")).unwrap();
        let setting = |name| {
            opened
                .connection
                .pragma_query_value(None, name, |row| {
                    row.get::<_, String>(0).or_else(|_| row.get::<_, i64>(0).map(|n| n.to_string()))
                })
                .unwrap()
        };
        assert_eq!((setting("journal_mode"), setting("synchronous")), ("wal".to_owned(), "2".to_owned()));
    }
}
