//! The event: the normalised fact inside a message of a notification.

mod shown;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::due::utc_date;
use super::ids::{Kind, TransformId};
use super::money::Currency;
use super::stamp::Stamp;
use super::status::{ChargebackReason, PspError, Status};
use super::total::Total;

/// How far a PSP's time may lie ahead of the receipt: its clock and ours need not agree to the minute. A time further ahead
/// counts as the receipt. Otherwise it would outrank all later news of the PSP until that time.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(15);

/// A time that lay too far ahead of the receipt and counts as the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The owner of the time: `event`, `item` or `chargeback`.
    pub what: &'static str,
    /// The time as the PSP wrote it: an instant, or a day.
    pub said: String,
}

/// One fact about one record, in our words, from any PSP.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The PSP's name for the event, for people to read.
    pub event_type: String,
    /// The kinds of record that the event may concern, the likeliest first. There are several if an account setting of the
    /// PSP decides (Adyen AUTHORISATION: a preauthorization, or a payment with automatic capture).
    pub kinds: Vec<Kind>,
    /// The PSP ids that are the record's own. The record learns the ids that it did not have.
    pub psp_ids: Vec<String>,
    /// PSP ids that lead to the record only if it was registered with them, such as the payment id of a capture. They are
    /// never learned, since several records may share one.
    pub shared_ids: Vec<String>,
    /// PSP ids of the original that the event changes, such as the authorization of a capture. They lead to the record like
    /// shared ids, and the event belongs to the attempt of its original. At equal times it outranks the original.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub originals: Vec<String>,
    /// PSP ids of the payment that the record belongs to: the payment of a refund, or a payment under an agreement. They lead
    /// to the payment where the record itself is not registered, or not known by the event's own ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payment_ids: Vec<String>,
    /// PSP ids of the customer to whom the means of payment belongs. An event that names nothing else is about all means of
    /// payment of that customer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<String>,
    /// The merchant's own references, as the PSP returns them. They are Transform ids if the integrator has put those
    /// there.
    pub references: Vec<TransformId>,
    /// The part that a stranger with a captured message can change, to lead the event to another record; none if every
    /// id and reference is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loose: Option<Loose>,
    /// The PSP's time of the event.
    pub at: Timestamp,
    /// The event's dedupe key, the last tie-break of [`super::stamp::Stamp`].
    pub key: String,
    /// Whether this event outranks every other of the same second (Adyen CAPTURE_FAILED after CAPTURE).
    pub late: bool,
    /// Whether this event gives way to every other, even an older one. It only says what became of a record of which nothing
    /// else is known (Adyen OFFER_CLOSED of one attempt, after another attempt succeeded).
    #[serde(default)]
    pub gives_way: bool,
    /// Whether the state of this event yields to a success of the same attempt, even an older one (PAYONE's late "failed").
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yields_to_success: bool,
    /// Whether the state leaves an end of the same attempt as it is, even an older one (a late charge of a subscription).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_revives: bool,
    /// Whether the event comes along with another event of its message. It waits for its record in silence: if no such
    /// record is registered in time, nothing is lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub companion: bool,
    /// The currency of all amounts in `facts`.
    pub currency: Option<Currency>,
    /// The facts that the event states.
    pub facts: Facts,
}

/// The unsigned part of the ids and references that lead an event to its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loose {
    /// The signed part of the message, as the hash of one text. The event counts for the records that this text reached
    /// first.
    pub text: String,
    /// The event's ids and references that are not signed. Signed ids and references lead before them.
    pub unsigned: BTreeSet<String>,
}

/// The addition to the rank of an event that changes another: above the ranks of [`Status::rank`].
const CHANGES: u8 = 50;
/// The addition to the rank of a late event: above every rank of [`Status::rank`].
const LATE: u8 = 100;

impl Event {
    /// The stamp of the event's facts: its time, with this rank of the facts.
    pub(super) fn stamp(&self, rank: u8) -> Stamp {
        Stamp {
            at: if self.gives_way { Timestamp::MIN } else { self.at },
            rank: rank + if self.late { LATE } else { 0 } + if self.originals.is_empty() { 0 } else { CHANGES },
            tie: self.key.clone(),
        }
    }

