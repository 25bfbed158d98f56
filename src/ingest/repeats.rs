//! What tells of nothing new: whoever has caught one notification can send it as often as they like.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::clock::Clock;
use crate::store::{Outcome, Receipt};
use crate::tally::{LOOK_EVERY, Tally};

/// Repetitions by source and outcome.
#[derive(Debug, Default)]
pub struct Repeats(Tally<(String, &'static str)>);

impl Repeats {
    /// Whether the receipt of a notification with this id gets lines of its own: what is news always does.
    pub(super) fn is_told(&self, id: Uuid, source: &str, receipt: &Receipt, now: Timestamp) -> bool {
        // What has no row of its own has the id of the one before it, and so has a dead letter that is judged anew.
        let says_again = receipt.replayed || receipt.key_reused.is_some() || receipt.outcome == Outcome::DeadLetter;
        let is_news = receipt.id == id || !says_again || !receipt.owed.is_empty();
        let kind = || (source.to_owned(), receipt.outcome.name());
        is_news || self.0.is_told(kind(), |(_, outcome)| ("others".to_owned(), outcome), now)
    }

    /// Logs how many got no line of their own, window by window, until `stop`.
    pub async fn sum_up(self: Arc<Self>, clock: Clock, stop: CancellationToken) {
        while tokio::time::timeout(LOOK_EVERY, stop.cancelled()).await.is_err() {
            log(self.0.untold(Some(clock.now().steady)));
        }
    }

    /// Logs how many got no line of their own and are not summed up yet.
    pub fn sum_up_the_rest(&self) {
        log(self.0.untold(None));
    }
}

fn log(untold: Vec<((String, &'static str), u64)>) {
    for ((source, outcome), more) in untold {
        tracing::warn!(
            source,
            outcome,
            "{more} more repetitions in this minute have no line of their own: the PSP, or whoever has caught a notification, \
             sends the same again and again. If it is not the PSP, ip_ranges keeps others out"
        );
    }
}
