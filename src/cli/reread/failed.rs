//! The reasons why a reread breaks off, and their exit codes.

use crate::cli::exit::{EXIT_FAILED, EXIT_IO, EXIT_UNAVAILABLE, EXIT_USAGE};
use crate::cli::own_store::NotOpened;
use crate::store::StoreError;
use crate::store::rehearsal::RehearsalError;

/// The reason why a reread broke off.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Failed {
    /// The arguments or the configuration are wrong.
    #[error("{0}")]
    Usage(String),
    /// The store cannot be read.
    #[error(transparent)]
    Unreadable(#[from] RehearsalError),
    /// No relay runs, and the store cannot be opened.
    #[error(transparent)]
    Unopened(#[from] NotOpened),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The relay cannot be asked.
    #[error("{0}")]
    Unanswered(String),
    /// The relay makes no correction.
    #[error("the relay refuses: {0}")]
    Refused(String),
}

impl Failed {
    pub(in crate::cli) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Unopened(NotOpened::Runtime(_)) => EXIT_FAILED,
            Self::Unreadable(_) | Self::Unopened(_) | Self::Store(_) => EXIT_IO,
            Self::Unanswered(_) | Self::Refused(_) => EXIT_UNAVAILABLE,
        }
    }
}
