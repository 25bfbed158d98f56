//! Health and readiness routes for the operator's probes: GET /healthz and GET /readyz.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use super::caller::{authorization, must_be_monitor};
use super::problem::RETRY_AFTER_S;
use super::state::State;
use super::why::{WRONG_CREDENTIALS, Why};

/// The process is up.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Alive {
    /// Always up.
    #[schemars(extend("const" = "up"))]
    status: &'static str,
}

impl Alive {
    /// The only answer.
    pub(super) const UP: Self = Self { status: "up" };
}

/// Whether the relay is ready.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Readiness {
    /// Whether the store can be written and delivery runs. A stranger sees nothing else.
    ready: bool,
    /// The details.
    #[serde(flatten)]
    details: Option<Details>,
}

/// The details of readiness, for the monitor and the payment stack.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Details {
    /// `writable`, or the reason why not.
    store: String,
    /// Whether delivery runs.
    delivery: Delivery,
    /// The number of records that Transform has yet to hear of.
    owed: usize,
    /// The number of deliveries that were given up; null while the store cannot be read.
    given_up: Option<u64>,
    /// The hosts of Transform that do not respond, with their ports. They do not make the relay unready.
    unanswering: Vec<String>,
}

/// The state of delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Delivery {
    /// It runs.
    Running,
    /// It has ended.
    Ended,
}

pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(Alive::UP)
}

/// Answers the readiness probe. A client without a monitor's credentials learns only whether the relay is ready. Wrong
/// credentials count as on other routes and are logged, but no probe fails because of them.
pub(super) async fn ready(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let is_known = must_be_monitor(&request, &state, &state.in_force.load_full()).is_ok();
    let store = state.probed.probe(&state.store, state.clock.now()).await;
    let delivery = !state.delivery_ended.is_cancelled();
    let ready = store.is_ok() && delivery;
    let given_up = if is_known { state.store.given_up_count().await.ok() } else { None };
    let details = is_known.then(|| Details {
        store: store.err().unwrap_or_else(|| "writable".to_owned()),
        delivery: if delivery { Delivery::Running } else { Delivery::Ended },
        owed: state.debouncer.len(),
        given_up,
        unanswering: state.breakers.open(),
    });
    let body = Readiness { ready, details };
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
