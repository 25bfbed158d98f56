//! Hints: notifications that nobody vouches for, and why one is not taken.

use uuid::Uuid;

use super::{HintSlots, StoreError};
use crate::domain::due::Moment;

/// A notification that nobody vouches for. Only its pointers count. One notification is kept for each object, however many
/// hints from however many senders point to it.
#[derive(Debug, Clone)]
pub struct Hinted {
    /// The source that it came by.
    pub source: String,
    /// When.
    pub received_at: Moment,
    /// The form that it is read as.
    pub form: String,
    /// The calls that fetch the objects (path and query), each with the id that its notification gets if it is the first.
    pub calls: Vec<(Uuid, String)>,
    /// The address that it came from; of IPv6 its network.
    pub address: String,
    /// How many objects of the source may wait that only strangers have named.
    pub slots: HintSlots,
}

/// A hint was not taken. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HintError {
    /// Too many objects wait that only strangers have named.
    #[error("too many hints of this source wait to be looked into")]
    Crowded,
    /// The address already has as many waiting objects, named by strangers only, as one address may have.
    #[error("too many hints from this address wait to be looked into")]
    AddressFull,
    /// The store cannot take it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}
