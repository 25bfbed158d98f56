//! Errors of the store: what it cannot do now, and why it cannot be opened.

use std::path::{Path, PathBuf};

/// The store cannot do it now. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// More is waiting to be written than is let to wait.
    #[error("the write queue is full (store.max_waiting)")]
    Busy,
    /// The disk, the file or the database refuses.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The database is damaged where this would have read or written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another relay has it.
    #[error("{0} is in use by another relay; stop that one, or give this one a store.path of its own")]
    InUse(PathBuf),
    /// A later relay wrote it.
    #[error("{path} has schema version {found}; this relay knows up to {known}")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// What is in the file is no sound database any more.
    #[error("{path} is damaged: {reason}; restore a backup, or let PSPs send again to a new store")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it first.
        reason: String,
    },
    /// It is missing or empty, and must not be.
    #[error(
        "{0} is missing or empty, and store.must_exist = true makes no new store: mount its volume, restore a backup, or set \
         store.must_exist = false to begin anew"
    )]
    Missing(PathBuf),
    /// It cannot be used at this place.
    #[error("{path} cannot be used as the store: {reason}")]
    Place {
        /// The file.
        path: PathBuf,
        /// Why, and the remedy.
        reason: String,
    },
    /// The disk, the file or the database refuses.
    #[error("cannot open {path}: {reason}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl OpenError {
    pub(super) fn failed(path: &Path, reason: impl ToString) -> Self {
        Self::Failed { path: path.to_owned(), reason: reason.to_string() }
    }
}
