//! Pieces of work for fault tests, with ids and times that are the same in every run.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::engine::{self, Access};
use super::super::records;
use super::super::store::Store;
use crate::domain::due::{Moment, utc_date};
use crate::domain::event::{Booking, Event, Facts, Item, Loose};
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::message::{Identity, Meaning, Message, Normalised};
use crate::domain::record::{Record, Seen};
use crate::domain::registration::Registration;
use crate::domain::status::Status;
use crate::store::rehearsal::{Differing, Learned};
use crate::store::sureness::Sureness;
use crate::store::{
    Answered, Attempt, Correction, Corrections, FetchFailed, HintSlots, Hinted, Judgement, Outcome, Settlement, Taken,
};

pub(super) const SOURCE: &str = "psp-a";

/// A piece of work for the store.
#[derive(Debug, Clone)]
pub(super) enum Work {
    Take(Box<Taken>),
    Register(RecordKey, Box<Registration>, Moment),
    Settle(Attempt, Settlement),
    Prune(Moment),
    /// Somebody has the first payment told again.
    Tell,
    /// What was given up of the first payment is owed again.
    OweAgain,
    StartClock(Timestamp),
    KeepClock(Moment),
    Hint(Hinted),
    Fetched(Arc<Answered>),
    FetchFailed(FetchFailed),
    Replay(Box<Taken>),
    /// The first payment loses what events said of it and learns a PSP id; the n-th notification, a dead letter, has this
    /// meaning now.
    Correct(u128, Meaning),
}

impl Work {
    /// Does the work. Returns the result as text.
    pub(super) async fn run(self, store: &Store) -> Result<String, String> {
        let told = match self {
            Self::Take(taken) => {
                let receipt = store.take(*taken, |_| ()).await;
                return receipt.map(|receipt| format!("{receipt:?}")).map_err(|error| error.to_string());
            }
            Self::Register(key, said, now) => {
                let receipt = store.register(key, *said, now).await;
                return receipt.map(|receipt| format!("{receipt:?}")).map_err(|error| error.to_string());
            }
            Self::Settle(attempt, settlement) => {
                store.settle(attempt, settlement).await.map(|next| format!("{next:?}"))
            }
            Self::Hint(hinted) => {
                let receipt = store.take_hint(hinted).await;
                return receipt.map(|receipt| format!("{receipt:?}")).map_err(|error| error.to_string());
            }
            Self::Fetched(answered) => {
                store.fetched(answered, moment(3_000)).await.map(|settled| format!("{settled:?}"))
            }
            Self::FetchFailed(failed) => store.fetch_failed(failed).await.map(|settled| format!("{settled:?}")),
            Self::Replay(taken) => store.replay(*taken).await.map(|receipt| format!("{receipt:?}")),
            Self::Correct(n, meaning) => {
                let corrections = corrections(store, n, meaning);
                store.correct(corrections, moment(5_000)).await.map(|corrected| format!("{corrected:?}"))
            }
            Self::StartClock(wall) => store.start_clock(wall).await.map(|resumed| format!("{resumed:?}")),
            Self::KeepClock(now) => store.keep_clock(now).await.map(|before| format!("{before:?}")),
            Self::Tell => {
                let told = store.tell(vec!["p1".parse().unwrap()], moment(6_000)).await;
                return told.map(|told| format!("{told:?}")).map_err(|error| error.to_string());
            }
            Self::OweAgain => {
                // The first payment comes after two bystanders.
                store.owe_again(vec![3], moment(6_000)).await.map(|owed| format!("owed again: {owed}"))
            }
            Self::Prune(now) => store.prune(now, 500).await.map(|pruned| format!("{pruned:?}")),
        };
        told.map_err(|error| error.to_string())
    }
}

