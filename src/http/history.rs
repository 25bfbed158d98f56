//! Route GET /records/{kind}/{id}/history: how a record came to be as it is.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::caller::must_be_integrator_or;
use super::page::PAGE;
use super::problem::Problem;
use super::records::key;
use super::state::State;
use crate::access::operators::Role;
use crate::store;

/// The history of a record, the newest entries first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct History {
    /// The versions of the record.
    versions: Vec<VersionMade>,
    /// The attempts to tell Transform of them.
    attempts: Vec<AttemptMade>,
}

/// A version of a record.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VersionMade {
    /// The version.
    version: u64,
    /// The time of the change.
    at: Timestamp,
    /// The notification that made it; null if a reread made it.
    notification: Option<Uuid>,
    /// The PSP's name for what happened; `reread` if a reread made it.
    #[serde(rename = "type")]
    event_type: String,
    /// The state that the record was in then.
    status: String,
}

/// An attempt to tell Transform.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AttemptMade {
    /// The version that it told of.
    version: u64,
    /// The time of its beginning.
    at: Timestamp,
    /// Its duration.
    milliseconds: u64,
    /// The reason of its failure; null if Transform took the webhook.
    failure: Option<String>,
}

impl From<store::VersionMade> for VersionMade {
    fn from(made: store::VersionMade) -> Self {
        let store::VersionMade { version, at, notification, event_type, status } = made;
        Self { version, at, notification, event_type, status }
    }
}

impl From<store::AttemptMade> for AttemptMade {
    fn from(made: store::AttemptMade) -> Self {
        let store::AttemptMade { version, at, millis, failure } = made;
        Self { version, at, milliseconds: millis, failure }
    }
}

pub(super) async fn read(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    must_be_integrator_or(Role::Look, &request, &state, &state.in_force.load_full())?;
    let key = key(path.into_inner())?;
    let history = state.store.history(key.clone(), PAGE).await?;
    let history = history.ok_or_else(|| Problem::new(404, format!("{key} is not registered")))?;
    Ok(HttpResponse::Ok().json(History {
        versions: history.versions.into_iter().map(VersionMade::from).collect(),
        attempts: history.attempts.into_iter().map(AttemptMade::from).collect(),
    }))
}
