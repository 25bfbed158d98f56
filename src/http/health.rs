//! Health and readiness routes for the operator's probes: GET /healthz and GET /readyz.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::caller::{authorization, must_be_monitor};
use super::problem::RETRY_AFTER_S;
use super::state::State;
use super::why::{WRONG_CREDENTIALS, Why};

pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "up"}))
}

/// Answers the readiness probe. A client without a monitor's credentials learns only whether the relay is ready. Wrong
/// credentials count as on other routes and are logged, but no probe fails because of them.
pub(super) async fn ready(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let is_known = must_be_monitor(&request, &state, &state.in_force.load_full()).is_ok();
    let store = state.probed.probe(&state.store, state.clock.now()).await;
    let delivery = !state.delivery_ended.is_cancelled();
    let ready = store.is_ok() && delivery;
    let body = if is_known {
        json!({
            "ready": ready,
            "store": store.as_ref().map_or_else(String::as_str, |()| "writable"),
            "delivery": if delivery { "running" } else { "ended" },
            "owed": state.debouncer.len(),
            "unanswering": state.breakers.open(),
        })
    } else {
        json!({"ready": ready})
    };
    let mut answer = if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().insert_header(("Retry-After", RETRY_AFTER_S)).json(body)
    };
    if !is_known && authorization(&request).is_some() {
        let reason = format!("{WRONG_CREDENTIALS}; answered as a stranger is");
        answer.extensions_mut().insert(Why { kind: WRONG_CREDENTIALS, reason });
    }
    answer
}
