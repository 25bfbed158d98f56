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
    /// All kinds.
    const ALL: [Self; 5] = [Self::OnlyCapture, Self::OfAuthorization, Self::Unsigned, Self::OfCapture, Self::Own];

    /// Its code in a row of the store: 0 if the id is the record's own; else the sureness of the placed events that have named it.
    pub(in crate::store) const fn code(self) -> u8 {
        match self {
            Self::Own => 0,
            Self::OnlyCapture => 1,
            Self::OfAuthorization => 2,
            Self::Unsigned => 3,
            Self::OfCapture => 4,
        }
    }

    /// The kind with this code.
    pub(in crate::store) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|sureness| sureness.code() == code)
    }

    /// The layer that an event is written to that came by such a way.
    #[must_use]
    pub const fn layer(self) -> Layer {
        match self {
            Self::OnlyCapture | Self::OfAuthorization | Self::Unsigned | Self::OfCapture => Layer::Placed,
            Self::Own => Layer::Own,
        }
    }
}
