//! Route GET /sources: the sources, and the secrets that still vouch for their notifications.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::caller::must_be_integrator;
use super::problem::Problem;
use super::state::State;
use crate::access::secrets::NamedSecret;
use crate::ingest::Ingest;
use crate::source::Source;

pub(super) async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_integrator(&request, &state, &in_force)?;
    let sources: Vec<Value> = in_force.sources.values().map(|source| described(source, &state.ingest)).collect();
    Ok(HttpResponse::Ok().json(json!({"sources": sources})))
}

fn described(source: &Source, ingest: &Ingest) -> Value {
    let secrets: Vec<Value> = source.secrets.iter().map(|secret| vouched(source, secret, ingest)).collect();
    json!({
        "name": source.name,
        "profile": source.profile.name,
        "enabled": source.closed.is_none(),
        "proofs": source.proofs(),
        // The old name of `proofs`, for one version.
        "doors": source.proofs(),
        "secrets": secrets,
    })
}

fn vouched(source: &Source, secret: &NamedSecret, ingest: &Ingest) -> Value {
    let vouched = ingest.vouched(source, secret);
    json!({
        "name": secret.name,
        "notBefore": secret.not_before.map(|at| at.to_string()),
        "expiresAt": secret.expires_at.map(|at| at.to_string()),
        "verified": vouched.times,
        "lastVerifiedAt": vouched.last.map(|at| at.to_string()),
    })
}
