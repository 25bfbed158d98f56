//! The number of webhooks that the rule of the debounce predicts for the changes that were made.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// The debounce of the relay that tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) quiet: Duration,
    pub(super) max_wait: Duration,
}

impl Rule {
    /// The webhooks for changes of several records, each change with its record and its time.
    pub(super) fn webhooks(self, changes: impl Iterator<Item = (usize, Instant)>) -> usize {
        let mut of_records: BTreeMap<usize, Vec<Instant>> = BTreeMap::new();
        for (record, at) in changes {
            of_records.entry(record).or_default().push(at);
        }
        of_records.into_values().map(|times| self.of_one(times)).sum()
    }

    fn of_one(self, mut times: Vec<Instant>) -> usize {
        times.sort();
        let mut webhooks = 0;
        // The first and the last change since the webhook before.
        let mut untold: Option<(Instant, Instant)> = None;
        for at in times {
            untold = Some(match untold {
                Some((first, last)) if at < (last + self.quiet).min(first + self.max_wait) => (first, at),
                Some(_) => {
                    webhooks += 1;
                    (at, at)
                }
                None => (at, at),
            });
        }
        webhooks + usize::from(untold.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_webhook_and_an_unbroken_stream_one_in_each_longest_wait() {
        let rule = Rule { quiet: Duration::from_millis(200), max_wait: Duration::from_millis(1_000) };
        let began = Instant::now();
        let at = |record, millis| (record, began + Duration::from_millis(millis));
        assert_eq!(rule.webhooks([at(1, 0), at(1, 100), at(1, 250), at(1, 900)].into_iter()), 2);
        assert_eq!(rule.webhooks((0..30).map(|step| at(1, step * 100))), 3);
        assert_eq!(rule.webhooks([at(1, 0), at(2, 0), at(1, 50)].into_iter()), 2);
    }
}
