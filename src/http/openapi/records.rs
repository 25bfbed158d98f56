//! The routes by which the payment stack registers, reads and removes records.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::about::RECORDS;
use super::answer::{Answer, named};
use super::document::Document;
use super::kinds::{Words, example, words};
use super::operation::{Audience, Operation};
use super::refusal::{
    BROKEN_BODY, CONFLICT, INVALID_ID, INVALID_ID_OR_BODY, NOT_REGISTERED, REFUSED, SLOW_BODY, STORE_UNAVAILABLE,
    TOO_LARGE, WRONG_TYPE, WRONG_WISH,
};
use super::registrations;
use crate::access::operators::Role;
use crate::domain::ids::Kind;
use crate::domain::telling::ToTell;
use crate::http::history::History;
use crate::http::records::{CONTRACT, CONTRACT_STATUS};
use crate::http::stored::{OfAgreement, OfPayment, OfPreauth, OfRefund, Stored};
use crate::http::telling::Told;
use crate::transform::body::{AgreementResponse, Body, PaymentResponse, PreauthResponse, RefundResponse};

const REGISTERING: &str = "\
Idempotent: saying the same again changes nothing. An amendment says only what is new; fields that it leaves out stay. Events that \
came before the record was known are applied at once.

Registering tells Transform only in three cases: the registration asks for it (`tell`), the stack's own answer may have hidden news \
(`answeredAt`), or the sums of a parent differ. Otherwise Transform is answered by the payment stack.

With `Accept: application/vnd.frisbii.transform+json` the answer is the body that Transform would read, to pass it on. The header \
`Transform-Status` has the HTTP status that belongs to it.";

const REMOVING: &str = "\
Only while no event has been applied to the record and no money was imported. No refund or capture may be registered with it, and no \
parked event may name it.";

const HISTORY: &str = "\
The last hundred versions, each with the notification that made it, and the last hundred attempts to tell Transform, the newest \
first. They stay for `store.keep.history` and `store.keep.attempts`.";

const TELLING: &str = "\
Transform is owed a webhook for the record, due now, whether or not it was owed one. What was given up begins anew, with all its \
patience.";

const TELLING_DELIVERIES: &str = "\
With `ids`, Transform is told of these records, whether or not anything is owed of them. Without them it is told of all that was \
given up, or of what was given up at `host` or since `since`. An empty object chooses all that was given up.";

pub(super) fn describe(document: &mut Document) {
    kind::<Stored<PreauthResponse, OfPreauth>>(document, Kind::Preauth);
    kind::<Stored<PaymentResponse, OfPayment>>(document, Kind::Payment);
    kind::<Stored<RefundResponse, OfRefund>>(document, Kind::Refund);
    kind::<Stored<AgreementResponse, OfAgreement>>(document, Kind::Agreement);
    tell_deliveries(document);
}

fn tell_deliveries(document: &mut Document) {
    let schema = document.schemas.requests.subschema_for::<ToTell>().to_value();
    let examples = named([
        ("givenUp", json!({"host": "app.billwerk.com", "since": "2026-03-01T00:00:00Z", "dryRun": true})),
        ("ids", json!({"ids": ["20221108-636a91f61c48d9fa186166f8"]})),
    ]);
    let body = json!({"required": true, "content": {"application/json": {"schema": schema, "examples": examples}}});
    let operation = Operation::new(RECORDS, "tellDeliveries", "Tell Transform again, of many records")
        .describe(TELLING_DELIVERIES)
        .audience(Audience::Operator(Role::Act))
        .reads(body)
        .answers(200, told(document))
        .refuses([
            BROKEN_BODY.but("BrokenJson", "The body is no JSON, broke off or does not come in chunks as announced."),
            SLOW_BODY,
            TOO_LARGE,
            WRONG_TYPE,
            WRONG_WISH,
            STORE_UNAVAILABLE,
        ]);
    document.post("/deliveries/tell", operation);
}

fn told(document: &mut Document) -> Answer {
    let record = json!({"kind": "payment", "id": "20221108-636a91f61c48d9fa186166f8"});
    Answer::new("The webhooks are owed and due. With `dryRun` they would be.")
        .json(document.schemas.of::<Told>())
        .example(json!({"dryRun": false, "count": 1, "records": [record]}))
}

