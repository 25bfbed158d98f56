//! Route POST /oauth/token: a client gets a token for its audience (RFC 6749).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use schemars::JsonSchema;
use serde::Serialize;

use super::address;
use super::caller::{self, INTEGRATOR, TRANSFORM, authorization};
use super::in_force::InForce;
use super::problem::Problem;
use super::state::State;
use super::why::{WRONG_CREDENTIALS, Why};
use crate::access::grant::{Refused, TokenErrorCode, decide};
use crate::access::token::Client;
use crate::domain::due::later;

/// A token, to be presented as a bearer token.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Token {
    /// The token.
    access_token: String,
    /// Always Bearer.
    #[schemars(extend("const" = "Bearer"))]
    token_type: &'static str,
    /// The lifetime in seconds, as `oauth.token_lifetime` says.
    #[schemars(range(min = 1))]
    expires_in: u64,
}

/// The reason why there is no token (RFC 6749, section 5.2).
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TokenError {
    /// The code of the error.
    error: TokenErrorCode,
    /// The description, for people.
    error_description: &'static str,
}

/// The most bytes of a token request. No known grant needs more.
const FORM_MAX: usize = 16 * 1024;

pub(super) async fn issue(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    if !is_form(&request) {
        let description = "Content-Type: must be application/x-www-form-urlencoded";
        return Ok(refusal(&Refused { error: TokenErrorCode::InvalidRequest, description }));
    }
    let body = state.bodies.read_at_most(FORM_MAX, &request, payload).await?;
    let now = state.clock.now().steady;
    let suspicious = state.throttle.suspicious(address::of(&request, &in_force), &in_force.throttle, now).is_some();
    match decide(&body.bytes, authorization(&request), &clients(&in_force), suspicious) {
        Ok((audience, client)) => {
            tracing::info!(client = client.id, audience, "token issued");
            let token = state.issuer.issue(&audience, client, later(now, in_force.token_lifetime));
            let expires_in = in_force.token_lifetime.as_secs();
            Ok(answer(200).json(Token { access_token: token, token_type: "Bearer", expires_in }))
        }
        Err(refused) => {
            if refused.was_a_guess() {
                let problem = caller::wrong(&request, &state, &in_force);
                if suspicious {
                    return Err(problem.because(WRONG_CREDENTIALS, WRONG_CREDENTIALS));
                }
            }
            Ok(refusal(&refused))
        }
    }
}

/// All clients, each with the audience that it gets tokens for.
fn clients(in_force: &InForce) -> Vec<(String, &Client)> {
    let of_sources = in_force.sources.values().map(|source| (source.audience(), &source.authorization));
    let state = [(TRANSFORM.to_owned(), &in_force.transform), (INTEGRATOR.to_owned(), &in_force.integrator)];
    let state = state.into_iter().chain(of_sources);
    state
        .flat_map(|(audience, credentials)| credentials.clients.iter().map(move |client| (audience.clone(), client)))
        .collect()
}

fn is_form(request: &HttpRequest) -> bool {
    let value = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Forbids caches to keep an answer of this route.
fn answer(status: u16) -> HttpResponseBuilder {
    let mut response = HttpResponseBuilder::new(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST));
    response.insert_header(("Cache-Control", "no-store")).insert_header(("Pragma", "no-cache"));
    response
}

fn refusal(refused: &Refused) -> HttpResponse {
    let mut response = answer(refused.status());
    if refused.status() == 401 {
        response.insert_header(("WWW-Authenticate", "Basic realm=\"transform-relay\""));
    }
    let mut response = response.json(TokenError { error: refused.error, error_description: refused.description });
    let kind = if refused.was_a_guess() { WRONG_CREDENTIALS } else { refused.error.name() };
    response.extensions_mut().insert(Why::new(kind, refused.description));
    response
}
