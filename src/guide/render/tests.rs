//! Tests of the rendering: every field is written, and no two meanings read alike.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::date;
use rust_decimal::Decimal;

use super::*;
use crate::domain::ids::Kind;
use crate::domain::status::{ChargebackReason, ErrorCode, Status};

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn movement(event: &mut Event) -> &mut Movement {
    &mut event.facts.chargebacks[0].movements.as_mut().unwrap()[0]
}

/// An event in which every field says something.
fn full() -> Event {
    Event {
        event_type: "paid".into(),
        kinds: vec![Kind::Preauth, Kind::Payment],
        psp_ids: vec!["pi_1".into(), "ch_1".into()],
        shared_ids: vec!["pay_1".into()],
        originals: vec!["auth_1".into()],
        payment_ids: vec!["pi_0".into()],
        customers: vec!["cus_1".into()],
        references: vec!["tx-1".parse().unwrap()],
        loose: Some(Loose { text: "5ea1".into(), unsigned: BTreeSet::from(["tx-1".to_owned()]) }),
        at: Timestamp::UNIX_EPOCH,
        key: "evt_1#5f".into(),
        late: true,
        gives_way: true,
        yields_to_success: true,
        never_revives: true,
        companion: true,
        currency: Some("EUR".parse().unwrap()),
        facts: Facts {
            status: Some(Status::Failed),
            error: Some(PspError {
                code: Some(ErrorCode::BearerExpired),
                psp_code: Some("54".into()),
                message: Some("card 4111111111111111 expired".into()),
            }),
            authorized: Some(dec("10")),
            release: Some(Release { id: "void_1".into(), amount: Some(dec("6")) }),
            expires_at: Some("2030-01-01T00:00:00Z".parse().unwrap()),
            items: vec![Item {
                id: "ch_1".into(),
                amount: dec("4.5"),
                booking: Booking::Booked,
                date: date(2026, 3, 1),
                description: Some("March".into()),
            }],
            chargebacks: vec![Chargeback {
                id: "dp_1".into(),
                disputed: Some(dec("3")),
                fee: Some(dec("15")),
                booking: Booking::Open,
                date: date(2026, 3, 2),
                why: Some(Why {
                    reason: ChargebackReason::UserInitiated,
                    psp_code: Some("10.4".into()),
                    psp_message: Some("fraud".into()),
                }),
                movements: Some(vec![Movement {
                    id: "txn_1".into(),
                    amount: dec("-3"),
                    currency: Some("USD".parse().unwrap()),
                    fee: Some(dec("1")),
                    at: Timestamp::UNIX_EPOCH,
                }]),
                of: Some("cap_1".into()),
            }],
            statement: Some(Statement {
                account: "acc_1".into(),
                asked: dec("7"),
                missing: dec("-1"),
                returned: true,
                why: Some(Why { reason: ChargebackReason::Rejected, psp_code: Some("AC04".into()), psp_message: None }),
            }),
            totals: vec![Total { of: TotalOf::Refunds, id: "ch_1".into(), amount: dec("2") }],
            refunded: Some(dec("2")),
            remainder: true,
            as_cancellation: true,
            tolerance: Some(dec("1")),
            amended: true,
            bearer: BTreeMap::from([("holder".to_owned(), "Jo Doe".to_owned())]),
        },
    }
}

fn identity() -> Identity {
    Identity {
        key: "5ea1".into(),
        fields: "f1".into(),
        has_borders: true,
        binds_body: true,
        partly_signed: true,
        needs_owner: true,
        is_behind: true,
        first_time: vec![0],
    }
}

fn message(meaning: Meaning) -> Message {
    let ahead = vec![Ahead { what: "event", said: "2099-01-01T00:00:00Z".into() }];
    Message { ahead, identity: Some(identity()), ..Message::new("paid".into(), meaning) }
}

fn of(event: Event) -> String {
    let message = Message::new("paid".into(), Meaning::Events(vec![event]));
    notification(&Normalised { dedupe_key: "evt_1".into(), beside: String::new(), messages: vec![message] })
}

