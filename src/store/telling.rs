//! Telling again: records of which Transform is owed a webhook once more, since somebody asks for it or a host has recovered.

use jiff::Timestamp;

use super::StoreError;
use crate::domain::ids::TransformId;

/// The deliveries that were given up, as somebody chooses them.
#[derive(Debug, Clone, Default)]
pub struct GivenUpSought {
    /// Only those of this host, with its port or without.
    pub host: Option<String>,
    /// Only those that were given up then or later, by the machine's clock.
    pub since: Option<Timestamp>,
    /// Only those that were given up before or then, by the store's clock. What is given up during a walk through the pages is
    /// not met again.
    pub until: Option<Timestamp>,
}

/// The reason why records are not told. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TellError {
    /// These ids are not registered.
    #[error("not registered: {}", named(.0))]
    Unknown(Vec<TransformId>),
    /// The store cannot do it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn named(ids: &[TransformId]) -> String {
    ids.iter().map(TransformId::as_str).collect::<Vec<_>>().join(", ")
}
