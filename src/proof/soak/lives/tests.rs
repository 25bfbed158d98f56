//! The whole way of generated lives, sign → verify → normalise → commit → read, with the store in memory. The end must be the
//! life's truth, whatever the order and the number of tellings, and whenever the records are registered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::{Chance, Fate, Life, Notification, SOURCES, Truth, undated};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::record::Record;
use crate::domain::registration::Registration;
use crate::proof::stand_in::Psp;
use crate::psp::document::received::Received;
use crate::psp::meaning::normalise::normalise;
use crate::psp::vouch::verify::{Means, verify};
use crate::store::{FindingKind, InMemory, Outcome, Owed, Taken};
use crate::transform::response::{FailedAs, fetched};

static PSPS: LazyLock<Vec<Psp>> = LazyLock::new(|| {
    SOURCES.iter().map(|(source, profile, secret)| Psp::new(source, profile, secret).unwrap()).collect()
});

thread_local! {
    static STORE: InMemory = InMemory::new();
}

/// A time after all lives, and before the present of any right clock: 2025-01-01.
const LIVES_ARE_OVER: Timestamp = Timestamp::constant(1_735_689_600, 0);

/// A step of a telling, by its place in the life.
#[derive(Debug, Clone, Copy)]
enum Step {
    Register(usize),
    Notify(usize),
}

/// A relay without sockets, and a Transform that reads a record when it is told of it.
struct Relay<'a> {
    life: &'a Life,
    store: &'a InMemory,
    /// The notifications as the relay takes them.
    taken: &'a [Taken],
    now: Timestamp,
    /// The records as they were after the last step.
    known: BTreeMap<RecordKey, Record>,
    held: BTreeMap<RecordKey, Value>,
    /// The ids under which the store has the notifications, by their places in the life.
    ids: BTreeMap<usize, Uuid>,
}

impl Relay<'_> {
    fn play(&mut self, step: Step) {
        self.now += SignedDuration::from_secs(1);
        let now = Moment { wall: self.now, steady: self.now };
        let owed = match step {
            Step::Register(number) => {
                let one = &self.life.registrations[number];
                let said: Registration = serde_json::from_value(one.body.clone()).unwrap();
                self.store.register(&RecordKey::new(one.kind, one.id.parse().unwrap()), &said, now).owed
            }
            Step::Notify(number) => {
                let taken = Taken { id: Uuid::now_v7(), received_at: now, ..self.taken[number].clone() };
                let receipt = self.store.take(&taken);
                self.ids.entry(number).or_insert(receipt.id);
                receipt.owed
            }
        };
        self.look();
        self.hear(&owed);
    }

    /// Checks that each record shows a change by its version. Otherwise Transform would not be told of it. (One step may release
    /// several events that undo each other.)
    fn look(&mut self) {
        for one in &self.life.registrations {
            let key = RecordKey::new(one.kind, one.id.parse().unwrap());
            let Some((record, _)) = self.store.record(&key) else { continue };
            match self.known.get(&key) {
                Some(known) if *known != record => shows_by_its_version(known, &record),
                _ => {}
            }
            self.known.insert(key, record);
        }
    }

    fn hear(&mut self, owed: &[Owed]) {
        for one in owed {
            self.held.insert(one.key.clone(), self.read(&one.key, FailedAs::Record).1);
        }
    }

    fn read(&self, key: &RecordKey, failed_as: FailedAs) -> (u16, Value) {
        let (record, agreement) = self.store.record(key).unwrap();
        let read = fetched(&record, agreement.as_ref(), failed_as);
        (read.status, undated(serde_json::to_value(read.body).unwrap()))
    }

    /// The differences between the truth, the bodies that Transform has read, and those that it would read now.
    fn differences(&self) -> Vec<String> {
        let records = self.life.truths.iter().filter_map(|truth| self.difference(truth));
        records.chain(self.lost()).chain(self.untrue_findings()).collect()
    }

    /// What the findings say beside the payments of which more was given back than was paid, and the payments that they miss.
    fn untrue_findings(&self) -> Vec<String> {
        let over = self.life.truths.iter().filter(|truth| truth.is_over_refunded).map(|truth| truth.id.clone());
        let mut over: BTreeSet<String> = over.collect();
        let mut untrue = Vec::new();
        for finding in self.store.findings(Moment { wall: self.now, steady: self.now }) {
            // Nobody knows of which capture it is, and the life says so.
            let unclear = |(number, one): (usize, &Notification)| {
                one.fate == Fate::DeadLetter && finding.notification == self.ids.get(&number).copied()
            };
            if finding.what == FindingKind::TakenBack && self.life.notifications.iter().enumerate().any(unclear) {
                continue;
            }
            let id = finding.record.as_ref().map(|key| key.id.as_str().to_owned()).unwrap_or_default();
            if finding.what != FindingKind::OverRefunded || !over.remove(&id) {
                untrue.push(format!("untrue: {finding:?}"));
            }
        }
        untrue.extend(over.into_iter().map(|id| format!("payment {id} is over-refunded, and no finding says so")));
        untrue
    }

    fn difference(&self, truth: &Truth) -> Option<String> {
        let key = RecordKey::new(truth.kind, truth.id.parse().unwrap());
        let held = self.held.get(&key);
        let (_, body) = self.read(&key, FailedAs::Record);
        let error = Some(self.read(&key, FailedAs::Error)).filter(|(status, _)| *status != 200);
        let is_true = body == truth.record && error == truth.error && held == Some(&body);
        (!is_true).then(|| {
            let held = held.map_or_else(|| "nothing".to_owned(), Value::to_string);
            let Truth { record, error: why, .. } = truth;
            format!("{key}\n  is     {body} {error:?}\n  held   {held}\n  should {record} {why:?}")
        })
    }

    /// The notifications that did not end as they should.
    fn lost(&self) -> Vec<String> {
        let mut lost = Vec::new();
        let mut waiting = 0;
        for (number, one) in self.life.notifications.iter().enumerate() {
            let (outcome, reason) = self.store.outcome(self.ids[&number]).unwrap();
            let is_right = match one.fate {
                Fate::Reaches => matches!(outcome, Outcome::Applied | Outcome::Repeated | Outcome::Stale),
                Fate::Ignored => outcome == Outcome::Ignored,
                Fate::DeadLetter => outcome == Outcome::DeadLetter,
                Fate::Parked => outcome == Outcome::Parked,
            };
            waiting += usize::from(one.fate == Fate::Parked);
            if !is_right {
                lost.push(format!("{:?} but {outcome:?} ({reason:?}): {}", one.fate, one.body));
            }
        }
        let found = self.store.waiting(self.life.notifications[0].source);
        if found != waiting {
            lost.push(format!("{found} events wait, not {waiting}"));
        }
        lost
    }
}

