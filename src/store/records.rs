//! Registering: what the integrator is answered of a record, or why it is refused.

use super::{LedElsewhere, Owed, StoreError};
use crate::domain::record::Record;
use crate::domain::registration::Refusal;

/// A record is registered or amended, on disk.
#[derive(Debug, Clone)]
pub struct RegistrationReceipt {
    /// The record as it stands, parked events applied.
    pub record: Record,
    /// Whether it is new.
    pub created: bool,
    /// The records that Transform is now owed a webhook for: those that parked events changed.
    pub owed: Vec<Owed>,
    /// What of the parked events is without effect.
    pub led_elsewhere: Option<LedElsewhere>,
}

/// A registration fails because it is refused or because the store cannot take it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegisterError {
    /// The integrator has to say something else.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The integrator may say it again later.
    #[error(transparent)]
    Store(#[from] StoreError),
}
