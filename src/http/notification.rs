//! Route /notifications/{source}: a PSP posts a notification, and may check the endpoint by GET.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::in_force::InForce;
use super::listener::{Clients, Listener};
use super::no_route::no_route;
use super::problem::{Problem, method_not_allowed};
use super::source_path::name_in;
use super::state::State;
use super::why::{NO_CREDENTIALS, WRONG_CREDENTIALS};
use super::{address, body, caller};
use crate::access::throttle;
use crate::certificates::NoKey;
use crate::domain::nearest::hint;
use crate::domain::text::shown;
use crate::ingest::{Refused, Sender};
use crate::psp::document::received::Received;
use crate::psp::vouch::challenge;
use crate::psp::vouch::verify::Unverified;
use crate::source::Source;
use crate::store::{self, HintError, Outcome, TakeError};

/// The receipt of a notification.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Receipt {
    /// The notification's id with the relay; that of the first, if it is a repetition.
    notification: Uuid,
    /// What became of it.
    #[schemars(with = "Outcome")]
    outcome: &'static str,
}

/// The answer for a source that is unknown or not enabled. A stranger does not learn which of the two it is.
const NO_SOURCE: &str = "there is no such source";

/// The longest name that the log quotes in full, in characters. A secret that nobody can guess is longer.
const QUOTED_MAX: usize = 19;
/// The number of characters that the log quotes of a longer name.
const BEGINNING: usize = 6;

/// Handles a request at or below the path of notifications.
pub(super) async fn handle(
    listener: Listener,
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let path = request.match_info().as_str();
    let Some(name) = name_in(path) else { return Err(no_route(path, listener)) };
    if !listener.has(Clients::Outside) {
        return Err(listener.elsewhere());
    }
    let in_force = state.in_force.load_full();
    let source = open(&request, &in_force, &name)?;
    match *request.method() {
        Method::POST => take(&request, payload, &state, (&in_force, source)).await,
        Method::GET => challenge(&request, &state, source),
        _ => Ok(method_not_allowed(methods(source))),
    }
}

async fn take(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    (in_force, source): (&InForce, &Source),
) -> Result<HttpResponse, Problem> {
    let wanted = format!("{}, as this source's PSP sends it", source.profile.media_types().join(" or "));
    body::must_be(request, |media_type| source.profile.takes(media_type), &wanted)?;
    let body = state.bodies.read(request, payload).await?;
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let now = state.clock.now();
    let received = Received { headers: &headers, body: &body.bytes, at: now.wall };
    let address = address::of(request, in_force);
    let suspicious = state.throttle.suspicious(address, &in_force.throttle, now.steady).is_some();
    let sender = Sender { address: throttle::network(address), suspicious };
    match state.ingest.take(source, received, now, sender).await {
        Ok(receipt) => Ok(answer(source, &receipt)),
        Err(refused) => Err(refusal(request, state, in_force, source, refused)),
    }
}

/// The source of that name, if it is enabled and takes notifications from this address.
fn open<'a>(request: &HttpRequest, in_force: &'a InForce, name: &str) -> Result<&'a Source, Problem> {
    let source = in_force
        .sources
        .get(name)
        .ok_or_else(|| Problem::new(404, NO_SOURCE).because("unknown source", unknown(name, in_force)))?;
    if let Some(status) = source.closed {
        let problem = Problem::new(status, if status == 404 { NO_SOURCE } else { "this source is not enabled now" });
        return Err(problem.because("not enabled", "the source is not enabled"));
    }
    if !source.demands().admits(address::of(request, in_force)) {
        let problem = Problem::new(403, "this source takes nothing from this address");
        return Err(problem.because("address", "the address is not in ip_ranges"));
    }
    Ok(source)
}