/// The record is read at once, by a connection of its own: the work must be queued before any other work comes.
fn corrections(store: &Store, n: u128, meaning: Meaning) -> Corrections {
    let connection = engine::open(&store.options.load().path, Access::Read).unwrap();
    let stands = records::by_key(&connection, &key(Kind::Payment, "p1")).unwrap().unwrap().record;
    let stands = Arc::unwrap_or_clone(stands);
    let would = Record { seen: Seen::default(), ..stands.clone() };
    let correction = Correction::of(Differing {
        stands,
        would,
        learns: vec![Learned { kind: Kind::Payment, psp_id: "ch_new".to_owned(), sureness: Sureness::Own }],
        placed: Vec::new(),
        shown: Vec::new(),
    });
    let Taken { id, source, normalised, .. } = meant(n, meaning);
    let was = ("dead_letter".to_owned(), Some("test: ?".to_owned()));
    let judgement = Judgement { notification: id, source, was, now: Outcome::Applied, normalised };
    Corrections { families: vec![vec![correction]], judgements: vec![judgement] }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// This second on both clocks.
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

/// Registers a preauthorization of 100 EUR.
pub(super) fn preauth(id: &str, psp_id: &str) -> Work {
    register(Kind::Preauth, id, 0, json!({"pspTransactionId": psp_id, "requestedAmount": 100, "currency": "EUR"}))
}

/// Registers a capture of a preauthorization, without an id of the PSP.
pub(super) fn capture(id: &str, preauth: &str) -> Work {
    let said = json!({"preauthTransactionId": preauth, "requestedAmount": 40, "currency": "EUR"});
    register(Kind::Payment, id, 1, said)
}

/// Adds the PSP's id to a capture.
pub(super) fn captured_as(id: &str, psp_id: &str) -> Work {
    register(Kind::Payment, id, 50, json!({"pspTransactionId": psp_id}))
}

/// Registers an agreement.
pub(super) fn agreement(id: &str, psp_id: &str) -> Work {
    register(Kind::Agreement, id, 1, json!({"pspAgreementId": psp_id}))
}

/// A means of payment is usable.
pub(super) fn usable(seconds: i64, psp_ids: &[&str]) -> Event {
    event(Kind::Agreement, seconds, psp_ids, Facts { status: Some(Status::Active), ..Facts::default() })
}

/// An event with these PSP ids.
pub(super) fn event(kind: Kind, seconds: i64, psp_ids: &[&str], facts: Facts) -> Event {
    Event {
        event_type: "test".into(),
        kinds: vec![kind],
        psp_ids: psp_ids.iter().map(ToString::to_string).collect(),
        at: at(seconds),
        key: format!("event-{seconds}"),
        currency: Some("EUR".parse().unwrap()),
        facts,
        ..Event::default()
    }
}

/// This amount of a payment is booked.
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

/// This amount was given back.
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

/// A notification with these events, whose times are unsigned.
pub(super) fn undated(n: u128, events: Vec<Event>) -> Work {
    let mut taken = meant(n, Meaning::Events(events));
    let identity = Identity {
        key: format!("key {n}"),
        fields: String::new(),
        has_borders: false,
        binds_body: false,
        is_behind: false,
        partly_signed: false,
        needs_owner: true,
        first_time: vec![0],
    };
    taken.normalised.messages.iter_mut().for_each(|message| message.identity = Some(identity.clone()));
    Work::Take(Box::new(taken))
}

/// A notification with these events, whose PSP ids are unsigned.
pub(super) fn loose(n: u128, mut events: Vec<Event>) -> Work {
    let loose =
        Loose { text: "signed".into(), unsigned: events.iter().flat_map(|event| event.psp_ids.clone()).collect() };
    events.iter_mut().for_each(|event| event.loose = Some(loose.clone()));
    notified(n, events)
}

/// A notification with this meaning.
pub(super) fn taken(n: u128, meaning: Meaning) -> Work {
    Work::Take(Box::new(meant(n, meaning)))
}

/// The n-th notification judged anew: it has this meaning now.
pub(super) fn replayed(n: u128, meaning: Meaning) -> Work {
    Work::Replay(Box::new(meant(n, meaning)))
}

fn meant(n: u128, meaning: Meaning) -> Taken {
    let message = Message::new("test".into(), meaning);
    Taken {
        id: Uuid::from_u128(n),
        source: SOURCE.into(),
        received_at: moment(1_000 + i64::try_from(n).unwrap()),
        headers: vec![("x-test".into(), n.to_string())],
        body: format!("body {n}").into_bytes(),
        form: "form".into(),
        signed_at: None,
        partly_signed: false,
        vouched: false,
        is_pointer: false,
        normalised: Normalised { dedupe_key: format!("key {n}"), beside: String::new(), messages: vec![message] },
    }
}

/// A notification whose object, at this path, has to be fetched.
pub(super) fn pointing(n: u128, path: &str) -> Work {
    taken(n, Meaning::Fetch(path.to_owned()))
}

/// A hint at this path. The notification gets this id if it is the first.
pub(super) fn hinted(n: u128, path: &str) -> Work {
    Work::Hint(Hinted {
        source: SOURCE.into(),
        received_at: moment(1_000 + i64::try_from(n).unwrap()),
        form: "form".into(),
        calls: vec![(Uuid::from_u128(n), path.to_owned())],
        address: "192.0.2.1".into(),
        slots: HintSlots { all: 2, each: 2 },
    })
}

/// The row of the first fetch: the second notification asks for it in every scenario.
fn first_fetch() -> i64 {
    at(1_002).as_microsecond()
}

/// The first fetch, with this number of requests at its start, is answered; the n-th notification then has this meaning.
pub(super) fn fetched(asked: i64, n: u128, meaning: Meaning) -> Work {
    let message = Message::new("test".into(), meaning);
    Work::Fetched(Arc::new(Answered {
        fetch: first_fetch(),
        asked,
        began: at(2_000),
        fetched_at: at(2_000),
        body: b"{}".to_vec(),
        read: vec![(Uuid::from_u128(n), 0, message)],
    }))
}

/// The first fetch, with this number of requests at its start, has failed.
pub(super) fn fetch_failed(asked: i64, again: Option<Timestamp>) -> Work {
    Work::FetchFailed(FetchFailed {
        fetch: first_fetch(),
        asked,
        began: at(2_000),
        reason: "HTTP 404".into(),
        missing: true,
        again,
    })
}

/// An attempt for payment p1 that told this version has ended.
pub(super) fn settled(version: u64, settlement: Settlement) -> Work {
    let key = key(Kind::Payment, "p1");
    let host = Some("transform.example:443".to_owned());
    Work::Settle(Attempt { key, version, host, began: moment(2_000), ended: moment(2_003) }, settlement)
}
