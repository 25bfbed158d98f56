//! Repair of a record that cannot be read, the use case beside [`crate::registering`]: it stands again, and is logged.

use serde_json::{Map, Value};

use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::json::in_our_words;
use crate::domain::record::Record;
use crate::domain::register;
use crate::domain::registration::Registration;
use crate::registering::Allowed;
use crate::store::{Correction, RepairError, Repaired, Store};
use crate::transform::request;
use crate::transform::spelling::{WrongField, wrong_field};

/// Repairs a record that cannot be read: it stands as it was registered, with what its kept notifications told. It is on disk when this
/// returns, and Transform is owed a webhook.
///
/// # Errors
/// The registration is refused, or the store cannot take it now. Nothing was written.
pub async fn repair(
    store: &Store,
    key: RecordKey,
    family: Vec<Correction>,
    now: Moment,
) -> Result<Repaired, RepairError> {
    let repaired = store.repair(key.clone(), family, now).await?;
    match &repaired {
        Repaired::Now { reason } => tracing::warn!(
            record = %key,
            reason,
            "the record could not be read and was repaired; it has what its kept notifications told, and Transform is told"
        ),
        Repaired::Copied { reason } => tracing::warn!(
            record = %key,
            reason,
            "the copy of the record's registration could not be read; a new one was made of the record"
        ),
        Repaired::NotDamaged | Repaired::NotThere => {}
    }
    Ok(repaired)
}

/// A record as this body of PUT /records/{kind}/{id} registers it.
///
/// # Errors
/// The wrong field, and the reason.
pub fn registered(
    body: Map<String, Value>,
    key: &RecordKey,
    allowed: Allowed<'_>,
    now: Moment,
) -> Result<Record, String> {
    let refused = |refusal: crate::domain::registration::Refusal| refusal.to_string();
    let fields = request::registration(body, key, |id| allowed.source_of(id)).map_err(refused)?;
    if let Some(WrongField { field, reason }) = wrong_field(&fields, key.kind) {
        return Err(format!("{field}: {reason}"));
    }
    let said: Registration = serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let field = error.path().to_string();
        format!("{field}: {}", in_our_words(&error.into_inner().to_string()))
    })?;
    allowed.check(&said).map_err(refused)?;
    register::register(key, None, &said, now.wall).map(|registering| registering.record).map_err(refused)
}
