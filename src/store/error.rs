//! Errors of the store: an operation that is impossible now, and a store that cannot be opened.

use std::path::{Path, PathBuf};

/// The operation is impossible now. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The write queue is full.
    #[error("the write queue is full (store.max_waiting)")]
    Busy,
    /// The disk, the file or the database refused the operation.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The part of the database that the operation would have read or written is damaged.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another relay uses the file.
    #[error("{0} is in use by another relay; stop that one, or give this one a store.path of its own")]
    InUse(PathBuf),
    /// A later version of the relay wrote the file.
    #[error("{path} has schema version {found}; this relay knows up to {known}")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The schema version in the file.
        found: i64,
        /// The newest schema version that this relay knows.
        known: i64,
    },
    /// The file holds no sound database any more.
    #[error("{path} is damaged: {reason}; restore a backup, or let PSPs send again to a new store")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first damage found.
        reason: String,
    },
    /// The file is missing or empty, and `store.must_exist` forbids that.
    #[error(
        "{0} is missing or empty, and store.must_exist = true makes no new store: mount its volume, restore a backup, or set \
         store.must_exist = false to begin anew"
    )]
    Missing(PathBuf),
    /// The file cannot be used where it is.
    #[error("{path} cannot be used as the store: {reason}")]
    Place {
        /// The file.
        path: PathBuf,
        /// The reason, and the remedy.
        reason: String,
    },
    /// The disk, the file or the database refused the operation.
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
