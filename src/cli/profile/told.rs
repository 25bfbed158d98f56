//! Answers of the `profile` commands, and the reasons for having none.

use crate::cli::exit::{EXIT_IO, EXIT_USAGE};
use crate::store::rehearsal::RehearsalError;

/// The text that a command prints, and whether its answer is positive.
pub(super) type Told = (String, bool);

/// The reason why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The arguments or files do not allow an answer.
    #[error("{0}")]
    Usage(String),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] RehearsalError),
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self::Usage(reason)
    }
}

impl Failed {
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Store(_) => EXIT_IO,
        }
    }
}
