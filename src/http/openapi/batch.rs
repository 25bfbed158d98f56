//! The route by which records that existed before the relay are imported.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::about::RECORDS;
use super::answer::Answer;
use super::document::Document;
use super::operation::{Audience, Operation};
use super::refusal::{BROKEN_BODY, SLOW_BODY, STORE_UNAVAILABLE, TOO_LARGE, WRONG_TYPE};
use crate::access::operators::Role;
use crate::domain::ids::{Kind, TransformId};
use crate::domain::import::Moved;
use crate::domain::registration::Registration;
use crate::importing::Report;
use crate::transform::value::states_of;

const TYPE: &str = "application/x-ndjson";

const IMPORTING: &str = "\
One JSON object a line (NDJSON): `kind`, the record's id (`transactionId`; of an agreement `agreementId`; or `id`), the fields of its \
registration, and the money that has moved. `ImportLine` is its schema. docs/MIGRATION.md explains the names, with an example of each kind.

Transform is told of nothing that is imported. A line states all that an import says of its record: another line of the record \
replaces it. Saying the same again changes nothing.

A line that is refused changes nothing and stops no other: the answer is 200, and names it with its number. The body may have as many \
lines as fit into `server.max_body`. Its type may also be `application/ndjson`, `application/jsonl`, `application/x-jsonlines` or \
`application/json`; it is read by lines all the same. Send it in parts, or use the command `import`. If the connection breaks off, send it again.";

const LINE: &str = "ImportLine";

const A_LINE: &str = "\
A line of an import. It has the record's id: `agreementId` of an agreement, else `transactionId`, or `id`. It has a `status` or an \
`error`. docs/MIGRATION.md says which fields are of which kind. Of another kind `agreementId` names its agreement.";

/// The schema of the body. A line that is no such object is refused alone, so the body as a whole may be any text: the schema of the
/// lines only informs. A body without a line imports nothing.
fn lines(document: &mut Document) -> Value {
    let requests = &mut document.schemas.requests;
    let [of_money, of_agreements] = [Kind::Payment, Kind::Agreement].map(|kind| states_of(kind, requests));
    let mut schema = Registration::json_schema(requests);
    let mut moved = Moved::json_schema(requests);
    schema.insert("description".to_owned(), A_LINE.into());
    schema.insert("required".to_owned(), json!(["kind"]));
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.retain(|name, _| name != "tell");
        if let Some(Value::Object(status)) = fields.get_mut("status") {
            status.insert("anyOf".to_owned(), json!([of_money, of_agreements, {"type": "null"}]));
        }
        if let Some(Value::Object(moved)) = moved.get_mut("properties") {
            fields.append(moved);
        }
        let id = TransformId::json_schema(requests).to_value();
        for (name, schema) in [
            ("kind", json!({"enum": Kind::ALL.map(Kind::name)})),
            ("id", id.clone()),
            ("transactionId", id),
            (
                "lastUpdated",
                json!({"description": "The same as `answeredAt`.", "type": ["string", "null"], "format": "date-time"}),
            ),
            (
                "pspSettingsId",
                json!({"description": "Names the source, as `psp_settings_ids` of the configuration say.", "type": "string", "minLength": 1}),
            ),
        ] {
            fields.insert(name.to_owned(), schema);
        }
    }
    requests.definitions_mut().insert(LINE.to_owned(), schema.to_value());
    let line = json!({"$ref": format!("#/components/schemas/{LINE}")});
    json!({"contentMediaType": TYPE, "contentSchema": {"type": "array", "items": line}})
}

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
    let text = json!({"schema": lines(document), "example": format!("{line}\n")});
    let body = json!({"required": false, "content": {TYPE: text}});
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
