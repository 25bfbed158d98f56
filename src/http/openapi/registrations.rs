//! The bodies by which the payment stack registers records: of the fields of a registration, each kind has some.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::answer::named;
use super::document::Document;
use super::kinds::words;
use crate::domain::ids::Kind;
use crate::domain::registration::{Registration, has_field};
use crate::transform::request::OPTIONAL_IDS;
use crate::transform::value::states_of;

const TRANSFORMS_BODY: &str = "TransformsBody";

const TRANSFORMS: &str = "\
The body of Transform's own POST /api/Preauth, /api/Payment or /api/Refund, as it is. Names are read in any case. The fields of a \
registration may stand beside them, with the same rules for their values. Other fields do not concern the relay: they are neither \
stored nor logged. An empty `agreementId`, `preauthTransactionId` or `paymentTransactionId` is the same as an absent one.";

/// The body that registers a record of this kind: our own form, or Transform's.
pub(super) fn body(document: &mut Document, kind: Kind) -> Value {
    let name = format!("{}Registration", words(kind).name);
    let schema = schema(document, kind);
    document.schemas.requests.definitions_mut().insert(name.clone(), schema);
    let transforms = transforms_body(document);
    document.schemas.requests.definitions_mut().insert(TRANSFORMS_BODY.to_owned(), transforms);
    let forms = [name.as_str(), TRANSFORMS_BODY].map(|name| json!({"$ref": format!("#/components/schemas/{name}")}));
    json!({
        "required": true,
        "content": {"application/json": {"schema": {"oneOf": forms}, "examples": examples(kind)}},
    })
}

/// The body of Transform's own requests: the fields by which it is known, and those of a registration.
fn transforms_body(document: &mut Document) -> Value {
    let mut schema = Registration::json_schema(&mut document.schemas.requests);
    schema.insert("description".to_owned(), TRANSFORMS.into());
    schema.insert("required".to_owned(), json!(["pspSettingsId"]));
    schema.insert("additionalProperties".to_owned(), true.into());
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        for id in OPTIONAL_IDS {
            if let Some(Value::Array(choices)) = fields.get_mut(id).and_then(|field| field.get_mut("anyOf")) {
                choices.push(json!({"const": ""}));
            }
        }
        let (settings, transaction) = (
            "The source is the one whose `psp_settings_ids` have this id. A `source` beside it must be that one.",
            "The id in the path. For an agreement it counts for nothing.",
        );
        fields.insert("pspSettingsId".to_owned(), json!({"description": settings, "type": "string", "minLength": 1}));
        fields.insert("transactionId".to_owned(), json!({"description": transaction, "type": ["string", "null"]}));
    }
    schema.to_value()
}

fn schema(document: &mut Document, kind: Kind) -> Value {
    let requests = &mut document.schemas.requests;
    let states = states_of(kind, requests);
    let mut schema = Registration::json_schema(requests);
    let needed = match kind {
        Kind::Preauth | Kind::Payment => "needs `requestedAmount` and `currency`",
        Kind::Refund => "needs `requestedAmount`, `currency` and `paymentTransactionId`",
        Kind::Agreement => "needs nothing",
    };
    let description = format!("{} that is new {needed}. Null is the same as absent.", capital(words(kind).a_record));
    schema.insert("description".to_owned(), description.into());
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.retain(|field, _| has_field(kind, field));
        if let Some(Value::Object(status)) = fields.get_mut("status") {
            status.insert("anyOf".to_owned(), json!([states, {"type": "null"}]));
        }
    }
    schema.to_value()
}

fn capital(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

fn examples(kind: Kind) -> Value {
    match kind {
        Kind::Preauth => named([(
            "new",
            json!({
                "source": "stripe-main",
                "requestedAmount": 89.25,
                "currency": "EUR",
                "agreementId": "636a918ca2500caaf0390a15",
            }),
        )]),
        Kind::Payment => named([
            (
                "direct",
                json!({
                    "source": "stripe-main",
                    "pspTransactionId": "pi_1",
                    "requestedAmount": 89.25,
                    "currency": "EUR",
                    "webhookTarget": "https://app.billwerk.com/PSPWebhooks/ExternalIntegration",
                }),
            ),
            (
                "capture",
                json!({
                    "requestedAmount": 89.25,
                    "currency": "EUR",
                    "preauthTransactionId": "20221108-636a91f61c48d9fa186166f7",
                }),
            ),
            ("amendment", json!({"pspTransactionId": "pi_1"})),
            (
                "transforms",
                json!({
                    "pspSettingsId": "5f1ad3f2c8b2a41d9c0e7b31",
                    "transactionId": "20221108-636a91f61c48d9fa186166f8",
                    "requestedAmount": 89.25,
                    "currency": "EUR",
                    "webhookTarget": "https://app.billwerk.com/PSPWebhooks/ExternalIntegration",
                    "agreementId": "636a918ca2500caaf0390a15",
                    "preauthTransactionId": "",
                    "payerData": {"companyName": "Example Ltd"},
                    "pspTransactionId": "pi_1",
                }),
            ),
        ]),
        Kind::Refund => named([(
            "new",
            json!({
                "source": "stripe-main",
                "pspTransactionId": "re_1",
                "requestedAmount": 10.5,
                "currency": "EUR",
                "paymentTransactionId": "20221108-636a91f61c48d9fa186166f8",
            }),
        )]),
        Kind::Agreement => {
            named([("new", json!({"source": "stripe-main", "pspAgreementId": "pm_1", "status": "Pending"}))])
        }
    }
}
