//! The record: the integrator's registration, the facts of PSP events, and a count of visible changes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::event::{Chargeback, Item, Why};
use super::ids::{RecordKey, TransformId};
use super::money::Currency;
use super::stamp::Stamped;
use super::status::{Status, StatusFact};

/// One Preauth, Payment, Refund or Agreement.
///
/// A record holds claims, not conclusions: each fact with its stamp, each booking under its id. What Transform reads is
/// derived from them in [`super::view`]. The order in which the claims came therefore leaves no trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Kind and Transform id.
    pub key: RecordKey,
    /// The source whose events the record takes; none until it is registered with one or bound by its first event.
    pub source: Option<String>,
    /// The time of the first registration.
    pub registered_at: Timestamp,
    /// The integrator's values.
    pub registered: Registered,
    /// The PSP's values.
    pub seen: Seen,
    /// Payment: the amount that each refund has given back, by the refund's Transform id.
    pub refunds: BTreeMap<TransformId, Decimal>,
    /// Rises by one with every change that Transform can see; 1 when registered.
    pub version: u64,
    /// UTC, microseconds. Rises strictly with the version, whatever the clock does: by it Transform keeps an older version
    /// from overwriting a newer one (contract, section 3).
    pub last_updated: Timestamp,
}

/// The integrator's part of a record: PUT /records/{kind}/{id}.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registered {
    /// The PSP's id of the transaction or agreement, if it is already known.
    pub psp_id: Option<String>,
    /// The webhook URL for this record; the configured default if absent.
    pub webhook_target: Option<String>,
    /// Major units.
    pub requested_amount: Option<Decimal>,
    /// The currency of all amounts of the record.
    pub currency: Option<Currency>,
    /// The agreement under which the transaction runs.
    pub agreement_id: Option<TransformId>,
    /// Payment: the preauthorization that the payment captures.
    pub preauth_id: Option<TransformId>,
    /// Refund: the payment that is refunded.
    pub payment_id: Option<TransformId>,
    /// The customer's payment data.
    pub bearer: BTreeMap<String, String>,
    /// Preauthorization: when the reservation ends.
    pub expires_at: Option<Timestamp>,
    /// Payment by direct debit: the due date.
    pub due_date: Option<Date>,
    /// The URL at which the customer finishes the transaction.
    pub redirect_url: Option<String>,
    /// The state in the payment stack's answer to Transform. A PSP event overrules it, unless the event only says "under
    /// way" and the stack knows a state further on.
    pub status: Option<Status>,
}

/// The PSP's part of a record: of each fact the one with the greatest stamp.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seen {
    /// The state.
    pub status: Option<Stamped<StatusFact>>,
    /// The PSP's id as the EARLIEST event with a state named it; events with an error come last. Used if no id was
    /// registered.
    pub psp_id: Option<Stamped<String>>,
    /// Preauthorization: the reserved amount.
    pub authorized: Option<Stamped<Decimal>>,
    /// Preauthorization: the end of the reservation.
    pub expires_at: Option<Stamped<Timestamp>>,
    /// Refund: the amount that was given back.
    pub refunded: Option<Stamped<Decimal>>,
    /// The customer's payment data.
    pub bearer: Option<Stamped<BTreeMap<String, String>>>,
    /// Payment: bookings by the PSP's id.
    pub items: BTreeMap<String, Stamped<Item>>,
    /// Payment: chargebacks by the PSP's id of the dispute.
    pub chargebacks: BTreeMap<String, Stamped<Chargeback>>,
    /// Payment: chargeback reasons by the PSP's id of the dispute. Later events of a dispute need not repeat the reason.
    pub chargeback_reasons: BTreeMap<String, Stamped<Why>>,
    /// Payment: chargeback amounts by the PSP's id of the dispute. Later events of a dispute need not repeat the amount
    /// either.
    pub chargeback_amounts: BTreeMap<String, Stamped<Decimal>>,
}

impl Record {
    /// Counts one visible change at `now`: the version rises by one and `last_updated` rises strictly.
    pub fn bump(&mut self, now: Timestamp) {
        self.version += 1;
        self.last_updated = now.max(self.last_updated + jiff::SignedDuration::from_micros(1));
    }

    /// The payment to which a refund belongs.
    #[must_use]
    pub const fn parent_payment(&self) -> Option<&TransformId> {
        self.registered.payment_id.as_ref()
    }
}
