//! Routes PUT and GET /records/{kind}/{id}: the integrator registers the records that it starts.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use serde_json::Value;
use serde_path_to_error::Segment;

use super::body;
use super::caller::must_be_integrator;
use super::problem::Problem;
use super::state::State;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::json;
use crate::domain::record::Record;
use crate::domain::registration::Registration;
use crate::registering::Allowed;
use crate::transform::response::{FailedAs, fetched};

/// The longest name of a field that may stand in the log, in characters.
const FIELD_MAX: usize = 32;

pub(super) async fn read(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_integrator(&request, &state, &in_force)?;
    let key = key(path.into_inner())?;
    let found = state.store.with_agreement(key.clone()).await?;
    let (record, agreement) = found.ok_or_else(|| Problem::new(404, format!("{key} is not registered")))?;
    Ok(answer(StatusCode::OK, &record, agreement.as_ref()))
}

pub(super) async fn register(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let in_force = state.in_force.load_full();
    must_be_integrator(&request, &state, &in_force)?;
    let key = key(path.into_inner())?;
    body::must_be_json(&request)?;
    let body = state.bodies.read(&request, payload).await?;
    let said = parse(&body.bytes)?;
    let allowed = Allowed {
        sources: &in_force.sources,
        hosts: &in_force.allowed_hosts,
        has_webhook_target: in_force.has_webhook_target,
    };
    let receipt = state.registering.register(key, said, allowed, state.clock.now()).await?;
    let status = if receipt.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &receipt.record, receipt.agreement.as_ref()))
}

pub(super) fn key((kind, id): (String, String)) -> Result<RecordKey, Problem> {
    let kind: Kind = kind.parse().map_err(|reason: String| Problem::new(404, reason))?;
    let id = TransformId::try_from(id).map_err(|reason| Problem::new(400, reason))?;
    Ok(RecordKey::new(kind, id))
}

/// Reads the body. Text that is no JSON is answered with 400. JSON with a wrong or unknown field is answered with 422, and
/// the answer names the field.
fn parse(body: &[u8]) -> Result<Registration, Problem> {
    let json = json::read(body).map_err(|reason| Problem::new(400, format!("no JSON: {reason}")))?;
    if !json.is_object() {
        return Err(Problem::new(422, "the body must be a JSON object"));
    }
    serde_path_to_error::deserialize(json).map_err(|error| {
        let (field, may_be_told) = (error.path().to_string(), error.path().iter().all(may_be_told));
        let reason = error.into_inner().to_string();
        if field != "." {
            let problem = Problem::field(&field, &reason);
            let untold =
                "a field is refused. Its name is in the answer but not here: it does not look like a field's name";
            return if may_be_told { problem } else { problem.because("Unprocessable Entity", untold) };
        }
        Problem::new(422, reason).because("Unprocessable Entity", "the body as a whole is not as it must be")
    })
}

/// Whether a part of the path to a field may stand in the log. A text that does not look like a field's name may be
/// anything, also the payer's data.
fn may_be_told(part: &Segment) -> bool {
    let Segment::Map { key } = part else { return true };
    key.len() <= FIELD_MAX
        && key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn answer(status: StatusCode, record: &Record, agreement: Option<&Record>) -> HttpResponse {
    HttpResponseBuilder::new(status).content_type("application/json").body(document(record, agreement).to_string())
}

/// The stored record: the part that Transform would read, and the part that only the integrator and the relay know.
fn document(record: &Record, agreement: Option<&Record>) -> Value {
    let Value::Object(mut document) = fetched(record, agreement, FailedAs::Record).body else { return Value::Null };
    let registered = &record.registered;
    let text = |id: &Option<TransformId>| id.as_ref().map(ToString::to_string);
    let extras = [
        ("kind", Some(record.key.kind.name().to_owned())),
        ("source", record.source.clone()),
        ("webhookTarget", registered.webhook_target.clone()),
        ("agreementId", text(&registered.agreement_id)),
        ("preauthTransactionId", text(&registered.preauth_id)),
        ("paymentTransactionId", text(&registered.payment_id)),
    ];
    for (name, value) in extras {
        if let Some(value) = value {
            document.insert(name.to_owned(), value.into());
        }
    }
    document.insert("version".to_owned(), record.version.into());
    Value::Object(document)
}