fn shows_by_its_version(before: &Record, after: &Record) {
    let body =
        |record: &Record, failed_as| undated(serde_json::to_value(fetched(record, None, failed_as).body).unwrap());
    let bodies = |record: &Record| [FailedAs::Record, FailedAs::Error].map(|failed_as| body(record, failed_as));
    let (old, new) = (bodies(before), bodies(after));
    assert!(old == new || before.version < after.version, "{}: {old:?} and {new:?}", before.key);
}

/// The notifications as the relay takes them. Checks that it believes their times.
fn taken(life: &Life) -> Vec<Taken> {
    let psp = PSPS.iter().find(|psp| psp.source == life.notifications[0].source).unwrap();
    let mut dated = BTreeMap::new();
    let mut all = Vec::new();
    for one in &life.notifications {
        let signed = psp.sign(one.form, one.body.to_string().as_bytes(), LIVES_ARE_OVER).unwrap();
        let received = Received { headers: &signed.headers, body: &signed.body, at: LIVES_ARE_OVER };
        let verified = verify(&psp.profile, &Means::secret(&psp.secret), received).expect("signed as the PSP signs");
        let normalised = normalise(&psp.profile, &(&verified).into(), false);
        for message in &normalised.messages {
            assert!(message.ahead.is_empty(), "{}: the relay would not believe its times: {message:?}", life.label);
            // If the time is not signed, the relay goes by the first time of a dedupe key.
            let identity = message.identity.as_ref();
            for (event, identity) in message.events().iter().zip(identity.into_iter().cycle()) {
                let first = *dated.entry(identity.key.clone()).or_insert(event.at);
                assert_eq!(first, event.at, "{}: {}", life.label, event.key);
            }
        }
        all.push(Taken {
            id: Uuid::now_v7(),
            source: one.source.to_owned(),
            received_at: Moment { wall: LIVES_ARE_OVER, steady: LIVES_ARE_OVER },
            headers: Vec::new(),
            body: received.body.to_vec(),
            form: verified.form().name.clone(),
            signed_at: verified.signed_at().map(str::to_owned),
            partly_signed: verified.form().is_partly_signed(),
            vouched: false,
            is_pointer: false,
            normalised,
        });
    }
    all
}

/// Tellings of a life: as it happened, in another order with repetitions, and with registrations at any time.
fn tellings(life: &Life, seed: u64) -> [(&'static str, Vec<Step>); 3] {
    let mut chance = Chance::of(seed, "order", 0);
    let registered: Vec<_> = (0..life.registrations.len()).map(Step::Register).collect();
    let told: Vec<_> = (0..life.notifications.len()).map(Step::Notify).collect();
    let as_it_happened = [registered.clone(), told.clone()].concat();
    let mut retold = [told.clone(), told.clone()].concat();
    chance.shuffle(&mut retold);
    let mut mixed = [registered.clone(), told.clone()].concat();
    chance.shuffle(&mut mixed);
    let again = told.iter().rev().take(3).copied().collect();
    [("the PSP's order", as_it_happened), ("another order", [registered, retold, again].concat()), ("any order", mixed)]
}

fn ends_in_its_truth(profile: &'static str, seed: u64) {
    let life = Life::of_profile(profile, seed, seed % 1000);
    let taken = taken(&life);
    for (order, steps) in tellings(&life, seed) {
        let differences = STORE.with(|store| {
            store.play(|store| {
                let (known, held, ids) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
                let mut relay = Relay { life: &life, store, taken: &taken, now: LIVES_ARE_OVER, known, held, ids };
                steps.iter().for_each(|step| relay.play(*step));
                relay.differences()
            })
        });
        let notifications: Vec<_> = life.notifications.iter().map(|one| one.body.to_string()).collect();
        let registrations: Vec<_> = life.registrations.iter().map(|one| format!("{} {}", one.id, one.body)).collect();
        assert!(
            differences.is_empty(),
            "{} (seed {seed}), told in {order} {steps:?}:\n{}\n{}\n{}",
            life.label,
            differences.join("\n"),
            registrations.join("\n"),
            notifications.join("\n")
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::with_cases(128) })]

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
