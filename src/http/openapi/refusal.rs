//! Refusals that several routes share: below /api each is the contract's error object, elsewhere a problem detail.

use serde_json::{Value, json, to_value};

use super::answer::Answer;
use super::schemas::Schemas;
use crate::http::problem::{Details, PROBLEM, Problem};
use crate::http::refused_head::NO_HTTP;
use crate::transform::refused::{TroubleError, refused};

/// A refusal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    /// Its name in the document.
    pub(super) name: &'static str,
    /// Its status.
    pub(super) status: u16,
    /// Its reasons.
    description: &'static str,
    /// The text of an example.
    detail: &'static str,
    /// The field of the body that is wrong in the example.
    field: Option<&'static str>,
}

impl Refusal {
    const fn new(name: &'static str, status: u16, description: &'static str, detail: &'static str) -> Self {
        Self { name, status, description, detail, field: None }
    }

    /// The same refusal with other reasons, for one route alone.
    pub(super) const fn but(self, name: &'static str, description: &'static str) -> Self {
        Self { name, description, ..self }
    }

    /// The same refusal with another text in its example.
    pub(super) const fn saying(self, detail: &'static str) -> Self {
        Self { detail, ..self }
    }

    /// The same refusal with another status.
    pub(super) const fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The answer, as Transform or everybody else reads it.
    pub(super) fn answer(self, is_transforms: bool, schemas: &mut Schemas) -> Answer {
        let answer = self.headers().into_iter().fold(Answer::new(self.description), |answer, name| {
            answer.header(name, json!({"$ref": format!("#/components/headers/{name}")}))
        });
        if is_transforms {
            let example = to_value(refused(self.status, self.detail)).unwrap_or_default();
            return answer.json(schemas.of::<TroubleError>()).example(example);
        }
        answer.body(PROBLEM, schemas.of::<Details<'_>>()).example(self.example())
    }

    fn example(self) -> Value {
        let problem = match self.field {
            Some(field) => Problem::field(field, self.detail).with_status(self.status),
            None => Problem::new(self.status, self.detail),
        };
        to_value(problem.details()).unwrap_or_default()
    }

    /// The headers that a refusal of this status has.
    fn headers(self) -> Vec<&'static str> {
        match self.status {
            401 => vec!["WWW-Authenticate"],
            405 => vec!["Allow"],
            429 | 503 => vec!["Retry-After"],
            _ => Vec::new(),
        }
    }
}

/// The headers of refusals.
pub(super) fn headers() -> Value {
    json!({
        "Allow": {"description": "The methods of the route.", "schema": {"type": "string"}},
        "Retry-After": {
            "description": "The time after which the client may ask again, in seconds.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "WWW-Authenticate": {
            "description": "The kinds of credentials that are taken; or `Signature`, where a notification lacks its own.",
            "schema": {
                "type": "string",
                "enum": ["Bearer, Basic realm=\"transform-relay\"", "Signature realm=\"transform-relay\""],
            },
        },
    })
}

const ID: &str = "\"tx 1\" is no Transform id: such an id has 1 to 128 visible ASCII characters";

pub(super) const BAD_HEAD: Refusal = Refusal::new(
    "BadHead",
    400,
    "The head of the request cannot be read, or has both Content-Length and Transfer-Encoding.",
    NO_HTTP,
);
pub(super) const INVALID_ID: Refusal =
    Refusal::new("InvalidId", 400, "The id is not 1 to 128 visible ASCII characters.", ID);
pub(super) const INVALID_ID_OR_TYPE: Refusal = Refusal::new(
    "InvalidIdOrType",
    400,
    "The id is not 1 to 128 visible ASCII characters, or `type` is not there once as 1, 2, 3 or 4.",
    "type: must be there once and be 1, 2, 3 or 4",
);
pub(super) const INVALID_QUERY: Refusal = Refusal::new(
    "InvalidQuery",
    400,
    "A parameter is unknown, there twice or out of its range; the answer names it.",
    "limit: is \"0\", but must be a number from 1 to 1000",
);
pub(super) const NO_QUERY: Refusal = INVALID_QUERY
    .but("NoQuery", "There is a parameter. This list takes none.")
    .saying("\"limit\": this list takes no parameters");
pub(super) const INVALID_ID_OR_BODY: Refusal = Refusal::new(
    "InvalidIdOrBody",
    400,
    "The id is not 1 to 128 visible ASCII characters. Or the body is no JSON, broke off or does not come in chunks as announced.",
    ID,
);
pub(super) const BROKEN_BODY: Refusal = Refusal::new(
    "BrokenBody",
    400,
    "The body broke off, or does not come in chunks as announced.",
    "the body broke off before its end",
);
pub(super) const UNAUTHORIZED: Refusal =
    Refusal::new("Unauthorized", 401, "No or wrong credentials.", "no or wrong credentials");
