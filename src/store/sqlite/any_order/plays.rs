//! Plays of generated histories, in a store with an engine or in the core alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::super::one_by_one::{register, take};
use super::super::{inbox, parked, records, rehearse};
use super::steps::{RECORDS, Step, at, id};
use crate::domain::due::Moment;
use crate::domain::event::Event;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::message::{Meaning, Message, Normalised};
use crate::domain::record::{Record, Registered};
use crate::domain::registration::Registration;
use crate::domain::view::View;
use crate::store::core::InMemory;
use crate::store::core::taking::Took;
use crate::store::{Outcome, Receipt, Taken};

/// The end of a play.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The records with all their claims, without the times and versions of their registrations and changes.
    pub(super) records: BTreeMap<String, Record>,
    pub(super) views: BTreeMap<String, View>,
    /// The dedupe keys of dead letters.
    pub(super) dead: BTreeSet<String>,
    /// The dedupe keys of notifications with parked events, and what these wait for.
    pub(super) parked: BTreeSet<(String, BTreeSet<String>)>,
}

/// A store in which steps are played: with an engine, or the core alone.
pub(super) trait Plays {
    fn register(&self, key: &RecordKey, said: &Registration, now: Moment);
    fn take(&self, taken: &Taken) -> Receipt;
    fn record(&self, key: &RecordKey) -> Option<Record>;
    /// The dead letters among these notifications.
    fn dead<'k>(&self, keys: &'k BTreeMap<Uuid, String>) -> BTreeSet<&'k str>;
    /// The events that wait, by their notifications, with the keys that release them.
    fn waiting(&self) -> Vec<(Uuid, Vec<String>)>;
}

impl Plays for Connection {
    fn register(&self, key: &RecordKey, said: &Registration, now: Moment) {
        register(self, &rehearse::without_limits(), key, said, now).unwrap().unwrap();
    }

    fn take(&self, taken: &Taken) -> Receipt {
        let Took::In(receipt) = take(self, &rehearse::without_limits(), taken).unwrap() else { panic!("refused") };
        receipt
    }

    fn record(&self, key: &RecordKey) -> Option<Record> {
        records::by_key(self, key).unwrap().map(|stored| Arc::unwrap_or_clone(stored.record))
    }

    fn dead<'k>(&self, keys: &'k BTreeMap<Uuid, String>) -> BTreeSet<&'k str> {
        let dead = inbox::dead_letters(self, 0, 100).unwrap().rows;
        dead.into_iter().map(|letter| keys[&letter.notification].as_str()).collect()
    }

    fn waiting(&self) -> Vec<(Uuid, Vec<String>)> {
        let parked = parked::list(self, None, 0, 100).unwrap().rows;
        parked.into_iter().map(|one| (one.notification, one.waits_for)).collect()
    }
}

impl Plays for InMemory {
    fn register(&self, key: &RecordKey, said: &Registration, now: Moment) {
        Self::register(self, key, said, now);
    }

    fn take(&self, taken: &Taken) -> Receipt {
        Self::take(self, taken)
    }

    fn record(&self, key: &RecordKey) -> Option<Record> {
        Some(Self::record(self, key)?.0)
    }

    fn dead<'k>(&self, keys: &'k BTreeMap<Uuid, String>) -> BTreeSet<&'k str> {
        let is_dead = |id: &Uuid| self.outcome(*id).is_some_and(|(outcome, _)| outcome == Outcome::DeadLetter);
        keys.iter().filter(|(id, _)| is_dead(id)).map(|(_, key)| key.as_str()).collect()
    }

    fn waiting(&self) -> Vec<(Uuid, Vec<String>)> {
        self.parked()
    }
}

pub(super) fn play(store: &impl Plays, steps: &[Step]) -> End {
    let mut keys = BTreeMap::new();
    for (number, step) in (0..).zip(steps) {
        let now = Moment { wall: at(1000 + number), steady: at(1000 + number) };
        match step {
            Step::Register { key, said } => store.register(key, said, now),
            Step::Tell(event) => {
                let taken = taken(event, Uuid::from_u128(number.unsigned_abs().into()), now);
                let receipt = store.take(&taken);
                keys.insert(receipt.id, taken.normalised.dedupe_key);
            }
        }
    }
    end(store, &keys)
}

fn taken(event: &Event, id: Uuid, received_at: Moment) -> Taken {
    let messages = vec![Message::new(event.event_type.clone(), Meaning::Events(vec![event.clone()]))];
    let dedupe_key = event.message_key().to_owned();
    Taken {
        id,
        source: "s".to_owned(),
        received_at,
        headers: Vec::new(),
        body: dedupe_key.clone().into_bytes(),
        form: String::new(),
        signed_at: None,
        partly_signed: false,
        vouched: false,
        is_pointer: false,
        normalised: Normalised { dedupe_key, beside: String::new(), messages },
    }
}

fn end(store: &impl Plays, keys: &BTreeMap<Uuid, String>) -> End {
    let stored = RECORDS.iter().filter_map(|(name, kind, ..)| {
        let (stored, never) = (store.record(&RecordKey::new(*kind, id(name)))?, Timestamp::UNIX_EPOCH);
        // A payment stays bound to the source of a refund that left it for a record of its own.
        let source = stored.source.filter(|_| *kind != Kind::Payment);
        let registered = Registered { silent_since: None, ..stored.registered };
        let record = Record {
            source,
            bound_by_placed: false,
            registered,
            registered_at: never,
            version: 0,
            last_updated: never,
            ..stored
        };
        Some(((*name).to_owned(), record))
    });
    let records: BTreeMap<_, _> = stored.collect();
    let views = records.iter().map(|(id, record)| (id.clone(), View::of(record)));
    let parked = store
        .waiting()
        .into_iter()
        .map(|(notification, waits_for)| (keys[&notification].clone(), waits_for.into_iter().collect()));
    End {
        views: views.collect(),
        records,
        dead: store.dead(keys).into_iter().map(str::to_owned).collect(),
        parked: parked.collect(),
    }
}
