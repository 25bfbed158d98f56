//! Route POST /records/batch: records that existed before the relay are imported, one JSON object a line (NDJSON).

use actix_web::{HttpRequest, HttpResponse, web};

use super::body;
use super::caller::must_be_integrator_or;
use super::problem::Problem;
use super::state::State;
use crate::access::operators::Role;
use crate::domain::nearest::hint;
use crate::domain::text::shown;
use crate::importing::lines::Lines;
use crate::importing::{Import, Report, log};
use crate::registering::Allowed;

/// The types of a body with one JSON object a line.
const TYPES: [&str; 5] =
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json"];
/// The one parameter.
const DRY_RUN: &str = "dryRun";

pub(super) async fn import_all(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_integrator_or(Role::Manage, &request, &state, &in_force)?;
    let dry_run = dry_run(request.query_string())?;
    body::must_be(&request, |essence| TYPES.contains(&essence), "application/x-ndjson")?;
    let body = state.bodies.read(&request, payload).await.map_err(too_large)?;
    let allowed = Allowed {
        sources: &in_force.sources,
        hosts: &in_force.allowed_hosts,
        has_webhook_target: in_force.has_webhook_target,
    };
    let import = Import { store: &state.store, registering: Some(&state.registering), allowed, dry_run };
    let mut report = Report { dry_run, ..Report::default() };
    let mut lines = Lines::of(body.bytes.as_slice());
    loop {
        let piece =
            lines.next_piece().map_err(|error| Problem::new(400, format!("the body cannot be read: {error}")))?;
        if piece.is_empty() {
            log(&report);
            return Ok(HttpResponse::Ok().json(report));
        }
        report.add(import.take(piece, state.clock.now()).await?);
    }
}

/// The refusal with the remedy, if the body is too large: whoever imports may know the setting.
fn too_large(problem: Problem) -> Problem {
    problem.but(413, "which is server.max_body: send the lines in parts, or use the command import")
}

/// Whether the query asks to change nothing.
fn dry_run(query: &str) -> Result<bool, Problem> {
    let mut said = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != DRY_RUN {
            let meant = hint(&name, [DRY_RUN]);
            return Err(Problem::new(400, format!("{}: this route takes {DRY_RUN} alone{meant}", shown(&name))));
        }
        let value = match value.as_ref() {
            "true" => true,
            "false" => false,
            other => {
                return Err(Problem::new(400, format!("{DRY_RUN}: is {}, but must be true or false", shown(other))));
            }
        };
        if said.replace(value).is_some() {
            return Err(Problem::new(400, format!("{DRY_RUN}: must be there once")));
        }
    }
    Ok(said.unwrap_or_default())
}
