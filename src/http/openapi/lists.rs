//! The lists of the payment stack and of operators.

use serde_json::{Value, json};

use super::about::RECORDS;
use super::answer::Answer;
use super::document::Document;
use super::operation::{Audience, Operation};
use super::refusal::{INVALID_QUERY, NO_DEAD_LETTER, NO_NOTIFICATION, NO_QUERY, STORE_UNAVAILABLE};
use crate::access::operators::Role;
use crate::http::lists::{Found, Letter, Parked, Undelivered};
use crate::http::page::{Entry, Listed, PAGE, PAGE_MAX};
use crate::http::record_list::RecordEntry;
use crate::http::replay::Replayed;
use crate::http::sources::Sources;

const SOURCES: &str = "\
An old secret that has verified nothing for long can be dropped. Counts are since the relay's start, by the secret's value: another \
secret of the same name begins anew. Only new notifications count, once they are on disk. Repetitions of known notifications do not \
count, since a caught notification can be sent again by anybody. A notification that the PSP sends again because it was not \
acknowledged is new.";

const FINDINGS: &str = "\
Types without a rule, parked events and refunds that contradict what is registered. The oldest first. docs/FINDINGS.md says what to \
do.";

const DEAD_LETTERS: &str = "\
These notifications could not be understood, contradict the money that is known, or waited in vain for their record. The oldest \
first. Remedy: remove the cause, then replay them or have the PSP send them again.";

const REPLAY: &str = "\
The relay reads its bytes with the present profile, and judges them by the present records. Objects that it points to are fetched \
again. It needs no signature: it was verified when it was taken.";

const NOTIFICATION: &str = "019ca9c4-5a41-7c02-8b7f-0a1b2c3d4e5f";
const PAYMENT: &str = "20221108-636a91f61c48d9fa186166f8";

pub(super) fn describe(document: &mut Document) {
    let sources =
        Answer::new("All of them, by name.").json(document.schemas.of::<Sources>()).example(sources_example());
    let operation = Operation::new(RECORDS, "listSources", "The sources, and what their secrets have verified");
    let operation = operation.describe(SOURCES).audience(Audience::Operator(Role::Look)).answers(200, sources);
    document.get("/sources", operation.refuses([NO_QUERY]));

    let operation = Operation::new(RECORDS, "listRecords", "The records, in short");
    let operation = operation.describe("In the order in which they were registered.").parameters([json!({
        "name": "payment",
        "in": "query",
        "description": "Only refunds whose payment is not registered.",
        "schema": {"type": "string", "enum": ["unknown"]},
    })]);
    let example = json!({
        "kind": "refund",
        "id": "20221109-636a91f61c48d9fa186166fa",
        "source": "stripe-main",
        "pspId": "re_1",
        "status": "Pending",
        "paymentTransactionId": PAYMENT,
        "registeredAt": "2026-03-01T12:29:58Z",
        "lastUpdated": "2026-03-01T12:30:00.123456Z",
    });
    list::<RecordEntry>(document, "/records", Audience::Integrator(Role::Look), operation, example);

    let operation = Operation::new(RECORDS, "listParked", "Events that wait for their records");
    let operation =
        operation.describe("The oldest first.").parameters([source("Only those that came by this source.")]);
    let example = json!({
        "notification": NOTIFICATION,
        "source": "stripe-main",
        "parkedAt": "2026-03-01T12:29:58Z",
        "type": "payment_intent.succeeded",
        "waitsFor": ["psp:payment:pi_1", "psp:preauth:pi_1", format!("record:{PAYMENT}")],
    });
    list::<Parked>(document, "/parked", Audience::Operator(Role::Look), operation, example);

    let operation = Operation::new(RECORDS, "listFindings", "What somebody should look at");
    let operation = operation.describe(FINDINGS).parameters([source("Only those of this source.")]);
    let example = json!({
        "finding": "no_rule",
        "source": "stripe-main",
        "type": "payment_intent.partially_funded",
        "count": 3,
        "notification": NOTIFICATION,
        "record": {"kind": "payment", "id": PAYMENT},
        "missing": "a rule of form event for the type payment_intent.partially_funded",
        "firstAt": "2026-03-01T12:29:58Z",
        "lastAt": "2026-03-02T08:00:00Z",
    });
    list::<Found>(document, "/findings", Audience::Operator(Role::Look), operation, example);

    let operation = Operation::new(RECORDS, "listDeadLetters", "Notifications that came to nothing");
    let example = json!({
        "notification": NOTIFICATION,
        "source": "stripe-main",
        "receivedAt": "2026-03-01T12:29:58Z",
        "reason": "refund.updated: refunds would reach 12, but only 10 was paid",
    });
    list::<Letter>(
        document,
        "/dead-letters/notifications",
        Audience::Operator(Role::Look),
        operation.describe(DEAD_LETTERS),
        example,
    );

    let operation = Operation::new(RECORDS, "listGivenUp", "Deliveries that were given up");
    let operation = operation.describe(
        "By the age of their records. A delivery stays here until it is told again: see `POST /deliveries/tell`.",
    );
    let example = json!({
        "kind": "payment",
        "id": PAYMENT,
        "version": 2,
        "givenUpAt": "2026-03-04T12:30:00Z",
        "attempts": 96,
        "reason": "HTTP 500",
        "host": "app.billwerk.com:443",
    });
    list::<Undelivered>(document, "/dead-letters/deliveries", Audience::Operator(Role::Look), operation, example);

    replay(document);
}

