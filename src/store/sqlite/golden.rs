//! Golden files: records and events as each version of the schema has written them, read as they were meant.
//! `fixtures/stored/N` has a record and an event that version N wrote, with a value in every field. A new version needs
//! a folder of its own. The folder of an earlier version is never edited: it shows that no field was renamed, which
//! would drop facts about money in silence.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::columns::json;
use super::migrations::VERSION;
use crate::domain::attempt::{Attempt, Released};
use crate::domain::dispute::{Dispute, Said};
use crate::domain::event::{Booking, Chargeback, Event, Facts, Item, Loose, Movement, Release, Statement, Why};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::imported::{Imported, ImportedChargeback, ImportedItem, ImportedRefund};
use crate::domain::record::{Record, Registered, Seen};
use crate::domain::registration_copy::RegistrationCopy;
use crate::domain::stamp::{Stamp, Stamped};
use crate::domain::status::{ChargebackReason, ErrorCode, PspError, Status, StatusFact};
use crate::domain::total::{Total, TotalOf, Totals, Unconfirmed};
use crate::store::encoding;

/// From this version on an event says which parts of it are unsigned.
const LOOSE: i64 = 11;
/// From this version on a record keeps its attempts, and the movements of its disputes.
const ATTEMPTS: i64 = 13;
/// From this version on a record keeps its accounts and totals, its amendments, and the times of means of payment.
const ACCOUNTS: i64 = 14;
/// From this version on a record keeps more of the payment stack's answer to Transform, and due dates are instants.
const ANSWERS: i64 = 15;
/// From this version on a record keeps what an import states of it.
const IMPORTED: i64 = 17;
/// From this version on records and events are sealed.
const SEALED: i64 = 19;
/// From this version on registrations have copies.
const COPIED: i64 = 20;
/// From this version on a record keeps whether only placed events have bound it to its source.
const BOUND: i64 = 18;

fn written<T: DeserializeOwned>(version: i64, what: &str) -> (T, String) {
    let file = folder(version).join(what);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    (json(0, &text).unwrap_or_else(|error| panic!("{}: {error}", file.display())), text)
}

