//! The readiness probe of the store, and what the last one found.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::due::Moment;
use crate::store::Store;

/// What the last readiness probe of the store found, and when. A probe writes, so its finding is kept for a
/// moment: nobody can make the relay write by asking often.
#[derive(Debug, Default)]
pub struct Probed(Mutex<Option<(Timestamp, Result<(), String>)>>);

/// How long a finding is kept.
const PROBE_EVERY: Duration = Duration::from_secs(1);

impl Probed {
    /// What the store's probe finds now, or found a moment ago.
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
