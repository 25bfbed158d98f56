//! Damage of the store: what was met of late, what the last look over all rows found, and times that were brought back.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// When damage was met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub(super) last: Instant,
    /// When it was logged.
    pub(super) told: Instant,
}

/// How far a table was looked over, and what was found.
#[derive(Debug, Default)]
pub(super) struct Lap {
    after: i64,
    /// In this lap so far.
    found: Option<String>,
    /// In the lap before: it stands until this one is over.
    stands: Option<String>,
}

/// What was found in each table.
#[derive(Debug, Default)]
pub(super) struct Standing(BTreeMap<&'static str, Lap>);

impl Standing {
    /// Any damage that is there.
    pub(super) fn any(&self) -> Option<&String> {
        self.0.values().flat_map(|lap| lap.stands.iter().chain(&lap.found)).next()
    }

    pub(super) fn after(&self, table: &'static str) -> i64 {
        self.0.get(table).map_or(i64::MIN, |lap| lap.after)
    }

    /// Takes up what was found in a page; the lap is over where there was no row after it.
    pub(super) fn note(&mut self, table: &'static str, found: Option<String>, last: Option<i64>) {
        let lap = self.0.entry(table).or_insert_with(|| Lap { after: i64::MIN, ..Lap::default() });
        lap.found = lap.found.take().or(found);
        match last {
            Some(last) => lap.after = last,
            None => (lap.after, lap.stands) = (i64::MIN, lap.found.take()),
        }
    }
}

/// Says that times were brought back.
pub(super) fn said(records: usize, fetches: usize) {
    if records + fetches > 0 {
        tracing::warn!(
            records,
            fetches,
            "due times lay further ahead than any wait is long, or were damaged, and were brought back: what they are of is due \
             within the longest wait. If no wait was made shorter, check the disk"
        );
    }
}
