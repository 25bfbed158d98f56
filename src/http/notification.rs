//! POST /notifications/{source}: a PSP tells.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde_json::json;

use super::problem::Problem;
use super::{Doors, InForce, body, caller};
use crate::ingest::{Refused, Source};
use crate::psp::received::Received;
use crate::store::Receipt;

/// Whether a source is not there or not enabled is nobody's business.
const NO_SOURCE: &str = "there is no such source";

pub(super) async fn take(
    request: HttpRequest,
    name: web::Path<String>,
    payload: web::Payload,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, Problem> {
    let in_force = doors.in_force.get();
    let source = in_force.sources.get(name.as_str()).ok_or_else(|| Problem::new(404, NO_SOURCE))?;
    if let Some(status) = source.closed {
        tracing::warn!(source = source.name, status, "notification refused: the source is not enabled");
        return Err(Problem::new(status, if status == 404 { NO_SOURCE } else { "this source is not enabled now" }));
    }
    let address = caller::address(&request, &in_force);
    if !source.admits(address) {
        tracing::warn!(source = source.name, %address, "notification refused: the address is not in ip_ranges");
        return Err(Problem::new(403, "this source takes nothing from this address"));
    }
    body::must_be_json(&request)?;
    let body = doors.bodies.read(&request, payload).await?;
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let now = doors.clock.now();
    let received = Received { headers: &headers, body: &body.bytes, at: now.wall };
    match doors.ingest.take(source, received, now).await {
        Ok(receipt) => Ok(answer(source, &receipt)),
        Err(refused) => Err(refusal(&request, &doors, &in_force, source, refused)),
    }
}

/// Why a notification is not believed is for the operator, not for the sender.
fn refusal(request: &HttpRequest, doors: &Doors, in_force: &InForce, source: &Source, refused: Refused) -> Problem {
    match refused {
        Refused::Store(error) => error.into(),
        Refused::TooMany { .. } => {
            tracing::warn!(source = source.name, reason = %refused, "notification refused");
            Problem::new(413, refused.to_string())
        }
        Refused::Unverified(_) | Refused::OutOfTime { .. } => {
            tracing::warn!(source = source.name, reason = %refused, "notification refused");
            Problem::unauthorized()
        }
        Refused::Credentials(_) => {
            tracing::warn!(source = source.name, reason = %refused, "notification refused");
            caller::wrong(request, doors, in_force, &source.door())
        }
    }
}

fn answer(source: &Source, receipt: &Receipt) -> HttpResponse {
    let answer = &source.profile.answer;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponseBuilder::new(status);
    if receipt.replayed {
        // The answer itself is that to the first, to the byte.
        response.insert_header(("Idempotent-Replayed", "true"));
    }
    match &answer.body {
        Some(body) => response.content_type("text/plain; charset=utf-8").body(body.clone()),
        None => response.json(json!({"notification": receipt.id.to_string(), "outcome": receipt.outcome.name()})),
    }
}
