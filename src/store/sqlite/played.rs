//! Plays of small histories in a store in memory: registrations, and notifications with one event each.

use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::decide::at_once;
use super::lent::Lent;
use super::one_by_one::register;
use super::{inbox, parked, rehearse};
use crate::domain::due::{Moment, utc_date};
use crate::domain::event::{Booking, Event, Facts, Item};
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::message::{Meaning, Message, Normalised};
use crate::domain::record::Record;
use crate::domain::status::Status;
use crate::domain::view::{Detail, View};
use crate::store::core::inbound::Inbound;
use crate::store::core::inbox::{Became, insert};
use crate::store::core::work::{Finished, Work, joined};
use crate::store::{Finding, Outcome, Owed, RegistrationReceipt, Taken};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(super) fn moment(second: i64) -> Moment {
    Moment { wall: at(second), steady: at(second) }
}

pub(super) fn key(kind: Kind, id: &str) -> RecordKey {
    RecordKey::new(kind, id.parse().unwrap())
}

/// A registration, or a notification with one event.
#[derive(Clone)]
pub(super) enum Step {
    Register(Kind, &'static str, Value),
    Tell(u128, Box<Event>),
    /// The same of another source.
    Other(u128, Box<Event>),
}

pub(super) fn preauth() -> Step {
    Step::Register(Kind::Preauth, "a", json!({"pspTransactionId": "auth", "requestedAmount": 100, "currency": "EUR"}))
}

pub(super) fn capture(id: &'static str) -> Step {
    Step::Register(Kind::Payment, id, json!({"preauthTransactionId": "a", "requestedAmount": 40, "currency": "EUR"}))
}

pub(super) fn capture_as(id: &'static str, psp_id: &str) -> Step {
    let said =
        json!({"preauthTransactionId": "a", "requestedAmount": 40, "currency": "EUR", "pspTransactionId": psp_id});
    Step::Register(Kind::Payment, id, said)
}

pub(super) fn payment() -> Step {
    Step::Register(Kind::Payment, "p", json!({"pspTransactionId": "pi", "requestedAmount": 100, "currency": "EUR"}))
}

pub(super) fn refund(said: &Value) -> Step {
    let mut body = json!({"paymentTransactionId": "p", "requestedAmount": 30, "currency": "EUR"});
    let said = said.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(said);
    Step::Register(Kind::Refund, "r", body)
}

pub(super) fn agreement(id: &'static str, psp_id: &str) -> Step {
    Step::Register(Kind::Agreement, id, json!({"pspAgreementId": psp_id}))
}

pub(super) fn event(n: u128, kind: Kind, psp_ids: &[&str], facts: Facts) -> Event {
    Event {
        event_type: format!("event {n}"),
        kinds: vec![kind],
        psp_ids: psp_ids.iter().map(ToString::to_string).collect(),
        at: at(i64::try_from(n).unwrap()),
        key: format!("key {n}#0"),
        facts,
        ..Event::default()
    }
}

pub(super) fn tell(n: u128, event: Event) -> Step {
    Step::Tell(n, Box::new(event))
}

pub(super) fn booked(n: u128, psp_ids: &[&str], amount: u32) -> Event {
    let (id, amount) = (psp_ids.first().unwrap_or(&"item").to_string(), Decimal::from(amount));
    let item = Item { id, amount, booking: Booking::Booked, date: utc_date(at(0)), description: None };
    event(n, Kind::Payment, psp_ids, Facts { items: vec![item], status: Some(Status::Succeeded), ..Facts::default() })
}

/// A booking that names only the authorization, beside the ids that the PSP made for it.
pub(super) fn of_authorization(n: u128, psp_ids: &[&str], amount: u32) -> Step {
    tell(n, Event { originals: vec!["auth".into()], ..booked(n, psp_ids, amount) })
}

pub(super) fn given_back(n: u128, psp_id: &str, amount: u32) -> Event {
    let facts = Facts { status: Some(Status::Succeeded), refunded: Some(amount.into()), ..Facts::default() };
    Event { payment_ids: vec!["pi".into()], ..event(n, Kind::Refund, &[psp_id], facts) }
}

pub(super) fn means(n: u128, psp_ids: &[&str], status: Status) -> Event {
    event(n, Kind::Agreement, psp_ids, Facts { status: Some(status), ..Facts::default() })
}

/// The orders of these steps. Of more than four steps they are a spread: each rotation of these and of the reverse, each swap of
/// neighbours, and every seventh of all, or of six steps every 31st.
pub(super) fn orders<T: Clone>(steps: &[T]) -> Vec<Vec<T>> {
    let all = all_orders(steps);
    let stride = match steps.len() {
        0..=4 => return all,
        5 => 7,
        _ => 31,
    };
    let swapped = |at: usize| {
        let mut order = steps.to_vec();
        order.swap(at, at + 1);
        order
    };
    let rotated = |by: usize| {
        let mut orders = [steps.to_vec(), steps.iter().rev().cloned().collect()];
        orders.iter_mut().for_each(|order: &mut Vec<T>| order.rotate_left(by));
        orders
    };
    let near = (0..steps.len() - 1).map(swapped);
    all.into_iter().step_by(stride).chain(near).chain((0..steps.len()).flat_map(rotated)).collect()
}

fn all_orders<T: Clone>(steps: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = steps.split_first() else { return vec![Vec::new()] };
    let with_first = |order: Vec<T>| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, first.clone());
            order
        })
    };
    all_orders(rest).into_iter().flat_map(with_first).collect()
}

