//! A consistent copy of the store, also while a relay runs on it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OpenFlags};

use super::unfinished::{self, Unfinished};
use super::{connection, place};

/// Whether a backup has been cancelled, by whoever has a clone.
#[derive(Debug, Clone, Default)]
pub struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    /// Cancels it: it ends soon, and leaves nothing.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Has the engine look now and then whether it is to go on with what this connection does.
    fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let cancelled = self.clone();
        connection.progress_handler(LOOK_STEPS, Some(move || cancelled.is()))
    }
}

/// How many steps of the engine between two looks whether the backup has been cancelled.
const LOOK_STEPS: i32 = 1000;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It was cancelled.
    #[error("cancelled: there is no {0}, and nothing is left of the unfinished copy")]
    Cancelled(PathBuf),
    /// There is something at the place of the copy.
    #[error("{0} is there already")]
    Exists(PathBuf),
    /// The store cannot be read.
    #[error("cannot read the store {path}: {reason}")]
    Store {
        /// The store.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The copy cannot be written, or is not sound.
    #[error("cannot write {path}: {reason}")]
    Copy {
        /// The copy.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Copies the store into a file of its own: one read transaction, so it is the state of one moment. Whoever finds the
/// file under its name finds the whole of it, on disk and checked. What killed backups
/// left in its folder is removed.
///
/// # Errors
/// There is a file of that name, the store cannot be read, the copy cannot be written, or it was cancelled. No half copy
/// stays behind.
pub fn backup(store: &Path, copy: &Path, cancelled: &Cancelled) -> Result<(), BackupError> {
    make(store, copy, cancelled).map_err(|error| match error {
        BackupError::Store { .. } | BackupError::Copy { .. } if cancelled.is() => {
            BackupError::Cancelled(copy.to_owned())
        }
        other => other,
    })
}

fn make(store: &Path, copy: &Path, cancelled: &Cancelled) -> Result<(), BackupError> {
    unfinished::remove_in(&unfinished::folder_of(copy));
    if copy.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(copy.to_owned()));
    }
    let unreadable = |reason: String| BackupError::Store { path: store.to_owned(), reason };
    let path = store.canonicalize().map_err(|error| unreadable(error.to_string()))?;
    place::check(&path).map_err(unreadable)?;
    let mut connection = open(&path).map_err(|error| unreadable(error.to_string()))?;
    let unwritable = |reason: String| BackupError::Copy { path: copy.to_owned(), reason };
    let unfinished = Unfinished::make(copy).map_err(|error| unwritable(error.to_string()))?;
    write(&mut connection, &unfinished.path, cancelled).map_err(|error| unwritable(error.to_string()))?;
    unfinished.finish(copy).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists(copy.to_owned()),
        _ => unwritable(error.to_string()),
    })
}

fn open(store: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection::wait_for_locks(&connection)?;
    Ok(connection)
}

fn write(connection: &mut Connection, file: &Path, cancelled: &Cancelled) -> Result<(), Box<dyn std::error::Error>> {
    cancelled.watch(connection)?;
    connection.execute("VACUUM INTO ?1", [file.to_str().ok_or("its name is not UTF-8")?])?;
    let mut copied = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    cancelled.watch(&mut copied)?;
    match connection::damage(&mut copied, None)? {
        _ if cancelled.is() => Err("cancelled".into()),
        Some(damage) => Err(format!("the copy is damaged, and so is the store: {damage}").into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whenever it is cancelled: before, or while it is written.
    #[test]
    fn what_is_cancelled_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, copy) = (folder.path().join("relay.db"), folder.path().join("copy.db"));
        let mut connection = Connection::open(&store).unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let rows = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
             INSERT INTO records SELECT n, 'tx-' || n, 2, NULL, '{}' FROM n";
        connection.execute_batch(rows).unwrap();
        drop(connection);
        let before = Cancelled::default();
        before.cancel();
        let ended = backup(&store, &copy, &before);
        assert!(matches!(ended, Err(BackupError::Cancelled(_))), "{ended:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        backup(&store, &copy, &Cancelled::default()).unwrap();
        assert!(copy.exists());
    }
}
