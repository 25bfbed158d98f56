//! The whole pure path on generated lives, sign → verify → normalise → apply. The end must be the life's truth, whatever the
//! order and the number of tellings.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::{Chance, Fate, Life, SOURCES};
use crate::domain::event::Event;
use crate::domain::family;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::message::Meaning;
use crate::domain::record::Record;
use crate::domain::registration::{Registration, register};
use crate::proof::stand_in::Psp;
use crate::psp::document::received::Received;
use crate::psp::meaning::normalise::normalise;
use crate::psp::vouch::verify::{Means, verify};
use crate::transform::response::{FailedAs, fetched};

static PSPS: LazyLock<Vec<Psp>> = LazyLock::new(|| {
    SOURCES.iter().map(|(source, profile, secret)| Psp::new(source, profile, secret).unwrap()).collect()
});

/// A relay without I/O: finds the record of an event as the store does, and keeps events that wait.
#[derive(Default)]
struct Relay {
    records: BTreeMap<RecordKey, Record>,
    /// The records by the PSP ids that events and registrations named.
    psp_ids: BTreeMap<(Kind, String), RecordKey>,
    waiting: Vec<Event>,
}

impl Relay {
    fn registered(life: &Life) -> Self {
        let mut relay = Self::default();
        for one in &life.registrations {
            let said: Registration = serde_json::from_value(one.body.clone()).unwrap();
            let key = RecordKey::new(one.kind, one.id.parse().unwrap());
            let record = register(&key, None, &said, Timestamp::UNIX_EPOCH).unwrap().record;
            relay.learn(&key, record.registered.psp_id.iter());
            relay.records.insert(key, record);
        }
        relay
    }

    fn learn<'a>(&mut self, key: &RecordKey, ids: impl Iterator<Item = &'a String>) {
        for id in ids {
            self.psp_ids.entry((key.kind, id.clone())).or_insert_with(|| key.clone());
        }
    }

    fn find(&self, event: &Event) -> Option<RecordKey> {
        let concerns = |key: &RecordKey| {
            let capture = key.kind == Kind::Payment && self.records[key].registered.preauth_id.is_some();
            event.kinds.contains(&key.kind) && !(capture && event.kinds.contains(&Kind::Preauth))
        };
        let by_reference = event.references.iter().flat_map(|id| self.records.keys().filter(move |key| key.id == *id));
        let by_psp_id = event.kinds.iter().flat_map(|kind| {
            let ids = event.psp_ids.iter().chain(&event.shared_ids);
            ids.filter_map(|id| self.psp_ids.get(&(*kind, id.clone())))
        });
        by_reference.chain(by_psp_id).find(|key| concerns(key)).cloned()
    }

    fn take(&mut self, event: &Event) {
        if !self.apply(event) {
            self.waiting.push(event.clone());
            return;
        }
        // Each waiting event may have its record now.
        while let Some(at) = (0..self.waiting.len()).find(|at| self.apply(&self.waiting[*at].clone())) {
            self.waiting.remove(at);
        }
    }

    fn apply(&mut self, event: &Event) -> bool {
        let Some(key) = self.find(event) else { return false };
        let record = &self.records[&key];
        let parent = record.parent_payment().map(|id| RecordKey::new(Kind::Payment, id.clone()));
        let payment = parent.as_ref().map(|key| &self.records[key]);
        let moved = family::apply(record, payment, event, Timestamp::UNIX_EPOCH).unwrap();
        shows_by_its_version(record, &moved.record);
        if let (Some(key), Some(payment)) = (parent, moved.payment) {
            shows_by_its_version(&self.records[&key], &payment);
            self.records.insert(key, payment);
        }
        self.learn(&key, event.psp_ids.iter());
        self.records.insert(key, moved.record);
        true
    }

    /// The differences between the bodies that Transform would fetch and the truth.
    fn differences(&self, life: &Life) -> Vec<String> {
        let mut found = Vec::new();
        for truth in &life.truths {
            let record = &self.records[&RecordKey::new(truth.kind, truth.id.parse().unwrap())];
            let as_record = fetched(record, FailedAs::Record);
            let mut body = as_record.body;
            body.as_object_mut().unwrap().shift_remove("lastUpdated");
            let as_error = fetched(record, FailedAs::Error);
            let error = (as_error.status != 200).then_some((as_error.status, as_error.body));
            if body != truth.record || error != truth.error {
                found.push(format!(
                    "{} {}\n  is     {body} {error:?}\n  should {} {:?}",
                    truth.kind, truth.id, truth.record, truth.error
                ));
            }
        }
        found
    }
}