    /// Whether this id or reference of the event is signed, or as trustworthy as a signed one.
    #[must_use]
    pub fn is_sure_of(&self, id: &str) -> bool {
        self.loose.as_ref().is_none_or(|loose| !loose.unsigned.contains(id))
    }

    /// The state that the event names for a record of that kind.
    ///
    /// A succeeded event that may concern a preauthorization and books no money is a reservation. If only a payment is
    /// registered, the event reaches that payment. The payment is then Pending, since there is no money yet.
    #[must_use]
    pub fn status_of(&self, kind: Kind) -> Option<Status> {
        let reserves = self.kinds.contains(&Kind::Preauth) && self.facts.items.is_empty();
        match self.facts.status {
            Some(Status::Succeeded) if kind == Kind::Payment && reserves => Some(Status::Pending),
            said => said,
        }
    }

    /// The rank of a state among the news of one second. A means of payment that was refused may still be taken, as a payment may: the
    /// failure ranks below the success. The end of one that was taken ranks above it.
    pub(super) fn rank_of(&self, status: Status, kind: Kind) -> u8 {
        match status {
            Status::Inactive if self.facts.error.is_some() => Status::Failed.rank(kind),
            status => status.rank(kind),
        }
    }

    /// Whether the event says something of an attempt at a record of that kind, and not only of its bookings.
    #[must_use]
    pub fn concerns_attempt(&self, kind: Kind) -> bool {
        let Facts { authorized, expires_at, refunded, remainder, as_cancellation, bearer, amended, tolerance, .. } =
            &self.facts;
        let amounts = [authorized, refunded, tolerance].into_iter().any(Option::is_some);
        let stated = amounts || *remainder || *as_cancellation || *amended || expires_at.is_some();
        stated || !bearer.is_empty() || self.status_of(kind).is_some()
    }

    /// Whether the event tells of a refund.
    #[must_use]
    pub fn is_refund(&self) -> bool {
        self.kinds == [Kind::Refund]
    }

    /// Whether the event is about all means of payment of a customer.
    #[must_use]
    pub fn is_of_customer(&self) -> bool {
        let names_more =
            self.leading_ids().next().is_some() || !self.references.is_empty() || !self.payment_ids.is_empty();
        !self.customers.is_empty() && !names_more
    }

    /// All PSP ids that lead to the record.
    pub fn leading_ids(&self) -> impl Iterator<Item = &String> {
        self.psp_ids.iter().chain(&self.originals).chain(&self.shared_ids)
    }

    /// All texts of the event that may be PSP ids or references of a registered record.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let ids = self.leading_ids().chain(&self.payment_ids).map(String::as_str);
        ids.chain(self.references.iter().map(TransformId::as_str))
    }

    /// The dedupe key of the event's message. The event's own key adds a trace of its facts.
    #[must_use]
    pub fn message_key(&self) -> &str {
        message_key(&self.key)
    }

    /// Replaces each time of the event that lies more than [`AHEAD_MAX`] ahead of the receipt, and returns the replaced
    /// ones.
    ///
    /// The end of a reservation (`expires_at`) rightly lies ahead, and no rank depends on it.
    pub fn received(&mut self, at: Timestamp) -> Vec<Ahead> {
        let latest = at.saturating_add(AHEAD_MAX).unwrap_or(Timestamp::MAX);
        let mut ahead = Vec::new();
        if self.at > latest {
            ahead.push(Ahead { what: "event", said: self.at.to_string() });
            self.at = at;
        }
        for (what, date) in self.facts.dates().filter(|(_, date)| **date > utc_date(latest)) {
            ahead.push(Ahead { what, said: date.to_string() });
            *date = utc_date(at);
        }
        let movements = self.facts.chargebacks.iter_mut().flat_map(|chargeback| &mut chargeback.movements).flatten();
        movements.filter(|movement| movement.at > latest).for_each(|movement| movement.at = at);
        ahead
    }

    /// Dates the event at this time. Bookings on the day of its former time move to the day of the new one, and movements at
    /// its former time to the new one.
    pub fn date(&mut self, at: Timestamp) {
        let (before, day) = (self.at, utc_date(self.at));
        self.at = at;
        self.facts.dates().filter(|(_, date)| **date == day).for_each(|(_, date)| *date = utc_date(at));
        let movements = self.facts.chargebacks.iter_mut().flat_map(|chargeback| &mut chargeback.movements).flatten();
        movements.filter(|movement| movement.at == before).for_each(|movement| movement.at = at);
    }
}

