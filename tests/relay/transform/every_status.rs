//! The fetch of every kind in every status, compared with the contract field by field (contract, sections 3 and 3a).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::integrator::{amount, with};
use crate::support::{Relay, Setup, start, stripe};

/// The time of all that is stated or told: 2026-03-01T12:00:00Z.
const AT: i64 = 1_772_366_400;
const STATED: &str = "2026-03-01T12:00:00Z";

/// The type of a field on the wire.
#[derive(Debug, Clone, Copy)]
enum Type {
    Text,
    /// A JSON number in major units. Zero is left out, except where the contract says that the field is mandatory.
    Amount,
    /// `yyyy-MM-ddTHH:mm:ss.fffffffZ`
    Instant,
    /// `yyyy-MM-dd`
    Day,
    /// Text values by text keys, at least one.
    Texts,
    One(&'static [&'static str]),
    List(Fields),
    Object(Fields),
}

/// The fields of an object: name, type, and whether it is always there.
type Fields = &'static [(&'static str, Type, bool)];

const TRANSACTION_STATUS: Type = Type::One(&["Initiated", "Pending", "Succeeded", "Failed", "Cancelled", "Expired"]);
/// PaymentErrorCode without LoginError and PermissionDenied, by which Transform would disable the PSP.
const ERROR_CODE: Type = Type::One(&[
    "UnmappedError",
    "LimitExceeded",
    "BearerInvalid",
    "BearerExpired",
    "InvalidCountry",
    "InvalidAmount",
    "InvalidCurrency",
    "InvalidData",
    "InsufficientBalance",
    "AlreadyExecuted",
    "InvalidPreconditions",
    "InternalError",
    "InternalProviderError",
    "RateLimit",
    "InvalidConfiguration",
    "Canceled",
    "Rejected",
    "PSPConnectionProblem",
    "InvalidBic",
    "InvalidIBAN",
    "PSPConnectionTimeout",
    "InvalidNationalIdNumber",
    "FailedCustomerUpdate",
]);

const PREAUTH: Fields = &[
    ("transactionId", Type::Text, true),
    ("externalTransactionId", Type::Text, true),
    ("pspTransactionId", Type::Text, false),
    ("currency", Type::Text, true),
    ("requestedAmount", Type::Amount, true),
    ("status", TRANSACTION_STATUS, true),
    ("lastUpdated", Type::Instant, true),
    ("authorizedAmount", Type::Amount, false),
    ("expiresAt", Type::Instant, false),
    ("bearer", Type::Texts, false),
    ("redirectUrl", Type::Text, false),
    ("redirectData", Type::Texts, false),
];
const PAYMENT: Fields = &[
    ("transactionId", Type::Text, true),
    ("externalTransactionId", Type::Text, true),
    ("pspTransactionId", Type::Text, true),
    ("currency", Type::Text, true),
    ("requestedAmount", Type::Amount, true),
    ("status", TRANSACTION_STATUS, true),
    ("lastUpdated", Type::Instant, true),
    ("payments", Type::List(ITEM), true),
    ("chargebacks", Type::List(CHARGEBACK), true),
    ("refundedAmount", Type::Amount, false),
    ("refundableAmount", Type::Amount, false),
    ("bearer", Type::Texts, false),
    ("dueDate", Type::Instant, false),
    // Not the contract's: a payment without a preauthorization may have a page of its own.
    ("redirectUrl", Type::Text, false),
];
const ITEM: Fields = &[
    ("externalItemId", Type::Text, false),
    ("amount", Type::Amount, true),
    ("bookingDate", Type::Day, true),
    ("description", Type::Text, false),
];
const CHARGEBACK: Fields = &[
    ("externalItemId", Type::Text, false),
    ("amount", Type::Amount, true),
    ("bookingDate", Type::Day, true),
    ("description", Type::Text, false),
    ("feeAmount", Type::Amount, false),
    (
        "reason",
        Type::One(&["Unknown", "UserInitiated", "InsufficientBalance", "BearerInvalid", "Canceled", "Rejected"]),
        true,
    ),
    ("pspReasonCode", Type::Text, false),
    ("pspReasonMessage", Type::Text, false),
];
const REFUND: Fields = &[
    ("transactionId", Type::Text, true),
    ("externalTransactionId", Type::Text, true),
    ("pspTransactionId", Type::Text, false),
    ("currency", Type::Text, true),
    ("requestedAmount", Type::Amount, true),
    ("status", TRANSACTION_STATUS, true),
    ("lastUpdated", Type::Instant, true),
    ("refundedAmount", Type::Amount, false),
    ("bookingDate", Type::Day, true),
    ("description", Type::Text, false),
];
const AGREEMENT: Fields = &[
    ("bearer", Type::Texts, false),
    ("currency", Type::Text, false),
    ("status", Type::One(&["Initiated", "Pending", "Active", "Inactive"]), true),
    ("error", Type::Object(AGREEMENT_ERROR), false),
    // Not the contract's, whose reader leaves them aside.
    ("agreementId", Type::Text, true),
    ("pspAgreementId", Type::Text, false),
    ("lastUpdated", Type::Instant, true),
    ("redirectUrl", Type::Text, false),
];
const AGREEMENT_ERROR: Fields = &[
    ("errorCode", ERROR_CODE, true),
    ("errorMessage", Type::Text, false),
    ("pspErrorCode", Type::Text, false),
    ("receivedAt", Type::Instant, true),
];
const ERROR: Fields = &[
    ("errorCode", ERROR_CODE, true),
    ("errorMessage", Type::Text, false),
    ("pspErrorCode", Type::Text, false),
    ("receivedAt", Type::Instant, true),
    ("status", Type::One(&["Failed", "Cancelled", "Expired"]), true),
];

fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(is, must)| if must == b'0' { is.is_ascii_digit() } else { is == must })
}

/// Checks that a value has a type of the contract.
fn check(path: &str, value: &Value, must: Type, is_mandatory: bool) {
    let text = || value.as_str().unwrap_or_else(|| panic!("{path} is {value}, no text"));
    match must {
        Type::Text => assert!(!text().is_empty(), "{path}"),
        Type::Amount => {
            assert!(value.is_number(), "{path} is {value}");
            let digits = value.to_string();
            assert!(digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{path} is {digits}");
            assert!(is_mandatory || digits != "0", "{path} is a default value");
        }
        Type::Instant => assert!(has_form(text(), "0000-00-00T00:00:00.0000000Z"), "{path} is {value}"),
        Type::Day => assert!(has_form(text(), "0000-00-00"), "{path} is {value}"),
        Type::Texts => {
            let map = value.as_object().unwrap_or_else(|| panic!("{path} is {value}"));
            assert!(!map.is_empty() && map.values().all(Value::is_string), "{path} is {value}");
        }
        Type::One(names) => assert!(names.contains(&text()), "{path} is {value}"),
        Type::List(fields) => {
            let list = value.as_array().unwrap_or_else(|| panic!("{path} is {value}"));
            list.iter().for_each(|one| check_fields(path, one, fields));
        }
        Type::Object(fields) => check_fields(path, value, fields),
    }
}

/// Checks that an object has the fields of the contract: all that are mandatory, and no others.
fn check_fields(path: &str, body: &Value, fields: Fields) {
    let body = body.as_object().unwrap_or_else(|| panic!("{path} is {body}"));
    let known: BTreeMap<_, _> = fields.iter().map(|(name, must, mandatory)| (*name, (*must, *mandatory))).collect();
    for (name, value) in body {
        let (must, mandatory) = known.get(name.as_str()).unwrap_or_else(|| panic!("{path}: {name} is no field"));
        check(&format!("{path}.{name}"), value, *must, *mandatory);
    }
    for (name, ..) in fields.iter().filter(|(.., mandatory)| *mandatory) {
        assert!(body.contains_key(*name), "{path}: {name} is missing");
    }
}

fn contract_of(kind: &str) -> Fields {
    match kind {
        "Preauth" => PREAUTH,
        "Payment" => PAYMENT,
        "Refund" => REFUND,
        _ => AGREEMENT,
    }
}

/// One line of the table.
struct Line {
    kind: &'static str,
    /// What the line is about.
    name: &'static str,
    /// What the stack says beside the fields that every record of the kind has.
    said: Value,
    told: Vec<Value>,
    status: u16,
    /// The fields beside those that every record of the kind shows, or the whole error object.
    reads: Value,
}

fn line(kind: &'static str, name: &'static str, said: Value, reads: Value) -> Line {
    Line { kind, name, said, told: Vec::new(), status: 200, reads }
}

fn stated(status: &str) -> Value {
    json!({"status": status, "statusAt": STATED})
}

/// An error object without its time.
fn error(kind: &'static str, name: &'static str, said: Value, (status, reads): (u16, Value)) -> Line {
    Line { status, ..line(kind, name, said, reads) }
}

/// The registration of a record of this kind with all fields that it may have.
fn registered(kind: &str, n: usize) -> Value {
    let common = json!({
        "source": "stripe-main", "pspTransactionId": format!("psp_{n}"), "requestedAmount": amount("100.50"), "currency": "EUR",
        "externalTransactionId": format!("stack-{n}"), "agreementId": "ag-0",
    });
    match kind {
        "Preauth" => joined(
            common,
            json!({
                "bearer": {"holder": "A"}, "expiresAt": "2030-01-02T03:04:05+01:00", "redirectUrl": "https://pay.example/1",
                "redirectData": {"token": "t"},
            }),
        ),
        "Payment" => joined(common, json!({"bearer": {"holder": "A"}, "dueDate": "2026-04-01"})),
        "Refund" => joined(common, json!({"paymentTransactionId": "paid-0", "description": "Goodwill."})),
        _ => json!({
            "source": "stripe-main", "pspAgreementId": format!("psp_{n}"), "currency": "EUR", "bearer": {"holder": "A"},
        }),
    }
}

/// The fields that such a record shows in every state.
fn shown(kind: &str, n: usize, id: &str) -> Value {
    let common = json!({
        "transactionId": id, "externalTransactionId": format!("stack-{n}"), "pspTransactionId": format!("psp_{n}"),
        "currency": "EUR", "requestedAmount": amount("100.5"),
    });
    let bearer = json!({"holder": "A", "last4": "4242"});
    match kind {
        "Preauth" => joined(
            common,
            json!({
                "bearer": bearer, "expiresAt": "2030-01-02T02:04:05.0000000Z", "redirectUrl": "https://pay.example/1",
                "redirectData": {"token": "t"},
            }),
        ),
        "Payment" => joined(
            common,
            json!({
                "bearer": bearer, "dueDate": "2026-04-01T00:00:00.0000000Z", "payments": [], "chargebacks": [],
            }),
        ),
        "Refund" => joined(common, json!({"description": "Goodwill."})),
        _ => json!({
            "agreementId": id, "pspAgreementId": format!("psp_{n}"), "currency": "EUR", "bearer": {"holder": "A"},
        }),
    }
}

fn joined(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The day of the version, where the record shows it.
const DAY_OF_VERSION: &str = "the day of lastUpdated";

fn transactions(kind: &'static str) -> Vec<Line> {
    let state = |status: &str| match kind {
        "Refund" => json!({"status": status, "bookingDate": DAY_OF_VERSION}),
        _ => json!({"status": status}),
    };
    let declined = json!({"errorCode": "InsufficientBalance", "errorMessage": "Not enough.", "pspErrorCode": "51"});
    vec![
        line(kind, "nothing is known yet", json!({}), state("Initiated")),
        line(kind, "it is stated to be Initiated", stated("Initiated"), state("Initiated")),
        line(kind, "the PSP has it", stated("Pending"), state("Pending")),
        line(kind, "Cancelled is a state, and no error", stated("Cancelled"), state("Cancelled")),
        line(kind, "Expired is a state, and no error", stated("Expired"), state("Expired")),
        error(
            kind,
            "a failure without words is unmapped",
            stated("Failed"),
            (
                500,
                json!({
                    "errorCode": "UnmappedError", "status": "Failed",
                }),
            ),
        ),
        error(
            kind,
            "a failure has the words of its PSP",
            json!({"error": declined, "statusAt": STATED}),
            (422, with(declined.clone(), "status", "Failed")),
        ),
        error(
            kind,
            "a cancellation with an error is an error",
            json!({
                "error": {"errorCode": "Rejected"}, "status": "Cancelled", "statusAt": STATED,
            }),
            (422, json!({"errorCode": "Rejected", "status": "Cancelled"})),
        ),
        error(
            kind,
            "an expiry with an error is an error",
            json!({
                "error": {"errorCode": "LimitExceeded"}, "status": "Expired", "statusAt": STATED,
            }),
            (429, json!({"errorCode": "LimitExceeded", "status": "Expired"})),
        ),
    ]
}

/// The lines in which money moves.
fn money(n: usize) -> Vec<Line> {
    let psp_id = |n: usize| format!("psp_{n}");
    let booked = |n: usize, text: &str| json!([{"externalItemId": psp_id(n), "amount": amount(text), "bookingDate": "2026-03-01"}]);
    let dispute = |n: usize, cents| stripe::dispute("funds_withdrawn", &format!("du_{n}"), &psp_id(n), AT + 60, cents);
    let chargeback = |n: usize, text: &str| {
        json!([{
            "externalItemId": format!("du_{n}"), "amount": amount(text), "bookingDate": "2026-03-01", "feeAmount": 20,
            "reason": "UserInitiated", "pspReasonCode": "fraudulent",
        }])
    };
    let mut reserved = stripe::manual(&psp_id(n), 10_050);
    reserved["amount_capturable"] = 10_050.into();
    vec![
        Line {
            told: vec![stripe::event("payment_intent.amount_capturable_updated", AT, reserved)],
            ..line(
                "Preauth",
                "the PSP has reserved the money",
                json!({}),
                json!({
                    "status": "Succeeded", "authorizedAmount": amount("100.5"),
                }),
            )
        },
        line(
            "Preauth",
            "the stack states that the money is reserved",
            stated("Succeeded"),
            json!({
                "status": "Succeeded", "authorizedAmount": amount("100.5"),
            }),
        ),
        line(
            "Payment",
            "the stack states that it is paid",
            stated("Succeeded"),
            json!({
                "status": "Succeeded", "payments": booked(n + 2, "100.5"), "refundableAmount": amount("100.5"),
            }),
        ),
        Line {
            told: vec![stripe::paid(&psp_id(n + 3), AT, 4000)],
            ..line(
                "Payment",
                "a part is paid",
                json!({}),
                json!({
                    "status": "Pending", "payments": booked(n + 3, "40"), "refundableAmount": 40,
                }),
            )
        },
        Line {
            told: vec![stripe::paid(&psp_id(n + 4), AT, 10_050), dispute(n + 4, 4000)],
            ..line(
                "Payment",
                "a part was charged back",
                json!({}),
                json!({
                    "status": "Succeeded", "payments": booked(n + 4, "100.5"), "chargebacks": chargeback(n + 4, "40"),
                    "refundableAmount": amount("60.5"),
                }),
            )
        },
        line(
            "Refund",
            "the money is given back",
            stated("Succeeded"),
            json!({
                "status": "Succeeded", "refundedAmount": amount("100.5"), "bookingDate": "2026-03-01",
            }),
        ),
    ]
}

fn agreements() -> Vec<Line> {
    let declined = json!({"errorCode": "BearerInvalid", "pspErrorCode": "14"});
    let mut lines: Vec<_> = ["Initiated", "Pending", "Active", "Inactive"]
        .map(|status| line("Agreement", status, stated(status), json!({"status": status})))
        .into();
    lines.push(line(
        "Agreement",
        "a refused one is a record with an error",
        json!({
            "error": declined, "statusAt": STATED,
        }),
        json!({"status": "Inactive", "error": declined}),
    ));
    lines
}

/// Fills in the times of the version: they are the relay's.
fn at_version(mut reads: Value, at: &Value) -> Value {
    if reads["bookingDate"] == DAY_OF_VERSION {
        reads["bookingDate"] = at.as_str().unwrap()[..10].into();
    }
    if let Some(error) = reads.get_mut("error") {
        error["receivedAt"] = at.clone();
    }
    reads
}

async fn read(relay: &Relay, n: usize, line: &Line) {
    let (id, path) = (format!("tx-{n}"), line.kind.to_lowercase());
    relay.register(&path, &id, &joined(registered(line.kind, n), line.said.clone())).await;
    for event in &line.told {
        assert_eq!(relay.stripe(event).await, "applied", "{}: {event}", line.name);
    }
    let at = relay.record(&path, &id).await["lastUpdated"].clone();
    let reply = relay.fetch(line.kind, &id).await.expect(line.status);
    let expected = if line.status == 200 {
        check_fields(line.kind, &reply.json(), contract_of(line.kind));
        with(joined(shown(line.kind, n, &id), at_version(line.reads.clone(), &at)), "lastUpdated", at)
    } else {
        check_fields("error", &reply.json(), ERROR);
        with(line.reads.clone(), "receivedAt", at)
    };
    assert_eq!(reply.json(), expected, "{}: {}", line.kind, line.name);
    let by_code = ["Preauth", "Payment", "Refund", "Agreement"].iter().position(|kind| *kind == line.kind).unwrap() + 1;
    let again = relay.get(&format!("/api/transactions/{id}?type={by_code}")).await.expect(line.status);
    assert_eq!(again.text, reply.text, "by its type code");
}

#[tokio::test]
async fn every_kind_is_read_in_every_status_as_the_contract_says() {
    let (_transform, relay) = start(Setup::silent()).await;
    let card = json!({"pspAgreementId": "pm_0", "currency": "EUR", "bearer": {"holder": "B", "last4": "4242"}});
    relay.register("agreement", "ag-0", &card).await;
    let of = json!({"pspTransactionId": "pi_0", "requestedAmount": 1000, "currency": "EUR"});
    relay.register("payment", "paid-0", &joined(of, stated("Succeeded"))).await;

    let mut lines = Vec::new();
    for kind in ["Preauth", "Payment", "Refund"] {
        lines.extend(transactions(kind));
    }
    lines.extend(agreements());
    lines.extend(money(lines.len()));
    for (n, line) in lines.iter().enumerate() {
        read(&relay, n, line).await;
    }
}
