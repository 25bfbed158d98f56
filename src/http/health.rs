//! Health and readiness routes for the operator's probes: GET /healthz and GET /readyz.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use super::caller::{authorization, must_be_monitor};
use super::problem::RETRY_AFTER_S;
use super::state::State;
use super::why::LACKS_ROLE;

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

/// The details of readiness, for a monitor, an operator or the payment stack.
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
/// credentials count as on other routes and are logged, but no probe fails because of them. Known credentials of somebody else are
/// not wrong: nothing is refused then.
pub(super) async fn ready(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let admitted = must_be_monitor(&request, &state, &state.in_force.load_full());
    let mut answer = readiness(&state, admitted.is_ok()).await;
    if let Err(refused) = admitted
        && authorization(&request).is_some()
    {
        let why = refused.why();
        if why.kind == LACKS_ROLE {
            tracing::debug!(
                operator = why.operator,
                reason = why.reason,
                "readiness is answered without its details, since these are a monitor's and operators'"
            );
        } else {
            answer.extensions_mut().insert(why);
        }
    }
    answer
}

/// Answers the readiness probe at an address where nobody's credentials are looked at.
pub(super) async fn ready_without_details(state: web::Data<State>) -> HttpResponse {
    readiness(&state, false).await
}

async fn readiness(state: &State, with_details: bool) -> HttpResponse {
    let store = state.probed.probe(&state.store, state.clock.now()).await;
    let delivery = !state.delivery_ended.is_cancelled();
    let ready = store.is_ok() && delivery;
    let given_up = if with_details { state.store.given_up_count().await.ok() } else { None };
    let details = with_details.then(|| Details {
        store: store.err().unwrap_or_else(|| "writable".to_owned()),
        delivery: if delivery { Delivery::Running } else { Delivery::Ended },
        owed: state.debouncer.len(),
        given_up,
        unanswering: state.breakers.open(),
    });
    let body = Readiness { ready, details };
    if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().insert_header(("Retry-After", RETRY_AFTER_S)).json(body)
    }
}
