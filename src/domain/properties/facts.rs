//! Generated facts. There are few times, ids and amounts, so that many events concern the same things.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::domain::due::utc_date;
use crate::domain::event::{Booking, Chargeback, Facts, Item, Movement, Release, Why};
use crate::domain::ids::Kind;
use crate::domain::status::{ChargebackReason, PspError, Status};

/// The times of all events: the days of one week.
pub(super) const DAYS: i64 = 6;

pub(super) fn day(number: i64) -> Timestamp {
    Timestamp::from_second(number * 86_400).unwrap()
}

pub(super) fn quarters(number: i64) -> Decimal {
    Decimal::from(number * 25)
}

pub(super) fn amount() -> impl Strategy<Value = Decimal> {
    (0..6_i64).prop_map(quarters)
}

pub(super) fn statuses(kind: Kind) -> impl Strategy<Value = Status> {
    let all = [
        (2, Status::Initiated),
        (3, Status::Pending),
        (6, Status::Succeeded),
        (2, Status::Failed),
        (2, Status::Cancelled),
        (1, Status::Expired),
        (6, Status::Active),
        (3, Status::Inactive),
    ];
    let fitting = all.into_iter().filter(|(_, status)| status.fits(kind));
    prop::sample::select(fitting.flat_map(|(weight, status)| vec![status; weight]).collect::<Vec<_>>())
}

/// The facts of an event of that time about records of that kind.
pub(super) fn facts(kind: Kind, at: Timestamp) -> BoxedStrategy<Facts> {
    match kind {
        Kind::Preauth => with_state(kind, reservation()).boxed(),
        Kind::Payment => with_state(kind, money(at)).boxed(),
        Kind::Refund => with_state(kind, refund()).boxed(),
        Kind::Agreement => with_state(kind, amendment()).boxed(),
    }
}

fn with_state(kind: Kind, facts: impl Strategy<Value = Facts>) -> impl Strategy<Value = Facts> {
    let error = (0..3_u8).prop_map(|code| PspError { code: None, psp_code: Some(code.to_string()), message: None });
    (facts, prop::option::weighted(0.8, statuses(kind)), prop::option::of(error), bearer()).prop_map(
        |(facts, status, error, bearer)| {
            // A release names the state at its end.
            let ended = status.filter(|status| status.has_ended()).unwrap_or(Status::Cancelled);
            let status = if facts.release.is_some() { Some(ended) } else { status };
            Facts { error: error.filter(|_| status.is_some_and(Status::is_over)), status, bearer, ..facts }
        },
    )
}

pub(super) fn bearer() -> impl Strategy<Value = BTreeMap<String, String>> {
    let name = prop::sample::select(vec!["brand", "holder", "iban"]);
    let fields = prop::collection::btree_map(name, 0..4_u8, 0..3);
    fields.prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect())
}

fn reservation() -> impl Strategy<Value = Facts> {
    let release = (0..3_u8, prop::option::weighted(0.8, amount()))
        .prop_map(|(id, amount)| Release { id: format!("release{id}"), amount });
    let expires_at = prop::option::of((10..13_i64).prop_map(day));
    (prop::option::of(amount()), prop::option::weighted(0.3, release), expires_at).prop_map(
        |(authorized, release, expires_at)| Facts {
            // An event states the balance that is left, or the part that is released.
            authorized: authorized.filter(|_| release.is_none()),
            release,
            expires_at,
            ..Facts::default()
        },
    )
}

fn refund() -> impl Strategy<Value = Facts> {
    let flags = (prop::bool::weighted(0.05), prop::bool::weighted(0.05));
    (prop::option::of(amount()), flags).prop_map(|(refunded, (remainder, as_cancellation))| Facts {
        refunded,
        remainder,
        as_cancellation,
        ..Facts::default()
    })
}

fn amendment() -> impl Strategy<Value = Facts> {
    prop::bool::weighted(0.3).prop_map(|amended| Facts { amended, ..Facts::default() })
}

fn money(at: Timestamp) -> impl Strategy<Value = Facts> {
    let date = utc_date(at);
    let item = (prop::sample::select(vec!["a", "b", "item"]), amount(), bookings());
    let item = item.prop_map(move |(id, amount, booking)| Item {
        id: id.to_owned(),
        amount,
        booking,
        date,
        description: None,
    });
    let chargeback = (0..2_u8, prop::option::of(amount()), amount(), bookings(), prop::option::of(movements()));
    let chargeback = chargeback.prop_map(move |(id, disputed, fee, booking, movements)| Chargeback {
        id: format!("dispute{id}"),
        disputed,
        fee: Some(fee).filter(|fee| *fee > Decimal::ZERO),
        booking,
        date,
        why: disputed.map(|_| Why { reason: ChargebackReason::Unknown, psp_code: None, psp_message: None }),
        movements,
        of: None,
    });
    (prop::collection::vec(item, 0..3), prop::option::weighted(0.4, chargeback)).prop_map(|(mut items, chargeback)| {
        // One event names each item once.
        items.sort_by(|a, b| a.id.cmp(&b.id));
        items.dedup_by(|a, b| a.id == b.id);
        Facts { items, chargebacks: chargeback.into_iter().collect(), ..Facts::default() }
    })
}

fn bookings() -> impl Strategy<Value = Booking> {
    prop::sample::select(vec![Booking::Open, Booking::Booked, Booking::Booked, Booking::Reversed])
}

/// The movements that one event lists, each once; perhaps none. The time is the movement's or the event's.
fn movements() -> impl Strategy<Value = Vec<Movement>> {
    let fee = prop::option::of((-1..3_i64).prop_map(Decimal::from));
    let movement = (-4..4_i64, prop::bool::weighted(0.15), fee, 0..DAYS);
    let movements = prop::collection::btree_map(0..4_u8, movement, 0..4);
    movements.prop_map(|movements| {
        let one = |(id, (amount, abroad, fee, at)): (u8, (i64, bool, Option<Decimal>, i64))| Movement {
            id: format!("movement{id}"),
            amount: quarters(amount),
            currency: abroad.then(|| "USD".parse().unwrap()),
            fee,
            at: day(at),
        };
        movements.into_iter().map(one).collect()
    })
}
