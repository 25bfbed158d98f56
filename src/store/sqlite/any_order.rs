//! Order of arrival, in the store: registrations and events of whole families, in any order, end in the same records and views,
//! and leave the same dead letters and parked events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use rusqlite::Connection;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::lent::Lent;
use super::one_by_one::{register, take};
use super::{inbox, parked, records, rehearse};
use crate::domain::due::{Moment, utc_date};
use crate::domain::event::{Booking, Chargeback, Event, Facts, Item, Loose};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::message::{Meaning, Message, Normalised};
use crate::domain::record::{Record, Registered};
use crate::domain::registration::Registration;
use crate::domain::status::Status;
use crate::domain::view::{Detail, View};
use crate::store::core::InMemory;
use crate::store::core::taking::Took;
use crate::store::{Outcome, Receipt, Taken};

/// A record that may be registered: its Transform id, its kind, and the body, with the PSP id apart.
type Known = (&'static str, Kind, &'static str, &'static str);

/// Two captures of one preauthorization, a payment under an agreement, its refunds, and two agreements with one means.
const RECORDS: [Known; 9] = [
    ("pre", Kind::Preauth, "A", r#"{"requestedAmount":100,"currency":"EUR"}"#),
    (
        "first",
        Kind::Payment,
        "c1",
        r#"{"requestedAmount":50,"currency":"EUR","preauthTransactionId":"20260314-000000000000000000000000"}"#,
    ),
    (
        "second",
        Kind::Payment,
        "c2",
        r#"{"requestedAmount":50,"currency":"EUR","preauthTransactionId":"20260314-000000000000000000000000"}"#,
    ),
    (
        "direct",
        Kind::Payment,
        "P",
        r#"{"requestedAmount":100,"currency":"EUR","agreementId":"20260314-000000000000000000000007"}"#,
    ),
    (
        "back",
        Kind::Refund,
        "R1",
        r#"{"requestedAmount":25,"currency":"EUR","paymentTransactionId":"20260314-000000000000000000000003"}"#,
    ),
    (
        "again",
        Kind::Refund,
        "R2",
        r#"{"requestedAmount":25,"currency":"EUR","paymentTransactionId":"20260314-000000000000000000000003"}"#,
    ),
    (
        "half",
        Kind::Refund,
        "R3",
        r#"{"requestedAmount":25,"currency":"EUR","paymentTransactionId":"20260314-000000000000000000000001"}"#,
    ),
    ("one", Kind::Agreement, "m1", "{}"),
    ("two", Kind::Agreement, "m1", "{}"),
];

#[derive(Clone)]
enum Step {
    Register { record: Known, with_id: bool },
    Tell(Box<Event>),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { record, with_id } => write!(f, "register {} with id: {with_id}", record.0),
            Self::Tell(event) => write!(
                f,
                "{} at {}: {:?} of {:?} {:?} for {:?}: {:?} {:?} {:?}",
                event.key,
                event.at,
                event.psp_ids,
                event.originals,
                event.payment_ids,
                event.references,
                event.facts.status,
                event.facts.refunded,
                event.facts.items.iter().map(|item| item.amount).collect::<Vec<_>>()
            ),
        }
    }
}

/// A step with its places: in the first telling, and in the second, where it comes twice.
type Placed = (Step, [u16; 3]);

/// The registrations: each record or not; with its PSP id, or without it, or without it and with it. The first capture may have the
/// id of its preauthorization.
fn registrations() -> impl Strategy<Value = Vec<Placed>> {
    let one = |mut record: Known, shares_its_id: bool| {
        if shares_its_id && record.0 == "first" {
            record.2 = "A";
        }
        let ids = prop::sample::select(vec![&[][..], &[true], &[true], &[false], &[false, true]]);
        (ids, any::<[[u16; 3]; 2]>()).prop_map(move |(ids, places)| {
            let can_be_without =
                matches!(record.1, Kind::Refund | Kind::Preauth) || record.0 == "first" || record.0 == "second";
            let ids = if can_be_without || ids.is_empty() { ids } else { &[true] };
            let step = |(with_id, places): (&bool, [u16; 3])| (Step::Register { record, with_id: *with_id }, places);
            ids.iter().zip(places).map(step).collect::<Vec<_>>()
        })
    };
    any::<bool>().prop_flat_map(move |shares_its_id| {
        let all = RECORDS.map(|record| one(record, shares_its_id));
        all.prop_map(|steps| steps.into_iter().flatten().collect())
    })
}

/// The Transform id of a record.
fn id(name: &str) -> TransformId {
    let number = RECORDS.iter().position(|record| record.0 == name).unwrap();
    format!("20260314-{number:024}").parse().unwrap()
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400).unwrap()
}

