//! Route POST /dead-letters/notifications/{id}/replay: judges a dead letter anew, once the cause is mended.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::caller::must_be_operator;
use super::problem::Problem;
use super::state::State;
use crate::access::operators::Role;
use crate::ingest::ReplayError;
use crate::store::Outcome;

/// The judgement of a dead letter that was judged anew.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Replayed {
    /// The notification's id with the relay.
    notification: Uuid,
    /// The outcome of this judgement.
    #[schemars(with = "Outcome")]
    outcome: &'static str,
    /// The reason why it is a dead letter again; null if it is none.
    reason: Option<String>,
}

pub(super) async fn dead_letter(
    request: HttpRequest,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    let caller = must_be_operator(Role::Act, &request, &state, &in_force)?;
    let unknown = || Problem::new(404, ReplayError::Unknown.to_string());
    let id = Uuid::try_parse(&id).map_err(|_| unknown())?;
    let receipt =
        state.ingest.replay(&in_force.sources, id, state.clock.now(), caller.operator()).await.map_err(|error| {
            match error {
                ReplayError::Unknown => unknown(),
                ReplayError::NoDeadLetter(_) | ReplayError::Unreadable(_) => Problem::new(409, error.to_string()),
                ReplayError::Store(error) => error.into(),
            }
        })?;
    Ok(HttpResponse::Ok().json(Replayed {
        notification: receipt.id,
        outcome: receipt.outcome.name(),
        reason: receipt.reason,
    }))
}
