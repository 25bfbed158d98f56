//! Repair of a record that cannot be read, the use case beside [`crate::registering`]: it is registered anew, and logged.

use serde_json::{Map, Value};

use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::json::in_our_words;
use crate::domain::registration::{Refusal, Registration};
use crate::registering::Allowed;
use crate::store::{RegisterError, Repaired, Store};
use crate::transform::request;
use crate::transform::spelling::{WrongField, wrong_field};

/// Registers a record anew that cannot be read. It is on disk when this returns, and Transform is owed a webhook.
///
/// # Errors
/// The registration is wrong or refused, or the store cannot take it now. Nothing was written.
pub async fn repair(
    store: &Store,
    key: RecordKey,
    registration: Map<String, Value>,
    allowed: Allowed<'_>,
    now: Moment,
) -> Result<Repaired, RegisterError> {
    let said = said(registration, &key, allowed)?;
    let repaired = store.repair(key.clone(), said, now).await?;
    if let Repaired::Now { reason } = &repaired {
        tracing::warn!(
            record = %key,
            reason,
            "the record could not be read and was registered anew; a reread brings back what its kept notifications told"
        );
    }
    Ok(repaired)
}

fn said(body: Map<String, Value>, key: &RecordKey, allowed: Allowed<'_>) -> Result<Registration, Refusal> {
    let fields = request::registration(body, key, |id| allowed.source_of(id))?;
    if let Some(WrongField { field, reason }) = wrong_field(&fields, key.kind) {
        return Err(Refusal::invalid("registration", format!("{field}: {reason}")));
    }
    let said = serde_json::from_value(Value::Object(fields));
    let said: Registration =
        said.map_err(|error| Refusal::invalid("registration", in_our_words(&error.to_string())))?;
    allowed.check(&said)?;
    Ok(said)
}
