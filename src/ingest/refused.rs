//! Reasons for which a notification is not taken.

use crate::certificates::NoKey;
use crate::psp::vouch::verify::Unverified;
use crate::store::{HintError, TakeError};

/// One notification is one piece of the writer's work: a batch that took it for long would keep everyone waiting. The
/// largest batch that a PSP is known to send has 250 messages.
const BATCH_MAX: usize = 10_000;

/// Why a notification was not taken. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody vouches for it.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// There is no certificate to verify it with.
    #[error(transparent)]
    Certificate(#[from] NoKey),
    /// The signature may be right, but what the source demands beside it is not there.
    #[error("{0}")]
    Credentials(&'static str),
    /// It holds more messages or events than are taken at once.
    #[error("the batch holds {size} messages or events; {BATCH_MAX} are taken at once")]
    TooMany {
        /// How many it holds.
        size: usize,
    },
    /// Nobody vouches for it, and too many such wait to be looked into.
    #[error(transparent)]
    Hint(#[from] HintError),
    /// Too many others of its dedupe key are kept, or the store cannot take it now.
    #[error(transparent)]
    Take(#[from] TakeError),
}

impl Refused {
    /// Refuses a batch of more messages, events or calls than are taken at once.
    pub(super) const fn too_many(size: usize) -> Result<(), Self> {
        if size > BATCH_MAX { Err(Self::TooMany { size }) } else { Ok(()) }
    }
}
