//! What one type of message means.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::words::{Fixed, Mapped};
use crate::domain::event::Booking;
use crate::domain::ids::Kind;
use crate::domain::status::{ChargebackReason, ErrorCode, Status};
use crate::psp::document::place::Place;
use crate::psp::document::pointer::Each;

/// One or several, as TOML writers like it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a text or word that is known here, or a list of them")]
pub enum OneOrMore<T> {
    /// `x = "a"`
    One(T),
    /// `x = ["a", "b"]`
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    const fn none() -> Self {
        Self::More(Vec::new())
    }

    /// As a list.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

/// Conditions, each on the text of a place. Those on the current element (`./`) choose elements, the others choose the
/// rule.
pub type When = BTreeMap<Place, Condition>;

/// A condition on a text. The empty text stands for absent or null.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a text, a list of texts, { not = … } or { starts = … }")]
pub enum Condition {
    /// `"a"` or `["a", "b"]`: it is one of these.
    Is(OneOrMore<String>),
    /// It is other than one of these.
    Not(Not),
    /// It starts with one of these.
    Starts(Starts),
}

/// `{ not = "a" }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Not {
    /// What it is not.
    pub not: OneOrMore<String>,
}

/// `{ starts = "a" }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Starts {
    /// What it starts with.
    pub starts: OneOrMore<String>,
}

impl Condition {
    /// Whether a text meets it.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Is(texts) => texts.as_slice().iter().any(|known| known == text),
            Self::Not(Not { not }) => !not.as_slice().iter().any(|known| known == text),
            Self::Starts(Starts { starts }) => starts.as_slice().iter().any(|known| text.starts_with(known.as_str())),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, texts) = match self {
            Self::Is(texts) => ("", texts),
            Self::Not(Not { not }) => ("other than ", not),
            Self::Starts(Starts { starts }) => ("what starts with ", starts),
        };
        let quoted: Vec<_> = texts.as_slice().iter().map(|text| format!("{text:?}")).collect();
        write!(f, "{before}{}", quoted.join(" or "))
    }
}

/// Whether amounts are in minor or major units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Amounts {
    /// Whole cents.
    Minor,
    /// Decimal euros.
    Major,
}

/// How instants are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeFormat {
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
    /// `2021-01-01T01:00:00` without an offset, or a date, in UTC.
    Utc,
    /// `2021-01-01T01:00:00+01:00`
    #[default]
    Rfc3339,
}

/// What a message of one type, under conditions, means: an event.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The type or types.
    #[serde(rename = "type")]
    pub event_type: OneOrMore<String>,
    /// Conditions, all to be met.
    #[serde(default)]
    pub when: When,
    /// What it means, where that is not to be seen from the rule; for the PSP's page.
    pub note: Option<String>,
    /// The type is known, and concerns no record.
    #[serde(default)]
    pub ignore: bool,
    /// Whether the rules that follow read the message too, as far as they fit.
    #[serde(default, rename = "continue")]
    pub goes_on: bool,
    /// The kind of record, or several, the likeliest first. `["preauth", "payment"]` is an authorization: where only a
    /// payment is registered it is that payment's, which is Pending, not Succeeded, by a rule that books nothing.
    #[serde(default = "OneOrMore::<Kind>::none")]
    pub kind: OneOrMore<Kind>,
    /// One event for each of these elements instead of one for the message; `./` points into the element. None is a
    /// mistake, unless conditions choose elements or the rules that follow read on.
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
    /// How many digits after the decimal point the minor units stand for, where the message says.
    #[serde(default)]
    pub exponent: Vec<Place>,
    /// Whether the sign of amounts means nothing: money given back is written as a negative amount.
    #[serde(default)]
    pub unsigned_amounts: bool,
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

impl EventRule {
    /// Whether it is about messages of this type.
    #[must_use]
    pub fn is_of(&self, event_type: &str) -> bool {
        self.event_type.as_slice().iter().any(|known| known == event_type)
    }
}

/// A state of a record.
pub type StatusFrom = Fixed<Status>;
/// Whether money of an item is there.
pub type BookingFrom = Fixed<Booking>;

/// Why a record is in error.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemRule {
    /// One booking for each of these elements; `./` points into the element.
    pub each: Option<Each>,
    /// Conditions, all to be met; those on `./` choose elements.
    #[serde(default)]
    pub when: When,
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
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChargebackRule {
    /// The PSP's id of the dispute: the first place that has a text.
    pub id: Vec<Place>,
    /// Its amount. May be missing where nothing is booked.
    #[serde(default)]
    pub amount: Vec<Place>,
    /// Whether it may be missing of a booked one, too: then it is what another event of the dispute names, or all that
    /// was paid.
    #[serde(default)]
    pub amount_elsewhere: bool,
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
