//! One relay per file, whatever names lead to it.
//!
//! The lock is on the database file itself (flock), on one descriptor that outlives every connection of SQLite's in this
//! process. SQLite's own locks on the file (fcntl) are the process's: they would be gone as soon as the process closed any
//! other descriptor of the file. So nothing else in this process may open it by itself while the store is open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::place;
use crate::store::{OpenError, StoreError};

/// Keeps other relays out for as long as it is held. It goes with the process, even a killed one.
#[derive(Debug)]
pub(super) struct Lock {
    database: File,
    /// A relay of an earlier version locks only this.
    _beside: File,
}

/// Where a database says how it is written, and what it says if that is by a WAL.
const WRITE_VERSION_AT: u64 = 18;
const WAL_VERSION: [u8; 2] = [2, 2];

impl Lock {
    /// Checks that the file has not been written over by a copy: a backup is the one kind of database without a WAL.
    ///
    /// # Errors
    /// It has; what would be written now would be in a WAL that is not the file's.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.writes_a_wal() {
            Ok(Some(true)) => Ok(()),
            Ok(_) => Err(StoreError::Unavailable(
                "the store was written over while the relay runs; stop the relay, remove the files beside the store that \
                 end in -wal and -shm, put the copy in its place once more, and start the relay"
                    .to_owned(),
            )),
            Err(error) => Err(StoreError::Unavailable(format!("the store cannot be read: {error}"))),
        }
    }

    /// Whether the database is one that is written by a WAL, as a relay's is and a backup is not; none if it is empty.
    pub(super) fn writes_a_wal(&self) -> std::io::Result<Option<bool>> {
        writes_a_wal(&self.database)
    }
}

fn writes_a_wal(database: &File) -> std::io::Result<Option<bool>> {
    let mut versions = [0; 2];
    match database.read_exact_at(&mut versions, WRITE_VERSION_AT) {
        Ok(()) => Ok(Some(versions == WAL_VERSION)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a file is a backup of which no relay has made a store yet: a database without a WAL. Not to be asked of a file
/// that this process may have open.
pub(super) fn is_backup(path: &Path) -> bool {
    File::open(path).and_then(|file| writes_a_wal(&file)).is_ok_and(|found| found == Some(false))
}

/// A database file that no other relay has.
pub(super) struct Locked {
    pub(super) lock: Lock,
    /// The file without the links that led to it.
    pub(super) path: PathBuf,
}

/// Takes the file, or makes it.
///
/// # Errors
/// Another relay has it, it cannot be used at this place, or it must be there and is not.
pub(super) fn take(path: &Path, must_exist: bool) -> Result<Locked, OpenError> {
    let failed = |error: std::io::Error| OpenError::failed(path, error);
    if must_exist
        && std::fs::metadata(path).map_or_else(|error| error.kind() == ErrorKind::NotFound, |it| it.len() == 0)
    {
        return Err(OpenError::Missing(path.to_owned()));
    }
    make(path).map_err(failed)?;
    let path = path.canonicalize().map_err(failed)?;
    // The one beside it first: where this very process has the store open, the database must not be touched.
    let beside = take_beside(&path)?;
    let database = options().open(&path).map_err(failed)?;
    match database.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path)),
        Err(TryLockError::Error(error)) => return Err(OpenError::failed(&path, error)),
    }
    let opened = database.metadata().map(|file| place::identity_of(&file)).map_err(failed)?;
    if place::identity(&path).map_err(failed)? != opened {
        return Err(OpenError::failed(&path, "it was replaced just now"));
    }
    place::check(&path).map_err(|reason| OpenError::Place { path: path.clone(), reason })?;
    Ok(Locked { lock: Lock { database, _beside: beside }, path })
}

fn options() -> OpenOptions {
    let mut options = File::options();
    options.read(true).append(true);
    options
}

/// The file holds payer data: a new one is the operator's alone. SQLite gives its companions the same permissions.
fn make(path: &Path) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => options().create(true).mode(0o600).open(path).map(drop),
        found => found.map(drop),
    }
}

fn take_beside(path: &Path) -> Result<File, OpenError> {
    let beside = place::beside(path, ".lock");
    // Whatever is there is not emptied: it may be a link to something else.
    let opened = File::options().create(true).truncate(false).write(true).open(&beside);
    let file = opened.map_err(|error| OpenError::failed(&beside, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::failed(&beside, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is made where something must be.
    #[test]
    fn what_must_exist_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relay.db");
        assert!(matches!(take(&file, true), Err(OpenError::Missing(_))));
        assert!(!file.exists());
        std::fs::write(&file, "").unwrap();
        assert!(matches!(take(&file, true), Err(OpenError::Missing(_))), "an empty file is no store");
        drop(take(&file, false).unwrap());
        std::fs::write(&file, "something").unwrap();
        drop(take(&file, true).unwrap());
    }

    #[test]
    fn a_file_is_taken_once_under_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, moved) =
            (folder.path().join("relay.db"), folder.path().join("link.db"), folder.path().join("moved.db"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let taken = take(&link, false).unwrap();
        assert_eq!(taken.path, file.canonicalize().unwrap());
        assert!(matches!(take(&file, false), Err(OpenError::InUse(_))));
        // The lock beside it is gone, or the file has another name: it is still the same file.
        std::fs::remove_file(folder.path().join("relay.db.lock")).unwrap();
        assert!(matches!(take(&file, false), Err(OpenError::InUse(_))));
        std::fs::rename(&file, &moved).unwrap();
        assert!(matches!(take(&moved, false), Err(OpenError::InUse(_))));
        drop(taken);
        drop(take(&moved, false).unwrap());
    }
}
