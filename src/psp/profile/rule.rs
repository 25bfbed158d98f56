//! What one type of message means.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::event::Booking;
use crate::domain::ids::Kind;
use crate::domain::status::{ChargebackReason, ErrorCode, Status};
use crate::psp::place::{Each, Place, Pointer};

/// One or several, as TOML writers like it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore<T> {
    /// `x = "a"`
    One(T),
    /// `x = ["a", "b"]`
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    /// As a list.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

/// Conditions: at each pointer stands one of the texts. The empty text stands for absent or null.
pub type When = BTreeMap<Pointer, OneOrMore<String>>;

/// Whether amounts are in minor or major units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amounts {
    /// Whole cents.
    Minor,
    /// Decimal euros.
    Major,
}

/// How instants are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeFormat {
    /// Seconds since 1970.
    Unix,
    /// `2021-01-01T01:00:00+01:00`
    #[default]
    Rfc3339,
}

/// What a message of one type, under conditions, means: an event.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The type or types.
    #[serde(rename = "type")]
    pub event_type: OneOrMore<String>,
    /// Conditions, all to be met.
    #[serde(default)]
    pub when: When,
    /// The kind of record, or several, the likeliest first.
    pub kind: OneOrMore<Kind>,
    /// One event for each of these elements instead of one for the message; `./` points into the element.
    pub each: Option<Each>,
    /// The record's own PSP ids: every place that has a text.
    pub ids: Option<Vec<Place>>,
    /// PSP ids that the record has in common with others: every place that has a text.
    pub shared_ids: Option<Vec<Place>>,
    /// Where the Transform id may stand: every place that has a text.
    pub reference: Option<Vec<Place>>,
    /// When it happened, where it is not where the form says.
    pub at: Option<Vec<Place>>,
    /// The currency of the amounts.
    pub currency: Option<Vec<Place>>,
    /// The state that the record is in now.
    pub status: Option<StatusFrom>,
    /// Why, where the state is an error.
    pub error: Option<ErrorRule>,
    /// Whether this outranks every other truth of the same second.
    #[serde(default)]
    pub late: bool,
    /// Whether this gives way to every other truth, even an older one.
    #[serde(default)]
    pub gives_way: bool,
    /// Preauthorization: the amount that is reserved now.
    pub authorized: Option<Vec<Place>>,
    /// Preauthorization: until when.
    pub expires_at: Option<Vec<Place>>,
    /// Refund: the amount given back.
    pub refunded: Option<Vec<Place>>,
    /// Payment: bookings.
    #[serde(default, rename = "item")]
    pub items: Vec<ItemRule>,
    /// Payment: a chargeback.
    pub chargeback: Option<ChargebackRule>,
    /// The customer's payment data: name to place.
    #[serde(default)]
    pub bearer: BTreeMap<String, Vec<Place>>,
}

/// A value that is fixed, or read and looked up in a map.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Fixed<T> {
    /// `status = "Pending"`
    Fixed(T),
    /// `status = { from = ["/status"], map = { open = "Pending" } }`
    Mapped(Mapped<T>),
}

/// A value that is read and looked up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapped<T> {
    /// Where the PSP's word stands.
    pub from: Vec<Place>,
    /// The PSP's words and ours.
    pub map: BTreeMap<String, T>,
}

/// A state of a record.
pub type StatusFrom = Fixed<Status>;
/// Whether money of an item is there.
pub type BookingFrom = Fixed<Booking>;

/// Why a record is in error.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The contract's code; a PSP's word that is not in the map is unmapped, which is no mistake.
    pub code: Option<Mapped<ErrorCode>>,
    /// The PSP's code.
    #[serde(default)]
    pub psp_code: Vec<Place>,
    /// The PSP's words.
    #[serde(default)]
    pub message: Vec<Place>,
}

/// A booking of a payment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemRule {
    /// One booking for each of these elements; `./` points into the element.
    pub each: Option<Each>,
    /// The PSP's id of the booking: the first place that has a text.
    pub id: Vec<Place>,
    /// Its whole amount. May be missing where nothing is booked.
    #[serde(default)]
    pub amount: Vec<Place>,
    /// Whether the money is there. By default the state says: booked when Succeeded, reversed when Failed,
    /// Cancelled or Expired, open otherwise.
    pub booking: Option<BookingFrom>,
    /// When it was booked, where that is not the event's time.
    #[serde(default)]
    pub at: Vec<Place>,
    /// The PSP's words for it.
    #[serde(default)]
    pub description: Vec<Place>,
}

/// A chargeback of a payment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargebackRule {
    /// The PSP's id of the dispute: the first place that has a text.
    pub id: Vec<Place>,
    /// Its amount. May be missing where nothing is booked.
    #[serde(default)]
    pub amount: Vec<Place>,
    /// When the money went, where that is not the event's time.
    #[serde(default)]
    pub at: Vec<Place>,
    /// What the PSP charges for it. A negative one, a fee given back, is none.
    #[serde(default)]
    pub fee: Vec<Place>,
    /// The fee's currency, where it may differ; a fee in another currency than the amount's is left out.
    #[serde(default)]
    pub fee_currency: Vec<Place>,
    /// Whether the money is gone.
    pub booking: BookingFrom,
    /// The contract's reason; a PSP's word that is not in the map is Unknown.
    pub reason: Option<Mapped<ChargebackReason>>,
    /// The PSP's code for the reason.
    #[serde(default)]
    pub psp_code: Vec<Place>,
    /// The PSP's words for the reason.
    #[serde(default)]
    pub psp_message: Vec<Place>,
}
