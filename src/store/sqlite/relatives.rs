//! Tests of the ways between relatives: captures and their preauthorization, refunds that nobody registered, agreements with
//! one means of payment. Every order of registrations and events ends the same.

use jiff::Timestamp;
use rusqlite::Connection;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::register::register;
use super::work::{Finished, Work};
use super::{inbox, migrations, parked, rehearse};
use crate::domain::due::{Moment, utc_date};
use crate::domain::event::{Booking, Event, Facts, Item};
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::message::{Meaning, Message, Normalised};
use crate::domain::record::Record;
use crate::domain::status::Status;
use crate::domain::view::{Detail, View};
use crate::store::{Finding, Outcome, Owed, RegistrationReceipt, Taken};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn moment(second: i64) -> Moment {
    Moment { wall: at(second), steady: at(second) }
}

fn key(kind: Kind, id: &str) -> RecordKey {
    RecordKey::new(kind, id.parse().unwrap())
}

/// A registration, or a notification with one event.
#[derive(Clone)]
enum Step {
    Register(Kind, &'static str, Value),
    Tell(u128, Box<Event>),
}

fn preauth() -> Step {
    Step::Register(Kind::Preauth, "a", json!({"pspTransactionId": "auth", "requestedAmount": 100, "currency": "EUR"}))
}

fn capture(id: &'static str) -> Step {
    Step::Register(Kind::Payment, id, json!({"preauthTransactionId": "a", "requestedAmount": 40, "currency": "EUR"}))
}

fn capture_as(id: &'static str, psp_id: &str) -> Step {
    let said =
        json!({"preauthTransactionId": "a", "requestedAmount": 40, "currency": "EUR", "pspTransactionId": psp_id});
    Step::Register(Kind::Payment, id, said)
}

fn payment() -> Step {
    Step::Register(Kind::Payment, "p", json!({"pspTransactionId": "pi", "requestedAmount": 100, "currency": "EUR"}))
}

fn refund(said: &Value) -> Step {
    let mut body = json!({"paymentTransactionId": "p", "requestedAmount": 30, "currency": "EUR"});
    let said = said.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(said);
    Step::Register(Kind::Refund, "r", body)
}

fn agreement(id: &'static str, psp_id: &str) -> Step {
    Step::Register(Kind::Agreement, id, json!({"pspAgreementId": psp_id}))
}

fn event(n: u128, kind: Kind, psp_ids: &[&str], facts: Facts) -> Event {
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

fn tell(n: u128, event: Event) -> Step {
    Step::Tell(n, Box::new(event))
}

fn booked(n: u128, psp_ids: &[&str], amount: u32) -> Event {
    let (id, amount) = (psp_ids.first().unwrap_or(&"item").to_string(), Decimal::from(amount));
    let item = Item { id, amount, booking: Booking::Booked, date: utc_date(at(0)), description: None };
    event(n, Kind::Payment, psp_ids, Facts { items: vec![item], status: Some(Status::Succeeded), ..Facts::default() })
}

/// A booking that names only the authorization, beside the ids that the PSP made for it.
fn of_authorization(n: u128, psp_ids: &[&str], amount: u32) -> Step {
    tell(n, Event { originals: vec!["auth".into()], ..booked(n, psp_ids, amount) })
}

fn given_back(n: u128, psp_id: &str, amount: u32) -> Event {
    let facts = Facts { status: Some(Status::Succeeded), refunded: Some(amount.into()), ..Facts::default() };
    Event { payment_ids: vec!["pi".into()], ..event(n, Kind::Refund, &[psp_id], facts) }
}

fn means(n: u128, psp_ids: &[&str], status: Status) -> Event {
    event(n, Kind::Agreement, psp_ids, Facts { status: Some(status), ..Facts::default() })
}

struct Played {
    connection: Connection,
    owed: Vec<Owed>,
    findings: Vec<Finding>,
}

impl Played {
    fn new(steps: &[Step]) -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::migrate(&mut connection).unwrap();
        let mut played = Self { connection, owed: Vec::new(), findings: Vec::new() };
        steps.iter().for_each(|step| played.step(step));
        played
    }

    fn step(&mut self, step: &Step) {
        (self.owed, self.findings) = match step {
            Step::Register(kind, id, said) => {
                let RegistrationReceipt { owed, findings, .. } = self.register(&key(*kind, id), said);
                (owed, findings)
            }
            Step::Tell(n, event) => self.tell(*n, event),
        };
    }

    fn register(&self, key: &RecordKey, said: &Value) -> RegistrationReceipt {
        let said = serde_json::from_value(said.clone()).unwrap();
        register(&self.connection, &rehearse::without_limits(), key, &said, moment(1_000)).unwrap().unwrap()
    }

    fn tell(&self, n: u128, event: &Event) -> (Vec<Owed>, Vec<Finding>) {
        let options = rehearse::without_limits();
        let mut work = Work::new(&self.connection, &options, moment(1_000));
        let (outcome, reasons) = work.place_all(Uuid::from_u128(n), "s", std::slice::from_ref(event)).unwrap();
        let became = inbox::Became { outcome, through: None, reason: reasons.into_iter().next(), tells_first: false };
        let message = Message::new("test".into(), Meaning::Events(vec![event.clone()]));
        let taken = Taken {
            id: Uuid::from_u128(n),
            source: "s".into(),
            received_at: moment(1_000),
            headers: Vec::new(),
            body: n.to_string().into_bytes(),
            form: "form".into(),
            signed_at: None,
            partly_signed: false,
            is_pointer: false,
            normalised: Normalised { dedupe_key: n.to_string(), beside: String::new(), messages: vec![message] },
        };
        inbox::insert(&self.connection, &taken, &became).unwrap();
        let Finished { owed, findings, .. } = work.finish().unwrap();
        (owed, findings)
    }

    fn record(&self, kind: Kind, id: &str) -> Record {
        super::records::by_key(&self.connection, &key(kind, id)).unwrap().unwrap().record
    }

    fn paid(&self, id: &str) -> u32 {
        let Detail::Payment(payment) = View::of(&self.record(Kind::Payment, id)).detail else { panic!() };
        payment.payments.iter().map(|item| u32::try_from(item.amount).unwrap()).sum()
    }

    fn refunded(&self) -> u32 {
        let Detail::Payment(payment) = View::of(&self.record(Kind::Payment, "p")).detail else { panic!() };
        payment.refunded.try_into().unwrap()
    }

    fn status(&self, kind: Kind, id: &str) -> Status {
        View::of(&self.record(kind, id)).status
    }

    fn is_owed(&self, id: &str) -> bool {
        self.owed.iter().any(|owed| owed.key.id.as_str() == id)
    }

    fn outcome(&self, n: u128) -> Outcome {
        inbox::kept(&self.connection, Uuid::from_u128(n)).unwrap().unwrap().outcome
    }

    fn reason(&self) -> String {
        let dead = inbox::dead_letters(&self.connection, 0, 9).unwrap().rows;
        dead.into_iter().map(|one| one.reason).collect::<Vec<_>>().join("\n")
    }

    fn waits_for(&self) -> Vec<String> {
        parked::list(&self.connection, None, 0, 9).unwrap().rows.into_iter().flat_map(|one| one.waits_for).collect()
    }
}

#[test]
fn an_event_of_an_authorization_reaches_its_only_capture() {
    let news = of_authorization(10, &["cap"], 40);
    let orders = [
        vec![preauth(), capture("c"), news.clone()],
        vec![news.clone(), capture("c"), preauth()],
        vec![preauth(), news, capture("c")],
    ];
    for order in orders {
        let played = Played::new(&order);
        assert_eq!(played.paid("c"), 40);
        assert!(played.is_owed("c"), "{:?}", played.owed);
        assert_eq!(played.record(Kind::Preauth, "a").captures.len(), 1);
    }
}

#[test]
fn an_event_of_any_of_several_captures_is_a_dead_letter_at_once() {
    let played = Played::new(&[preauth(), capture("c"), capture("d"), of_authorization(10, &["cap"], 40)]);
    assert_eq!((played.outcome(10), played.paid("c"), played.paid("d")), (Outcome::DeadLetter, 0, 0));
    let reason = "event 10: it names only an authorization, that of preauth a, and 2 payments capture that";
    assert_eq!(played.reason(), reason);
}

#[test]
fn a_second_capture_takes_back_from_the_first() {
    let facts = Facts { status: Some(Status::Expired), ..Facts::default() };
    let expired = tell(9, event(9, Kind::Preauth, &["auth"], facts));
    let mut played = Played::new(&[preauth(), expired, capture("c"), of_authorization(10, &["cap"], 40)]);
    let before = played.record(Kind::Payment, "c");
    assert_eq!(played.status(Kind::Preauth, "a"), Status::Succeeded, "only the rest has expired");
    played.step(&capture("d"));
    assert_eq!(played.status(Kind::Preauth, "a"), Status::Expired);
    assert_eq!((played.paid("c"), played.outcome(10)), (0, Outcome::DeadLetter));
    assert!(played.is_owed("c") && played.is_owed("a"), "{:?}", played.owed);
    assert_eq!(played.record(Kind::Payment, "c").version, before.version + 1);
    assert!(played.record(Kind::Preauth, "a").captures.is_empty());
    assert_eq!(played.findings, [Finding::TakenBack { payment: key(Kind::Payment, "c"), events: 1 }]);
    assert!(played.reason().contains("names only an authorization"), "{}", played.reason());
    played.step(&capture("d"));
    assert_eq!((&played.owed[..], &played.findings[..]), (&[][..], &[][..]), "once");
    played.step(&tell(11, booked(11, &["cap"], 40)));
    assert_eq!(played.outcome(11), Outcome::Parked, "the id that it taught leads nowhere");
}

/// An event that names the second capture is no dead letter.
#[test]
fn what_is_taken_back_goes_to_the_capture_that_it_names() {
    let news = || [of_authorization(10, &["cap"], 40), tell(11, booked(11, &["cap"], 30))];
    let [one, two] = news();
    let orders = [
        vec![preauth(), capture("c"), one.clone(), two.clone(), capture_as("d", "cap")],
        vec![preauth(), capture("c"), capture_as("d", "cap"), one.clone(), two.clone()],
        vec![one, two, capture("c"), capture_as("d", "cap"), preauth()],
    ];
    for order in orders {
        let played = Played::new(&order);
        assert_eq!((played.paid("c"), played.paid("d"), played.reason()), (0, 30, String::new()));
        assert_eq!(played.record(Kind::Preauth, "a").captures.len(), 1);
    }
}

/// A capture that is registered with its id keeps the events of that id when another capture comes.
#[test]
fn a_capture_that_gets_its_id_keeps_the_events_of_that_id() {
    let news = of_authorization(10, &["cap"], 40);
    let orders = [
        vec![preauth(), capture("c"), news.clone(), capture_as("c", "cap"), capture("d")],
        vec![preauth(), capture_as("c", "cap"), news.clone(), capture("d")],
        vec![preauth(), capture("d"), capture_as("c", "cap"), news.clone()],
        vec![news.clone(), capture("d"), preauth(), capture_as("c", "cap")],
    ];
    for (n, order) in orders.into_iter().enumerate() {
        let played = Played::new(&order);
        assert_eq!((played.paid("c"), played.outcome(10)), (40, Outcome::Applied), "order {n}: {}", played.reason());
    }
    let mut played = Played::new(&[preauth(), capture("c"), news]);
    let before = played.record(Kind::Payment, "c");
    played.step(&capture_as("c", "cap"));
    let after = played.record(Kind::Payment, "c");
    assert_eq!((after.version, &played.owed[..]), (before.version, &[][..]), "it shows the same");
    assert!(after.placed.is_empty() && !after.seen.is_empty());
}

#[test]
fn money_of_another_capture_waits_for_it() {
    let news = of_authorization(10, &["cap-2"], 40);
    let known = [preauth(), capture_as("c", "cap-1"), news.clone()];
    let mut played = Played::new(&known);
    assert_eq!((played.outcome(10), played.paid("c")), (Outcome::Parked, 0));
    assert_eq!(played.waits_for(), ["captures:a", "psp:payment:cap-2"], "the authorization is never a payment's id");
    played.step(&capture_as("d", "cap-2"));
    assert_eq!((played.paid("d"), played.outcome(10)), (40, Outcome::Applied));
    let later = Played::new(&[preauth(), capture("c"), news, capture_as("c", "cap-1"), capture_as("d", "cap-2")]);
    assert_eq!((later.paid("c"), later.paid("d"), later.reason()), (0, 40, String::new()));
}

#[test]
fn a_payment_that_captures_another_preauthorization_leaves_the_first() {
    let other = Step::Register(Kind::Preauth, "b", json!({"requestedAmount": 100, "currency": "EUR"}));
    let paid = json!({"preauthTransactionId": "a", "requestedAmount": 40, "currency": "EUR", "status": "Succeeded"});
    let mut played = Played::new(&[preauth(), other, Step::Register(Kind::Payment, "c", paid)]);
    assert_eq!(played.record(Kind::Preauth, "a").captures.len(), 1);
    played.step(&Step::Register(Kind::Payment, "c", json!({"preauthTransactionId": "b"})));
    let captures = ["a", "b"].map(|id| played.record(Kind::Preauth, id).captures.len());
    assert_eq!(captures, [0, 1]);
}

#[test]
fn a_refund_that_nobody_registered_is_told_of_with_its_payment() {
    let orders = [
        [payment(), tell(10, booked(10, &["pi"], 100)), tell(11, given_back(11, "re", 30))],
        [tell(11, given_back(11, "re", 30)), payment(), tell(10, booked(10, &["pi"], 100))],
    ];
    for order in orders {
        let mut played = Played::new(&order);
        assert!(
            matches!(played.outcome(11), Outcome::Applied | Outcome::Repeated),
            "before the money it shows nothing"
        );
        assert_eq!((played.refunded(), played.waits_for()), (30, Vec::new()));
        assert!(played.is_owed("p"));
        let own = Event { payment_ids: Vec::new(), ..given_back(12, "re", 35) };
        played.step(&tell(12, own));
        assert_eq!((played.refunded(), played.outcome(12)), (35, Outcome::Applied), "by its own id");
    }
}

#[test]
fn a_registration_takes_over_what_was_told_of_the_refund() {
    let named = Event { references: vec!["r".parse().unwrap()], ..given_back(11, "re", 30) };
    for (event, said) in [(given_back(11, "re", 30), json!({"pspTransactionId": "re"})), (named, json!({}))] {
        let known = [payment(), tell(10, booked(10, &["pi"], 100)), tell(11, event.clone())];
        let mut played = Played::new(&known);
        let before = played.record(Kind::Payment, "p");
        played.step(&refund(&said));
        assert_eq!((played.refunded(), played.status(Kind::Refund, "r")), (30, Status::Succeeded));
        assert!(played.is_owed("r"));
        let after = played.record(Kind::Payment, "p");
        assert_eq!((after.version, after.seen.refunds.len()), (before.version, 0), "the payment shows the same");
        played.step(&tell(12, Event { payment_ids: Vec::new(), ..given_back(12, "re", 25) }));
        assert_eq!(played.refunded(), 25);
        let first = Played::new(&[payment(), refund(&said), known[1].clone(), known[2].clone()]);
        assert_eq!((first.refunded(), first.status(Kind::Refund, "r")), (30, Status::Succeeded));
        assert!(first.record(Kind::Payment, "p").seen.refunds.is_empty());
    }
}

/// A refund of unknown amount counts as all that was paid, until it is registered.
#[test]
fn a_takeover_that_changes_the_payment_tells_of_it() {
    let mut unknown = given_back(11, "re", 0);
    unknown.facts.refunded = None;
    let mut played = Played::new(&[payment(), tell(10, booked(10, &["pi"], 100)), tell(11, unknown)]);
    assert_eq!(played.refunded(), 100);
    let before = played.record(Kind::Payment, "p").version;
    played.step(&refund(&json!({"pspTransactionId": "re"})));
    assert_eq!((played.refunded(), played.record(Kind::Payment, "p").version), (30, before + 1));
    assert!(played.is_owed("p") && played.is_owed("r"));
}

#[test]
fn agreements_with_one_means_of_payment_hear_the_same() {
    let learned = tell(10, means(10, &["token", "card"], Status::Active));
    let ended = tell(11, means(11, &["card"], Status::Inactive));
    let orders = [
        [agreement("g", "token"), agreement("h", "token"), learned.clone(), ended.clone()],
        [agreement("g", "token"), learned.clone(), agreement("h", "token"), ended.clone()],
        [agreement("g", "token"), learned.clone(), ended.clone(), agreement("h", "token")],
        [ended, learned, agreement("g", "token"), agreement("h", "token")],
    ];
    for (n, order) in orders.into_iter().enumerate() {
        let played = Played::new(&order);
        let states = ["g", "h"].map(|id| played.status(Kind::Agreement, id));
        assert_eq!(states, [Status::Inactive; 2], "order {n}");
        assert!(played.is_owed("h"), "order {n}");
    }
}

/// The notification of the customer's end may be deleted by then.
#[test]
fn an_agreement_with_the_means_of_another_knows_the_end_of_their_customer() {
    let of =
        |event: Event| tell(event.at.as_second().try_into().unwrap(), Event { customers: vec!["cus".into()], ..event });
    let learned = of(means(10, &["token"], Status::Active));
    let deleted = of(means(11, &[], Status::Inactive));
    let mut played = Played::new(&[agreement("g", "token"), learned, deleted]);
    assert_eq!(played.status(Kind::Agreement, "g"), Status::Inactive);
    played.connection.execute_batch("DELETE FROM parked_keys; DELETE FROM parked").unwrap();
    played.step(&agreement("h", "token"));
    assert_eq!(played.status(Kind::Agreement, "h"), Status::Inactive);
}

#[test]
fn a_companion_waits_in_silence_and_does_its_work_later() {
    let with = json!({"pspTransactionId": "pi", "requestedAmount": 100, "currency": "EUR", "agreementId": "g"});
    let with = Step::Register(Kind::Payment, "p", with);
    let companion =
        || Event { companion: true, payment_ids: vec!["pi".into()], ..means(10, &["token"], Status::Active) };
    let unnamed = Step::Register(Kind::Agreement, "g", json!({}));
    let news = tell(10, companion());
    let orders = [
        vec![unnamed.clone(), with.clone(), news.clone()],
        vec![news.clone(), unnamed.clone(), with.clone()],
        vec![payment(), news.clone(), unnamed.clone(), with.clone()],
        vec![payment(), unnamed.clone(), with, news.clone()],
        vec![payment(), news.clone(), agreement("g", "token")],
    ];
    for (n, order) in orders.into_iter().enumerate() {
        let played = Played::new(&order);
        assert_eq!(played.status(Kind::Agreement, "g"), Status::Active, "order {n}");
        assert_eq!(played.outcome(10), Outcome::Applied, "order {n}");
        let mut later = played;
        later.step(&tell(11, means(11, &["token"], Status::Inactive)));
        assert_eq!(later.status(Kind::Agreement, "g"), Status::Inactive, "order {n}: it has learned the id");
    }
    let waits = Played::new(&[news]);
    assert_eq!((waits.outcome(10), waits.waits_for()), (Outcome::Ignored, Vec::new()));
    let counted = super::counts::parked(&waits.connection, "s").unwrap();
    assert_eq!(counted, 0);
}
