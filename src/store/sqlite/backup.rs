//! A consistent copy of the store, also while a relay runs on it.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

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
/// file under its name finds the whole of it, on disk and checked.
///
/// # Errors
/// There is a file of that name, the store cannot be read or the copy cannot be written. No half copy stays behind.
pub fn backup(store: &Path, copy: &Path) -> Result<(), BackupError> {
    if copy.exists() {
        return Err(BackupError::Exists(copy.to_owned()));
    }
    let unreadable =
        |reason: rusqlite::Error| BackupError::Store { path: store.to_owned(), reason: reason.to_string() };
    let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(unreadable)?;
    super::connection::wait_for_locks(&connection).map_err(unreadable)?;
    let unfinished = PathBuf::from(format!("{}.unfinished-{}", copy.display(), std::process::id()));
    let written = write(&connection, &unfinished).and_then(|()| {
        // A name of its own that nobody has: renaming would take another's place.
        std::fs::hard_link(&unfinished, copy)?;
        std::fs::remove_file(&unfinished)?;
        Ok(File::open(copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
            .sync_all()?)
    });
    written.map_err(|error| {
        // What is left of it is of no use, and may be gone.
        drop(std::fs::remove_file(&unfinished));
        BackupError::Copy { path: copy.to_owned(), reason: error.to_string() }
    })
}

fn write(connection: &Connection, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    // It holds payer data, as the store does: it is the operator's alone.
    File::options().write(true).create_new(true).mode(0o600).open(file)?;
    connection.execute("VACUUM INTO ?1", [file.to_str().ok_or("its name is not UTF-8")?])?;
    let mut copied = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if let Some(damage) = super::connection::damage(&mut copied, None)? {
        return Err(format!("the copy is damaged, and so is the store: {damage}").into());
    }
    drop(copied);
    Ok(File::open(file)?.sync_all()?)
}
