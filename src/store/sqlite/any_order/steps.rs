//! The steps of generated histories: registrations of a family of records, and events that concern it.

use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::domain::due::utc_date;
use crate::domain::event::{Booking, Chargeback, Event, Facts, Item, Loose};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::registration::Registration;
use crate::domain::status::Status;

/// A record that may be registered: its Transform id, its kind, and the body, with the PSP id apart.
pub(super) type Known = (&'static str, Kind, &'static str, &'static str);

/// Two captures of one preauthorization, a payment under an agreement, its refunds, and two agreements with one means.
pub(super) const RECORDS: [Known; 9] = [
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

/// A step of a history.
#[derive(Clone)]
pub(super) enum Step {
    Register { key: RecordKey, said: Box<Registration> },
    Tell(Box<Event>),
}

/// The registration of a record, with its PSP id or without.
pub(super) fn registration((name, kind, psp_id, body): Known, with_id: bool) -> Step {
    let mut said: Registration = serde_json::from_str(body).unwrap();
    let psp_id = with_id.then(|| psp_id.to_owned());
    match kind {
        Kind::Agreement => said.psp_agreement_id = psp_id,
        _ => said.psp_transaction_id = psp_id,
    }
    Step::Register { key: RecordKey::new(kind, id(name)), said: Box::new(said) }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { key, said } => {
                write!(
                    f,
                    "register {key} with id: {:?}",
                    said.psp_transaction_id.as_ref().or(said.psp_agreement_id.as_ref())
                )
            }
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

/// Whether a record may be registered before the PSP has an id for it.
pub(super) fn can_be_without_id(record: Known) -> bool {
    matches!(record.1, Kind::Refund | Kind::Preauth) || record.0 == "first" || record.0 == "second"
}

/// The registrations: each record or not; with its PSP id, or without it, or without it and with it. The first capture may have the
/// id of its preauthorization.
fn registrations() -> impl Strategy<Value = Vec<Placed>> {
    let one = |mut record: Known, shares_its_id: bool| {
        if shares_its_id && record.0 == "first" {
            record.2 = "A";
        }
        let ids = prop::sample::select(vec![&[][..], &[true], &[true], &[false], &[false, true]]);
        (ids, any::<[[u16; 3]; 2]>()).prop_map(move |(ids, places)| {
            let ids = if can_be_without_id(record) || ids.is_empty() { ids } else { &[true] };
            let step = |(with_id, places): (&bool, [u16; 3])| (registration(record, *with_id), places);
            ids.iter().zip(places).map(step).collect::<Vec<_>>()
        })
    };
    any::<bool>().prop_flat_map(move |shares_its_id| {
        let all = RECORDS.map(|record| one(record, shares_its_id));
        all.prop_map(|steps| steps.into_iter().flatten().collect())
    })
}

/// The Transform ids of the records, made once: a history asks for them again and again.
static IDS: LazyLock<[TransformId; RECORDS.len()]> =
    LazyLock::new(|| std::array::from_fn(|number| format!("20260314-{number:024}").parse().unwrap()));

/// The Transform id of a record.
pub(super) fn id(name: &str) -> TransformId {
    IDS[RECORDS.iter().position(|record| record.0 == name).unwrap()].clone()
}

pub(super) fn at(day: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400).unwrap()
}

/// An event about one of these objects of the PSP, each of which always is the same record's. It may or may not name that, and its
/// relatives.
pub(super) fn event(objects: Vec<usize>) -> impl Strategy<Value = Event> {
    let statuses = vec![Status::Pending, Status::Succeeded, Status::Succeeded, Status::Failed, Status::Cancelled];
    let flags = (prop::bool::weighted(0.4), any::<bool>(), any::<bool>());
    let said = (0..4_i64, prop::sample::select(statuses), 1..4_u32, flags);
    (prop::sample::select(objects), said).prop_map(|(object, (day, status, amount, (refers, relates, is_loose)))| {
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

/// The step that tells an event, the one with this number of its history.
pub(super) fn tell(mut event: Event, number: usize) -> Step {
    event.event_type = "generated".to_owned();
    event.key = format!("k{number}#0");
    if let Some(loose) = &mut event.loose {
        loose.text = format!("signed {number}");
    }
    event.currency = Some("EUR".parse().unwrap());
    Step::Tell(Box::new(event))
}

/// Two orders of the same steps; the second has repetitions.
pub(super) fn orders() -> impl Strategy<Value = [Vec<Step>; 2]> {
    (registrations(), prop::collection::vec((event((0..13).collect()), any::<[u16; 3]>()), 1..8)).prop_map(
        |(mut steps, events)| {
            let told = (0..).zip(events).map(|(number, (event, places))| (tell(event, number), places));
            steps.extend(told);
            let order = |places: &[usize]| {
                let each = |(step, own): &Placed| places.iter().map(|at| (own[*at], step.clone())).collect::<Vec<_>>();
                let mut order: Vec<_> = steps.iter().flat_map(each).collect();
                order.sort_by_key(|(place, _)| *place);
                order.into_iter().map(|(_, step)| step).collect()
            };
            [order(&[0]), order(&[1, 2])]
        },
    )
}
