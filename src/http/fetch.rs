//! GET /api/…: Transform reads the record (contract, section 3).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde::Deserialize;

use super::problem::Problem;
use super::{Doors, authorization};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::transform::fetch::fetched;

/// The segments are matched in any case, so the first one is a variable that says nothing.
pub(super) async fn by_kind(
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, Problem> {
    authorize(&request, &doors)?;
    let (_, kind, id) = path.into_inner();
    let kind: Kind = kind.parse().map_err(|reason: String| Problem::new(404, reason))?;
    fetch(kind, id, &doors).await
}

#[derive(Deserialize)]
pub(super) struct TypeCode {
    #[serde(rename = "type")]
    code: Option<String>,
}

pub(super) async fn by_type_code(
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
    query: web::Query<TypeCode>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, Problem> {
    authorize(&request, &doors)?;
    let code = query.code.as_deref().and_then(|code| code.parse().ok());
    let kind = code.and_then(Kind::from_code).ok_or_else(|| Problem::new(400, "type: must be 1, 2, 3 or 4"))?;
    fetch(kind, path.into_inner().2, &doors).await
}

fn authorize(request: &HttpRequest, doors: &Doors) -> Result<(), Problem> {
    if doors.transform.allows(authorization(request)) { Ok(()) } else { Err(Problem::unauthorized()) }
}

async fn fetch(kind: Kind, id: String, doors: &Doors) -> Result<HttpResponse, Problem> {
    let id = TransformId::try_from(id).map_err(|reason| Problem::new(400, reason))?;
    let key = RecordKey::new(kind, id);
    let record = doors.store.record(key.clone()).await?;
    let record = record.ok_or_else(|| Problem::new(404, format!("{key} is not registered")))?;
    let fetched = fetched(&record, doors.failed_as);
    let status = StatusCode::from_u16(fetched.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(HttpResponseBuilder::new(status).content_type("application/json").body(fetched.body.to_string()))
}
