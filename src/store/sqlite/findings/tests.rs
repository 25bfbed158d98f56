//! Tests of findings: how often a notification counts, when a finding ends, and what has no room.

use super::*;
use crate::domain::due::Moment;
use crate::domain::ids::{Kind, RecordKey};
use crate::domain::message::{Meaning, Message, Missing, MissingKind, Normalised};
use crate::store::core::findings::{FindingSeen, OF_SOURCE_MAX, OTHERS, note};
use crate::store::core::set::WorkingSet;
use crate::store::core::taking::Took;
use crate::store::sqlite::decide::{at_once, decide};
use crate::store::sqlite::rehearse::without_limits;
use crate::store::sqlite::{fetch_ends, flush, migrations, one_by_one};
use crate::store::{Answered, Taken};

const SOURCE: &str = "psp-a";

fn moment(second: i64) -> Moment {
    let at = Timestamp::from_second(1_700_000_000 + second).unwrap();
    Moment { wall: at, steady: at }
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(u128::from(n))
}

/// A store with a payment that goes by `pi_1`.
fn store() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrations::migrate(&mut connection).unwrap();
    let said = r#"{"pspTransactionId": "pi_1", "requestedAmount": 10, "currency": "EUR"}"#;
    let key = RecordKey::new(Kind::Payment, "p1".parse().unwrap());
    let said = serde_json::from_str(said).unwrap();
    one_by_one::register(&connection, &without_limits(), &key, &said, moment(0)).unwrap().unwrap();
    connection
}

/// A message that no rule reads, and that names the payment.
fn strange() -> Message {
    let said = "a rule".to_owned();
    let missing = Some(Missing { what: MissingKind::Rule, said, names: vec!["pi_1".to_owned()] });
    Message { missing, ..Message::new("strange".to_owned(), Meaning::Ignored) }
}

fn understood_now() -> Message {
    Message::new("strange".to_owned(), Meaning::Events(Vec::new()))
}

fn taken(n: u32, message: Message) -> Taken {
    Taken {
        id: id(n),
        source: SOURCE.to_owned(),
        received_at: moment(i64::from(n)),
        headers: Vec::new(),
        body: n.to_string().into_bytes(),
        form: "form".to_owned(),
        signed_at: None,
        partly_signed: false,
        vouched: false,
        is_pointer: false,
        normalised: Normalised { dedupe_key: format!("key {n}"), beside: String::new(), messages: vec![message] },
    }
}

fn take(connection: &Connection, n: u32, message: Message) {
    let took = one_by_one::take(connection, &without_limits(), &taken(n, message)).unwrap();
    assert!(matches!(took, Took::In(_)));
}

/// The types of the findings, each with its count.
fn counts(connection: &Connection) -> Vec<(String, u64)> {
    let rows = list(connection, None, 0, u32::MAX).unwrap().rows;
    rows.into_iter().map(|finding| (finding.event_type, finding.count)).collect()
}

/// Notes that a notification with these messages is understood now.
fn understood(connection: &Connection, source: &str, notification: Uuid, messages: &[Message]) {
    let decision = |set: &WorkingSet| crate::store::core::findings::understood(set, source, notification, messages);
    at_once(connection, decision).unwrap();
}

/// A notification that comes again has its object fetched again. The same response is no news.
#[test]
fn a_response_that_was_read_before_does_not_count_again() {
    let connection = store();
    let fetched = |asked, body: &str| {
        take(&connection, 1, Message::new("strange".to_owned(), Meaning::Fetch("/object".to_owned())));
        let fetch = connection.query_row("SELECT id FROM fetches", [], |row| row.get(0)).unwrap();
        let (began, fetched_at) = (moment(9).wall, moment(9).wall);
        let read = vec![(id(1), 0, strange())];
        let answered = Answered { fetch, asked, began, fetched_at, body: body.as_bytes().to_vec(), read };
        fetch_ends::answered(&connection, &without_limits(), &answered, moment(9)).unwrap();
        counts(&connection)
    };
    assert_eq!(fetched(1, "{}"), [("strange".to_owned(), 1)]);
    assert_eq!(fetched(2, "{}"), [("strange".to_owned(), 1)]);
    assert_eq!(fetched(3, r#"{"another": "state"}"#), [("strange".to_owned(), 2)]);
}

/// Two shapes of one type: a rule for the first one leaves the finding of the second.
#[test]
fn a_finding_ends_with_its_latest_notification_and_with_no_earlier_one() {
    let connection = store();
    take(&connection, 1, strange());
    take(&connection, 2, strange());
    assert_eq!(counts(&connection), [("strange".to_owned(), 2)]);
    let judged = |n| understood(&connection, SOURCE, id(n), &[understood_now()]);
    judged(1);
    understood(&connection, SOURCE, id(2), &[strange()]);
    understood(&connection, "psp-b", id(2), &[understood_now()]);
    let points = Message::new("strange".to_owned(), Meaning::Fetch("/object".to_owned()));
    understood(&connection, SOURCE, id(2), &[points]);
    assert_eq!(counts(&connection), [("strange".to_owned(), 2)]);
    judged(2);
    assert_eq!(counts(&connection), []);

    take(&connection, 3, strange());
    connection.execute("DELETE FROM notifications WHERE id = ?1", [id(3).into_bytes()]).unwrap();
    judged(1);
    assert_eq!(counts(&connection), [], "its latest notification is not kept");
}

#[test]
fn what_has_no_room_is_counted_and_told_once_a_day() {
    let connection = store();
    let sighting = |n: i64| FindingSeen {
        what: FindingKind::NoRule,
        source: SOURCE.to_owned(),
        event_type: format!("type {n}"),
        count: 1,
        notification: None,
        record: None,
        missing: None,
    };
    // One working set, since each decision of its own would read a thousand findings.
    let set = WorkingSet::default();
    let told = |sighting: &FindingSeen, second| {
        decide(&connection, &set, |set| note(set, moment(second), sighting)).unwrap().told
    };
    let noted = |n, second| told(&sighting(n), second);
    let most = i64::try_from(OF_SOURCE_MAX).unwrap();
    for n in 0..most {
        assert!(noted(n, 0).is_some(), "{n}");
    }
    let others = noted(most, 1).unwrap();
    assert_eq!((others.event_type.as_str(), others.count, others.missing.as_deref()), ("(others)", 1, Some(OTHERS.1)));
    assert!(noted(most + 1, 2).is_none(), "told today");
    assert_eq!(noted(most + 2, 24 * 60 * 60).map(|told| told.count), Some(3));
    assert!(noted(0, 3).is_none(), "a known type is counted by its own finding");
    let other = FindingSeen { what: FindingKind::NotFetched, ..sighting(5) };
    assert_eq!(told(&other, 4).unwrap().event_type, "type 5", "another kind has room");
    flush::flush(&connection, &set).unwrap();
    let all = counts(&connection);
    assert_eq!((all.len(), &all[0], &all[1000]), (1002, &("type 0".to_owned(), 2), &("(others)".to_owned(), 3)));
    assert_eq!(count(&connection).unwrap(), 1002);
}
