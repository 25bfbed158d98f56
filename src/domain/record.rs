//! The record: what the integrator registered, what PSP events said, and how often that changed.

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
/// It holds claims, not conclusions: each fact with its stamp, each booking under its id. What Transform reads is
/// derived from them in [`super::view`], so the order in which the claims came leaves no trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Kind and Transform id.
    pub key: RecordKey,
    /// The source whose events it takes; none until registered with one or bound by its first event.
    pub source: Option<String>,
    /// When it was first registered.
    pub registered_at: Timestamp,
    /// What the integrator said.
    pub registered: Registered,
    /// What the PSP said.
    pub seen: Seen,
    /// Payment: what each of its refunds has given back, by the refund's Transform id.
    pub refunds: BTreeMap<TransformId, Decimal>,
    /// Rises by one with every change that Transform can see. 1 when registered.
    pub version: u64,
    /// UTC, microseconds. Rises strictly with the version, whatever the clock does: Transform lets no older
    /// version overwrite a newer one by it (contract, section 3).
    pub last_updated: Timestamp,
}

/// The integrator's part of a record: PUT /records/{kind}/{id}.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registered {
    /// The PSP's id of the transaction or agreement, where it is known already.
    pub psp_id: Option<String>,
    /// Where to tell of it; the configured default if absent.
    pub webhook_target: Option<String>,
    /// Major units.
    pub requested_amount: Option<Decimal>,
    /// Of all amounts of the record.
    pub currency: Option<Currency>,
    /// The agreement that the transaction runs under.
    pub agreement_id: Option<TransformId>,
    /// Payment: the preauthorization that it captures.
    pub preauth_id: Option<TransformId>,
    /// Refund: the payment that it refunds.
    pub payment_id: Option<TransformId>,
    /// The customer's payment data.
    pub bearer: BTreeMap<String, String>,
    /// Preauthorization: when the reservation ends.
    pub expires_at: Option<Timestamp>,
    /// Payment by direct debit: when it is due.
    pub due_date: Option<Date>,
    /// Where the customer finishes the transaction.
    pub redirect_url: Option<String>,
    /// The state that the payment stack answered Transform with. A PSP event overrules it, unless it only says that
    /// something is under way that the stack knows to be further on.
    pub status: Option<Status>,
}

/// The PSP's part of a record: for each fact the one with the greatest stamp.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seen {
    /// The state.
    pub status: Option<Stamped<StatusFact>>,
    /// The PSP's id, as the EARLIEST event with a state named it, those in error last; used where none was registered.
    pub psp_id: Option<Stamped<String>>,
    /// Preauthorization: what is reserved.
    pub authorized: Option<Stamped<Decimal>>,
    /// Preauthorization: until when.
    pub expires_at: Option<Stamped<Timestamp>>,
    /// Refund: what was given back.
    pub refunded: Option<Stamped<Decimal>>,
    /// The customer's payment data.
    pub bearer: Option<Stamped<BTreeMap<String, String>>>,
    /// Payment: bookings by the PSP's id of them.
    pub items: BTreeMap<String, Stamped<Item>>,
    /// Payment: chargebacks by the PSP's id of the dispute.
    pub chargebacks: BTreeMap<String, Stamped<Chargeback>>,
    /// Payment: why, by the PSP's id of the dispute. Later events of a dispute need not repeat it.
    pub chargeback_reasons: BTreeMap<String, Stamped<Why>>,
    /// Payment: how much, by the PSP's id of the dispute. Later events of a dispute need not repeat it either.
    pub chargeback_amounts: BTreeMap<String, Stamped<Decimal>>,
}

impl Record {
    /// Counts one visible change at `now`: the version rises by one and `last_updated` rises strictly.
    pub fn bump(&mut self, now: Timestamp) {
        self.version += 1;
        self.last_updated = now.max(self.last_updated + jiff::SignedDuration::from_micros(1));
    }

    /// The payment that a refund belongs to.
    #[must_use]
    pub const fn parent_payment(&self) -> Option<&TransformId> {
        self.registered.payment_id.as_ref()
    }
}
