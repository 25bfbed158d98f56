//! The outcome: what became of a notification.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The outcome of a notification.
// The order of the variants is the rank: a notification has the greatest outcome of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing in it concerns a record.
    Ignored,
    /// It came before, or changes nothing that Transform can see.
    Repeated,
    /// Newer facts than its own stand.
    Stale,
    /// Its record is not registered yet; it is applied as soon as it is.
    Parked,
    /// A record changed, and Transform will be told.
    Applied,
    /// It points to an object at the PSP, which is being fetched.
    Fetching,
    /// It was not understood, contradicts known money, or waited in vain. It is kept with the reason.
    DeadLetter,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Ignored, Self::Repeated, Self::Stale, Self::Parked, Self::Applied, Self::Fetching, Self::DeadLetter];

    /// The word for it in answers, logs and the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Repeated => "repeated",
            Self::Stale => "stale",
            Self::Parked => "parked",
            Self::Applied => "applied",
            Self::Fetching => "fetching",
            Self::DeadLetter => "dead_letter",
        }
    }
}
