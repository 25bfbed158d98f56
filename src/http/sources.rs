//! Route GET /sources: the sources, and the secrets that still vouch for their notifications.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::caller::must_be_operator;
use super::problem::Problem;
use super::state::State;
use crate::access::operators::Role;
use crate::access::secrets::NamedSecret;
use crate::domain::text::shown;
use crate::ingest::Ingest;
use crate::source::{ProofKind, Source};

/// All sources, by name.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Sources {
    /// The sources.
    sources: Vec<SourceListed>,
}

/// A source.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub(super) struct SourceListed {
    /// The source's name in the configuration.
    name: String,
    /// The name of its profile.
    profile: String,
    /// Whether it takes notifications.
    enabled: bool,
    /// The proofs that a notification has to bring; of basic, bearer and oauth one is enough.
    proofs: Vec<ProofKind>,
    /// The old name of `proofs`; a later version leaves it out.
    #[schemars(extend("deprecated" = true))]
    doors: Vec<ProofKind>,
    /// Its secrets.
    secrets: Vec<SecretListed>,
}

/// A secret of a source: everything but its value.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Secret")]
pub(super) struct SecretListed {
    /// The secret's name.
    name: String,
    /// The time from which it verifies; null if it always has.
    not_before: Option<Timestamp>,
    /// The time until which it verifies; null if there is no end.
    expires_at: Option<Timestamp>,
    /// The number of new notifications that it has verified since the start; repetitions do not count.
    verified: u64,
    /// The time when the last of these notifications was received; null if there is none.
    last_verified_at: Option<Timestamp>,
}

pub(super) async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_operator(Role::Look, &request, &state, &in_force)?;
    if let Some((name, _)) = url::form_urlencoded::parse(request.query_string().as_bytes()).next() {
        return Err(Problem::new(400, format!("{}: this list takes no parameters", shown(&name))));
    }
    let sources = in_force.sources.values().map(|source| listed(source, &state.ingest)).collect();
    Ok(HttpResponse::Ok().json(Sources { sources }))
}

fn listed(source: &Source, ingest: &Ingest) -> SourceListed {
    SourceListed {
        name: source.name.clone(),
        profile: source.profile.name.clone(),
        enabled: source.closed.is_none(),
        proofs: source.proofs(),
        // The old name of `proofs`, for one version.
        doors: source.proofs(),
        secrets: source.secrets.iter().map(|secret| vouched(source, secret, ingest)).collect(),
    }
}

fn vouched(source: &Source, secret: &NamedSecret, ingest: &Ingest) -> SecretListed {
    let vouched = ingest.vouched(source, secret);
    SecretListed {
        name: secret.name.clone(),
        not_before: secret.not_before,
        expires_at: secret.expires_at,
        verified: vouched.times,
        last_verified_at: vouched.last,
    }
}