pub(super) struct Told {
    pub(super) connection: Lent,
    /// The second of the next step.
    pub(super) second: i64,
    pub(super) owed: Vec<Owed>,
    pub(super) findings: Vec<Finding>,
}

impl Told {
    pub(super) fn new(steps: &[Step]) -> Self {
        let mut played = Self { connection: Lent::new(), second: 1_000, owed: Vec::new(), findings: Vec::new() };
        steps.iter().for_each(|step| played.step(step));
        played
    }

    pub(super) fn step(&mut self, step: &Step) {
        (self.owed, self.findings) = match step {
            Step::Register(kind, id, said) => {
                let RegistrationReceipt { owed, findings, .. } = self.register(&key(*kind, id), said);
                (owed, findings)
            }
            Step::Tell(n, event) => self.tell(*n, std::slice::from_ref(event)),
            Step::Other(n, event) => self.tell_of("other", *n, std::slice::from_ref(event)),
        };
    }

    fn register(&self, key: &RecordKey, said: &Value) -> RegistrationReceipt {
        let said = serde_json::from_value(said.clone()).unwrap();
        register(&self.connection, &rehearse::without_limits(), key, &said, moment(self.second)).unwrap().unwrap()
    }

    /// Takes a notification with these events.
    pub(super) fn tell(&self, n: u128, events: &[Event]) -> (Vec<Owed>, Vec<Finding>) {
        self.tell_of("s", n, events)
    }

    fn tell_of(&self, source: &str, n: u128, events: &[Event]) -> (Vec<Owed>, Vec<Finding>) {
        let options = rehearse::without_limits();
        let message = Message::new("test".into(), Meaning::Events(events.to_vec()));
        let taken = Taken {
            id: Uuid::from_u128(n),
            source: source.into(),
            received_at: moment(self.second),
            headers: Vec::new(),
            body: n.to_string().into_bytes(),
            form: "form".into(),
            signed_at: None,
            partly_signed: false,
            vouched: false,
            is_pointer: false,
            normalised: Normalised { dedupe_key: n.to_string(), beside: String::new(), messages: vec![message] },
        };
        let inbound = Inbound::of(taken);
        let told = at_once(&self.connection, |set| {
            let mut work = Work::new(set, &options, moment(self.second));
            let (outcome, reasons) = work.place_all(Uuid::from_u128(n), source, events)?;
            let reason = joined(&reasons);
            insert(set, &inbound, &Became { outcome, through: None, reason, tells_first: false })?;
            let Finished { owed, findings, .. } = work.finish()?;
            Ok((owed, findings))
        });
        told.unwrap()
    }

    pub(super) fn record(&self, kind: Kind, id: &str) -> Record {
        Arc::unwrap_or_clone(super::records::by_key(&self.connection, &key(kind, id)).unwrap().unwrap().record)
    }

    pub(super) fn paid(&self, id: &str) -> u32 {
        let Detail::Payment(payment) = View::of(&self.record(Kind::Payment, id)).detail else { panic!() };
        payment.payments.iter().map(|item| u32::try_from(item.amount).unwrap()).sum()
    }

    pub(super) fn chargebacks(&self, id: &str) -> usize {
        let Detail::Payment(payment) = View::of(&self.record(Kind::Payment, id)).detail else { panic!() };
        payment.chargebacks.len()
    }

    pub(super) fn refunded(&self) -> u32 {
        self.given_back("p")
    }

    pub(super) fn given_back(&self, id: &str) -> u32 {
        let Detail::Payment(payment) = View::of(&self.record(Kind::Payment, id)).detail else { panic!() };
        payment.refunded.try_into().unwrap()
    }

    pub(super) fn status(&self, kind: Kind, id: &str) -> Status {
        View::of(&self.record(kind, id)).status
    }

    pub(super) fn is_owed(&self, id: &str) -> bool {
        self.owed.iter().any(|owed| owed.key.id.as_str() == id)
    }

    pub(super) fn outcome(&self, n: u128) -> Outcome {
        inbox::kept(&self.connection, Uuid::from_u128(n)).unwrap().unwrap().outcome
    }

    pub(super) fn reason(&self) -> String {
        let dead = inbox::dead_letters(&self.connection, 0, 9).unwrap().rows;
        dead.into_iter().map(|one| one.reason).collect::<Vec<_>>().join("\n")
    }

    pub(super) fn waits_for(&self) -> Vec<String> {
        parked::list(&self.connection, None, 0, 9).unwrap().rows.into_iter().flat_map(|one| one.waits_for).collect()
    }
}
