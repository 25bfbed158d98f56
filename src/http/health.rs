//! GET /healthz and /readyz: for the operator's probes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde_json::json;

use super::Doors;

/// What the last readiness probe of the store found, and when. A probe writes, so its finding is kept for a
/// moment: nobody can make the relay write by asking often.
#[derive(Debug, Default)]
pub struct Probed(Mutex<Option<(Timestamp, Result<(), String>)>>);

/// How long a finding is kept.
const PROBE_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "up"}))
}

pub(super) async fn ready(doors: web::Data<Doors>) -> HttpResponse {
    let store = probe(&doors).await;
    let delivery = !doors.delivery_ended.is_cancelled();
    let body = json!({
        "store": store.as_ref().map_or_else(String::as_str, |()| "writable"),
        "delivery": if delivery { "running" } else { "ended" },
        "owed": doors.debouncer.len(),
        "unanswering": doors.breakers.open(),
    });
    if store.is_ok() && delivery {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "1")).json(body)
    }
}

async fn probe(doors: &Doors) -> Result<(), String> {
    let now = doors.clock.now();
    if let Some((at, finding)) = &*doors.probed.0.lock().unwrap_or_else(PoisonError::into_inner)
        && now.steady.duration_since(*at).unsigned_abs() < PROBE_EVERY
    {
        return finding.clone();
    }
    let finding = doors.store.probe(now).await.map_err(|error| error.to_string());
    *doors.probed.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now.steady, finding.clone()));
    finding
}