/// An event about an object of the PSP, which always is the same record's. It may or may not name that, and its relatives.
fn event() -> impl Strategy<Value = Event> {
    let statuses = vec![Status::Pending, Status::Succeeded, Status::Succeeded, Status::Failed, Status::Cancelled];
    let flags = (prop::bool::weighted(0.4), any::<bool>(), any::<bool>());
    let said = (0..4_i64, prop::sample::select(statuses), 1..4_u32, flags);
    (0..13_usize, said).prop_map(|(object, (day, status, amount, (refers, relates, is_loose)))| {
        let (amount, date) = (Decimal::from(amount * 25), utc_date(at(day)));
        let booking = match status {
            Status::Succeeded => Booking::Booked,
            Status::Pending => Booking::Open,
            _ => Booking::Reversed,
        };
        let item = |id: &str| Item { id: id.to_owned(), amount, booking, date, description: None };
        let lost = |id: &str| Chargeback {
            id: id.to_owned(),
            disputed: Some(amount),
            fee: None,
            booking,
            date,
            why: None,
            movements: None,
            of: None,
        };
        let named = |id: &str| vec![id.to_owned()];
        let own = |record: &str| if refers { vec![id(record)] } else { Vec::new() };
        let some = |id: &str| if relates { vec![id.to_owned()] } else { Vec::new() };
        let usable = if status == Status::Succeeded { Status::Active } else { Status::Inactive };
        let state = Facts { status: Some(status), ..Facts::default() };
        let money = |id: &str| Facts { items: vec![item(id)], ..state.clone() };
        let given = Facts { refunded: Some(amount), ..state.clone() };
        let means = Facts { status: Some(usable), ..Facts::default() };
        let event = |kind, psp_ids, facts| Event { kinds: vec![kind], psp_ids, facts, at: at(day), ..Event::default() };
        let capture = |id: &str, record| Event {
            originals: named("A"),
            references: own(record),
            ..event(Kind::Payment, named(id), money(id))
        };
        let refund = |id: &str, record: &str, payment: &str| Event {
            payment_ids: named(payment),
            references: own(record),
            ..event(Kind::Refund, named(id), given.clone())
        };
        match object {
            0 => Event {
                facts: Facts { authorized: Some(amount), ..state },
                ..event(Kind::Preauth, named("A"), Facts::default())
            },
            1 => capture("c1", "first"),
            2 => capture("c2", "second"),
            // A dispute that names the authorization, or its capture. It may have an id of its own, and a reference, signed or not.
            3 => Event {
                shared_ids: named("A"),
                originals: if amount == Decimal::from(75) { named("c1") } else { Vec::new() },
                references: own("first"),
                loose: is_loose.then(|| loose(own("first"))),
                ..event(Kind::Payment, some("D"), Facts { chargebacks: vec![lost("dispute")], ..Facts::default() })
            },
            // The same of the other capture.
            11 => Event {
                shared_ids: named("A"),
                originals: if amount == Decimal::from(75) { named("c2") } else { Vec::new() },
                references: own("second"),
                ..event(Kind::Payment, some("E"), Facts { chargebacks: vec![lost("other")], ..Facts::default() })
            },
            // An attempt at the preauthorization under another id.
            12 => Event { references: own("pre"), ..event(Kind::Preauth, named("t1"), state) },
            4 => Event { references: own("direct"), ..event(Kind::Payment, named("P"), money("P")) },
            // A refund may have a second id.
            5 => Event { psp_ids: [some("X1"), named("R1")].concat(), ..refund("R1", "back", "P") },
            6 => Event { psp_ids: named("X1"), ..refund("X1", "back", "P") },
            7 => Event { loose: is_loose.then(|| loose(own("again"))), ..refund("R2", "again", "P") },
            8 => refund("R3", "half", if is_loose { "A" } else { "c1" }),
            // A refund that names only the authorization.
            9 => Event { references: Vec::new(), ..refund("R4", "half", "A") },
            _ => Event {
                payment_ids: some("P"),
                references: own("one"),
                ..event(Kind::Agreement, named(if amount == Decimal::from(25) { "m2" } else { "m1" }), means)
            },
        }
    })
}

/// These references are unsigned. The signed text is given later.
fn loose(references: Vec<TransformId>) -> Loose {
    let unsigned = references.into_iter().map(|id| id.to_string()).collect();
    Loose { text: String::new(), unsigned }
}

/// Two orders of the same steps; the second has repetitions.
fn orders() -> impl Strategy<Value = [Vec<Step>; 2]> {
    (registrations(), prop::collection::vec((event(), any::<[u16; 3]>()), 1..8)).prop_map(|(mut steps, events)| {
        for (number, (mut event, places)) in events.into_iter().enumerate() {
            event.event_type = "generated".to_owned();
            event.key = format!("k{number}#0");
            if let Some(loose) = &mut event.loose {
                loose.text = format!("signed {number}");
            }
            event.currency = Some("EUR".parse().unwrap());
            steps.push((Step::Tell(Box::new(event)), places));
        }
        let order = |places: &[usize]| {
            let each = |(step, own): &Placed| places.iter().map(|at| (own[*at], step.clone())).collect::<Vec<_>>();
            let mut order: Vec<_> = steps.iter().flat_map(each).collect();
            order.sort_by_key(|(place, _)| *place);
            order.into_iter().map(|(_, step)| step).collect()
        };
        [order(&[0]), order(&[1, 2])]
    })
}

