//! Hints: notifications that nobody vouches for, and the reasons not to take one.

use uuid::Uuid;

use super::{HintSlots, StoreError};
use crate::domain::due::Moment;

/// A notification that nobody vouches for. Only its pointers count. One notification is kept for each object, however many
/// hints from however many senders point to it.
#[derive(Debug, Clone)]
pub struct Hinted {
    /// The source that it came by.
    pub source: String,
    /// The time of its receipt.
    pub received_at: Moment,
    /// The form that it is read as.
    pub form: String,
    /// The calls that fetch the objects (path and query), each with the id that its notification gets if it is the first.
    pub calls: Vec<(Uuid, String)>,
    /// The sender's address; for IPv6, the network of the address.
    pub address: String,
    /// The slots of the source for objects that only strangers have named.
    pub slots: HintSlots,
}

/// The reason why a hint was not taken. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HintError {
    /// All slots for objects that only strangers have named are taken.
    #[error("too many hints of this source wait to be looked into")]
    Crowded,
    /// The address has as many slots as one address may have.
    #[error("too many hints from this address wait to be looked into")]
    AddressFull,
    /// The store cannot take it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}
