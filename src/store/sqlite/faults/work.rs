//! Pieces of work as they come in, with ids and times that are the same every time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::Store;
use crate::domain::due::Moment;
use crate::domain::event::{Booking, Event, Facts, Item};
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::registration::Registration;
use crate::domain::status::Status;
use crate::domain::view::utc_date;
use crate::psp::normalise::{Meaning, Message, Normalised};
use crate::store::{Attempt, Settlement, Taken};

pub(super) const SOURCE: &str = "psp-a";

/// A piece of work for the store.
#[derive(Debug, Clone)]
pub(super) enum Work {
    Take(Box<Taken>),
    Register(RecordKey, Box<Registration>, Moment),
    Settle(Attempt, Settlement),
    Prune(Moment),
}

impl Work {
    /// Does it. What it was told, as text.
    pub(super) async fn run(self, store: &Store) -> Result<String, String> {
        let told = match self {
            Self::Take(taken) => store.take(*taken).await.map(|receipt| format!("{receipt:?}")),
            Self::Register(key, said, now) => {
                let receipt = store.register(key, *said, now).await;
                return receipt.map(|receipt| format!("{receipt:?}")).map_err(|error| error.to_string());
            }
            Self::Settle(attempt, settlement) => {
                store.settle(attempt, settlement).await.map(|next| format!("{next:?}"))
            }
            Self::Prune(now) => store.prune(now).await.map(|pruned| format!("{pruned:?}")),
        };
        told.map_err(|error| error.to_string())
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// The same on both clocks.
pub(super) fn moment(seconds: i64) -> Moment {
    Moment { wall: at(seconds), steady: at(seconds) }
}

pub(super) fn key(kind: Kind, id: &str) -> RecordKey {
    RecordKey::new(kind, id.parse().unwrap())
}

/// Registers or amends.
pub(super) fn register(kind: Kind, id: &str, seconds: i64, said: Value) -> Work {
    Work::Register(key(kind, id), Box::new(serde_json::from_value(said).unwrap()), moment(seconds))
}

/// Registers a payment of 100 EUR.
pub(super) fn payment(id: &str, psp_id: &str) -> Work {
    register(Kind::Payment, id, 0, json!({"pspTransactionId": psp_id, "requestedAmount": "100", "currency": "EUR"}))
}

/// Registers a refund.
pub(super) fn refund(id: &str, psp_id: &str, of: &str, amount: u32) -> Work {
    let said = json!({
        "pspTransactionId": psp_id, "paymentTransactionId": of, "requestedAmount": amount, "currency": "EUR",
    });
    register(Kind::Refund, id, 1, said)
}

/// An event about what these PSP ids lead to.
pub(super) fn event(kind: Kind, seconds: i64, psp_ids: &[&str], facts: Facts) -> Event {
    Event {
        event_type: "test".into(),
        kinds: vec![kind],
        psp_ids: psp_ids.iter().map(ToString::to_string).collect(),
        shared_ids: Vec::new(),
        references: Vec::new(),
        at: at(seconds),
        key: format!("event-{seconds}"),
        late: false,
        gives_way: false,
        currency: Some("EUR".parse().unwrap()),
        facts,
    }
}

/// So much of a payment is booked.
pub(super) fn paid(seconds: i64, psp_ids: &[&str], amount: u32) -> Event {
    let item = Item {
        id: "item".into(),
        amount: Decimal::from(amount),
        booking: Booking::Booked,
        date: utc_date(at(seconds)),
        description: None,
    };
    event(Kind::Payment, seconds, psp_ids, Facts { items: vec![item], ..Facts::default() })
}

/// So much was given back.
pub(super) fn refunded(seconds: i64, psp_id: &str, amount: u32) -> Event {
    let facts = Facts { status: Some(Status::Succeeded), refunded: Some(Decimal::from(amount)), ..Facts::default() };
    event(Kind::Refund, seconds, &[psp_id], facts)
}

/// A payment's data are known.
pub(super) fn bearer(seconds: i64, psp_ids: &[&str]) -> Event {
    let bearer = BTreeMap::from([("last4".to_owned(), seconds.to_string())]);
    event(Kind::Payment, seconds, psp_ids, Facts { bearer, ..Facts::default() })
}

/// A notification with these events.
pub(super) fn notified(n: u128, events: Vec<Event>) -> Work {
    taken(n, Meaning::Events(events))
}

/// A notification that means this.
pub(super) fn taken(n: u128, meaning: Meaning) -> Work {
    let message = Message { event_type: "test".into(), meaning };
    Work::Take(Box::new(Taken {
        id: Uuid::from_u128(n),
        source: SOURCE.into(),
        received_at: moment(1_000 + i64::try_from(n).unwrap()),
        headers: vec![("x-test".into(), n.to_string())],
        body: format!("body {n}").into_bytes(),
        form: "form".into(),
        signed_at: None,
        normalised: Normalised { dedupe_key: format!("key {n}"), messages: vec![message] },
    }))
}

/// An attempt for payment p1 that told this version has ended.
pub(super) fn settled(version: u64, settlement: Settlement) -> Work {
    let key = key(Kind::Payment, "p1");
    Work::Settle(Attempt { key, version, began: moment(2_000), ended: moment(2_003) }, settlement)
}
