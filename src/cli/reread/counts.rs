//! The counts of a reread, in words.

use super::changes::Summary;
use crate::store::Made;
use crate::store::rehearsal::{Left, Rehearsal};

/// How much was read, changed and left.
#[derive(Debug, Default)]
pub(super) struct Counts {
    notifications: usize,
    /// Records that are not compared.
    partly: usize,
    /// Those of them that stay as they are although all their notifications are kept.
    stay: Vec<Left>,
    /// Records that changed while the notifications were read.
    meanwhile: usize,
    records: usize,
    visibly: usize,
    judged: usize,
    dead_letters: usize,
    left: usize,
}

impl Counts {
    /// The counts of a rehearsal: nothing is changed yet.
    pub(super) fn of(rehearsal: &Rehearsal) -> Self {
        let (notifications, partly, meanwhile) =
            (rehearsal.notifications.len(), rehearsal.partly.len(), rehearsal.meanwhile);
        Self { notifications, partly, meanwhile, stay: rehearsal.left.clone(), ..Self::default() }
    }

    /// Counts a change by what became of it, or would become.
    pub(super) fn count(&mut self, change: &Summary, made: Made) {
        match made {
            Made::Now => self.count_made(change),
            Made::Before => {}
            Made::Not => self.left += change.records.max(1),
        }
    }

    fn count_made(&mut self, change: &Summary) {
        self.records += change.records;
        match change.dead_letter {
            None => self.visibly += change.lines.len(),
            Some(is_dead_letter) => {
                self.judged += 1;
                self.dead_letters += usize::from(is_dead_letter);
            }
        }
    }

    /// Whether something is left: for the next run, or for somebody to look at.
    pub(super) const fn is_left(&self) -> bool {
        self.left + self.meanwhile + self.stay.len() > 0
    }

    /// Whether nothing is changed.
    pub(super) const fn is_nothing(&self) -> bool {
        self.records + self.judged == 0
    }

    /// The last lines of a reread.
    pub(super) fn did(&self) -> String {
        self.told("changed", "told of", "judged anew")
    }

    /// The last lines of a dry run.
    pub(super) fn would(&self) -> String {
        self.told("would change", "to be told of", "would be judged anew")
    }

    fn told(&self, change: &str, told: &str, judged: &str) -> String {
        let mut lines = vec![
            format!("{} notifications read again", self.notifications),
            format!("{} records {change}; Transform is {told} {}", self.records, self.visibly),
            format!("{} notifications {judged}, of them {} dead letters", self.judged, self.dead_letters),
        ];
        let stay = self.stay.iter();
        lines.extend(stay.map(|one| format!("{} {} is left as it is: {}", one.key.kind, one.key.id, one.why.words())));
        let kept = self.partly.saturating_sub(self.meanwhile + self.stay.len());
        if kept > 0 {
            lines.push(format!(
                "{kept} records not read again: some of their notifications, or of their families', are no longer kept, or are \
                 not among those that were read"
            ));
        }
        let left = self.left + self.meanwhile;
        if left > 0 {
            lines.push(format!("{left} records or notifications left for the next run: they changed meanwhile"));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Kind, RecordKey};
    use crate::store::rehearsal::LeftReason;

    #[test]
    fn what_is_left_is_told_and_what_is_nothing_is_not() {
        let family = Summary { lines: vec!["payment tx-1: status".to_owned()], records: 2, dead_letter: None };
        let letter = Summary { lines: vec!["notification".to_owned()], records: 0, dead_letter: Some(true) };
        let mut counts = Counts { notifications: 7, ..Counts::default() };
        assert!(counts.is_nothing() && !counts.is_left());
        assert!(!counts.did().contains("left") && !counts.did().contains("no longer kept"), "{}", counts.did());
        counts.count(&family, Made::Now);
        counts.count(&letter, Made::Now);
        counts.count(&letter, Made::Before);
        assert!(!counts.is_nothing() && !counts.is_left());
        for part in ["2 records changed; Transform is told of 1", "1 notifications judged anew, of them 1 dead letters"]
        {
            assert!(counts.did().contains(part), "{part} in {}", counts.did());
        }
        counts.count(&family, Made::Not);
        counts.count(&letter, Made::Not);
        counts.partly = 6;
        counts.meanwhile = 1;
        assert!(counts.is_left());
        let key = RecordKey::new(Kind::Payment, "tx-2".parse().unwrap());
        counts.stay = vec![Left { key, why: LeftReason::LeftOut }];
        assert!(Counts { stay: counts.stay.clone(), ..Counts::default() }.is_left());
        for part in [
            "4 records not read again",
            "4 records or notifications left for the next run",
            "payment tx-2 is left as it is: one of its notifications cannot be read as it was",
        ] {
            assert!(counts.would().contains(part), "{part} in {}", counts.would());
        }
    }
}