/// The dedupe key of the message, taken from the key of one of its events.
#[must_use]
pub fn message_key(event_key: &str) -> &str {
    event_key.rsplit_once('#').map_or(event_key, |(message, _)| message)
}

/// The facts that an event states about its record. An absent field states nothing and takes nothing back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facts {
    /// The state of the record.
    pub status: Option<Status>,
    /// The failure, if the PSP named one.
    pub error: Option<PspError>,
    /// Preauthorization: the amount that is reserved now.
    pub authorized: Option<Decimal>,
    /// A part of the reservation that is released. The state of the event counts once nothing is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// Preauthorization: the end of the reservation.
    pub expires_at: Option<Timestamp>,
    /// Payment: money booked, by the PSP's id of the booking.
    pub items: Vec<Item>,
    /// Payment: money taken back by the customer's bank, by the PSP's id of the dispute.
    pub chargebacks: Vec<Chargeback>,
    /// Payment: the value of its account, where the PSP tells of that and not of bookings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// Payment: running totals of its bookings or refunds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<Total>,
    /// Payment: it is complete if less than this is missing. The PSP cannot charge smaller amounts, or it granted a discount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Decimal>,
    /// Refund: the amount that was given back.
    pub refunded: Option<Decimal>,
    /// Refund: whether it is only the rest of a reservation that a partial capture released. No money was given back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub remainder: bool,
    /// Refund: whether the PSP carried it out as a cancellation of the payment. It takes nothing from money that is booked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub as_cancellation: bool,
    /// Agreement: whether its means of payment was amended. Transform is told, also where no field differs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub amended: bool,
    /// The customer's payment data as the PSP knows it.
    pub bearer: BTreeMap<String, String>,
}

impl Facts {
    /// The dates of the bookings, each with the kind of booking.
    fn dates(&mut self) -> impl Iterator<Item = (&'static str, &mut Date)> {
        let items = self.items.iter_mut().map(|item| ("item", &mut item.date));
        items.chain(self.chargebacks.iter_mut().map(|chargeback| ("chargeback", &mut chargeback.date)))
    }
}

/// Whether the money of one PSP item is there. Ordered as in an item's life, for facts of one second.
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
    /// Major units; the whole of this item, never a difference. Zero if a reversal names none.
    pub amount: Decimal,
    /// Whether the booking counts.
    pub booking: Booking,
    /// The day of the booking.
    pub date: Date,
    /// The PSP's description.
    pub description: Option<String>,
}

/// The release of a part of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The PSP's id of the release.
    pub id: String,
    /// Major units; none if all that is left is released.
    pub amount: Option<Decimal>,
}

/// News of one dispute of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "EarlierChargeback")]
pub struct Chargeback {
    /// The PSP's id of the dispute.
    pub id: String,
    /// The disputed amount, major units; none if the event names none.
    pub disputed: Option<Decimal>,
    /// The PSP's charge for the chargeback, major units.
    pub fee: Option<Decimal>,
    /// Whether the money is gone.
    pub booking: Booking,
    /// The day on which the money went.
    pub date: Date,
    /// The reason, if the event names one.
    pub why: Option<Why>,
    /// The movements of money that the event lists; none if it lists none, which is not the same as an empty list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub movements: Option<Vec<Movement>>,
    /// The PSP's id of the disputed booking, where the PSP's reversals name no dispute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// Money that a dispute took or gave back at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Movement {
    /// The PSP's id of the movement.
    pub id: String,
    /// Major units; negative if the money was taken.
    pub amount: Decimal,
    /// The currency of amount and fee, if it is not the payment's.
    pub currency: Option<Currency>,
    /// The PSP's charge for the movement, major units; negative if it was given back.
    pub fee: Option<Decimal>,
    /// The time of the movement.
    pub at: Timestamp,
}

