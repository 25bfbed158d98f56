//! Registration of a record: its receipt, and its errors.

use serde::{Deserialize, Serialize};

use super::{Finding, LedElsewhere, Owed, StoreError};
use crate::domain::record::Record;
use crate::domain::registration::Refusal;

/// The receipt of a registration: the record is registered or amended, on disk.
#[derive(Debug, Clone)]
pub struct RegistrationReceipt {
    /// The record as it stands, parked events applied.
    pub record: Record,
    /// The agreement under which it runs, if that is registered.
    pub agreement: Option<Record>,
    /// Whether the record is new.
    pub created: bool,
    /// The records of which Transform is owed a webhook now: those that released events changed, and the record itself where the
    /// registration tells.
    pub owed: Vec<Owed>,
    /// The parked events that were released and have no effect.
    pub led_elsewhere: Option<LedElsewhere>,
    /// What somebody should look at.
    pub findings: Vec<Finding>,
}

/// The report on the removal of a record.
#[derive(Debug)]
pub struct Removed {
    /// The records of which Transform is owed a webhook now: events that could be meant for several captures have reached one.
    pub owed: Vec<Owed>,
    /// The events that were applied anew and have no effect.
    pub led_elsewhere: Option<LedElsewhere>,
    /// What somebody should look at.
    pub findings: Vec<Finding>,
}

/// What came of the repair of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repaired {
    /// It stands again. It could not be read for this reason.
    Now {
        /// The reason.
        reason: String,
    },

    /// Only the copy of its registration could not be read, for this reason. The record has a new copy.
    Copied {
        /// The reason.
        reason: String,
    },
    /// It can be read, and stays as it is.
    NotDamaged,
    /// No record of this kind and id is there.
    NotThere,
}

/// The reason why a repair failed. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RepairError {
    /// The registration is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store cannot take it now.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another record of the family has changed since the notifications were read again.
    #[error("another record of its family has changed meanwhile: run this again")]
    Meanwhile,
}

/// Whether a record is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damaged {
    /// It can be read, and so can the ways to it and the copy of its registration.
    No,
    /// Only the copy of its registration cannot be read.
    ItsCopy,
    /// It cannot be read, or the ways to it cannot.
    Yes {
        /// The reason.
        reason: String,
        /// The record as it was registered, if a copy of that can be read.
        registered: Option<Box<Record>>,
    },
    /// No record of this kind and id is there.
    NotThere,
}

/// The reason why a registration or a removal failed. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegisterError {
    /// The registration is refused; the integrator has to send another.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store cannot take it now; the integrator may send it again later.
    #[error(transparent)]
    Store(#[from] StoreError),
}
