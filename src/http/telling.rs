//! Routes POST /records/{kind}/{id}/tell and POST /deliveries/tell: Transform is told again.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use super::caller::{must_be_integrator_or, must_be_operator};
use super::lists::Named;
use super::problem::Problem;
use super::records::key;
use super::state::State;
use super::{body, json_body};
use crate::access::operators::Role;
use crate::domain::telling::ToTell;
use crate::store::TellError;
use crate::telling::{self, tell};

/// The records that Transform is told of again.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    /// Whether nothing was changed.
    dry_run: bool,
    /// How many there are.
    count: u64,
    /// The first hundred of them.
    records: Vec<Named>,
}

impl From<telling::Told> for Told {
    fn from(told: telling::Told) -> Self {
        let telling::Told { dry_run, count, records } = told;
        Self { dry_run, count, records: records.into_iter().map(Named::from).collect() }
    }
}

pub(super) async fn record(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let caller = must_be_integrator_or(Role::Act, &request, &state, &state.in_force.load_full())?;
    let key = key(path.into_inner())?;
    let unknown = || Problem::new(404, format!("{key} is not registered"));
    state.store.record(key.clone()).await?.ok_or_else(unknown)?;
    let told =
        tell(&state.store, state.clock, ToTell::one(key.id.clone()), caller.operator()).await.map_err(|error| {
            match error {
                TellError::Unknown(_) => unknown(),
                TellError::Store(error) => error.into(),
            }
        })?;
    Ok(HttpResponse::Ok().json(Told::from(told)))
}

pub(super) async fn deliveries(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let caller = must_be_operator(Role::Act, &request, &state, &state.in_force.load_full())?;
    body::must_be_json(&request)?;
    let body = state.bodies.read(&request, payload).await?;
    let wish: ToTell = json_body::read(json_body::object(&body.bytes)?)?;
    wish.check()?;
    let told = tell(&state.store, state.clock, wish, caller.operator()).await.map_err(|error| match error {
        TellError::Unknown(_) => Problem::field("ids", &error.to_string()),
        TellError::Store(error) => error.into(),
    })?;
    Ok(HttpResponse::Ok().json(Told::from(told)))
}
