//! Repetitions of notifications, and how often they are logged. A stranger with one captured notification can send it
//! as often as they like. So the lines about repetitions are limited, and the rest is summed up.

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

/// A notification as it was sent.
pub(super) struct Sent<'a> {
    /// The id that the notification has if it gets a row of its own.
    pub(super) id: Uuid,
    /// The name of its source.
    pub(super) source: &'a str,
    /// Whether only parts of it are signed.
    pub(super) partly_signed: bool,
}

impl Sent<'_> {
    /// Whether a stranger can have made it of a captured notification, and can make any number of others.
    fn may_be_made_of_another(&self, receipt: &Receipt) -> bool {
        let is_another_content = receipt.key_reused.is_some();
        // A notification without a row of its own has the id of the one before it; so has a dead letter that is judged anew.
        if receipt.id == self.id {
            self.partly_signed && is_another_content
        } else {
            receipt.replayed || is_another_content || receipt.outcome == Outcome::DeadLetter
        }
    }
}

impl Receipt {
    /// Whether Transform is told because of the notification, or parked events were crowded out. Both are always logged.
    pub(super) const fn moves_others(&self) -> bool {
        !self.owed.is_empty() || self.crowded_out > 0
    }

    /// Whether the notification caused news to be deleted that is in no record. That is always logged.
    pub(super) fn deletes_news(&self) -> bool {
        self.gave_way.iter().any(|gone| gone.unsettled)
    }
}

impl Repeats {
    /// Whether a notification gets log lines of its own. News always does.
    pub(super) fn is_told(&self, sent: &Sent<'_>, receipt: &Receipt, now: Timestamp) -> bool {
        let kind = || (sent.source.to_owned(), receipt.outcome.name());
        let others = |(_, outcome)| ("others".to_owned(), outcome);
        !sent.may_be_made_of_another(receipt) || self.0.is_told(kind(), others, now)
    }

    /// Logs how many repetitions got no line of their own, window by window, until `stop`.
    pub async fn sum_up(self: Arc<Self>, clock: Clock, stop: CancellationToken) {
        while tokio::time::timeout(LOOK_EVERY, stop.cancelled()).await.is_err() {
            log(self.0.untold(Some(clock.now().steady)));
        }
    }

    /// Logs how many repetitions got no line of their own and are not summed up yet.
    pub fn sum_up_the_rest(&self) {
        log(self.0.untold(None));
    }
}

fn log(untold: Vec<((String, &'static str), u64)>) {
    for ((source, outcome), more) in untold {
        tracing::warn!(
            source,
            outcome,
            "{more} more repetitions in this minute have no line of their own: the PSP, or a stranger who has captured \
             a notification, sends it again and again, or with other unsigned contents. If it is not the PSP, ip_ranges \
             keeps strangers out"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Kind, RecordKey};
    use crate::store::Owed;

    const OWN: Uuid = Uuid::from_u128(1);

    /// The number of receipts that are logged, of a hundred such receipts within a minute.
    fn told(partly_signed: bool, receipt: &Receipt) -> usize {
        let repeats = Repeats::default();
        let sent = Sent { id: OWN, source: "s", partly_signed };
        (0..100).filter(|_| repeats.is_told(&sent, receipt, Timestamp::UNIX_EPOCH)).count()
    }

    #[test]
    fn what_may_be_made_of_another_is_told_so_often_and_news_always() {
        let one = Uuid::from_u128(2);
        let another = Receipt { key_reused: Some(one), ..Receipt::of(OWN, Outcome::Parked) };
        assert_eq!(told(true, &another), 20, "it has a row of its own");
        assert_eq!(told(true, &Receipt { id: one, ..another.clone() }), 20, "it has none");
        assert_eq!(told(false, &another), 100, "the PSP has signed it as a whole");
        assert_eq!(told(true, &Receipt::of(OWN, Outcome::DeadLetter)), 100, "the first of its key");
        assert_eq!(told(false, &Receipt::of(one, Outcome::DeadLetter)), 20, "a dead letter again");
        assert_eq!(told(false, &Receipt::of(one, Outcome::Applied)), 100, "a dead letter no more");
        assert_eq!(told(false, &Receipt { replayed: true, ..Receipt::of(one, Outcome::Applied) }), 20);
    }

    #[test]
    fn what_moves_others_is_known_and_its_oddities_are_told_so_often() {
        let again = Receipt { key_reused: Some(OWN), ..Receipt::of(OWN, Outcome::Parked) };
        assert!(!again.moves_others());
        let key = RecordKey::new(Kind::Payment, "tx-1".parse().unwrap());
        let owed = vec![Owed { key, due: Timestamp::UNIX_EPOCH, after: Vec::new() }];
        for moving in [Receipt { crowded_out: 1, ..again.clone() }, Receipt { owed, ..again }] {
            assert!(moving.moves_others());
            assert_eq!(told(true, &moving), 20);
        }
    }
}
