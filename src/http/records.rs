//! Routes PUT and GET /records/{kind}/{id}: the integrator registers the records that it starts.

use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};

use super::caller::must_be_integrator_or;
use super::in_force::InForce;
use super::problem::Problem;
use super::state::State;
use super::stored::StoredRecord;
use super::{body, json_body};
use crate::access::operators::Role;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::ignored::{Ignored, ignored};
use crate::domain::record::Record;
use crate::domain::registration::Registration;
use crate::registering::Allowed;
use crate::transform::request;
use crate::transform::response::{fetched, shown};
use crate::transform::spelling::{WrongField, wrong_field};

/// The type of a body as Transform reads it (contract, section 3).
pub(super) const CONTRACT: &str = "application/vnd.frisbii.transform+json";
/// The header with the HTTP status that belongs to such a body.
pub(super) const CONTRACT_STATUS: &str = "transform-status";

pub(super) async fn read(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_integrator_or(Role::Look, &request, &state, &in_force)?;
    let key = key(path.into_inner())?;
    let found = state.store.with_agreement(key.clone()).await?;
    let (record, agreement) = found.ok_or_else(|| Problem::new(404, format!("{key} is not registered")))?;
    let stored = Stored { record: &record, agreement: agreement.as_ref(), ignored: Vec::new() };
    Ok(answer(&request, &in_force, StatusCode::OK, stored))
}

pub(super) async fn register(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    let caller = must_be_integrator_or(Role::Manage, &request, &state, &in_force)?;
    let key = key(path.into_inner())?;
    body::must_be_json(&request)?;
    let body = state.bodies.read(&request, payload).await?;
    let said = parse(&body.bytes, &key, &in_force)?;
    let allowed = Allowed {
        sources: &in_force.sources,
        hosts: &in_force.allowed_hosts,
        has_webhook_target: in_force.has_webhook_target,
    };
    let receipt = state.registering.register(key, said.clone(), allowed, state.clock.now(), caller.operator()).await?;
    let status = if receipt.created { StatusCode::CREATED } else { StatusCode::OK };
    let ignored = ignored(&said, &receipt.record);
    let stored = Stored { record: &receipt.record, agreement: receipt.agreement.as_ref(), ignored };
    Ok(answer(&request, &in_force, status, stored))
}

pub(super) async fn remove(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    let caller = must_be_integrator_or(Role::Manage, &request, &state, &in_force)?;
    let key = key(path.into_inner())?;
    if state.registering.remove(key.clone(), state.clock.now(), caller.operator()).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::new(404, format!("{key} is not registered")))
}

pub(super) fn key((kind, id): (String, String)) -> Result<RecordKey, Problem> {
    let kind: Kind = kind.parse().map_err(|reason: String| Problem::new(404, reason))?;
    let id = TransformId::try_from(id).map_err(|reason| Problem::new(400, reason))?;
    Ok(RecordKey::new(kind, id))
}

fn parse(bytes: &[u8], key: &RecordKey, in_force: &InForce) -> Result<Registration, Problem> {
    let fields = request::registration(json_body::object(bytes)?, key, |id| in_force.source_of(id))?;
    if let Some(WrongField { field, reason }) = wrong_field(&fields, key.kind) {
        return Err(json_body::refused(&field, json_body::may_be_told(&field), &reason));
    }
    json_body::read(fields)
}

/// A record, with what its answer needs beside it.
struct Stored<'a> {
    record: &'a Record,
    agreement: Option<&'a Record>,
    /// The fields of the registration that do not show.
    ignored: Vec<Ignored>,
}

fn answer(request: &HttpRequest, in_force: &InForce, status: StatusCode, stored: Stored<'_>) -> HttpResponse {
    let mut answer = HttpResponseBuilder::new(status);
    if !asks_for_contract(request) {
        let body = shown(stored.record, stored.agreement);
        return answer.json(StoredRecord::of(stored.record, body, stored.ignored));
    }
    let read = fetched(stored.record, stored.agreement, in_force.failed_as);
    answer.content_type(CONTRACT).insert_header((CONTRACT_STATUS, read.status.to_string())).json(read.body)
}

/// Whether the payment stack asks for the body that Transform would read, to pass it on.
fn asks_for_contract(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';');
        let is_it = parts.next().is_some_and(|name| name.trim().eq_ignore_ascii_case(CONTRACT));
        is_it && !parts.any(is_quality_zero)
    })
}

/// Whether a parameter of a type says that the client does not take it (RFC 9110, section 12.4.2).
fn is_quality_zero(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let value = value.trim();
    name.trim().eq_ignore_ascii_case("q") && value.starts_with('0') && value.bytes().all(|b| matches!(b, b'0' | b'.'))
}
