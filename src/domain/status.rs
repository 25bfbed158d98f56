//! The states of a record and the errors of a failed one, in the contract's words (contract, section 3, Enums).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::Kind;

/// TransactionStatus and AgreementStatus of the contract in one list; [`Status::fits`] says which kind has which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Status {
    /// Created, not yet with the PSP.
    Initiated,
    /// With the PSP; direct debit stays here until it is confirmed.
    Pending,
    /// The full amount is confirmed. Transactions only.
    Succeeded,
    /// Did not succeed. Transactions only.
    Failed,
    /// Cancelled, rejected or declined. Transactions only.
    Cancelled,
    /// Ran out of time. Transactions only.
    Expired,
    /// Usable. Agreements only.
    Active,
    /// No longer usable. Agreements only.
    Inactive,
}

impl Status {
    /// All states.
    pub const ALL: [Self; 8] = [
        Self::Initiated,
        Self::Pending,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
        Self::Active,
        Self::Inactive,
    ];

    /// The enum's name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initiated => "Initiated",
            Self::Pending => "Pending",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Expired => "Expired",
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }

    /// Whether a record of that kind can be in this state.
    #[must_use]
    pub const fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Initiated | Self::Pending => true,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Expired => !matches!(kind, Kind::Agreement),
            Self::Active | Self::Inactive => matches!(kind, Kind::Agreement),
        }
    }

    /// Whether a transaction has ended without success. Cancelled and Expired are states; an error is a failure that the PSP
    /// names (contract, section 3a).
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Failed | Self::Cancelled | Self::Expired)
    }

    /// Whether a transaction has ended without success, or an agreement is no longer usable.
    #[must_use]
    pub const fn is_over(self) -> bool {
        self.has_ended() || matches!(self, Self::Inactive)
    }

    /// Whether the record, or an attempt at it, has got what it was made for.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Succeeded | Self::Active)
    }

    /// Whether the state only says that the record is under way.
    #[must_use]
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Initiated | Self::Pending)
    }

    /// Tells which of two states of one second is later in a record's life.
    ///
    /// A payment intent that fails may still succeed: for payments success outranks failure. A refund that succeeded may
    /// still fail: for refunds failure outranks success. A reservation is given up after it was made. A profile's rule
    /// marked `late` outranks all of them.
    #[must_use]
    pub const fn rank(self, kind: Kind) -> u8 {
        match self {
            Self::Initiated => 1,
            Self::Pending => 2,
            Self::Failed => {
                if matches!(kind, Kind::Refund) {
                    6
                } else {
                    3
                }
            }
            Self::Succeeded | Self::Active => 5,
            Self::Expired => 7,
            Self::Cancelled | Self::Inactive => 8,
        }
    }
}

/// PaymentErrorCode of the contract, without LoginError and PermissionDenied.
// These two are missing on purpose: they concern the merchant's account at the PSP, and Transform disables the PSP when it reads
// them. The relay has no reason of its own to raise them, and no profile can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are the contract's and say all that is known of them")]
pub enum ErrorCode {
    UnmappedError,
    LimitExceeded,
    BearerInvalid,
    BearerExpired,
    InvalidCountry,
    InvalidAmount,
    InvalidCurrency,
    InvalidData,
    InsufficientBalance,
    AlreadyExecuted,
    InvalidPreconditions,
    InternalError,
    InternalProviderError,
    RateLimit,
    InvalidConfiguration,
    Canceled,
    Rejected,
    PSPConnectionProblem,
    InvalidBic,
    InvalidIBAN,
    PSPConnectionTimeout,
    InvalidNationalIdNumber,
}

/// The failure that the PSP named, in its words. The reason of a cancellation is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PspError {
    /// The contract's code, if the profile maps the PSP's code.
    pub code: Option<ErrorCode>,
    /// The PSP's own code.
    pub psp_code: Option<String>,
    /// The PSP's own words.
    pub message: Option<String>,
}

/// One state, its error, and its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusFact {
    /// The state.
    pub status: Status,
    /// The failure, if the PSP named one.
    pub error: Option<PspError>,
    /// The PSP's time of the state.
    pub since: Timestamp,
    /// Whether the event tells of a success: of money, a reservation, or usable means of payment. A reservation for a payment
    /// leaves the payment Pending, and stands nevertheless.
    #[serde(default)]
    pub stands: bool,
}

/// ChargebackReason of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are the contract's and say all that is known of them")]
pub enum ChargebackReason {
    #[default]
    Unknown,
    UserInitiated,
    InsufficientBalance,
    BearerInvalid,
    Canceled,
    Rejected,
}
