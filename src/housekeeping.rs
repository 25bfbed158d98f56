//! Keeps the store from growing for ever: small steps, now and then, for as long as there is something to do.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::Pruned;
use crate::store::sqlite::Store;

/// Between two rounds.
const ROUND_EVERY: Duration = Duration::from_secs(60);
/// Between two steps of a round: notifications come first.
const STEP_EVERY: Duration = Duration::from_millis(50);

/// Keeps house until `stop`.
pub async fn run(store: Arc<Store>, clock: Clock, stop: CancellationToken) {
    while stop.run_until_cancelled(round(&store, clock)).await.is_some() {
        if stop.run_until_cancelled(tokio::time::sleep(ROUND_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn round(store: &Store, clock: Clock) {
    let mut rows = 0_usize;
    loop {
        match store.prune(clock.now()).await {
            Ok(pruned) if pruned.is_empty() => break,
            Ok(pruned) => {
                rows = rows.saturating_add(pruned.rows);
                log(&pruned);
            }
            Err(error) => {
                tracing::warn!(%error, "no housekeeping now");
                break;
            }
        }
        tokio::time::sleep(STEP_EVERY).await;
    }
    if rows > 0 {
        tracing::info!(rows, "housekeeping: what was kept long enough is deleted");
    }
}

/// What is only over goes quietly; what somebody may still miss does not.
fn log(pruned: &Pruned) {
    for notification in &pruned.waited_in_vain {
        tracing::warn!(%notification, "its record was not registered in time: dead letter");
    }
    for notification in &pruned.dead_letters {
        tracing::warn!(%notification, "this dead letter was kept long enough; it is deleted");
    }
    for notification in &pruned.dead_letters_beyond {
        tracing::warn!(
            %notification,
            "dead letters have more bytes than store.keep.dead_letters_size; this one was the oldest and is deleted"
        );
    }
    for record in &pruned.given_up {
        tracing::warn!(%record, "Transform was never told of it, and is not any more: kept long enough");
    }
}
