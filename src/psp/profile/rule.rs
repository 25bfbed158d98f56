//! Rules: what the messages of a type mean.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::words::{Fixed, Mapped};
use crate::domain::event::Booking;
use crate::domain::ids::Kind;
use crate::domain::status::{ChargebackReason, ErrorCode, Status};
use crate::domain::total::TotalOf;
use crate::psp::document::place::Place;
use crate::psp::document::pointer::Each;

/// One value, or a list of values.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a text or word that is known here, or a list of them")]
pub enum OneOrMore<T> {
    /// `x = "a"`
    One(T),
    /// `x = ["a", "b"]`
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    pub(super) const fn none() -> Self {
        Self::More(Vec::new())
    }

    /// The values as a list.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

/// Conditions, each on the text of a place. Conditions on the current element (`./`) choose elements; the others choose the
/// rule.
pub type When = BTreeMap<Place, Condition>;

/// A condition on a text. An absent value and null count as the empty text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a text, a list of texts, { not = … } or { starts = … }")]
pub enum Condition {
    /// `"a"` or `["a", "b"]`: the text is one of these.
    Is(OneOrMore<String>),
    /// The text is none of these.
    Not(Not),
    /// The text starts with one of these.
    Starts(Starts),
}

/// The text is none of these: `{ not = "a" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Not {
    /// The texts that it must not be.
    pub not: OneOrMore<String>,
}

/// The text starts with one of these: `{ starts = "a" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Starts {
    /// The beginnings, one of which it must have.
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

/// The unit of amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Amounts {
    /// Minor units: whole cents.
    Minor,
    /// Major units: euros with decimals.
    Major,
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeFormat {
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
    /// `2021-01-01T01:00:00` without an offset, or a date, in UTC. Month and day may have one digit.
    Utc,
    /// `2021-01-01T01:00:00+01:00`
    #[default]
    Rfc3339,
    /// Seconds since 1970, or as `rfc3339`.
    UnixOrRfc3339,
}

/// What is done with a message without a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WithoutTime {
    /// It counts as of its receipt; a fetched object as of the beginning of its fetch.
    Receipt,
    /// It is not understood.
    DeadLetter,
}

/// A rule: it turns a message of its types into events, if its conditions are met.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The type or types.
    #[serde(rename = "type")]
    pub event_type: OneOrMore<String>,
    /// Conditions; all of them must be met.
    #[serde(default)]
    pub when: When,
    /// The meaning of the message, for the PSP's page, if the rule does not show it.
    pub note: Option<String>,
    /// Whether the messages are ignored: their types are known, and concern no record.
    #[serde(default)]
    pub ignore: bool,
    /// Whether the rules that follow read the message as well, if they fit.
    #[serde(default, rename = "continue")]
    pub goes_on: bool,
    /// The kind of the record, or several kinds, the likeliest first. `["preauth", "payment"]` is an authorization. If only
    /// a payment is registered, the event is about the payment. A rule without items then makes it Pending, not Succeeded.
    #[serde(default = "OneOrMore::<Kind>::none")]
    pub kind: OneOrMore<Kind>,
    /// The elements that make an event each, instead of one event for the message; `./` points into the element. A message
    /// without any is not understood, unless conditions choose elements or `continue` is true.
    pub each: Option<Each>,
    /// The record's own PSP ids: every place that has a text.
    pub ids: Option<Vec<Place>>,
    /// PSP ids that the record has in common with others: every place that has a text.
    pub shared_ids: Option<Vec<Place>>,
    /// PSP ids of the original that the event changes, such as the authorization of a capture: every place that has a text.
    /// They lead to the record like shared ids, and the event belongs to the attempt of its original.
    pub originals: Option<Vec<Place>>,
    /// Ids of the payment that the record belongs to: of a refund, or of an agreement that a payment made. They are PSP ids, or
    /// Transform ids where the PSP knows no other. They lead to the payment if no record is known by the event's own ids.
    pub payment_ids: Option<Vec<Place>>,
    /// PSP ids of the customer to whom an agreement's means of payment belongs. An event that names nothing else is about all
    /// means of payment of that customer.
    #[serde(default)]
    pub customers: Vec<Place>,
    /// Where the Transform id may stand: every place that has a text.
    pub reference: Option<Vec<Place>>,
    /// The time of the event, if it does not stand where the form says.
    pub at: Option<Vec<Place>>,
    /// The currency of the amounts.
    pub currency: Option<Vec<Place>>,
    /// The number of decimal digits that the minor units stand for, if the message has it.
    #[serde(default)]
    pub exponent: Vec<Place>,
    /// Whether a minus before an amount is dropped, because the PSP writes money given back as a negative amount.
    #[serde(default)]
    pub unsigned_amounts: bool,
    /// The state of the record now.
    pub status: Option<StatusFrom>,
    /// The failure, if the PSP names one. The reason of a cancellation is none.
    pub error: Option<ErrorRule>,
    /// Whether the event outranks every other event of the same second.
    #[serde(default)]
    pub late: bool,
    /// Whether the event gives way to every other event, even an older one.
    #[serde(default)]
    pub gives_way: bool,
    /// Whether the state yields to a success of the same attempt, even an older one.
    #[serde(default)]
    pub yields_to_success: bool,
    /// Whether the state leaves an end of the same attempt as it is, even an older one. Another state than an end never revives
    /// what has ended.
    #[serde(default)]
    pub never_revives: bool,
    /// Whether the event comes along with another event of its message. It waits for its record in silence, and is forgotten
    /// if no such record is registered in time.
    #[serde(default)]
    pub companion: bool,
    /// Preauthorization: the amount that is reserved now.
    pub authorized: Option<Vec<Place>>,
    /// A part of the reservation that is released. The state counts once nothing is left.
    pub release: Option<ReleaseRule>,
    /// Preauthorization: the time when the reservation ends.
    pub expires_at: Option<Vec<Place>>,
    /// Refund: the amount given back.
    pub refunded: Option<Vec<Place>>,
    /// Refund: whether it is only the rest of a reservation that a partial capture released, and gives no money back.
    #[serde(default)]
    pub remainder: bool,
    /// Refund: whether the PSP carried it out as a cancellation of the payment, and takes nothing from money that is booked.
    #[serde(default)]
    pub as_cancellation: bool,
    /// Payment: its bookings.
    #[serde(default, rename = "item")]
    pub items: Vec<ItemRule>,
    /// Payment: running totals of its bookings or refunds.
    #[serde(default, rename = "total")]
    pub totals: Vec<TotalRule>,
    /// Payment: a chargeback.
    pub chargeback: Option<ChargebackRule>,
    /// Payment: the value of its account, where the PSP tells of that and not of bookings.
    pub statement: Option<StatementRule>,
    /// Agreement: whether the means of payment was amended. Transform is told once for each amendment, also where no field
    /// differs. An amendment names no state, or one that gives way or never revives.
    #[serde(default)]
    pub amends: bool,
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