pub(super) const LACKS_ROLE: Refusal = Refusal::new(
    "LacksRole",
    403,
    "The credentials are known, but the route is another one's: the operator's role is too low, or the payment stack or a monitor asks for \
     what operators are configured for.",
    "this route is for an operator with the role act or manage; operator anna has the role look",
);
pub(super) const FORBIDDEN: Refusal = Refusal::new(
    "Forbidden",
    403,
    "The source takes nothing from this address (`ip_ranges`).",
    "this source takes nothing from this address",
);
pub(super) const NOT_REGISTERED: Refusal = Refusal::new(
    "NotRegistered",
    404,
    "No record of this kind and id is registered.",
    "payment/tx123456 is not registered",
);
pub(super) const NO_SOURCE: Refusal = Refusal::new(
    "NoSource",
    404,
    "There is no such source, or it is not enabled. The answer is the same for both.",
    "there is no such source",
);
pub(super) const NO_NOTIFICATION: Refusal =
    Refusal::new("NoNotification", 404, "There is no such notification.", "there is no such notification");
pub(super) const WRONG_METHOD: Refusal =
    Refusal::new("WrongMethod", 405, "The route was asked with another method.", "this route takes GET");
pub(super) const SLOW_HEAD: Refusal = Refusal::new(
    "SlowHead",
    408,
    "The head of the request took longer than `server.header_timeout`.",
    "the head took too long",
);
pub(super) const SLOW_BODY: Refusal = Refusal::new(
    "SlowBody",
    408,
    "The body took longer than `server.body_timeout`, or the head longer than `server.header_timeout`.",
    "the body took too long",
);
pub(super) const CONFLICT: Refusal = Refusal {
    field: Some("currency"),
    ..Refusal::new(
        "Conflict",
        409,
        "The registration or the removal contradicts what is stored. `field` names the field.\n\n\
         - Events have been applied to the record or money was imported, and the currency, the source or a refund's payment differs from the stored one.\n\
         - A payment with applied events is said to capture another preauthorization.\n\
         - The `pspTransactionId` is another record's of that kind.\n\
         - The `pspTransactionId` differs from the stored one, under which money is booked or the record has succeeded.\n\
         - A record that is to be removed has applied events, imported money, a refund or a capture, or a parked event names it.",
        "is USD, but the record is in EUR, and events have been applied to it",
    )
};
pub(super) const NO_DEAD_LETTER: Refusal = Refusal::new(
    "NoDeadLetter",
    409,
    "The notification is no dead letter, or cannot be read any more: its source is not configured, or its form is not in the \
     profile. Nothing has changed.",
    "it is no dead letter: applied",
);
pub(super) const TOO_LARGE: Refusal = Refusal::new(
    "TooLarge",
    413,
    "The body is larger than `server.max_body`, or its chunks have too much beside their data.",
    "the body is larger than 1048576 bytes",
);
pub(super) const WRONG_TYPE: Refusal = Refusal::new(
    "WrongType",
    415,
    "There is a content type, and it is not one of those that are taken here.",
    "Content-Type: is \"text/plain\", but must be application/json",
);
pub(super) const REFUSED: Refusal = Refusal {
    field: Some("webhookTarget"),
    ..Refusal::new(
        "Refused",
        422,
        "A field is unknown, wrong, missing or not of this kind. Or the source is not configured, or the webhookTarget is not \
         allowed, or needed and absent. `field` names the field. Nothing changed.",
        "host evil.example is not in transform.allowed_hosts",
    )
};
pub(super) const WRONG_WISH: Refusal = Refusal {
    field: Some("ids"),
    ..Refusal::new(
        "WrongWish",
        422,
        "A field is unknown or wrong, `ids` stand beside `host` or `since`, or an id is not registered. `field` names the field. \
         Nothing changed.",
        "not registered: tx-1",
    )
};
pub(super) const WRONG_TOO_OFTEN: Refusal = Refusal::new(
    "WrongTooOften",
    429,
    "Wrong credentials once more, after too many from this address (`[throttle]`). Right credentials of 20 bytes or more are \
     taken all the same. A right signature makes no difference. If a source asks for nothing beside the signature, its \
     notifications never get this answer.",
    "wrong credentials too often",
);
pub(super) const LARGE_HEAD: Refusal = Refusal::new(
    "LargeHead",
    431,
    "The head of the request is larger than 32 KiB, or has more than 96 fields.",
    "the head is larger than 32768 bytes",
);
pub(super) const STORE_UNAVAILABLE: Refusal = Refusal::new(
    "StoreUnavailable",
    503,
    "The store cannot be written or read now, too much is being received at once, or the relay stops before the body has come. \
     Nothing was stored.",
    "the store cannot do this now",
);
pub(super) const NOT_TAKEN: Refusal = STORE_UNAVAILABLE.but(
    "NotTaken",
    "Nothing was stored, for one of these reasons:\n\n\
     - the store cannot take the notification now\n\
     - too much is being received at once\n\
     - the relay stops before the body has come\n\
     - the certificate that the notification is signed with cannot be fetched now\n\
     - too many hints wait (`max_hints`, `max_hints_per_address`)\n\
     - too many other contents of its dedupe key are kept, and the notification is signed in parts only: 100 of them, or (if it \
     has more than 10 KiB) 1 MiB of them after the first\n\
     - the source is not enabled (`disabled_answer`)",
);