/// A chargeback of an event, as any version of the relay stored it. An amount of 0 becomes an unknown one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EarlierChargeback {
    id: String,
    /// Until version 12 of the schema; 0 where the event named none.
    amount: Option<Decimal>,
    #[serde(default)]
    disputed: Option<Decimal>,
    fee: Option<Decimal>,
    booking: Booking,
    date: Date,
    why: Option<Why>,
    #[serde(default)]
    movements: Option<Vec<Movement>>,
    #[serde(default)]
    of: Option<String>,
}

impl From<EarlierChargeback> for Chargeback {
    fn from(stored: EarlierChargeback) -> Self {
        let EarlierChargeback { id, amount, disputed, fee, booking, date, why, movements, of } = stored;
        let disputed = disputed.or_else(|| amount.filter(|amount| !amount.is_zero()));
        Self { id, disputed, fee, booking, date, why, movements, of }
    }
}

/// The value of an account at one time, in the PSP's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The PSP's id of the account.
    pub account: String,
    /// The sum that the customer was asked for so far, major units.
    pub asked: Decimal,
    /// The part of it that is missing, major units; negative if the account has too much.
    pub missing: Decimal,
    /// Whether a bank took back the money that is gone since the statement before.
    pub returned: bool,
    /// The reason of a return, if the event names one.
    pub why: Option<Why>,
}

/// The reason why the customer's bank took money back.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Kind;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn said(event: &str, booked: &str) -> Event {
        let item = Item {
            id: "ch_1".into(),
            amount: Decimal::TEN,
            booking: Booking::Booked,
            date: booked.parse().unwrap(),
            description: None,
        };
        let chargeback = Chargeback {
            id: "dp_1".into(),
            disputed: Some(Decimal::ONE),
            fee: None,
            booking: Booking::Open,
            date: item.date,
            why: None,
            movements: None,
            of: None,
        };
        let expires_at = Some(at("2031-01-01T00:00:00Z"));
        Event {
            event_type: "paid".into(),
            kinds: vec![Kind::Payment],
            psp_ids: vec!["pi_1".into()],
            at: at(event),
            key: "evt_1#5f".into(),
            facts: Facts { items: vec![item], chargebacks: vec![chargeback], expires_at, ..Facts::default() },
            ..Event::default()
        }
    }

    const RECEIPT: &str = "2030-05-01T12:00:00Z";

    #[test]
    fn a_time_further_ahead_than_clocks_differ_counts_as_the_receipt() {
        let mut event = said("2099-01-01T00:00:00Z", "2099-01-01");
        let ahead = event.received(at(RECEIPT));
        assert_eq!(event, Event { at: at(RECEIPT), ..said(RECEIPT, "2030-05-01") });
        assert_eq!(ahead.iter().map(|one| one.what).collect::<Vec<_>>(), ["event", "item", "chargeback"]);
        assert_eq!((ahead[0].said.as_str(), ahead[1].said.as_str()), ("2099-01-01T00:00:00Z", "2099-01-01"));
    }

    #[test]
    fn times_before_and_shortly_after_the_receipt_stand() {
        for (event, booked) in
            [("2020-01-01T00:00:00Z", "2019-12-31"), ("2030-05-01T12:15:00Z", "2030-05-01"), (RECEIPT, "2030-05-01")]
        {
            let mut received = said(event, booked);
            assert_eq!(received.received(at(RECEIPT)), []);
            assert_eq!(received, said(event, booked));
        }
        let mut midnight = said("2030-05-02T00:05:00Z", "2030-05-02");
        assert_eq!(midnight.received(at("2030-05-01T23:55:00Z")), []);
    }

    #[test]
    fn the_key_of_the_message_is_the_events_without_its_trace() {
        assert_eq!(said(RECEIPT, "2030-05-01").message_key(), "evt_1");
        assert_eq!((message_key("a#b#5f"), message_key("bare")), ("a#b", "bare"));
    }
}
