//! Generated histories: a registered record, and events of several attempts at it.

use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::facts::{DAYS, bearer, day, facts, statuses};
use crate::domain::event::{Event, Facts};
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::record::{Record, Registered};
use crate::domain::status::Status;
use crate::domain::transition::{Layer, apply};

/// An event, and the layer that it is written to.
pub(super) type Told = (Event, Layer);

pub(super) fn record(kind: Kind, id: &str, requested: u32) -> Record {
    let key = RecordKey::new(kind, id.parse().unwrap());
    let registered = Registered {
        requested_amount: Some(Decimal::from(requested)),
        currency: Some("EUR".parse().unwrap()),
        ..Registered::default()
    };
    Record::new(key, None, Timestamp::UNIX_EPOCH, registered)
}

/// A record as it may be registered: with a PSP id and a state, or with neither; an agreement also with former ids.
pub(super) fn registered(kind: Kind) -> impl Strategy<Value = Record> {
    let psp_id = prop::sample::select(vec!["a", "b", "c", "s", "unheard of"]);
    let bearer_at = prop::option::of((0..DAYS).prop_map(day));
    let former = prop::collection::btree_set(prop::sample::select(vec!["a", "b", "c"]), 0..3);
    let former = (former, prop::option::weighted(0.3, (0..DAYS).prop_map(day)));
    (prop::option::of(psp_id), prop::option::of(statuses(kind)), former, bearer(), bearer_at).prop_map(
        move |(psp_id, status, (former, former_until), bearer, bearer_at)| {
            let mut record = record(kind, "tx", 100);
            if kind == Kind::Agreement {
                let is_former = |id: &&str| Some(*id) != psp_id;
                record.registered.former_until = former_until;
                record.registered.former = former.into_iter().filter(is_former).map(str::to_owned).collect();
            }
            record.registered.psp_id = psp_id.map(str::to_owned);
            (record.registered.status, record.registered.bearer, record.registered.bearer_at) =
                (status, bearer, bearer_at);
            record
        },
    )
}

/// The ids of an event: mostly one, sometimes two that are one attempt, sometimes none.
fn ids(of: [&'static str; 3]) -> impl Strategy<Value = Vec<String>> {
    let one = move || prop::sample::select(of.to_vec()).prop_map(str::to_owned);
    let both = (one(), one()).prop_map(|(one, other)| if one == other { vec![one] } else { vec![one, other] });
    prop_oneof![8 => one().prop_map(|id| vec![id]), 1 => both, 1 => Just(Vec::new())]
}

fn sometimes(ids: impl Strategy<Value = Vec<String>>) -> impl Strategy<Value = Vec<String>> {
    prop_oneof![4 => Just(Vec::new()), 1 => ids]
}

/// An event of a record of `kind`. That of an unregistered refund is told to a payment.
fn event(kind: Kind, of: [&'static str; 3]) -> impl Strategy<Value = Event> {
    let shared = sometimes(prop::sample::select(vec!["s", "t"]).prop_map(|id| vec![id.to_owned()]));
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::bool::weighted(0.15));
    let either = prop::bool::weighted(0.2);
    let ways = (ids(of), sometimes(ids(of)), shared, either);
    (0..DAYS, ways, flags).prop_flat_map(move |(number, ways, (late, gives_way, yields))| {
        facts(kind, day(number)).prop_map(move |facts| {
            let (psp_ids, originals, shared_ids, either) = ways.clone();
            let reserves = either && matches!(kind, Kind::Preauth | Kind::Payment);
            // A success gives way to nothing.
            let weak = !facts.status.is_some_and(Status::is_success);
            Event {
                event_type: "generated".into(),
                kinds: if reserves { vec![Kind::Preauth, Kind::Payment] } else { vec![kind] },
                psp_ids,
                originals,
                shared_ids,
                at: day(number),
                late,
                gives_way: gives_way && weak,
                yields_to_success: yields && weak,
                currency: Some("EUR".parse().unwrap()),
                facts,
                ..Event::default()
            }
        })
    })
}

/// Events of a record of that kind; those of a payment with refunds that nobody registered.
pub(super) fn events(kind: Kind) -> impl Strategy<Value = Vec<Told>> {
    let own = event(kind, ["a", "b", "c"]).boxed();
    let event = match kind {
        Kind::Payment => prop_oneof![3 => own, 1 => event(Kind::Refund, ["ra", "rb", "rc"])].boxed(),
        _ => own,
    };
    let layer = prop::bool::weighted(0.2).prop_map(move |placed| match kind {
        Kind::Payment if placed => Layer::Placed,
        _ => Layer::Own,
    });
    prop::collection::vec((event, layer), 1..10).prop_map(|mut events| {
        events.iter_mut().enumerate().for_each(|(index, (event, _))| event.key = format!("evt{index}"));
        events
    })
}

pub(super) fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.to_vec())
}

/// A record and its history.
pub(super) fn histories() -> impl Strategy<Value = (Record, Vec<Told>)> {
    kinds().prop_flat_map(|kind| (registered(kind), events(kind)))
}

/// A history and another telling of it: shuffled, with repetitions.
pub(super) fn retold() -> impl Strategy<Value = (Record, Vec<Told>, Vec<Told>)> {
    histories().prop_flat_map(|(record, events)| {
        let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
        (Just(record), Just(events), Just(twice).prop_shuffle())
    })
}

pub(super) fn told<'a>(record: &Record, events: impl IntoIterator<Item = &'a Told>) -> Record {
    events
        .into_iter()
        .fold(record.clone(), |record, (event, layer)| apply(&record, event, *layer, Timestamp::UNIX_EPOCH).unwrap().0)
}

/// The record without the count of its changes.
pub(super) fn settled(record: &Record) -> Record {
    Record { version: 0, last_updated: Timestamp::UNIX_EPOCH, ..record.clone() }
}

/// An event of attempt "p" in that second.
pub(super) fn named(status: Status, second: i64) -> Event {
    Event {
        event_type: "paid".into(),
        kinds: vec![Kind::Payment],
        psp_ids: vec!["p".into()],
        at: Timestamp::from_second(second).unwrap(),
        key: "evt".into(),
        currency: Some("EUR".parse().unwrap()),
        facts: Facts { status: Some(status), ..Facts::default() },
        ..Event::default()
    }
}