#[test]
fn every_field_is_written() {
    let messages = vec![message(Meaning::Events(vec![full()]))];
    let normalised = Normalised { dedupe_key: "evt_1".into(), beside: "b5".into(), messages };
    assert_eq!(
        notification(&normalised),
        "dedupe \"evt_1\"; beside \"b5\"\n  \
         \"paid\"; ahead the event at 2099-01-01T00:00:00Z: more than 15 minutes ahead of the receipt; it counts as the \
         receipt; identity \"5ea1\", fields \"f1\", has borders, binds the body, partly signed, needs an owner, behind another message, \
         first time of events [0]\n    \
         event preauth or payment by reference \"tx-1\"; id \"pi_1\", \"ch_1\"; original id \"auth_1\"; shared id \"pay_1\"; \
         payment id \"pi_0\"; customer \"cus_1\"; loose signed text \"5ea1\", unsigned \"tx-1\"; \
         at 1970-01-01T00:00:00Z, outranks others of the same second, gives way to any other, \
         yields to success, never revives, waits in silence; key #5f; status Failed; \
         error BearerExpired, code \"54\", words \"card 4111111111111111 expired\"; authorized 10 EUR; refunded 2 EUR; \
         remainder gives no money back; as cancellation takes nothing from booked money; amended Transform is told; complete if less than 1 EUR is missing; \
         releases 6 EUR, release \"void_1\"; expires 2030-01-01T00:00:00Z; booked 4.5 EUR, item \"ch_1\", 2026-03-01: \"March\"; \
         total 2 EUR of refunds of \"ch_1\"; open 3 EUR, chargeback \"dp_1\", of \"cap_1\", 2026-03-02, fee 15 EUR, UserInitiated, code \"10.4\", words \"fraud\"; \
         moved -3 USD, movement \"txn_1\", 1970-01-01T00:00:00Z, fee 1 USD; \
         stated asked 7 EUR, missing -1 EUR, account \"acc_1\", returned, Rejected, code \"AC04\"; bearer holder \"Jo Doe\"\n"
    );
}

#[test]
fn a_field_that_says_nothing_is_left_out() {
    let bare = Event {
        event_type: "paid".into(),
        kinds: vec![Kind::Payment],
        psp_ids: vec!["pi_1".into()],
        key: "evt_1#5f".into(),
        ..Event::default()
    };
    let told = "dedupe \"evt_1\"\n  \"paid\"\n    event payment by id \"pi_1\"; at 1970-01-01T00:00:00Z; key #5f\n";
    assert_eq!(of(bare), told);
}

#[test]
fn each_meaning_has_its_line() {
    let said = |meaning| messages(&[Message::new("x".into(), meaning)], "");
    assert_eq!(said(Meaning::Events(Vec::new())), "  \"x\"; no event comes of it\n");
    assert_eq!(said(Meaning::Ignored), "  \"x\"; ignored nothing in it concerns a record\n");
    assert_eq!(said(Meaning::Fetch("/v2/tr_1".into())), "  \"x\"; to fetch GET /v2/tr_1\n");
    assert_eq!(said(Meaning::NotUnderstood("no id".into())), "  \"x\"; dead letter not understood: no id\n");
    let recurs = Message { recurs: true, ..Message::new("x".into(), Meaning::Events(Vec::new())) };
    let told = "  \"x\"; no event comes of it; recurs the same bytes count again after others of its dedupe key\n";
    assert_eq!(messages(&[recurs], ""), told);
}

