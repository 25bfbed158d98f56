//! Routes GET /api/…: Transform reads a record (contract, section 3).

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};

use super::api_path::ApiPath;
use super::caller::must_be_transform;
use super::in_force::InForce;
use super::listener::{Clients, Listener};
use super::no_route::no_route;
use super::problem::{Problem, method_not_allowed};
use super::state::State;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::transform::response::fetched;

/// Handles a request whose path is one of Transform's.
pub(super) async fn handle(
    listener: Listener,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    if !listener.has(Clients::Outside) {
        return Err(listener.elsewhere());
    }
    let Some(path) = ApiPath::of(request.uri().path()) else { return Err(no_route(request.path(), listener)) };
    match *request.method() {
        Method::GET | Method::HEAD => read(&request, path, &state).await,
        _ => Ok(method_not_allowed("GET, HEAD")),
    }
}

async fn read(request: &HttpRequest, path: ApiPath, state: &State) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_transform(request, state, &in_force).await?;
    let kind = match path.kind {
        Some(kind) => kind,
        None => type_code(request)?,
    };
    fetch(kind, path.id, state, &in_force).await
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
