//! Refused notifications: the reasons for which a notification is not taken.

use crate::certificates::NoKey;
use crate::psp::vouch::verify::Unverified;
use crate::store::{HintError, Outcome, StoreError, TakeError};

/// The most messages, events or calls of one notification. The writer takes a notification in one piece, so a huge batch
/// would keep all others waiting. The largest batch that a PSP is known to send has 250 messages.
const BATCH_MAX: usize = 10_000;

/// The reason why a notification was not taken. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Neither a signature nor credentials vouch for the notification.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// There is no certificate to verify the notification with.
    #[error(transparent)]
    Certificate(#[from] NoKey),
    /// The signature may be right, but the credentials that the source demands beside it are missing or wrong.
    #[error("{0}")]
    Credentials(&'static str),
    /// The notification holds more messages, events or calls than are taken at once.
    #[error("the batch holds {size} messages or events; {BATCH_MAX} are taken at once")]
    TooMany {
        /// The number of messages, events or calls in it.
        size: usize,
    },
    /// The notification is only a hint. Too many hints wait, or the store cannot take it now.
    #[error(transparent)]
    Hint(#[from] HintError),
    /// Too many other contents of its dedupe key are kept, or the store cannot take the notification now.
    #[error(transparent)]
    Take(#[from] TakeError),
}

impl Refused {
    /// Refuses a batch of more messages, events or calls than are taken at once.
    pub(super) const fn too_many(size: usize) -> Result<(), Self> {
        if size > BATCH_MAX { Err(Self::TooMany { size }) } else { Ok(()) }
    }
}

/// The reason why a notification was not judged anew.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReplayError {
    /// No notification has this id.
    #[error("there is no such notification")]
    Unknown,
    /// The notification is not a dead letter.
    #[error("it is no dead letter: {}", .0.name())]
    NoDeadLetter(Outcome),
    /// The notification cannot be read any more.
    #[error("{0}")]
    Unreadable(&'static str),
    /// The store cannot replay it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}
