//! The route of tokens.

use serde_json::json;

use super::about::TOKENS;
use super::answer::{Answer, always};
use super::document::Document;
use super::operation::Operation;
use super::refusal::{NOT_TAKEN, SLOW_BODY, TOO_LARGE, WRONG_TOO_OFTEN};
use crate::http::problem::Details;
use crate::http::token::{Token, TokenError};

pub(super) fn describe(document: &mut Document) {
    let (token, error) = (document.schemas.of::<Token>(), document.schemas.of::<TokenError>());
    let broken = document.schemas.of::<Details<'_>>();
    let not_kept = |description: &str| Answer::new(description).header("Cache-Control", always("no-store"));
    let form = json!({
        "required": true,
        "description": "A form; every parameter once. `scope` and unknown parameters are ignored.",
        "content": {"application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["grant_type"],
                "properties": {
                    "grant_type": {"type": "string", "enum": ["client_credentials", "password"]},
                    "client_id": {"type": "string"},
                    "client_secret": {"type": "string"},
                    "username": {"type": "string"},
                    "password": {"type": "string"},
                },
            },
            "example": {"grant_type": "client_credentials", "client_id": "payment-stack", "client_secret": "a-secret"},
        }},
    });
    let operation = Operation::new(TOKENS, "issueToken", "Fetch a token")
        .describe(
            "The token is for the audience that the client is configured for: a source, Transform's or the integrator's \
             (`oauth`). The grant (RFC 6749) is `password` for a client with a user, and `client_credentials` for one without. \
             The client proves itself by basic credentials or in the form.",
        )
        .reads(form)
        .refuses([
            SLOW_BODY,
            TOO_LARGE.but("LargeForm", "The form is larger than 16 KiB."),
            WRONG_TOO_OFTEN,
            NOT_TAKEN.but("NoRoom", "Too much is being received at once, or the relay stops before the form has come."),
        ])
        .answers(
            200,
            not_kept("A token, to be presented as a bearer token. It outlives a reload, but not a restart.")
                .json(token)
                .example(json!({"access_token": "AAZKh3z…", "token_type": "Bearer", "expires_in": 900})),
        )
        .answers(
            400,
            not_kept("The request or the user's credentials are wrong, or the client is configured for the other grant. A problem detail \
                 says that the form broke off.")
                .json(error.clone())
                .example(json!({"error": "invalid_request", "error_description": "grant_type is missing"}))
                .body("application/problem+json", broken),
        )
        .answers(
            401,
            not_kept("No or wrong client credentials.")
                .header("WWW-Authenticate", always("Basic realm=\"transform-relay\""))
                .json(error)
                .example(json!({"error": "invalid_client", "error_description": "no client credentials"})),
        );
    document.post("/oauth/token", operation);
}
