//! Corrections of a reread, the use case beside [`crate::registering`]: they are made in the store and logged.

use crate::domain::due::Moment;
use crate::ingest::told_crowded_out;
use crate::store::{Corrected, Corrections, Made, Store, StoreError};

/// Makes corrections; they are on disk when this returns.
///
/// # Errors
/// The store cannot take them now. Nothing was written.
pub async fn correct(store: &Store, corrections: Corrections, now: Moment) -> Result<Corrected, StoreError> {
    let families: Vec<usize> = corrections.families.iter().map(Vec::len).collect();
    let corrected = store.correct(corrections, now).await?;
    for (source, events) in &corrected.crowded_out {
        told_crowded_out(source, *events);
    }
    let made = families.iter().zip(&corrected.families).filter(|(_, made)| **made == Made::Now);
    let records: usize = made.map(|(count, _)| count).sum();
    let notifications = corrected.judgements.iter().filter(|made| **made == Made::Now).count();
    tracing::info!(records, notifications, "records are corrected and notifications judged anew by a reread");
    Ok(corrected)
}