/// The end of a play.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// The records with all their claims, without the times and versions of their registrations and changes.
    records: BTreeMap<String, Record>,
    views: BTreeMap<String, View>,
    /// The dedupe keys of dead letters.
    dead: BTreeSet<String>,
    /// The dedupe keys of notifications with parked events, and what these wait for.
    parked: BTreeSet<(String, BTreeSet<String>)>,
}

/// A store in which steps are played: with an engine, or the core alone.
trait Plays {
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

fn play(store: &impl Plays, steps: &[Step]) -> End {
    let mut keys = BTreeMap::new();
    for (number, step) in (0..).zip(steps) {
        let now = Moment { wall: at(1000 + number), steady: at(1000 + number) };
        match step {
            Step::Register { record: (id, kind, psp_id, body), with_id } => {
                let mut said: Registration = serde_json::from_str(body).unwrap();
                let psp_id = with_id.then(|| (*psp_id).to_owned());
                match kind {
                    Kind::Agreement => said.psp_agreement_id = psp_id,
                    _ => said.psp_transaction_id = psp_id,
                }
                let key = RecordKey::new(*kind, self::id(id));
                store.register(&key, &said, now);
            }
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
    let stored = RECORDS.iter().filter_map(|(id, kind, ..)| {
        let (stored, never) = (store.record(&RecordKey::new(*kind, self::id(id)))?, Timestamp::UNIX_EPOCH);
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
        Some(((*id).to_owned(), record))
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

proptest! {
    #[test]
    fn families_end_the_same_in_any_order(orders in orders()) {
        let [one, other] = orders.map(|steps| play(&*Lent::new(), &steps));
        prop_assert_eq!(one, other);
    }

    /// The core alone plays many more of them in the same time (CONTRIBUTING.md).
    #[test]
    fn families_end_the_same_in_any_order_on_the_core(orders in orders()) {
        let [one, other] = orders.map(|steps| play(&InMemory::new(), &steps));
        prop_assert_eq!(one, other);
    }
}

/// The event in each order with the other one, after these registrations and these first events.
fn both_orders(registered: [(usize, bool); 2], first: Vec<Event>, events: [Event; 2]) -> End {
    let registered = registered.map(|(at, with_id)| Step::Register { record: RECORDS[at], with_id });
    let first = first.into_iter().map(|event| Step::Tell(Box::new(event)));
    let steps: Vec<Step> = registered.into_iter().chain(first).collect();
    let orders = [events.clone(), {
        let [one, other] = events;
        [other, one]
    }];
    let ends = orders.map(|events| {
        let steps: Vec<Step> = steps.iter().cloned().chain(events.map(|event| Step::Tell(Box::new(event)))).collect();
        play(&*Lent::new(), &steps)
    });
    let [one, other] = ends;
    assert_eq!(one, other);
    one
}

fn of(kind: Kind, psp_id: &str, refers: Option<&str>, day: i64, facts: Facts) -> Event {
    Event {
        kinds: vec![kind],
        psp_ids: vec![psp_id.to_owned()],
        references: refers.map(id).into_iter().collect(),
        at: at(day),
        key: format!("k{day}#0"),
        facts,
        ..Event::default()
    }
}

#[test]
fn a_refund_takes_over_what_its_payment_knows_under_an_id_that_it_learns() {
    let amount = Decimal::from(25);
    let given = Facts { status: Some(Status::Succeeded), refunded: Some(amount), ..Facts::default() };
    let unnamed = Event { payment_ids: vec!["P".to_owned()], ..of(Kind::Refund, "R1", None, 1, given.clone()) };
    let date = utc_date(at(3));
    let item = Item { id: "P".to_owned(), amount: amount * amount, booking: Booking::Booked, date, description: None };
    let paid = Facts { items: vec![item], status: Some(Status::Succeeded), ..Facts::default() };
    let paid = vec![of(Kind::Payment, "P", None, 3, paid)];
    let named = of(Kind::Refund, "R1", Some("back"), 2, given);
    let end = both_orders([(3, true), (4, false)], paid, [unnamed, named]);
    let Detail::Refund { refunded, .. } = end.views["back"].detail else { panic!("a refund") };
    let Detail::Payment(payment) = &end.views["direct"].detail else { panic!("a payment") };
    assert_eq!((refunded, payment.refunded), (amount, amount), "once");
}

#[test]
fn an_agreement_takes_over_what_others_know_of_means_that_it_learns() {
    let facts = |status| Facts { status: Some(status), ..Facts::default() };
    let ended = of(Kind::Agreement, "m1", None, 2, facts(Status::Inactive));
    let named = of(Kind::Agreement, "m1", Some("one"), 1, facts(Status::Active));
    let end = both_orders([(7, false), (8, true)], Vec::new(), [ended, named]);
    assert_eq!((end.views["one"].status, end.views["two"].status), (Status::Inactive, Status::Inactive));
}
