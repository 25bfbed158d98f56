//! Keeps the store's clock, looks the store over for damage, and keeps it from growing for ever: small steps, now and then, for
//! as long as there is something to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::age;
use crate::domain::due::Moment;
use crate::store::sqlite::Store;
use crate::store::{DeadLetterGone, LongestWaits, Pruned, StoreError};

/// Between two rounds.
const ROUND_EVERY: Duration = Duration::from_secs(60);
/// Between two steps of a round: notifications come first.
const STEP_EVERY: Duration = Duration::from_millis(50);

/// How many rows of a kind a step looks at: at least and at most.
const ROWS_MIN: u32 = 10;
const ROWS_MAX: u32 = 500;
/// What waits behind a step waits no longer than this: one that takes longer makes the next one shorter.
const STEP_TAKES: Duration = Duration::from_millis(25);

/// How many rows of a kind the next step looks at, where one of so many took so long.
fn rows_after(rows: u32, took: Duration) -> u32 {
    let next = if took > STEP_TAKES { rows / 2 } else { rows.saturating_mul(2) };
    next.clamp(ROWS_MIN, ROWS_MAX)
}

/// The clock of this store, which goes on from where it was kept.
///
/// # Errors
/// The store cannot be used.
pub async fn start_clock(store: &Store) -> Result<Clock, StoreError> {
    let clock = Clock::start();
    let resumed = store.start_clock(clock.now().wall).await?;
    compare(resumed.before, resumed.now);
    Ok(clock.resumed(resumed.now.steady))
}

/// Keeps both clocks in the store, for the next start.
pub async fn keep_clock(store: &Store, clock: Clock) {
    let now = clock.now();
    match store.keep_clock(now).await {
        Ok(before) => compare(before, now),
        Err(error) => tracing::warn!(%error, "the store's clock cannot be kept now"),
    }
}

/// Says when the machine's clock and the store's disagree on how long it is since both were kept.
fn compare(before: Option<Moment>, now: Moment) {
    let Some((before, gained)) = before.and_then(|before| Some((before, age::disagreement(before, now)?))) else {
        return;
    };
    let (was, is, by) = (before.wall, now.wall, format!("{:#}", gained.abs()));
    if gained.is_positive() {
        tracing::warn!(
            %was, %is, by,
            "the machine's clock is ahead of the store's, which runs with the relay and counts a day at most for a rest. \
             What is stored grew older by that day at most and stays longer by the rest; nothing is given up early. If the machine's clock is \
             wrong, set it right: signed times are checked by it"
        );
    } else {
        tracing::warn!(
            %was, %is, by,
            "the machine's clock was set back: it was wrong before, or is now. The store's clock goes on, so due times and ages \
             hold. If the machine's clock is wrong now, set it right: signed times are checked by it"
        );
    }
}

/// Keeps house until `stop`; `longest` says how long waits are by now.
pub async fn run(store: Arc<Store>, clock: Clock, longest: impl Fn() -> LongestWaits + Send, stop: CancellationToken) {
    while stop.run_until_cancelled(round(&store, clock, longest())).await.is_some() {
        if stop.run_until_cancelled(tokio::time::sleep(ROUND_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn round(store: &Store, clock: Clock, longest: LongestWaits) {
    keep_clock(store, clock).await;
    if let Err(error) = store.bring_back(clock.now(), longest).await {
        tracing::warn!(%error, "due times cannot be looked at now");
    }
    if let Err(error) = store.look_over().await {
        tracing::warn!(%error, "the store cannot be looked over now");
    }
    let (mut rows, mut most) = (0_usize, ROWS_MIN);
    loop {
        let began = Instant::now();
        let pruned = store.prune(clock.now(), most).await;
        most = rows_after(most, began.elapsed());
        match pruned {
            Ok(pruned) if pruned.is_empty() => break,
            Ok(pruned) => {
                rows = rows.saturating_add(pruned.rows);
                log(&pruned);
            }
            Err(error) => {
                tracing::warn!(%error, "housekeeping step failed: nothing is deleted now; the next try is in a minute");
                break;
            }
        }
        tokio::time::sleep(STEP_EVERY).await;
    }
    if rows > 0 {
        tracing::info!(rows, "housekeeping: what was kept long enough is deleted");
    }
    tracing::debug!(rows, "a round of housekeeping is over");
}

/// What is only over goes quietly; what somebody may still miss does not.
fn log(pruned: &Pruned) {
    for notification in &pruned.waited_in_vain {
        tracing::warn!(%notification, "its record was not registered in time: dead letter");
    }
    for DeadLetterGone { notification, source, reason } in &pruned.dead_letters {
        tracing::warn!(%notification, source, reason, "this dead letter was kept long enough; it is deleted");
    }
    for DeadLetterGone { notification, source, reason } in &pruned.dead_letters_beyond {
        tracing::warn!(
            %notification, source, reason,
            "dead letters have more bytes than store.keep.dead_letters_size; this one is deleted: one of several contents of its \
             dedupe key, or else the oldest"
        );
    }
    for record in &pruned.given_up {
        tracing::warn!(
            %record,
            "undelivered change expired (store.keep.dead_letters): Transform is not told of this version any more; it is told of the next change"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Large rows, or a slow disk: whoever waits behind a step waits for less of them next time.
    #[test]
    fn a_step_that_took_long_makes_the_next_one_shorter() {
        let (quick, slow) = (Duration::from_millis(5), Duration::from_millis(100));
        let steps = |rows: u32, took: Duration| {
            std::iter::successors(Some(rows), move |rows| Some(rows_after(*rows, took))).take(8).collect::<Vec<_>>()
        };
        assert_eq!(steps(ROWS_MIN, quick), [10, 20, 40, 80, 160, 320, 500, 500]);
        assert_eq!(steps(ROWS_MAX, slow), [500, 250, 125, 62, 31, 15, 10, 10]);
    }
}