/// Checks that the fetch body changes if and only if the version does. Otherwise Transform would not be told of a change.
fn shows_by_its_version(before: &Record, after: &Record) {
    let bodies = |record: &Record| {
        [FailedAs::Record, FailedAs::Error].map(|failed_as| {
            let mut body = fetched(record, failed_as).body;
            body.as_object_mut().unwrap().shift_remove("lastUpdated");
            body
        })
    };
    let (old, new) = (bodies(before), bodies(after));
    assert_eq!(old != new, before.version != after.version, "{}: {old:?} and {new:?}", before.key);
}

/// A time after all lives, and before the present of any right clock: 2025-01-01.
const LIVES_ARE_OVER: i64 = 1_735_689_600;

/// The events of each notification that reaches its record. Checks that the other notifications end as they should.
fn events(life: &Life) -> Vec<Event> {
    let now = Timestamp::from_second(LIVES_ARE_OVER).unwrap();
    let psp = PSPS.iter().find(|psp| psp.source == life.notifications[0].source).unwrap();
    let (mut all, mut dated) = (Vec::new(), BTreeMap::new());
    for one in &life.notifications {
        let signed = psp.sign(one.form, one.body.to_string().as_bytes(), now).unwrap();
        let received = Received { headers: &signed.headers, body: &signed.body, at: now };
        let verified = verify(&psp.profile, &Means::secret(&psp.secret), received).expect("signed as the PSP signs");
        for message in normalise(&psp.profile, &(&verified).into(), false).messages {
            assert!(message.ahead.is_empty(), "{}: the relay would not believe its times: {message:?}", life.label);
            // If the time is not signed, the relay goes by the first time of a dedupe key.
            let identity = message.identity.as_ref();
            for (event, identity) in message.events().iter().zip(identity.into_iter().cycle()) {
                let first = *dated.entry(identity.key.clone()).or_insert(event.at);
                assert_eq!(first, event.at, "{}: {}", life.label, event.key);
            }
            match (one.fate, message.meaning) {
                (Fate::Reaches, Meaning::Events(events)) => all.extend(events),
                (Fate::Parked, Meaning::Events(_))
                | (Fate::Ignored, Meaning::Ignored)
                | (Fate::DeadLetter, Meaning::NotUnderstood(_)) => {}
                (fate, meaning) => panic!("{}: {fate:?} but {meaning:?}\n{}", life.label, one.body),
            }
        }
    }
    all
}

fn told(life: &Life, events: &[Event]) -> Relay {
    let mut relay = Relay::registered(life);
    events.iter().for_each(|event| relay.take(event));
    assert!(relay.waiting.is_empty(), "{}: waits: {:?}", life.label, relay.waiting);
    relay
}

fn ends_in_its_truth(profile: &'static str, seed: u64) {
    let life = Life::of_profile(profile, seed, seed % 1000);
    let events = events(&life);
    let mut retold: Vec<_> = events.iter().chain(&events).cloned().collect();
    Chance::of(seed, "order", 0).shuffle(&mut retold);
    retold.extend(events.iter().rev().take(3).cloned());
    for (order, events) in [("the PSP's", &events), ("another", &retold)] {
        let differences = told(&life, events).differences(&life);
        let notifications: Vec<_> = life.notifications.iter().map(|one| one.body.to_string()).collect();
        assert!(
            differences.is_empty(),
            "{} (seed {seed}), told in {order} order:\n{}\n{}",
            life.label,
            differences.join("\n"),
            notifications.join("\n")
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn lives_at_stripe_end_in_their_truth(seed in any::<u64>()) {
        ends_in_its_truth("stripe", seed);
    }

    #[test]
    fn lives_at_adyen_end_in_their_truth(seed in any::<u64>()) {
        ends_in_its_truth("adyen", seed);
    }

    #[test]
    fn lives_at_frisbii_media_end_in_their_truth(seed in any::<u64>()) {
        ends_in_its_truth("frisbii-media", seed);
    }

    #[test]
    fn lives_at_digital_river_end_in_their_truth(seed in any::<u64>()) {
        ends_in_its_truth("digital-river", seed);
    }
}

#[test]
fn a_seed_makes_the_same_life_and_another_seed_another() {
    let bodies = |seed| -> Vec<Value> {
        let lives = (0..20).map(|number| Life::of(seed, number));
        lives.flat_map(|life| life.notifications.into_iter().map(|one| one.body)).collect()
    };
    assert_eq!(bodies(1), bodies(1));
    assert_ne!(bodies(1), bodies(2));
}
