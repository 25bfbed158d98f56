//! The normalised fact inside a notification.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{Kind, TransformId};
use super::money::Currency;
use super::status::{ChargebackReason, PspError, Status};

/// One fact about one record, in our words, whatever PSP said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The PSP's name for what happened, for people to read.
    pub event_type: String,
    /// The kinds of record that it may concern, the likeliest first. More than one where an account setting of
    /// the PSP decides (Adyen AUTHORISATION: a preauthorization, or a payment with automatic capture).
    pub kinds: Vec<Kind>,
    /// The PSP ids that are the record's own. The record learns those that it did not have.
    pub psp_ids: Vec<String>,
    /// PSP ids that only lead to the record if it was registered with them: the id of a payment that a capture
    /// belongs to. Never learned, since several records may stand in that relation.
    pub shared_ids: Vec<String>,
    /// What the PSP returns of the merchant's own reference: the Transform id, if the integrator put it there.
    pub references: Vec<TransformId>,
    /// The PSP's time of the event.
    pub at: Timestamp,
    /// The event's dedupe key, the last tie-break of [`super::stamp::Stamp`].
    pub key: String,
    /// Whether this truth outranks every other of the same second (Adyen CAPTURE_FAILED after CAPTURE).
    pub late: bool,
    /// Whether this truth gives way to every other, even an older one: it only says what became of a record of which
    /// nothing else is known (Adyen OFFER_CLOSED of one attempt, after another attempt succeeded).
    #[serde(default)]
    pub gives_way: bool,
    /// The currency of all amounts in `facts`.
    pub currency: Option<Currency>,
    /// What the event says.
    pub facts: Facts,
}

impl Event {
    /// The state that it says a record of that kind is in.
    ///
    /// What may concern a preauthorization, has succeeded and books nothing is a reservation. Where only a payment is
    /// registered it reaches that, and then it is not money yet: the payment is Pending.
    #[must_use]
    pub fn status_of(&self, kind: Kind) -> Option<Status> {
        let reserves = self.kinds.contains(&Kind::Preauth) && self.facts.items.is_empty();
        match self.facts.status {
            Some(Status::Succeeded) if kind == Kind::Payment && reserves => Some(Status::Pending),
            said => said,
        }
    }
}

/// What an event says of its record. Absent is not said; nothing here takes anything back by being absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// The state that the record is in.
    pub status: Option<Status>,
    /// Why, if the state is an error.
    pub error: Option<PspError>,
    /// Preauthorization: what is reserved now.
    pub authorized: Option<Decimal>,
    /// Preauthorization: until when.
    pub expires_at: Option<Timestamp>,
    /// Payment: money booked, by the PSP's id of the booking.
    pub items: Vec<Item>,
    /// Payment: money taken back by the customer's bank, by the PSP's id of the dispute.
    pub chargebacks: Vec<Chargeback>,
    /// Refund: what was given back.
    pub refunded: Option<Decimal>,
    /// The customer's payment data as the PSP knows it.
    pub bearer: BTreeMap<String, String>,
}

/// Whether money of one PSP item is there. Ordered as in an item's life, for facts of one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Booking {
    /// Announced; no money has moved.
    Open,
    /// Moved.
    Booked,
    /// Moved back, or never moved after all.
    Reversed,
}

/// One booking of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The PSP's id of the booking: the same for every event about it.
    pub id: String,
    /// Major units; the whole of this item, never a difference. Zero where a reversal names none.
    pub amount: Decimal,
    /// Whether it counts.
    pub booking: Booking,
    /// The day it was booked.
    pub date: Date,
    /// The PSP's words for it.
    pub description: Option<String>,
}

/// One chargeback of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chargeback {
    /// The PSP's id of the dispute.
    pub id: String,
    /// Major units. Zero where the event names none.
    pub amount: Decimal,
    /// What the PSP charges for it, major units.
    pub fee: Option<Decimal>,
    /// Whether the money is gone.
    pub booking: Booking,
    /// The day it went.
    pub date: Date,
    /// Why, where the event says it.
    pub why: Option<Why>,
}

/// Why the customer's bank took money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// The contract's reason.
    pub reason: ChargebackReason,
    /// The PSP's code for the reason.
    pub psp_code: Option<String>,
    /// The PSP's words for the reason.
    pub psp_message: Option<String>,
}