/// The failure that ended a record. Without one, Cancelled, Expired and Inactive are states, and Transform reads the record.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// Conditions; all of them must be met. Otherwise the message names no failure.
    #[serde(default)]
    pub when: When,
    /// The contract's code. A PSP's word that is not in the map is unmapped, which is no mistake.
    pub code: Option<Mapped<ErrorCode>>,
    /// The PSP's code.
    #[serde(default)]
    pub psp_code: Vec<Place>,
    /// The PSP's words for the error.
    #[serde(default)]
    pub message: Vec<Place>,
}

/// A booking of a payment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemRule {
    /// The elements that make a booking each; `./` points into the element.
    pub each: Option<Each>,
    /// Conditions; all of them must be met. Conditions on `./` choose elements.
    #[serde(default)]
    pub when: When,
    /// The PSP's id of the booking: the first place that has a text.
    pub id: Vec<Place>,
    /// The whole amount of the booking. It may be missing if nothing is booked.
    #[serde(default)]
    pub amount: Vec<Place>,
    /// The money that the customer paid beside the amount. It is added to the booking.
    #[serde(default)]
    pub surcharge: Vec<Place>,
    /// Conditions. If all of them are met, the booking completes the payment, also if less than the requested amount was paid.
    #[serde(default)]
    pub completes: When,
    /// Whether the money is there. By default the state says so: booked if Succeeded, reversed if Failed, Cancelled or
    /// Expired, else open.
    pub booking: Option<BookingFrom>,
    /// The time of the booking, if it is not the event's time.
    #[serde(default)]
    pub at: Vec<Place>,
    /// The PSP's words for the booking.
    #[serde(default)]
    pub description: Vec<Place>,
}

/// A running total of several bookings or refunds. What it has above those that are known counts as one more of them, until they
/// are told of.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TotalRule {
    /// What it adds up.
    pub of: TotalOf,
    /// The PSP's id of the thing whose total it is: the first place that has a text. A booking with this id is the same as the
    /// total of items, and the newer of both stands.
    pub id: Vec<Place>,
    /// The total. If it is missing, the message states none.
    pub amount: Vec<Place>,
    /// The rest of a reservation that a partial capture released, if the PSP counts it as refunded.
    pub released: Option<ReleasedRule>,
}

