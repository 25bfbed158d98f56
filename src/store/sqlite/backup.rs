//! A consistent copy of the store, also while a relay runs on it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::engine::{self, Access};
use super::unfinished::{self, Unfinished};
use super::whose::{self, Whose};
use super::{connection, journal, place};

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
    let unwritable = |reason: String| BackupError::Copy { path: copy.to_owned(), reason };
    let path = store.canonicalize().map_err(|error| unreadable(error.to_string()))?;
    place::check(&path).map_err(unreadable)?;
    journal::check_for_reading(&path).map_err(unreadable)?;
    if [store, path.as_path()].into_iter().any(|store| is_companion(copy, store)) {
        return Err(unwritable("a file of that name belongs to the store itself; give the copy another".to_owned()));
    }
    let (connection, access) = open(&path).map_err(unreadable)?;
    let unfinished = Unfinished::make(copy).map_err(|error| unwritable(error.to_string()))?;
    write(&connection, &unfinished.path).map_err(|error| unwritable(error.to_string()))?;
    if access == Access::AtRest && place::access(&path) != access {
        return Err(unreadable("a relay began to write it meanwhile; try again".to_owned()));
    }
    unfinished.finish(copy).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists(copy.to_owned()),
        _ => unwritable(error.to_string()),
    })
}

/// Where nothing can be made beside the store, as on a read-only mount, one that was stopped in order is read at rest.
fn open(store: &Path) -> Result<(Connection, Access), String> {
    let as_in_use = open_as(store, Access::Read);
    match as_in_use {
        Ok(connection) => Ok((connection, Access::Read)),
        Err(_) if place::access(store) == Access::AtRest => Ok((open_as(store, Access::AtRest)?, Access::AtRest)),
        Err(reason) => Err(reason),
    }
}

fn open_as(store: &Path, access: Access) -> Result<Connection, String> {
    let found = engine::open(store, access).and_then(|connection| Ok((whose::whose(&connection)?, connection)));
    match found {
        Ok((Whose::Ours(_), connection)) => Ok(connection),
        Ok(_) => Err(whose::NO_STORE.to_owned()),
        Err(error) => Err(match place::missing(store) {
            Some(missing) => format!("{error}; {} is missing and cannot be made", missing.display()),
            None => error.to_string(),
        }),
    }
}

/// Whether the copy would be found as a file that belongs to the store.
fn is_companion(copy: &Path, store: &Path) -> bool {
    let placed = |path: &Path| Some(unfinished::folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    placed(copy).zip(placed(store)).is_some_and(|(copy, store)| place::is_companion(&copy, &store))
}

fn write(connection: &Connection, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    connection.execute("VACUUM INTO ?1", [engine::uri(file)])?;
    let mut copied = engine::open(file, Access::AtRest)?;
    match connection::damage(&mut copied, None)? {
        Some(damage) => Err(format!("the copy is damaged, and so is the store: {damage}").into()),
        None => Ok(()),
    }
}
