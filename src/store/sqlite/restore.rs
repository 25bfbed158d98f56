//! Restore: a checked copy becomes the store, and the store that was there is moved aside.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::columns::timestamp;
use super::engine::{self, Access};
use super::search::{self, Searched};
use super::unfinished::{self, Unfinished};
use super::whose::{self, Whose, version};
use super::{files, journal, lock, migrations};
use crate::store::OpenError;

/// The reason why nothing was restored. The store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The copy is not to be had, or is no sound store.
    #[error("{path} cannot be restored: {reason}")]
    Copy {
        /// The copy.
        path: PathBuf,
        /// The reason, and the remedy.
        reason: String,
    },
    /// The place of the store cannot be used: a relay runs there, say.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The copy cannot be put into its place.
    #[error("cannot write {path}: {reason}")]
    Write {
        /// The file that cannot be written or renamed.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A copy that is the store now.
#[derive(Debug)]
pub struct Restored {
    /// The path of the store, without links.
    pub store: PathBuf,
    /// The new name of the store that was there; `None` if there was none.
    pub aside: Option<PathBuf>,
    /// The time up to which the copy has what came; `None` if nothing has come.
    pub known_until: Option<Timestamp>,
}

/// Puts a copy into the place of the store. The copy is checked whole before anything is moved, and stays where it is. The store
/// that was there is moved aside with its WAL, so that nothing acknowledged is deleted.
///
/// # Errors
/// The copy is no sound store of this version or an earlier one, a relay runs on the store, or a file cannot be written.
pub fn restore(store: &Path, copy: &Path, now: Timestamp) -> Result<Restored, RestoreError> {
    let refused = |reason: String| RestoreError::Copy { path: copy.to_owned(), reason };
    let source = copy.canonicalize().map_err(|error| refused(error.to_string()))?;
    let own = store.canonicalize().unwrap_or_else(|_| store.to_owned());
    if source == own || files::is_companion(&source, &own) {
        return Err(refused("it is the store itself, or one of its own files; name a copy".to_owned()));
    }
    is_whole(&source).map_err(refused)?;
    let locked = lock::take(store, false)?;
    let path = locked.path.clone();
    check_former(&path)?;
    let unwritable =
        |path: &Path, error: std::io::Error| RestoreError::Write { path: path.to_owned(), reason: error.to_string() };
    unfinished::remove_in(&unfinished::folder_of(&path));
    let unfinished = Unfinished::make(&path).map_err(|error| unwritable(&path, error))?;
    fill(&unfinished.path, &source, &path).map_err(|error| unwritable(&unfinished.path, error))?;
    let known_until = checked(&unfinished.path).map_err(refused)?;
    let aside = move_aside(&path, now).map_err(|error| unwritable(&path, error))?;
    unfinished.finish(&path).map_err(|error| {
        let back = aside.as_ref().map(|aside| move_back(&path, aside));
        let kept = match back.zip(aside.as_ref()) {
            Some((Err(_), aside)) => format!("; the earlier store is {}", aside.display()),
            _ => String::new(),
        };
        RestoreError::Write { path: path.clone(), reason: format!("{error}{kept}") }
    })?;
    drop(locked);
    Ok(Restored { store: path, aside, known_until })
}

/// Checks that all of the copy is in the one file. What is in a WAL or a journal beside it would be left behind.
fn is_whole(copy: &Path) -> Result<(), String> {
    journal::check_for_reading(copy)?;
    if files::access(copy) != Access::AtRest {
        let wal = files::wal(copy);
        return Err(format!(
            "{} has changes that are not in it; copy a store with `transform-relay backup`, which makes one file",
            wal.display()
        ));
    }
    Ok(())
}

/// Checks that the file in the store's place is not another program's. A damaged store may be replaced.
fn check_former(store: &Path) -> Result<(), RestoreError> {
    let found = engine::open(store, files::access(store)).and_then(|connection| whose::whose(&connection));
    match found {
        Ok(Whose::Others) => Err(OpenError::Place { path: store.to_owned(), reason: whose::OTHERS.to_owned() }.into()),
        _ => Ok(()),
    }
}

/// Copies the bytes. The new file gets the owner of the store, also if root restores it.
fn fill(unfinished: &Path, copy: &Path, store: &Path) -> std::io::Result<()> {
    let mut from = File::open(copy)?;
    let mut to = File::options().write(true).open(unfinished)?;
    std::io::copy(&mut from, &mut to)?;
    let (owner, own) = (std::fs::metadata(store)?, to.metadata()?);
    if (owner.uid(), owner.gid()) != (own.uid(), own.gid()) {
        fchown(&to, Some(owner.uid()), Some(owner.gid()))?;
    }
    // What cannot be written is seen before the store is moved.
    to.sync_all()
}

/// Checks what was copied, and reads up to when it knows what came.
fn checked(file: &Path) -> Result<Option<Timestamp>, String> {
    let read = || -> rusqlite::Result<Result<Option<Timestamp>, String>> {
        let mut copied = engine::open(file, Access::AtRest)?;
        let found = match whose::whose(&copied)? {
            Whose::Ours(found) => found,
            Whose::Nobodys | Whose::Others => return Ok(Err(whose::NO_STORE.to_owned())),
        };
        if found > migrations::VERSION {
            let known = migrations::VERSION;
            return Ok(Err(format!(
                "it has schema version {found}, and this relay knows up to {known}: install the later relay"
            )));
        }
        if let Searched::Damaged(damage) = search::search(&mut copied, || false)? {
            return Ok(Err(format!("it is damaged: {damage}; take another copy")));
        }
        known_until(&copied).map(Ok)
    };
    read().map_err(|error| error.to_string())?
}

/// The latest time at which the copy was surely still written: of a notification, or of the store's clock, which is kept every
/// few minutes.
fn known_until(copied: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let latest = |question: &str| copied.query_row(question, [], |row| row.get::<_, Option<i64>>(0));
    let received = latest("SELECT max(received_at) FROM notifications")?;
    let has_clock = version(copied)? >= CLOCK_SINCE;
    let kept = if has_clock { latest("SELECT max(wall) FROM clock")? } else { None };
    received.max(kept).map(|latest| timestamp(0, latest)).transpose()
}

/// The first version of the schema with a clock.
const CLOCK_SINCE: i64 = 4;

/// Moves the store aside. The database goes first: a start between these two steps finds a WAL without its database, and refuses
/// it. Returns nothing if there was no store.
fn move_aside(store: &Path, now: Timestamp) -> std::io::Result<Option<PathBuf>> {
    let is_empty = std::fs::metadata(store)?.len() == 0;
    let aside = files::beside(store, &now.strftime(".before-%Y%m%dT%H%M%SZ").to_string());
    if aside.symlink_metadata().is_ok() {
        return Err(std::io::Error::other(format!("{} is there already", aside.display())));
    }
    if is_empty {
        std::fs::remove_file(store)?;
    } else {
        std::fs::rename(store, &aside)?;
    }
    for (beside, moved) in [(files::wal(store), files::wal(&aside)), (files::journal(store), files::journal(&aside))] {
        if beside.exists() {
            std::fs::rename(beside, moved)?;
        }
    }
    // The index of the WAL is made anew by whoever opens the store.
    let index = files::index(store);
    if index.exists() {
        std::fs::remove_file(index)?;
    }
    Ok((!is_empty).then_some(aside))
}

/// Moves the store back to its place, since the copy could not be put there.
fn move_back(store: &Path, aside: &Path) -> std::io::Result<()> {
    for (beside, moved) in [(files::wal(store), files::wal(aside)), (files::journal(store), files::journal(aside))] {
        if moved.exists() {
            std::fs::rename(moved, beside)?;
        }
    }
    std::fs::rename(aside, store)
}
