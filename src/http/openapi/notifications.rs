//! The route of PSPs, and the webhook to Transform.

use serde_json::{Value, json};

use super::about::NOTIFICATIONS;
use super::answer::{Answer, named};
use super::document::Document;
use super::operation::Operation;
use super::refusal::{
    BAD_HEAD, BROKEN_BODY, FORBIDDEN, NO_SOURCE, NOT_TAKEN, SLOW_BODY, TOO_LARGE, UNAUTHORIZED, WRONG_METHOD,
    WRONG_TOO_OFTEN, WRONG_TYPE,
};
use super::schemas::Schemas;
use crate::http::notification::Receipt;
use crate::transform::webhook::ChangeNotification;

const PATH: &str = "/notifications/{source}";

const CHECK: &str = "\
Some PSPs check that the endpoint belongs to their customer before they post to it. They send a challenge in a header or in the \
query, and want it or its signature back. The profile says what the check looks like.";

const TAKE: &str = "\
Answered 2xx only when the notification and all its changes are on disk. The source's profile determines status and body. A verified \
notification may be unreadable, or contradict the money that is known. It is kept as a dead letter and answered like any other: a \
repetition by the PSP would not help.

The signature is verified over the bytes as they are sent. The page of each PSP names the headers of its signature.";

const TAKEN: &str = "\
The notification is on disk. The body is a receipt in JSON, or the text that the profile asks for: `adyen` has `[accepted]`. A \
profile of your own may name any other 2xx status. A byte-identical repetition gets the first answer again, whatever became of the \
first notification since. A dead letter that is sent again is judged anew.";

const UNVERIFIED: &str = "\
No or a wrong signature, a signature by an expired secret, a time outside the tolerance, or no or wrong credentials or headers. \
Nothing was stored. The log gives the reason; the answer does not. For a wrong signature the profile may name another status that \
its PSP wants: GoCardless 498, Klarna and Worldpay 400.";

pub(super) fn describe(document: &mut Document) {
    let source = json!({
        "name": "source",
        "in": "path",
        "required": true,
        "description": "The source's name in the configuration.",
        "schema": {"type": "string", "pattern": "^[a-z0-9_-]+$"},
        "example": "stripe-main",
    });
    let check = Operation::new(NOTIFICATIONS, "checkEndpoint", "Answer a PSP's check of the endpoint")
        .describe(CHECK)
        .parameters([source.clone()])
        .answers(200, Answer::new("The text that the PSP wants to read.").body("text/plain", json!({"type": "string"})))
        .refuses([
            BAD_HEAD.but("NoCheck", "This is no check as the PSP makes it."),
            FORBIDDEN,
            NO_SOURCE,
            WRONG_METHOD.but("KnowsNoCheck", "The profile knows no check of the endpoint."),
            NOT_TAKEN.but("NotEnabled", "The source is not enabled now."),
        ]);
    document.get(PATH, check);

    let receipt = document.schemas.of::<Receipt>();
    let replayed = json!({
        "description": "Present, and `true`, if this notification was taken before.",
        "schema": {"type": "string", "const": "true"},
    });
    let taken = Answer::new(TAKEN)
        .header("Idempotent-Replayed", replayed.clone())
        .json(receipt.clone())
        .examples([
            ("applied", json!({"notification": "019ca9c4-5a40-7d1b-9e0a-1f2e3d4c5b6a", "outcome": "applied"})),
            ("parked", json!({"notification": "019ca9c4-5a41-7c02-8b7f-0a1b2c3d4e5f", "outcome": "parked"})),
            ("fetching", json!({"notification": "019ca9c4-5a43-7b24-8d5e-2c3d4e5f6a7b", "outcome": "fetching"})),
        ])
        .body("text/plain", json!({"type": "string"}))
        .example("[accepted]".into());
    let accepted = Answer::new("On disk, in the words of the profile `digital-river`.")
        .header("Idempotent-Replayed", replayed)
        .json(receipt)
        .example(json!({"notification": "019ca9c4-5a42-7a13-a6c5-9d8e7f6a5b4c", "outcome": "applied"}));
    let take = Operation::new(NOTIFICATIONS, "takeNotification", "Take a notification")
        .describe(TAKE)
        .parameters([source])
        .reads(body())
        .answers(200, taken)
        .answers(202, accepted)
        .refuses([
            BROKEN_BODY.but(
                "BrokenNotification",
                "The body broke off, or does not come in chunks as announced. Or the signature is wrong, and the PSP wants this \
                 status.",
            ),
            UNAUTHORIZED.but("Unverified", UNVERIFIED),
            FORBIDDEN,
            NO_SOURCE,
            SLOW_BODY,
            TOO_LARGE.but(
                "LargeNotification",
                "The body is larger than `server.max_body`, or the batch holds more than 10000 messages or events.",
            ),
            WRONG_TYPE,
            WRONG_TOO_OFTEN,
            UNAUTHORIZED.with_status(498).but("WrongSignature", "The signature is wrong, and the PSP is GoCardless."),
            NOT_TAKEN,
        ]);
    document.post(PATH, take);
}

fn body() -> Value {
    let intent = json!({
        "object": "payment_intent",
        "id": "pi_1",
        "amount": 8925,
        "amount_received": 8925,
        "currency": "eur",
        "metadata": {"transactionId": "20221108-636a91f61c48d9fa186166f8"},
    });
    json!({
        "required": true,
        "description": "The PSP's body, at most `server.max_body`. The content type is absent or one that the source's profile \
                        takes. For JSON that is `application/json` or another `application/…+json`. For forms it is \
                        `application/x-www-form-urlencoded`, for XML `application/xml` or `text/xml`. A profile may name further \
                        types.",
        "content": {"application/json": {
            "schema": {"description": "The PSP's JSON; its profile reads it."},
            "example": {
                "id": "evt_1",
                "type": "payment_intent.succeeded",
                "created": 1_772_368_200,
                "data": {"object": intent},
            },
        }},
    })
}

/// The webhook to Transform.
pub(super) fn webhooks(schemas: &mut Schemas) -> Value {
    let examples = named([
        ("payment", json!({"TransactionId": "20221108-636a91f61c48d9fa186166f8", "Type": 2})),
        ("agreement", json!({"AgreementId": "636a918ca2500caaf0390a15", "Type": 4})),
    ]);
    json!({"changed": {"post": {
        "tags": [NOTIFICATIONS],
        "operationId": "tellTransform",
        "summary": "The relay tells Transform: this record changed, fetch it",
        "description": "Sent to the record's `webhookTarget`, or to `transform.webhook_target`, after a burst of changes. It carries \
                        no state. A refund is told before the payment that it changed. Any 2xx settles the version that was sent. \
                        Any other response, redirects included, leads to another attempt with exponential backoff; the relay obeys \
                        `Retry-After`. A webhook may come twice.",
        "security": [],
        "requestBody": {
            "required": true,
            "content": {"application/json": {"schema": schemas.of::<ChangeNotification>(), "examples": examples}},
        },
        "responses": {
            "2XX": {"description": "Transform has heard it."},
            "4XX": {"description": "Tried again later."},
            "5XX": {"description": "Tried again later."},
        },
    }}})
}