/// The released rest of a reservation inside a total of refunds: what was reserved less what was captured. It is taken off,
/// unless the total is below it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleasedRule {
    /// The amount that was reserved.
    pub reserved: Vec<Place>,
    /// The amount that was captured.
    pub captured: Vec<Place>,
}

/// The release of a part of a reservation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRule {
    /// The PSP's id of the release: the first place that has a text.
    pub id: Vec<Place>,
    /// The released amount. If it is missing, all that is left is released.
    #[serde(default)]
    pub amount: Vec<Place>,
}

/// The value of a payment's account. What has come is what was asked for, less what is missing. Where less is asked for, or
/// money is gone, it was given back; or a bank took it back. So the account must not be told of by items as well.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementRule {
    /// The PSP's id of the account: the first place that has a text.
    pub account: Vec<Place>,
    /// The sum that the customer was asked for so far.
    pub asked: Vec<Place>,
    /// The part of it that is missing; a negative amount is too much.
    pub missing: Vec<Place>,
    /// Whether a bank took back the money that is gone since the statement before. What is gone beyond all that had come is a
    /// fee.
    #[serde(default)]
    pub returned: bool,
    /// The contract's reason of a return. A PSP's word that is not in the map gives Unknown.
    pub reason: Option<Mapped<ChargebackReason>>,
    /// The PSP's code for the reason.
    #[serde(default)]
    pub psp_code: Vec<Place>,
    /// The PSP's words for the reason.
    #[serde(default)]
    pub psp_message: Vec<Place>,
}

/// A chargeback of a payment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChargebackRule {
    /// The PSP's id of the dispute: the first place that has a text.
    pub id: Vec<Place>,
    /// The amount of the chargeback. It may be missing if nothing is booked.
    #[serde(default)]
    pub amount: Vec<Place>,
    /// Whether the amount of a booked chargeback may be missing as well. It is then the amount in another event of the
    /// dispute, or else all that was paid.
    #[serde(default)]
    pub amount_elsewhere: bool,
    /// The time when the money left, if it is not the event's time.
    #[serde(default)]
    pub at: Vec<Place>,
    /// The PSP's fee for the chargeback. A negative fee, which is given back, counts as none.
    #[serde(default)]
    pub fee: Vec<Place>,
    /// The currency of the fee, if it may differ. A fee in another currency than the amount's is left out.
    #[serde(default)]
    pub fee_currency: Vec<Place>,
    /// Whether the money is gone.
    pub booking: BookingFrom,
    /// The contract's reason. A PSP's word that is not in the map gives Unknown.
    pub reason: Option<Mapped<ChargebackReason>>,
    /// The PSP's code for the reason.
    #[serde(default)]
    pub psp_code: Vec<Place>,
    /// The PSP's words for the reason.
    #[serde(default)]
    pub psp_message: Vec<Place>,
    /// The PSP's id of the disputed booking, where the PSP's reversals name no dispute. A chargeback without a reason shows
    /// that of the disputes of the same booking, if they all name the same one.
    #[serde(default)]
    pub of: Vec<Place>,
    /// The movements of money. Where they are known they decide, and not the booking. A rule without an amount whose movements
    /// only give back is about no dispute in particular: the money is taken off the payment's chargebacks.
    #[serde(default, rename = "movement")]
    pub movements: Vec<MovementRule>,
}

/// Money that a dispute took or gave back at one time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MovementRule {
    /// The list whose elements are a movement each; `./` points into the element. An empty list says that no money has moved;
    /// a list that is absent says nothing.
    pub each: Option<Each>,
    /// Conditions; all of them must be met. Conditions on `./` choose elements.
    #[serde(default)]
    pub when: When,
    /// The PSP's id of the movement: the first place that has a text.
    pub id: Vec<Place>,
    /// The amount.
    pub amount: Vec<Place>,
    /// Whether the amount was taken or given back.
    #[serde(default)]
    pub direction: Direction,
    /// The time of the movement, if it is not the event's time.
    #[serde(default)]
    pub at: Vec<Place>,
    /// The PSP's fee for the movement; a negative fee is given back.
    #[serde(default)]
    pub fee: Vec<Place>,
    /// The currency of amount and fee, if it may differ from the payment's.
    #[serde(default)]
    pub currency: Vec<Place>,
}

/// Whether a movement took money or gave it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A negative amount was taken, a positive one was given back.
    #[default]
    Signed,
    /// The amount was taken.
    Taken,
    /// The amount was given back.
    GivenBack,
}
