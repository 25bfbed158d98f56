//! How surely an id leads to a record.

use serde::{Deserialize, Serialize};

use crate::domain::transition::Layer;

/// The kinds of ways from an id to a record. The surest comes last, and yields to no other. All but the last may turn out to be
/// wrong: events that came by them are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sureness {
    /// The record is the only capture of an authorization.
    OnlyCapture,
    /// The id may be that of the authorization that the payment captures.
    OfAuthorization,
    /// Only an unsigned id or reference names the payment.
    Unsigned,
    /// The id is that of a capture, unless its authorization turns out to have it.
    OfCapture,
    /// The id is the record's own.
    Own,
}

impl Sureness {
    /// The layer that an event is written to that came by such a way.
    #[must_use]
    pub const fn layer(self) -> Layer {
        match self {
            Self::OnlyCapture | Self::OfAuthorization | Self::Unsigned | Self::OfCapture => Layer::Placed,
            Self::Own => Layer::Own,
        }
    }
}
