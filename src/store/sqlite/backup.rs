//! Backup: a consistent copy of the store, also while a relay runs on it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::engine::{self, Access};
use super::search::{self, Searched};
use super::unfinished::{self, Unfinished};
use super::whose::{self, Whose};
use super::{files, journal};

/// The mark that cancels a backup. Any clone can set it.
#[derive(Debug, Clone, Default)]
pub struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    /// Cancels the backup: it ends soon, and leaves nothing.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The question whether the backup is cancelled.
    fn asked(&self) -> impl Fn() -> bool + Send + 'static {
        let cancelled = self.clone();
        move || cancelled.is()
    }

    /// Has the engine check at intervals whether the backup is cancelled; if so, this connection's work breaks off.
    fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        connection.progress_handler(LOOK_STEPS, Some(self.asked()))
    }
}

/// Steps of the engine between two checks for a cancelled backup.
const LOOK_STEPS: i32 = 1000;

/// The reason why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It was cancelled.
    #[error("cancelled: there is no {0}, and nothing is left of the unfinished copy")]
    Cancelled(PathBuf),
    /// A file with the copy's name exists.
    #[error("{0} is there already, and is left as it is: name a new file")]
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

/// Copies the store into a file of its own. One read transaction makes it the state of one moment. The file gets its name
/// only when it is whole, on disk and checked. Leftovers of killed backups in its folder are removed.
///
/// # Errors
/// A file of that name exists, the store cannot be read, the copy cannot be written, or the backup was cancelled. No
/// unfinished copy stays behind.
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
    let unwritable = |reason: String| BackupError::Copy { path: copy.to_owned(), reason };
    let path = store.canonicalize().map_err(|error| unreadable(error.to_string()))?;
    files::check(&path).map_err(unreadable)?;
    journal::check_for_reading(&path).map_err(unreadable)?;
    if [store, path.as_path()].into_iter().any(|store| is_companion(copy, store)) {
        return Err(unwritable("a file of that name belongs to the store itself; give the copy another".to_owned()));
    }
    let (mut connection, access) = open(&path).map_err(unreadable)?;
    let unfinished = Unfinished::make(copy).map_err(|error| unwritable(error.to_string()))?;
    write(&mut connection, &unfinished.path, cancelled).map_err(|error| unwritable(error.to_string()))?;
    if access == Access::AtRest && files::access(&path) != access {
        return Err(unreadable("a relay began to write it meanwhile; try again".to_owned()));
    }
    unfinished.finish(copy).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => BackupError::Exists(copy.to_owned()),
        _ => unwritable(error.to_string()),
    })
}

/// Opens the store for reading. On a read-only mount SQLite cannot make files beside it. If its relay has ended in
/// order, it is then read at rest.
fn open(store: &Path) -> Result<(Connection, Access), String> {
    let as_in_use = open_as(store, Access::Read);
    match as_in_use {
        Ok(connection) => Ok((connection, Access::Read)),
        Err(_) if files::access(store) == Access::AtRest => Ok((open_as(store, Access::AtRest)?, Access::AtRest)),
        Err(reason) => Err(reason),
    }
}

fn open_as(store: &Path, access: Access) -> Result<Connection, String> {
    let found = engine::open(store, access).and_then(|connection| Ok((whose::whose(&connection)?, connection)));
    match found {
        Ok((Whose::Ours(_), connection)) => Ok(connection),
        Ok(_) => Err(whose::NO_STORE.to_owned()),
        Err(error) => Err(match files::missing(store) {
            Some(missing) => format!("{error}; {} is missing and cannot be made", missing.display()),
            None => error.to_string(),
        }),
    }
}

/// Whether the copy would have the name of a file that belongs to the store.
fn is_companion(copy: &Path, store: &Path) -> bool {
    let placed = |path: &Path| Some(unfinished::folder_of(path).canonicalize().ok()?.join(path.file_name()?));
    placed(copy).zip(placed(store)).is_some_and(|(copy, store)| files::is_companion(&copy, &store))
}

fn write(connection: &mut Connection, file: &Path, cancelled: &Cancelled) -> Result<(), Box<dyn std::error::Error>> {
    cancelled.watch(connection)?;
    connection.execute("VACUUM INTO ?1", [engine::uri(file)])?;
    let mut copied = engine::open(file, Access::AtRest)?;
    match search::search(&mut copied, cancelled.asked())? {
        _ if cancelled.is() => Err("cancelled".into()),
        Searched::Damaged(damage) => Err(format!("the copy is damaged, and so is the store: {damage}").into()),
        Searched::Sound | Searched::BrokenOff => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The backup is cancelled before it begins.
    #[test]
    fn what_is_cancelled_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, copy) = (folder.path().join("relay.db"), folder.path().join("copy.db"));
        let mut connection = Connection::open(&store).unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let rows = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
             INSERT INTO records (id, transform_id, kind, payment_id, record) SELECT n, 'tx-' || n, 2, NULL, '{}' FROM n";
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
