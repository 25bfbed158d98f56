//! The lock of a store: one relay for each database file, whatever names lead to the file.
//!
//! The lock is on the database file itself (flock). One descriptor holds it and outlives every connection of SQLite's
//! in this process. SQLite's own locks on the file (fcntl) belong to the process: they are gone as soon as the process
//! closes any other descriptor of the file. So nothing else in this process may open the file without SQLite while the
//! store is open.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::wal_end::WalEnd;
use super::{files, journal};
use crate::store::{OpenError, StoreError};

/// The lock. It keeps other relays out for as long as it is held, and ends with the process, even if that is killed.
#[derive(Debug)]
pub(super) struct Lock {
    database: File,
    /// The end of the WAL; none before SQLite has made a WAL.
    wal: Option<WalEnd>,
    /// The lock file beside the database, which is locked too: a relay of an earlier version locks only this file.
    _beside: File,
}

/// The place in a database's header for its way of writing, and the value there if that is a WAL.
const WRITE_VERSION_AT: u64 = 18;
const WAL_VERSION: [u8; 2] = [2, 2];

impl Lock {
    /// Checks that the file has not been overwritten by a copy. A backup is recognised, since its header names no WAL.
    ///
    /// # Errors
    /// The file was overwritten. Its WAL belongs to the former file, and so would anything that is written now.
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

    /// Checks that a rollback journal beside the database is its own. Returns whether there is one.
    ///
    /// # Errors
    /// It is not its own. The error names the remedy.
    pub(super) fn check_journal(&self, database: &Path) -> Result<bool, OpenError> {
        journal::check(database, &self.database)
    }

    /// Watches the end of the WAL from now on.
    ///
    /// # Errors
    /// There is no WAL, or it cannot be read.
    pub(super) fn watch_wal(&mut self, database: &Path) -> std::io::Result<()> {
        self.wal = Some(WalEnd::open(database)?);
        Ok(())
    }

    /// Checks that the WAL still ends with the last commit. The caller must hold the right to write.
    ///
    /// # Errors
    /// The WAL does not end with the last commit. Anything written now would be behind a hole, where a start would not
    /// find it.
    pub(super) fn check_wal(&self) -> Result<(), StoreError> {
        self.wal.as_ref().map_or(Ok(()), WalEnd::check)
    }

    /// Brings what was written to the database file to the disk.
    ///
    /// # Errors
    /// The disk did not take it.
    pub(super) fn sync_database(&self) -> std::io::Result<()> {
        self.database.sync_data()
    }

    /// The bytes of the WAL that are in use.
    pub(super) fn wal_length(&self) -> u64 {
        self.wal.as_ref().and_then(|wal| wal.length().ok()).unwrap_or(0)
    }

    /// Whether the database is written by a WAL, as a store is and a backup is not; none if the file is empty.
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

/// Whether a file is a backup that no relay has made into a store yet: a database without a WAL. It must not be called
/// for a file that this process may have open.
pub(super) fn is_backup(path: &Path) -> bool {
    File::open(path).and_then(|file| writes_a_wal(&file)).is_ok_and(|found| found == Some(false))
}

/// A database file that this relay has locked.
pub(super) struct Locked {
    pub(super) lock: Lock,
    /// The path of the file, without links.
    pub(super) path: PathBuf,
}

/// Locks the file, and makes it if it is not there.
///
/// # Errors
/// Another relay has the file, the file cannot be used at this path, or it must exist and does not.
pub(super) fn take(path: &Path, must_exist: bool) -> Result<Locked, OpenError> {
    let failed = |error: std::io::Error| OpenError::failed(path, error);
    if must_exist
        && std::fs::metadata(path).map_or_else(|error| error.kind() == ErrorKind::NotFound, |it| it.len() == 0)
    {
        return Err(OpenError::Missing(path.to_owned()));
    }
    make(path).map_err(failed)?;
    let path = path.canonicalize().map_err(failed)?;
    // The lock file beside the database comes first: if this process itself has the store open, it must not open the
    // database once more.
    let beside = take_beside(&path)?;
    let database = options().open(&path).map_err(failed)?;
    match database.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path)),
        Err(TryLockError::Error(error)) => return Err(OpenError::failed(&path, error)),
    }
    let opened = database.metadata().map(|file| files::identity_of(&file)).map_err(failed)?;
    if files::identity(&path).map_err(failed)? != opened {
        return Err(OpenError::failed(&path, "it was replaced just now"));
    }
    files::check(&path).map_err(|reason| OpenError::Place { path: path.clone(), reason })?;
    Ok(Locked { lock: Lock { database, wal: None, _beside: beside }, path })
}

