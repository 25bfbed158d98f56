//! The outcome of the demo: what was counted on each side, whether it agrees, and the punch line. Pure.

use super::ledger::Comparison;
use super::relay::Count;

/// The outcome of the demo.
#[derive(Debug)]
pub(super) struct Outcome {
    sent: usize,
    refused: usize,
    webhooks: usize,
    records: usize,
    agree: usize,
    /// Each disagreement, for people.
    pub(super) wrong: Vec<String>,
}

impl Outcome {
    /// Compares the counts of the PSPs and of Transform with the relay's own: the different notifications that it verified,
    /// and the webhooks that it sent.
    pub(super) fn of(count: Count, webhooks: usize, (verified, attempts): (u64, usize), agreement: Comparison) -> Self {
        let Count { sent, forged, refused, genuine, mut wrong } = count;
        if u64::try_from(genuine.len()).ok() != Some(verified) {
            wrong.push(format!("{} different notifications were signed, but {verified} were verified", genuine.len()));
        }
        if refused != forged {
            wrong.push(format!("{forged} notifications were forged, but {refused} were refused"));
        }
        if webhooks != attempts {
            wrong.push(format!("Transform heard {webhooks} webhooks, but the relay sent {attempts}"));
        }
        wrong.extend(agreement.differences);
        Self { sent, refused, webhooks, records: agreement.records, agree: agreement.agree, wrong }
    }

    /// Whether all counts and all records agree.
    pub(super) const fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.agree == self.records && self.records > 0
    }

    /// The first line of the punch line: what went in and came out.
    pub(super) fn counts(&self) -> String {
        let Self { sent, webhooks, refused, .. } = self;
        let taken = sent.saturating_sub(*refused);
        let ones = if *refused == 1 { "one" } else { "ones" };
        format!("{taken} notifications in, {webhooks} webhooks out; {refused} forged {ones} refused.")
    }

    /// The second line of the punch line: whether Transform holds the truth.
    pub(super) fn agreement(&self) -> String {
        format!("Transform agrees in {} of {} records.", self.agree, self.records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(forged: usize, webhooks: usize, verified: u64, agree: usize) -> Outcome {
        let genuine = [("a", vec![1]), ("a", vec![2])].into();
        let count = Count { sent: 5, forged, refused: 1, genuine, wrong: Vec::new() };
        let differences = (agree..3).map(|n| format!("record {n} differs")).collect();
        Outcome::of(count, webhooks, (verified, 4), Comparison { records: 3, agree, differences })
    }

    #[test]
    fn the_punch_line_has_the_counts() {
        let good = outcome(1, 4, 2, 3);
        assert_eq!(good.counts(), "4 notifications in, 4 webhooks out; 1 forged one refused.");
        assert_eq!(good.agreement(), "Transform agrees in 3 of 3 records.");
        assert!(good.is_good());
    }

    #[test]
    fn each_count_that_disagrees_is_told_of() {
        for (bad, what) in [
            (outcome(2, 4, 2, 3), "2 notifications were forged, but 1 were refused"),
            (outcome(1, 3, 2, 3), "Transform heard 3 webhooks, but the relay sent 4"),
            (outcome(1, 4, 3, 3), "2 different notifications were signed, but 3 were verified"),
            (outcome(1, 4, 2, 2), "record 2 differs"),
        ] {
            assert!(!bad.is_good());
            assert_eq!(bad.wrong, [what]);
        }
    }
}
