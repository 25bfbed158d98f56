//! Opening the database: one relay at a time, a schema that is known, settings that keep promises.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::migrations;
use crate::store::OpenError;

/// The write connection, and the lock that keeps a second relay out for as long as it is held.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: File,
}

pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    private(path).map_err(failed(path))?;
    // One file has one lock, whatever links lead to it.
    let path = &path.canonicalize().map_err(failed(path))?;
    let lock = lock(path)?;
    let mut connection = Connection::open(path).map_err(failed(path))?;
    prepare(&connection).map_err(failed(path))?;
    let found = migrations::version(&connection).map_err(failed(path))?;
    if found > migrations::VERSION {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known: migrations::VERSION });
    }
    migrations::migrate(&mut connection).map_err(failed(path))?;
    Ok(Opened { connection, lock })
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

/// synchronous=FULL: a commit is on disk when it returns, also in WAL mode.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn failed<E: ToString>(path: &Path) -> impl Fn(E) -> OpenError {
    move |error| OpenError::Failed { path: path.to_owned(), reason: error.to_string() }
}
