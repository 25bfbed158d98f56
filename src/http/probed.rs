//! Readiness probe of the store, and the finding of the last probe.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::due::Moment;
use crate::store::Store;

/// The finding of the last readiness probe of the store, and its time. A probe writes, so its finding is kept for a
/// moment. Otherwise a caller could make the relay write by asking often.
#[derive(Debug, Default)]
pub struct Probed(Mutex<Option<(Timestamp, Result<(), String>)>>);

/// The time for which a finding is kept.
const PROBE_EVERY: Duration = Duration::from_secs(1);

impl Probed {
    /// The finding of a probe now, or of one a moment ago.
    pub(super) async fn probe(&self, store: &Store, now: Moment) -> Result<(), String> {
        if let Some((at, finding)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && now.steady.duration_since(*at).unsigned_abs() < PROBE_EVERY
        {
            return finding.clone();
        }
        let finding = store.probe(now).await.map_err(|error| error.to_string());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now.steady, finding.clone()));
        finding
    }
}
