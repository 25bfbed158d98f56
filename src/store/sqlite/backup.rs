//! A consistent copy of the store, also while a relay runs on it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::unfinished::{self, Unfinished};
use super::{connection, place};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
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
/// There is a file of that name, the store cannot be read or the copy cannot be written. No half copy stays behind.
pub fn backup(store: &Path, copy: &Path) -> Result<(), BackupError> {
    unfinished::remove_in(&unfinished::folder_of(copy));
    if copy.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(copy.to_owned()));
    }
    let unreadable = |reason: String| BackupError::Store { path: store.to_owned(), reason };
    let path = store.canonicalize().map_err(|error| unreadable(error.to_string()))?;
    place::check(&path).map_err(unreadable)?;
    let connection = open(&path).map_err(|error| unreadable(error.to_string()))?;
    let unwritable = |reason: String| BackupError::Copy { path: copy.to_owned(), reason };
    let unfinished = Unfinished::make(copy).map_err(|error| unwritable(error.to_string()))?;
    write(&connection, &unfinished.path).map_err(|error| unwritable(error.to_string()))?;
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

fn write(connection: &Connection, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    connection.execute("VACUUM INTO ?1", [file.to_str().ok_or("its name is not UTF-8")?])?;
    let mut copied = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match connection::damage(&mut copied, None)? {
        Some(damage) => Err(format!("the copy is damaged, and so is the store: {damage}").into()),
        None => Ok(()),
    }
}
