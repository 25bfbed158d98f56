//! The normalised fact inside a notification.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

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

/// How far a PSP's time may lie ahead of the receipt: its clock and ours need not agree to the minute. A time further
/// ahead counts as the receipt, since it would outrank whatever the PSP says until then.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(15);

/// A time that lay too far ahead of the receipt and counts as the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// Whose time: `event`, `item` or `chargeback`.
    pub what: &'static str,
    /// What the PSP said: an instant, or a day.
    pub said: String,
}

/// One fact about one record, in our words, whatever PSP said it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What of it can be led elsewhere by whoever has caught its message; none where all that leads to a record is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loose: Option<Loose>,
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

/// What nobody signs of that which leads an event to its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loose {
    /// What is signed of the message, as the hash of one text: it counts for the records that it reached first.
    pub text: String,
    /// Those of the event's ids and references that nobody signs. What is signed leads before them.
    pub unsigned: BTreeSet<String>,
}

impl fmt::Debug for Event {
    /// What it says, and what is out of the ordinary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Event");
        text.field("event_type", &self.event_type)
            .field("kinds", &self.kinds)
            .field("psp_ids", &self.psp_ids)
            .field("shared_ids", &self.shared_ids)
            .field("references", &self.references);
        if let Some(loose) = &self.loose {
            text.field("loose", loose);
        }
        text.field("at", &self.at)
            .field("key", &self.key)
            .field("late", &self.late)
            .field("gives_way", &self.gives_way)
            .field("currency", &self.currency)
            .field("facts", &self.facts)
            .finish()
    }
}

/// Added to the rank of a late truth: above every rank of [`Status::rank`].
const LATE: u8 = 100;

impl Event {
    /// When it is true, with the rank of what it says.
    pub(super) fn stamp(&self, rank: u8) -> Stamp {
        Stamp {
            at: if self.gives_way { Timestamp::MIN } else { self.at },
            rank: if self.late { rank + LATE } else { rank },
            tie: self.key.clone(),
        }
    }

    /// Whether an id or a reference of it is signed, or as good as that.
    #[must_use]
    pub fn is_sure_of(&self, id: &str) -> bool {
        self.loose.as_ref().is_none_or(|loose| !loose.unsigned.contains(id))
    }

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

    /// The dedupe key of the message that says it; the event's own key has a trace of what is said behind that.
    #[must_use]
    pub fn message_key(&self) -> &str {
        message_key(&self.key)
    }

    /// Lets no time of the event lie ahead of its receipt by more than [`AHEAD_MAX`]. Says which times did.
    ///
    /// When a reservation ends (`expires_at`) lies ahead by right, and ranks nothing.
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
        ahead
    }

    /// Dates the event at this time, and all that it books on the day of the time that it had.
    pub fn date(&mut self, at: Timestamp) {
        let day = utc_date(self.at);
        self.at = at;
        self.facts.dates().filter(|(_, date)| **date == day).for_each(|(_, date)| *date = utc_date(at));
    }
}

/// The dedupe key of the message in the key of one of its events.
#[must_use]
pub fn message_key(event_key: &str) -> &str {
    event_key.rsplit_once('#').map_or(event_key, |(message, _)| message)
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

impl Facts {
    /// The days of its bookings, and of what.
    fn dates(&mut self) -> impl Iterator<Item = (&'static str, &mut Date)> {
        let items = self.items.iter_mut().map(|item| ("item", &mut item.date));
        items.chain(self.chargebacks.iter_mut().map(|chargeback| ("chargeback", &mut chargeback.date)))
    }
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
            amount: Decimal::ONE,
            fee: None,
            booking: Booking::Open,
            date: item.date,
            why: None,
        };
        let expires_at = Some(at("2031-01-01T00:00:00Z"));
        Event {
            event_type: "paid".into(),
            kinds: vec![Kind::Payment],
            psp_ids: vec!["pi_1".into()],
            shared_ids: Vec::new(),
            references: Vec::new(),
            loose: None,
            at: at(event),
            key: "evt_1#5f".into(),
            late: false,
            gives_way: false,
            currency: None,
            facts: Facts { items: vec![item], chargebacks: vec![chargeback], expires_at, ..Facts::default() },
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