fn options() -> OpenOptions {
    let mut options = File::options();
    options.read(true).append(true);
    options
}

/// Makes the file if it is not there. Only the operator may read a new file, since it holds payer data. SQLite gives
/// the files beside it the same permissions.
fn make(path: &Path) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => options().create(true).mode(0o600).open(path).map(drop),
        found => found.map(drop),
    }
}

/// Locks the file beside the database. Nobody else may open that file: any user who can open it could lock it, and keep
/// every relay out.
fn take_beside(path: &Path) -> Result<File, OpenError> {
    let beside = files::beside(path, BESIDE);
    // An existing file is not emptied: it may be a link to another file.
    let opened = File::options().create(true).truncate(false).write(true).mode(LOCK_MODE).open(&beside);
    let file = opened.map_err(|error| OpenError::failed(&beside, error))?;
    outlast_looks(&file, path, &beside)?;
    tighten(&file, &beside);
    Ok(file)
}

/// Takes the lock of the lock file. A command may be looking at it just now; a start tries for longer than such a look
/// takes.
fn outlast_looks(file: &File, path: &Path, beside: &Path) -> Result<(), OpenError> {
    for _ in 0..LOOKS_OUTLASTED {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_TAKES),
            Err(TryLockError::Error(error)) => return Err(OpenError::failed(beside, error)),
        }
    }
    Err(OpenError::InUse(path.to_owned()))
}

const LOCK_MODE: u32 = 0o600;

/// Lets only the operator open the lock file: earlier versions made one that everybody could open. A file that is not
/// plain, or has other names, is left as it is.
fn tighten(file: &File, path: &Path) {
    let is_plain = path.symlink_metadata().is_ok_and(|found| found.is_file() && found.nlink() == 1);
    let is_open = file.metadata().is_ok_and(|file| file.permissions().mode() & 0o777 != LOCK_MODE);
    if is_plain
        && is_open
        && let Err(error) = file.set_permissions(Permissions::from_mode(LOCK_MODE))
    {
        tracing::warn!(path = %path.display(), %error, "other users may open this lock file, and lock out every relay; let its owner change its mode to 0600");
    }
}

/// The ending of the lock file beside the database.
const BESIDE: &str = ".lock";
/// A command that looks whether a relay has the store must not keep a relay from starting. A start outlasts this number
/// of looks of this length.
const LOOKS_OUTLASTED: u32 = 50;
const LOOK_TAKES: Duration = Duration::from_millis(10);

/// Whether a relay has this store (a path without links). A relay has it from the beginning of its start to its end.
///
/// # Errors
/// The lock file cannot be opened or tried.
pub fn is_taken(path: &Path) -> std::io::Result<bool> {
    let beside = match File::open(files::beside(path, BESIDE)) {
        Ok(beside) => beside,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match beside.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is made where a store must exist.
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
    fn a_store_is_taken_from_the_first_to_the_last_and_a_look_keeps_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("relay.db");
        assert!(!is_taken(&file).unwrap(), "no relay was ever there");
        let taken = take(&file, false).unwrap();
        assert!(is_taken(&file).unwrap());
        drop(taken);
        assert!(!is_taken(&file).unwrap());
        let look = File::open(files::beside(&file, BESIDE)).unwrap();
        look.try_lock_shared().unwrap();
        let looking = std::thread::spawn(move || {
            std::thread::sleep(LOOK_TAKES);
            drop(look);
        });
        drop(take(&file, false).unwrap());
        looking.join().unwrap();
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
        // Without the lock file, or under another name, it is still the same database.
        std::fs::remove_file(folder.path().join("relay.db.lock")).unwrap();
        assert!(matches!(take(&file, false), Err(OpenError::InUse(_))));
        std::fs::rename(&file, &moved).unwrap();
        assert!(matches!(take(&moved, false), Err(OpenError::InUse(_))));
        drop(taken);
        drop(take(&moved, false).unwrap());
    }
}
