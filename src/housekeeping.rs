//! Housekeeping of the store: keeps its clock, checks it for damage, and deletes expired rows. It works in rounds, a minute
//! apart; a round deletes in small steps until no expired row is left.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::age;
use crate::domain::due::Moment;
use crate::store::{DeadLetterGone, Finding, LongestWaits, Pruned, Store, StoreError};

/// The pause between two rounds.
const ROUND_EVERY: Duration = Duration::from_secs(60);
/// The pause between two steps of a round: notifications come first.
const STEP_EVERY: Duration = Duration::from_millis(50);

/// The fewest and the most rows of a kind that one step looks at.
const ROWS_MIN: u32 = 10;
const ROWS_MAX: u32 = 500;
/// The longest time that a step should take, since other work waits behind it. A longer step makes the next one smaller.
const STEP_TAKES: Duration = Duration::from_millis(25);

/// The number of rows of a kind for the next step, after a step with `rows` rows took this long.
fn rows_after(rows: u32, took: Duration) -> u32 {
    let next = if took > STEP_TAKES { rows / 2 } else { rows.saturating_mul(2) };
    next.clamp(ROWS_MIN, ROWS_MAX)
}

/// The store's clock, continued from the time that was kept.
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
        Err(error) => tracing::warn!(%error, "the store's clock could not be saved; the last saved time stays"),
    }
}

/// Logs a difference between the two clocks in the time since both were kept.
fn compare(before: Option<Moment>, now: Moment) {
    let Some((before, gained)) = before.and_then(|before| Some((before, age::disagreement(before, now)?))) else {
        return;
    };
    let (was, is, by) = (before.wall, now.wall, format!("{:#}", gained.abs()));
    if gained.is_positive() {
        tracing::warn!(
            %was, %is, by,
            "the machine's clock is ahead of the store's, which runs with the relay and counts a day at most between two runs. \
             The stored data grew older by that day at most, and is kept longer by the difference; nothing is given up early. \
             If the machine's clock is wrong, set it right: signed times are checked by it"
        );
    } else {
        tracing::warn!(
            %was, %is, by,
            "the machine's clock was set back: it was wrong before, or is now. The store's clock goes on, so that due times and ages \
             hold. If the machine's clock is wrong now, set it right: signed times are checked by it"
        );
    }
}

/// Runs housekeeping until `stop`; `longest` returns the longest waits in force.
pub async fn run(store: Arc<Store>, clock: Clock, longest: impl Fn() -> LongestWaits + Send, stop: CancellationToken) {
    tokio::join!(search(&store, stop.clone()), rounds(&store, clock, longest, &stop));
}

/// Searches the rest of a large file for damage.
async fn search(store: &Store, stop: CancellationToken) {
    if let Err(error) = store.search(move || stop.is_cancelled()).await {
        tracing::warn!(%error, "the store's file could not be searched for damage; the next start tries again");
    }
}

async fn rounds(store: &Store, clock: Clock, longest: impl Fn() -> LongestWaits + Send, stop: &CancellationToken) {
    while stop.run_until_cancelled(round(store, clock, longest())).await.is_some() {
        if stop.run_until_cancelled(tokio::time::sleep(ROUND_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn round(store: &Store, clock: Clock, longest: LongestWaits) {
    keep_clock(store, clock).await;
    if let Err(error) = store.bring_back(clock.now(), longest).await {
        tracing::warn!(%error, "due times could not be checked against the longest waits; the next try is in a minute");
    }
    if let Err(error) = store.look_over().await {
        tracing::warn!(%error, "the store could not be checked for damage; the next try is in a minute");
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
                tracing::warn!(%error, "housekeeping step failed: no old rows are deleted now; the next try is in a minute");
                break;
            }
        }
        tokio::time::sleep(STEP_EVERY).await;
    }
    if rows > 0 {
        tracing::info!(rows, "housekeeping: expired rows are deleted");
    }
    tracing::debug!(rows, "a round of housekeeping is over");
}

/// Logs findings, and deletions that somebody may still miss; merely expired rows are deleted without a line.
fn log(pruned: &Pruned) {
    pruned.findings.iter().for_each(Finding::log);
    for notification in &pruned.waited_in_vain {
        tracing::warn!(
            %notification,
            "dead letter: its record was not registered in time; register the record and replay the notification"
        );
    }
    for DeadLetterGone { notification, source, reason } in &pruned.dead_letters {
        tracing::warn!(
            %notification, source, reason,
            "expired dead letter deleted (store.keep.dead_letters): it can no longer be replayed"
        );
    }
    for DeadLetterGone { notification, source, reason } in &pruned.dead_letters_beyond {
        tracing::warn!(
            %notification, source, reason,
            "dead letter deleted: all dead letters together have more bytes than store.keep.dead_letters_size. It is one of \
             several contents of its dedupe key, or else the oldest"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows may be large, or the disk slow. The next step is then smaller, so that other work waits less.
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