fn folder(version: i64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stored").join(version.to_string())
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn money(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn id(text: &str) -> TransformId {
    text.to_owned().try_into().unwrap()
}

fn stamped<T>(value: T) -> Stamped<T> {
    Stamped { stamp: Stamp { at: time("2026-03-01T10:00:00.25Z"), rank: 5, tie: "evt_7#0a".into() }, value }
}

fn bearer() -> BTreeMap<String, String> {
    BTreeMap::from([("cardType".into(), "visa".into())])
}

fn error() -> PspError {
    PspError {
        code: Some(ErrorCode::PSPConnectionProblem),
        psp_code: Some("91".into()),
        message: Some("issuer away".into()),
    }
}

fn item() -> Item {
    Item {
        id: "ch_7".into(),
        amount: money("49.90"),
        booking: Booking::Booked,
        date: day("2026-03-01"),
        description: Some("capture".into()),
    }
}

fn why() -> Why {
    Why {
        reason: ChargebackReason::UserInitiated,
        psp_code: Some("4853".into()),
        psp_message: Some("not as described".into()),
    }
}

fn chargeback(version: i64) -> Chargeback {
    Chargeback {
        id: "dp_7".into(),
        disputed: Some(money("20.00")),
        fee: Some(money("15.00")),
        booking: Booking::Reversed,
        date: day("2026-04-02"),
        why: Some(why()),
        movements: (version >= ATTEMPTS).then(|| vec![movement()]),
        of: (version >= ATTEMPTS).then(|| "ch_7".into()),
    }
}

fn movement() -> Movement {
    Movement {
        id: "txn_7".into(),
        amount: money("-20.00"),
        currency: Some("USD".parse().unwrap()),
        fee: Some(money("15.00")),
        at: time("2026-04-02T07:00:00Z"),
    }
}

fn statement() -> Statement {
    let why = Some(why());
    Statement { account: "acc_7".into(), asked: money("49.90"), missing: money("-1.00"), returned: true, why }
}

fn status() -> StatusFact {
    StatusFact { status: Status::Failed, error: Some(error()), since: time("2026-03-01T09:59:00Z"), stands: false }
}

/// The claims as earlier versions wrote them: one attempt.
fn earlier() -> Seen {
    let attempt = Attempt {
        ids: BTreeSet::from(["pi_8".into()]),
        status: Some(stamped(status())),
        name: Some(stamped("pi_8".into())),
        authorized: Some(stamped(money("50.00"))),
        expires_at: Some(stamped(time("2026-03-09T00:00:00Z"))),
        refunded: Some(stamped(money("1.10"))),
        bearer: one("cardType", "visa".into()),
        ..Attempt::default()
    };
    let said = Said { booking: Booking::Reversed, fee: Some(money("15.00")), date: day("2026-04-02") };
    let dispute = Dispute {
        said: Some(stamped(said)),
        amount: Some(stamped(money("20.00"))),
        why: Some(stamped(why())),
        ..Dispute::default()
    };
    Seen {
        attempts: vec![attempt],
        items: one("ch_7", item()),
        disputes: BTreeMap::from([("dp_7".into(), dispute)]),
        statements: BTreeMap::new(),
        refunds: Vec::new(),
        customers: BTreeMap::new(),
        totals: Totals::default(),
    }
}

/// The claims as a version writes them that keeps attempts.
fn seen(version: i64) -> Seen {
    let seen = attempts();
    let mut seen = if version < ACCOUNTS { seen } else { with_accounts(seen) };
    let attempts = seen.attempts.iter_mut().chain(&mut seen.refunds);
    attempts.for_each(|attempt| attempt.as_cancellation = version >= COPIED);
    seen
}

fn attempts() -> Seen {
    let success = StatusFact { stands: true, ..status() };
    let Seen { mut attempts, items, mut disputes, .. } = earlier();
    attempts[0] = Attempt {
        shared: BTreeSet::from(["order_7".into()]),
        customers: BTreeSet::from(["cus_8".into()]),
        references: BTreeSet::from([id("ref-8")]),
        status: Some(stamped(success.clone())),
        yielding: Some(stamped(success.clone())),
        remainder: true,
        releases: one("void_7", Released { amount: Some(money("9.00")), end: success.clone() }),
        ..attempts[0].clone()
    };
    let dispute = disputes.get_mut("dp_7").unwrap();
    dispute.movements = Some(one("txn_7", movement()));
    dispute.bookings = BTreeSet::from(["ch_7".into()]);
    let customers = one("cus_8", success);
    Seen { refunds: attempts.clone(), attempts, items, disputes, customers, ..Seen::default() }
}

fn with_accounts(seen: Seen) -> Seen {
    let Seen { mut attempts, mut disputes, .. } = seen.clone();
    attempts[0] = Attempt {
        unreviving: Some(stamped(StatusFact { stands: true, ..status() })),
        since: Some(time("2026-03-01T10:00:00.25Z")),
        tolerance: Some(stamped(money("1"))),
        amended: Some(stamped(time("2026-03-04T00:00:00Z"))),
        ..attempts[0].clone()
    };
    let dispute = disputes.get_mut("dp_7").unwrap();
    (dispute.went, dispute.back) = (vec![stamped(day("2026-04-01"))], Some(stamped(()).stamp));
    let statements = BTreeMap::from([("acc_7".into(), vec![stamped(statement())])]);
    let totals = Totals { items: one("pi_7", money("49.90")), refunds: one("ch_7", money("5.00")) };
    Seen { refunds: attempts.clone(), attempts, disputes, statements, totals, ..seen }
}

fn one<T>(key: &str, value: T) -> BTreeMap<String, Stamped<T>> {
    BTreeMap::from([(key.into(), stamped(value))])
}

fn total() -> Total {
    Total { of: TotalOf::Refunds, id: "ch_7".into(), amount: money("5.00") }
}

fn unconfirmed() -> Unconfirmed {
    Unconfirmed { amount: money("2.00"), ended: Some(time("2026-03-01T11:00:00Z")) }
}

fn record(version: i64) -> Record {
    let is_new = version >= ATTEMPTS;
    let has_accounts = version >= ACCOUNTS;
    let has_answers = version >= ANSWERS;
    Record {
        key: RecordKey::new(Kind::Payment, id("tx-7")),
        source: Some("stripe-main".into()),
        bound_by_placed: version >= BOUND,
        registered_at: time("2026-02-28T23:59:59.000001Z"),
        registered: Registered {
            replaced: if version >= COPIED { BTreeSet::from(["pi_5".into()]) } else { BTreeSet::new() },
            bearer_of: (version >= COPIED).then(|| "pi_5".into()),
            psp_id: Some("pi_7".into()),
            former: if is_new { BTreeSet::from(["pi_6".into()]) } else { BTreeSet::new() },
            webhook_target: Some("https://app.example/hook".into()),
            requested_amount: Some(money("49.90")),
            currency: Some("EUR".parse().unwrap()),
            agreement_id: Some(id("ag-7")),
            preauth_id: Some(id("pre-7")),
            payment_id: Some(id("pay-7")),
            bearer: bearer(),
            former_until: has_accounts.then(|| time("2026-02-28T12:00:00Z")),
            bearer_at: is_new.then(|| time("2026-03-01T00:00:00Z")),
            expires_at: Some(time("2026-03-08T00:00:00Z")),
            due_date: Some(time(if has_answers { "2026-03-05T10:00:00Z" } else { "2026-03-05T00:00:00Z" })),
            redirect_url: Some("https://psp.example/3ds".into()),
            redirect_data: if has_answers { bearer() } else { BTreeMap::new() },
            external_id: has_answers.then(|| "invoice-7".into()),
            description: has_answers.then(|| "goods sent back".into()),
            silent_since: has_answers.then(|| time("2026-03-01T10:00:00Z")),
            stated: has_answers.then(|| stamped(StatusFact { stands: true, ..status() })),
            status: Some(Status::Pending),
            imported: (version >= IMPORTED).then(|| Box::new(imported())),
        },
        seen: if is_new { seen(version) } else { earlier() },
        placed: if is_new { seen(version) } else { Seen::default() },
        refunds: BTreeMap::from([(id("ref-7"), money("5.00"))]),
        unconfirmed: if has_accounts { BTreeMap::from([(id("ref-8"), unconfirmed())]) } else { BTreeMap::new() },
        cancelled_by: if version >= COPIED { BTreeSet::from([id("ref-9")]) } else { BTreeSet::new() },
        captures: if is_new { BTreeMap::from([(id("pay-8"), money("6.00"))]) } else { BTreeMap::new() },
        version: 4,
        last_updated: time("2026-04-02T08:00:00.000009Z"),
    }
}

fn imported() -> Imported {
    let (amount, date, psp_id) = (money("5.00"), day("2026-02-01"), || Some("imp_7".to_owned()));
    Imported {
        payments: vec![ImportedItem { id: psp_id(), amount, date, description: Some("first".into()) }],
        chargebacks: vec![ImportedChargeback { id: psp_id(), amount, date, fee: Some(amount), why: Some(why()) }],
        refunds: vec![ImportedRefund { id: psp_id(), amount, date: Some(date), by: Some(id("ref-9")) }],
        amount: Some(amount),
        booking_date: Some(date),
        stated: Some(stamped(StatusFact { stands: true, ..status() })),
    }
}

fn event(version: i64) -> Event {
    let is_new = version >= ATTEMPTS;
    let has_accounts = version >= ACCOUNTS;
    let loose = Loose { text: "9f86d081".into(), unsigned: BTreeSet::from(["cus_7".into()]) };
    Event {
        event_type: "charge.dispute.closed".into(),
        kinds: vec![Kind::Payment, Kind::Preauth, Kind::Refund, Kind::Agreement],
        psp_ids: vec!["pi_7".into()],
        shared_ids: vec!["cus_7".into()],
        originals: if is_new { vec!["auth_7".into()] } else { Vec::new() },
        customers: if is_new { vec!["cus_8".into()] } else { Vec::new() },
        payment_ids: if is_new { vec!["pay_7".into()] } else { Vec::new() },
        references: vec![id("tx-7")],
        loose: (version >= LOOSE).then_some(loose),
        at: time("2026-03-01T10:00:00.25Z"),
        key: "evt_7#0a".into(),
        late: true,
        gives_way: true,
        yields_to_success: is_new,
        never_revives: has_accounts,
        companion: is_new,
        currency: Some("EUR".parse().unwrap()),
        facts: Facts {
            status: Some(Status::Succeeded),
            error: Some(error()),
            authorized: Some(money("50.00")),
            release: is_new.then(|| Release { id: "void_7".into(), amount: Some(money("9.00")) }),
            expires_at: Some(time("2026-03-09T00:00:00Z")),
            items: vec![item()],
            chargebacks: vec![chargeback(version)],
            statement: has_accounts.then(statement),
            tolerance: has_accounts.then(|| money("1")),
            totals: if has_accounts { vec![total()] } else { Vec::new() },
            refunded: Some(money("1.10")),
            remainder: is_new,
            as_cancellation: version >= COPIED,
            amended: has_accounts,
            bearer: bearer(),
        },
    }
}

#[test]
fn what_every_version_has_written_is_read_as_it_was_meant() {
    for version in 1..=VERSION {
        assert_eq!(written::<Record>(version, "record.json").0, record(version), "version {version}");
        assert_eq!(written::<Event>(version, "event.json").0, event(version), "version {version}");
    }
    assert!(!folder(VERSION + 1).exists(), "no version has written that yet");
}

/// A row can only be read with the dictionary and the format that it was written with.
#[test]
fn what_every_version_has_sealed_is_read_as_it_was_meant() {
    for version in SEALED..=VERSION {
        let (record, event) = (record(version), event(version));
        assert_eq!(sealed(version, "record.sealed", &record), record, "version {version}");
        assert_eq!(sealed(version, "event.sealed", &event), event, "version {version}");
        if version >= COPIED {
            let copy = copy(version);
            assert_eq!(sealed(version, "copy.sealed", &copy), copy, "version {version}");
        }
    }
}

/// The copy of the registration of a record with a source of its own.
fn copy(version: i64) -> RegistrationCopy<'static> {
    RegistrationCopy::of(&Record { bound_by_placed: false, ..record(version) }).into_owned()
}

/// What stands in a sealed file of a version. That of a new version is made with `UPDATE_FIXTURES=1`.
fn sealed<T: Serialize + DeserializeOwned>(version: i64, what: &str, value: &T) -> T {
    let file = folder(version).join(what);
    if std::env::var_os("UPDATE_FIXTURES").is_some() && version == VERSION && !file.exists() {
        fs::write(&file, encoding::write(value).unwrap()).unwrap();
    }
    let sealed = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    encoding::read(&sealed).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A change of the written form needs a new version, and with it a new folder.
#[test]
fn this_version_writes_what_its_folder_holds() {
    is_written_so("record.json", &record(VERSION));
    is_written_so("event.json", &event(VERSION));
    is_written_so("copy.json", &copy(VERSION));
}

fn is_written_so<T: Serialize + DeserializeOwned>(what: &str, value: &T) {
    let written: Value = serde_json::from_str(&written::<T>(VERSION, what).1).unwrap();
    assert_eq!(serde_json::to_value(value).unwrap(), written, "{what}");
    assert!(is_full(&written), "{what}: a field without a value proves nothing");
}

fn is_full(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty() && list.iter().all(is_full),
        Value::Object(fields) => !fields.is_empty() && fields.values().all(is_full),
        Value::Bool(said) => *said,
        Value::Number(_) | Value::String(_) => true,
    }
}
