//! Routes GET /api/…: Transform reads a record (contract, section 3).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};

use super::caller::must_be_transform;
use super::in_force::InForce;
use super::problem::Problem;
use super::state::State;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::transform::response::fetched;

/// Reads a record by its kind. The segments of the path match in upper and lower case, and a slash may follow: so the first
/// and the last part are variables too. Their values are not used.
pub(super) async fn by_kind(
    request: HttpRequest,
    path: web::Path<(String, String, String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_transform(&request, &state, &in_force).await?;
    let (_, kind, id, _) = path.into_inner();
    let kind: Kind = kind.parse().map_err(|reason: String| Problem::new(404, reason))?;
    fetch(kind, id, &state, &in_force).await
}

pub(super) async fn by_type_code(
    request: HttpRequest,
    path: web::Path<(String, String, String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_transform(&request, &state, &in_force).await?;
    fetch(type_code(&request)?, path.into_inner().2, &state, &in_force).await
}

/// The only `type` of the query.
fn type_code(request: &HttpRequest) -> Result<Kind, Problem> {
    let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    let codes: Vec<_> = pairs.filter(|(name, _)| name == "type").map(|(_, code)| code).collect();
    match codes.as_slice() {
        [code] => code.parse().ok().and_then(Kind::from_code),
        _ => None,
    }
    .ok_or_else(|| Problem::new(400, "type: must be there once and be 1, 2, 3 or 4"))
}

async fn fetch(kind: Kind, id: String, state: &State, in_force: &InForce) -> Result<HttpResponse, Problem> {
    let id = TransformId::try_from(id).map_err(|reason| Problem::new(400, reason))?;
    let key = RecordKey::new(kind, id);
    let found = state.store.with_agreement(key.clone()).await?;
    let (record, agreement) = found.ok_or_else(|| Problem::new(404, format!("{key} is not registered")))?;
    let fetched = fetched(&record, agreement.as_ref(), in_force.failed_as);
    let status = StatusCode::from_u16(fetched.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(HttpResponseBuilder::new(status).json(fetched.body))
}