/// The log's reason for an unknown source. A caller may have put a secret where the name belongs, and no secret may reach
/// the log. So a text that cannot be a source's name is not quoted, and of a long name only the beginning is.
fn unknown(name: &str, in_force: &InForce) -> String {
    let length = name.chars().count();
    if !Source::may_be_called(name) {
        return format!("no source has the name in the path, and none can have it: {length} characters");
    }
    match name.get(..BEGINNING) {
        Some(beginning) if length > QUOTED_MAX => {
            format!("no source has the name in the path: {beginning:?} and so on, {length} characters")
        }
        _ => {
            let hint = hint(name, in_force.sources.keys().map(String::as_str));
            format!("no source is called {}{hint}", shown(name))
        }
    }
}

/// The methods that the route takes. GET is only for PSPs that check their endpoints.
fn methods(source: &Source) -> &'static str {
    if source.profile.challenge.is_some() { "GET, POST" } else { "POST" }
}

/// Answers a PSP's check that the endpoint belongs to its account.
fn challenge(request: &HttpRequest, state: &State, source: &Source) -> Result<HttpResponse, Problem> {
    let Some(challenge) = &source.profile.challenge else {
        return Ok(method_not_allowed(methods(source)));
    };
    let header = |name: &str| request.headers().get(name)?.to_str().ok().map(str::to_owned);
    let query = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    };
    let secret = source.newest_secret(state.clock.now().wall).map(|secret| &secret.value);
    let answer = challenge::answer(challenge, source.configured(), secret, header, query);
    let answer = answer.ok_or_else(|| Problem::new(400, "this is not an endpoint check of this source's PSP"))?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(answer))
}

/// The answer to a refused notification. The reason is for the operator's log; the sender does not learn it.
fn refusal(request: &HttpRequest, state: &State, in_force: &InForce, source: &Source, refused: Refused) -> Problem {
    let reason = refused.to_string();
    let (kind, problem) = match refused {
        Refused::Take(TakeError::Store(error)) | Refused::Hint(HintError::Store(error)) => return error.into(),
        Refused::Take(TakeError::TooManyContents { .. } | TakeError::PointsElsewhere) => {
            let what = "either somebody sends one notification again and again with other unsigned parts, or the profile's dedupe \
                        key does not tell notifications apart";
            return Problem::new(503, reason.clone()).because("too many contents", format!("{reason}: {what}"));
        }
        Refused::Hint(HintError::Crowded | HintError::AddressFull) => {
            let proxy = if address::may_be_a_proxy(request, in_force) {
                ": a proxy that server.trusted_proxies does not name may stand in front"
            } else {
                ""
            };
            return Problem::new(503, reason.clone()).because("too many hints", format!("{reason}{proxy}"));
        }
        Refused::TooMany { .. } => ("too large a batch", Problem::new(413, reason.clone())),
        Refused::Certificate(NoKey::Unavailable(_)) => {
            ("no certificate", Problem::new(503, "this cannot be verified now"))
        }
        Refused::Unverified(Unverified::OutOfTime { .. }) => ("a secret out of its time", unverified(source)),
        Refused::Unverified(_) | Refused::Certificate(NoKey::Refused(_)) => ("unverified", unverified(source)),
        Refused::Credentials(_) => {
            let is_bare = caller::authorization(request).is_none() && !source.authorization.is_empty();
            let kind = if is_bare { NO_CREDENTIALS } else { WRONG_CREDENTIALS };
            (kind, caller::wrong(request, state, in_force))
        }
    };
    problem.because(kind, reason)
}

fn unverified(source: &Source) -> Problem {
    match source.profile.answer.unverified {
        401 => Problem::unsigned(),
        wanted => Problem::new(wanted, "no or wrong signature"),
    }
}

fn answer(source: &Source, receipt: &store::Receipt) -> HttpResponse {
    let answer = &source.profile.answer;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponseBuilder::new(status);
    if receipt.replayed {
        // The answer is the one that the first notification got, to the byte.
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    match &answer.body {
        Some(body) => response.content_type("text/plain; charset=utf-8").body(body.clone()),
        None => response.json(Receipt { notification: receipt.id, outcome: receipt.outcome.name() }),
    }
}