/// The name of a change, and the change.
type Change = (&'static str, fn(&mut Event));

/// A change that the rendering did not show could come into a golden file unseen.
#[test]
fn each_change_of_an_event_is_seen() {
    let changes: [Change; 68] = [
        ("type", |event| event.event_type = "x".into()),
        ("kinds", |event| event.kinds.reverse()),
        ("psp ids", |event| event.psp_ids.reverse()),
        ("shared ids", |event| event.shared_ids.clear()),
        ("references", |event| event.references.clear()),
        ("loose", |event| event.loose = None),
        ("loose text", |event| event.loose.as_mut().unwrap().text = "x".into()),
        ("loose ids", |event| event.loose.as_mut().unwrap().unsigned.clear()),
        ("at", |event| event.at = Timestamp::MAX),
        ("key", |event| event.key = "evt_1#60".into()),
        ("another's key", |event| event.key = "evt_2#5f".into()),
        ("late", |event| event.late = false),
        ("gives way", |event| event.gives_way = false),
        ("currency", |event| event.currency = None),
        ("status", |event| event.facts.status = None),
        ("error", |event| event.facts.error = None),
        ("error code", |event| event.facts.error.as_mut().unwrap().code = None),
        ("error psp code", |event| event.facts.error.as_mut().unwrap().psp_code = None),
        ("error message", |event| event.facts.error.as_mut().unwrap().message = None),
        ("authorized", |event| event.facts.authorized = None),
        ("expires", |event| event.facts.expires_at = None),
        ("items", |event| event.facts.items.clear()),
        ("item id", |event| event.facts.items[0].id = "x".into()),
        ("item amount", |event| event.facts.items[0].amount = dec("4.51")),
        ("item booking", |event| event.facts.items[0].booking = Booking::Reversed),
        ("item date", |event| event.facts.items[0].date = date(2026, 3, 9)),
        ("item description", |event| event.facts.items[0].description = None),
        ("chargeback id", |event| event.facts.chargebacks[0].id = "x".into()),
        ("chargeback amount", |event| event.facts.chargebacks[0].disputed = Some(dec("3.1"))),
        ("chargeback of unknown amount", |event| event.facts.chargebacks[0].disputed = None),
        ("no movements", |event| event.facts.chargebacks[0].movements = None),
        ("an empty list of movements", |event| event.facts.chargebacks[0].movements = Some(Vec::new())),
        ("movement id", |event| movement(event).id = "x".into()),
        ("movement amount", |event| movement(event).amount = dec("3")),
        ("movement currency", |event| movement(event).currency = None),
        ("movement fee", |event| movement(event).fee = None),
        ("movement time", |event| movement(event).at = Timestamp::MAX),
        ("release", |event| event.facts.release = None),
        ("release id", |event| event.facts.release.as_mut().unwrap().id = "x".into()),
        ("release of all", |event| event.facts.release.as_mut().unwrap().amount = None),
        ("remainder", |event| event.facts.remainder = false),
        ("as cancellation", |event| event.facts.as_cancellation = false),
        ("amended", |event| event.facts.amended = false),
        ("originals", |event| event.originals.clear()),
        ("customers", |event| event.customers.clear()),
        ("payment ids", |event| event.payment_ids.clear()),
        ("yields", |event| event.yields_to_success = false),
        ("revives", |event| event.never_revives = false),
        ("companion", |event| event.companion = false),
        ("chargeback fee", |event| event.facts.chargebacks[0].fee = None),
        ("chargeback date", |event| event.facts.chargebacks[0].date = date(2026, 3, 9)),
        ("chargeback of", |event| event.facts.chargebacks[0].of = None),
        ("why", |event| event.facts.chargebacks[0].why = None),
        ("why code", |event| event.facts.chargebacks[0].why.as_mut().unwrap().psp_code = None),
        ("why message", |event| event.facts.chargebacks[0].why.as_mut().unwrap().psp_message = None),
        ("statement", |event| event.facts.statement = None),
        ("statement account", |event| event.facts.statement.as_mut().unwrap().account = "x".into()),
        ("statement asked", |event| event.facts.statement.as_mut().unwrap().asked = dec("8")),
        ("statement missing", |event| event.facts.statement.as_mut().unwrap().missing = dec("1")),
        ("statement returned", |event| event.facts.statement.as_mut().unwrap().returned = false),
        ("statement why", |event| event.facts.statement.as_mut().unwrap().why = None),
        ("totals", |event| event.facts.totals.clear()),
        ("total of", |event| event.facts.totals[0].of = TotalOf::Items),
        ("total id", |event| event.facts.totals[0].id = "x".into()),
        ("total amount", |event| event.facts.totals[0].amount = dec("3")),
        ("refunded", |event| event.facts.refunded = None),
        ("bearer", |event| event.facts.bearer.clear()),
        ("tolerance", |event| event.facts.tolerance = None),
    ];
    let mut seen = BTreeMap::from([(of(full()), "unchanged")]);
    for (what, change) in changes {
        let mut event = full();
        change(&mut event);
        if let Some(other) = seen.insert(of(event), what) {
            panic!("{what} is rendered like {other}");
        }
    }
    let without_amounts = Facts { status: Some(Status::Pending), ..Facts::default() };
    assert!(of(Event { facts: without_amounts, ..full() }).ends_with("status Pending; currency EUR\n"));
}

#[test]
fn a_terminal_shows_no_payer() {
    let message = message(Meaning::Events(vec![full()]));
    let MessageLines { message: about, events } = lines(&message, "evt_1", Texts::Guarded);
    let said = |word| events[0].iter().find(|line| line.word == word).unwrap().said.as_str();
    assert_eq!(said("error"), "BearerExpired, code \"54\", words \"card [card number] expired\"");
    assert_eq!(said("bearer"), "holder (6 characters)");
    assert_eq!(about.iter().map(|line| line.word).collect::<Vec<_>>(), ["ahead", IDENTITY]);
}

#[test]
fn an_identity_names_all_that_is_remembered() {
    let said = |identity| {
        let message = Message { identity, ..Message::new("x".into(), Meaning::Ignored) };
        messages(&[message], "")
    };
    let mut seen = BTreeSet::from([said(None), said(Some(identity()))]);
    let changes: [fn(&mut Identity); 7] = [
        |identity| identity.key = "x".into(),
        |identity| identity.fields.clear(),
        |identity| identity.has_borders = false,
        |identity| identity.binds_body = false,
        |identity| identity.partly_signed = false,
        |identity| identity.is_behind = false,
        |identity| identity.first_time.clear(),
    ];
    for change in changes {
        let mut identity = identity();
        change(&mut identity);
        assert!(seen.insert(said(Some(identity))), "{seen:?}");
    }
}