fn kind<T: JsonSchema>(document: &mut Document, kind: Kind) {
    let Words { name, a_record } = words(kind);
    let (path, id) = (format!("/records/{}/{{id}}", kind.name()), document.id());
    let (stored, contract) = (document.schemas.of::<T>(), document.schemas.of::<Body>());
    let answer = |description: &str| {
        Answer::new(description)
            .header(CONTRACT_STATUS, transform_status())
            .json(stored.clone())
            .example(stored_example(kind))
            .body(CONTRACT, contract.clone())
            .example(example(kind))
    };
    let operation = |verb: &str, role, summary: String| {
        Operation::new(RECORDS, format!("{verb}{name}"), summary)
            .audience(Audience::Integrator(role))
            .parameters([id.clone()])
            .refuses([INVALID_ID, STORE_UNAVAILABLE])
    };

    let read = operation("read", Role::Look, format!("Read {a_record}"));
    document.get(&path, read.answers(200, answer("The record as it is stored.")).refuses([NOT_REGISTERED]));

    let register = operation("register", Role::Manage, format!("Register or amend {a_record}"))
        .describe(REGISTERING)
        .reads(registrations::body(document, kind))
        .answers(200, answer("The record was known; this is how it stands now."))
        .answers(201, answer("The record is new."))
        .refuses([INVALID_ID_OR_BODY, SLOW_BODY, CONFLICT, TOO_LARGE, WRONG_TYPE, REFUSED]);
    document.put(&path, register);

    let remove = operation("remove", Role::Manage, format!("Remove {a_record} that was registered by mistake"))
        .describe(REMOVING)
        .answers(204, Answer::new("It is removed."))
        .refuses([NOT_REGISTERED, CONFLICT]);
    document.delete(&path, remove);

    let history = Answer::new("Its history.").json(document.schemas.of::<History>()).example(history_example());
    let operation =
        Operation::new(RECORDS, format!("read{name}History"), format!("How {a_record} came to be as it is"))
            .describe(HISTORY)
            .audience(Audience::Integrator(Role::Look))
            .parameters([id.clone()])
            .answers(200, history)
            .refuses([INVALID_ID, NOT_REGISTERED, STORE_UNAVAILABLE]);
    document.get(&format!("{path}/history"), operation);

    let operation = Operation::new(RECORDS, format!("tell{name}"), format!("Tell Transform of {a_record} again"))
        .describe(TELLING)
        .audience(Audience::Integrator(Role::Act))
        .parameters([id])
        .answers(200, told(document))
        .refuses([INVALID_ID, NOT_REGISTERED, STORE_UNAVAILABLE]);
    document.post(&format!("{path}/tell"), operation);
}

fn transform_status() -> Value {
    json!({
        "description": "Only beside the body that Transform would read: the HTTP status that belongs to it.",
        "schema": {"type": "integer", "enum": [200, 422, 429, 500]},
    })
}

/// The same record as the payment stack reads it.
fn stored_example(kind: Kind) -> Value {
    let own = match kind {
        Kind::Preauth => json!({"agreementId": "636a918ca2500caaf0390a15"}),
        Kind::Payment => json!({
            "webhookTarget": "https://app.billwerk.com/PSPWebhooks/ExternalIntegration",
            "agreementId": "636a918ca2500caaf0390a15",
            "preauthTransactionId": "20221108-636a91f61c48d9fa186166f7",
        }),
        Kind::Refund => json!({"paymentTransactionId": "20221108-636a91f61c48d9fa186166f8"}),
        Kind::Agreement => json!({}),
    };
    let parts = [example(kind), json!({"kind": kind, "source": "stripe-main"}), own, json!({"version": 2})];
    let fields = parts.into_iter().filter_map(|part| if let Value::Object(part) = part { Some(part) } else { None });
    fields.flatten().collect::<Map<_, _>>().into()
}

fn history_example() -> Value {
    json!({
        "versions": [{
            "version": 2,
            "at": "2026-03-01T12:30:00.123456Z",
            "notification": "019ca9c4-5a40-7d1b-9e0a-1f2e3d4c5b6a",
            "type": "payment_intent.succeeded",
            "status": "Succeeded",
        }],
        "attempts": [
            {"version": 2, "at": "2026-03-01T12:30:02.1Z", "milliseconds": 41, "failure": null},
            {"version": 2, "at": "2026-03-01T12:30:00.7Z", "milliseconds": 12, "failure": "HTTP 503"},
        ],
    })
}