/// Adds a list, with an example of its entries.
fn list<E: Entry>(document: &mut Document, path: &str, audience: Audience, operation: Operation, entry: Value) {
    let after = json!({
        "name": "after",
        "in": "query",
        "description": "`next` of the page before.",
        "schema": {"type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX},
    });
    let limit = json!({
        "name": "limit",
        "in": "query",
        "description": "The most entries of the page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE},
    });
    let page = Answer::new("A page of them.").json(document.schemas.of::<Listed<E>>());
    let operation = operation
        .audience(audience)
        .parameters([after, limit])
        .answers(200, page.example(json!({E::LIST: [entry], "next": null})))
        .refuses([INVALID_QUERY, STORE_UNAVAILABLE]);
    document.get(path, operation);
}

fn source(description: &str) -> Value {
    json!({"name": "source", "in": "query", "description": description, "schema": {"type": "string"}})
}

fn replay(document: &mut Document) {
    let id = json!({
        "name": "id",
        "in": "path",
        "required": true,
        "description": "The notification's id with the relay.",
        "schema": {"type": "string", "format": "uuid"},
        "example": NOTIFICATION,
    });
    let judged =
        Answer::new("The notification was judged anew. It may be a dead letter again; then the reason says why.")
            .json(document.schemas.of::<Replayed>())
            .example(json!({"notification": NOTIFICATION, "outcome": "applied", "reason": null}));
    let operation = Operation::new(RECORDS, "replayDeadLetter", "Judge a dead letter anew")
        .describe(REPLAY)
        .audience(Audience::Operator(Role::Act))
        .parameters([id])
        .answers(200, judged)
        .refuses([NO_NOTIFICATION, NO_DEAD_LETTER, STORE_UNAVAILABLE]);
    document.post("/dead-letters/notifications/{id}/replay", operation);
}

fn sources_example() -> Value {
    json!({"sources": [{
        "name": "stripe-main",
        "profile": "stripe",
        "enabled": true,
        "proofs": ["signature", "ip_ranges"],
        "doors": ["signature", "ip_ranges"],
        "secrets": [
            {
                "name": "secret-1",
                "notBefore": null,
                "expiresAt": "2026-11-22T18:00:00Z",
                "verified": 1203,
                "lastVerifiedAt": "2026-11-22T12:00:03.123456Z",
            },
            {
                "name": "2026-11-22",
                "notBefore": null,
                "expiresAt": null,
                "verified": 4,
                "lastVerifiedAt": "2026-11-22T12:00:04.654321Z",
            },
        ],
    }]})
}
