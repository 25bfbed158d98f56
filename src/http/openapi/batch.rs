//! The route by which records that existed before the relay are imported.

use serde_json::json;

use super::about::RECORDS;
use super::answer::Answer;
use super::document::Document;
use super::operation::{Audience, Operation};
use super::refusal::{BROKEN_BODY, SLOW_BODY, STORE_UNAVAILABLE, TOO_LARGE, WRONG_TYPE};
use crate::access::operators::Role;
use crate::importing::Report;

const IMPORTING: &str = "\
One JSON object a line (NDJSON): `kind`, the record's id (`transactionId`; of an agreement `agreementId`; or `id`), the fields of its \
registration, and the money that has moved. docs/MIGRATION.md has the names, and an example of each kind.

Transform is told of nothing that is imported. A line states all that an import says of its record: another line of the record \
replaces it. Saying the same again changes nothing.

A line that is refused changes nothing and stops no other: the answer is 200, and names it with its number. The body may have as many \
lines as fit into `server.max_body`. Send it in parts, or use the command `import`. If the connection breaks off, send it again.";

pub(super) fn describe(document: &mut Document) {
    let line = json!({
        "kind": "payment",
        "transactionId": "20221108-636a91f61c48d9fa186166f8",
        "pspTransactionId": "pi_1",
        "currency": "EUR",
        "requestedAmount": 89.25,
        "status": "Succeeded",
        "payments": [{"externalItemId": "pi_1", "amount": 89.25, "bookingDate": "2022-11-08"}],
    });
    // A line that is no such object is refused alone, so the body as a whole has no schema. A body without a line imports nothing.
    let text = json!({"schema": {}, "example": format!("{line}\n")});
    let body = json!({"required": false, "content": {"application/x-ndjson": text}});
    let refused = json!({"line": 17, "field": "currency", "reason": "\"EURO\" is not an ISO 4217 currency code"});
    let report =
        Answer::new("What came of the lines. With `dryRun` it would.").json(document.schemas.of::<Report>()).example(
            json!({"dryRun": false, "new": 499, "changed": 0, "unchanged": 0, "refused": 1, "refusals": [refused]}),
        );
    let dry_run = json!({
        "name": "dryRun",
        "in": "query",
        "description": "Whether nothing is changed: the answer says what would be. Pieces of 200 lines are tried apart.",
        "schema": {"type": "boolean"},
    });
    let operation = Operation::new(RECORDS, "importRecords", "Import records that existed before the relay")
        .describe(IMPORTING)
        .audience(Audience::Integrator(Role::Manage))
        .parameters([dry_run])
        .reads(body)
        .answers(200, report)
        .refuses([
            BROKEN_BODY.but(
                "BrokenImport",
                "There is another parameter than `dryRun`, or the body broke off or does not come in chunks as announced.",
            ),
            SLOW_BODY,
            TOO_LARGE,
            WRONG_TYPE,
            STORE_UNAVAILABLE,
        ]);
    document.post("/records/batch", operation);
}
