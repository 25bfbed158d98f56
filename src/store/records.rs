//! Registration of a record: the receipt that the integrator gets, or why it failed.

use super::{LedElsewhere, Owed, StoreError};
use crate::domain::record::Record;
use crate::domain::registration::Refusal;

/// The confirmation that a record is registered or amended, on disk.
#[derive(Debug, Clone)]
pub struct RegistrationReceipt {
    /// The record as it stands, parked events applied.
    pub record: Record,
    /// Whether it is new.
    pub created: bool,
    /// The records that Transform is now owed a webhook for: those that parked events changed.
    pub owed: Vec<Owed>,
    /// The parked events that turned out to be without effect.
    pub led_elsewhere: Option<LedElsewhere>,
}

/// A registration fails because it is refused or because the store cannot take it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegisterError {
    /// The registration is refused; the integrator has to send another.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store cannot take it now; the integrator may send it again later.
    #[error(transparent)]
    Store(#[from] StoreError),
}
