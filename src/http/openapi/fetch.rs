//! The routes by which Transform reads records.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::about::FETCH;
use super::answer::Answer;
use super::document::Document;
use super::kinds::{Words, example, words};
use super::operation::{Audience, Operation};
use super::refusal::{
    INVALID_ID, INVALID_ID_OR_TYPE, NOT_REGISTERED, STORE_UNAVAILABLE, WRONG_METHOD, WRONG_TOO_OFTEN,
};
use crate::domain::ids::Kind;
use crate::transform::body::{
    AgreementResponse, PaymentError, PaymentResponse, PreauthResponse, RecordBody, RefundResponse,
};

pub(super) fn describe(document: &mut Document) {
    kind::<PreauthResponse>(document, Kind::Preauth);
    kind::<PaymentResponse>(document, Kind::Payment);
    kind::<RefundResponse>(document, Kind::Refund);
    kind::<AgreementResponse>(document, Kind::Agreement);

    let type_code = json!({
        "name": "type",
        "in": "query",
        "required": true,
        "description": "1 preauthorization, 2 payment, 3 refund, 4 agreement; the name `type` in lower case, once.",
        "schema": {"type": "integer", "enum": Kind::ALL.map(Kind::code)},
        "example": 2,
    });
    let operation = Operation::new(FETCH, "fetchByType", "Fetch a record by id and type code")
        .describe(
            "The same as the route of the kind, for a caller that knows only the content of the webhook. Type 4 looks for an \
             agreement by its id.",
        )
        .parameters([document.id(), type_code]);
    let record = document.schemas.of::<RecordBody>();
    let operation = answered(operation, record, example(Kind::Payment)).refuses([INVALID_ID_OR_TYPE]);
    let operation = failures(document, operation);
    add(document, "/api/transactions/{id}", operation);
}

fn kind<T: JsonSchema>(document: &mut Document, kind: Kind) {
    let Words { name, a_record } = words(kind);
    let operation =
        Operation::new(FETCH, format!("fetch{name}"), format!("Fetch {a_record}")).parameters([document.id()]);
    let record = document.schemas.of::<T>();
    let operation = answered(operation, record, example(kind));
    let operation = if kind == Kind::Agreement {
        operation.describe(
            "An agreement that failed is `Inactive`, with the error inside; one that ended as it should has none. It is always \
             answered 200.",
        )
    } else {
        failures(document, operation)
    };
    add(document, &format!("/api/{name}/{{id}}"), operation);
}

fn answered(operation: Operation, record: Value, example: Value) -> Operation {
    operation
        .audience(Audience::Transform)
        .answers(200, Answer::new("The record.").json(record).example(example))
        .refuses([
            INVALID_ID,
            NOT_REGISTERED,
            WRONG_METHOD.saying("this route takes GET, HEAD"),
            STORE_UNAVAILABLE.but("StoreUnreadable", "The store cannot be read now."),
        ])
}

/// Adds the answers for a transaction that ended in a failure.
fn failures(document: &mut Document, operation: Operation) -> Operation {
    let schema = document.schemas.of::<PaymentError>();
    let trouble = WRONG_TOO_OFTEN.answer(true, &mut document.schemas);
    operation
        .answers(
            422,
            Answer::new(
                "The transaction has failed with one of these codes: BearerInvalid, BearerExpired, InvalidData, InvalidAmount, \
                 InvalidCountry, InvalidCurrency, InvalidBic, InvalidIBAN, InvalidNationalIdNumber, InsufficientBalance, Rejected, \
                 Canceled. Never with `transform.failed_as = \"record\"`.",
            )
            .json(schema.clone())
            .example(failure("InsufficientBalance", "insufficient_funds")),
        )
        .answers(
            429,
            trouble
                .but(
                    "The transaction has failed with LimitExceeded; never so with `transform.failed_as = \"record\"`. Or wrong \
                     credentials came once more, after too many from this address (`[throttle]`). Then the code is RateLimit, and \
                     the answer has `Retry-After`.",
                )
                .or_json(&schema, "failed", &failure("LimitExceeded", "card_velocity_exceeded")),
        )
        .answers(
            500,
            Answer::new(
                "The transaction has failed with any other code. It is UnmappedError if the PSP named no code, or one without a \
                 counterpart in the contract. The transaction failed, not the relay. Never with `transform.failed_as = \
                 \"record\"`.",
            )
            .json(schema)
            .example(failure("UnmappedError", "do_not_honor")),
        )
}

/// The failure of a transaction.
fn failure(code: &str, psp_code: &str) -> Value {
    json!({
        "errorCode": code,
        "pspErrorCode": psp_code,
        "receivedAt": "2026-03-01T12:30:00.1234560Z",
        "status": "Failed",
    })
}

fn add(document: &mut Document, path: &str, operation: Operation) {
    document.head(path, operation.clone().into_head());
    document.get(path, operation);
}
