//! Damage of the store: recently met damage, damage found by the look over all rows, and times that were brought back.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// The times at which one damage was met and logged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub(super) last: Instant,
    /// The time at which it was logged.
    pub(super) told: Instant,
}

/// One lap of the look over a table: its progress, and the damage found.
#[derive(Debug, Default)]
pub(super) struct Lap {
    after: i64,
    /// Damage found in this lap so far.
    found: Option<String>,
    /// Damage found in the lap before. It stands until this lap is over.
    stands: Option<String>,
}

/// The damage found in each table.
#[derive(Debug, Default)]
pub(super) struct Standing(BTreeMap<&'static str, Lap>);

impl Standing {
    /// Any damage that stands or was found since.
    pub(super) fn any(&self) -> Option<&String> {
        self.0.values().flat_map(|lap| lap.stands.iter().chain(&lap.found)).next()
    }

    /// The damage of a table that stands.
    pub(super) fn of(&self, table: &'static str) -> Option<&String> {
        self.0.get(table)?.stands.as_ref()
    }

    /// Forgets damage that was mended.
    pub(super) fn mended(&mut self, reason: &str) {
        for lap in self.0.values_mut() {
            lap.found.take_if(|found| found == reason);
            lap.stands.take_if(|stands| stands == reason);
        }
    }

    pub(super) fn after(&self, table: &'static str) -> i64 {
        self.0.get(table).map_or(i64::MIN, |lap| lap.after)
    }

    /// Notes the damage found in a page. `last` is the last row of the page; it is none for the last page, with which
    /// the lap is over.
    pub(super) fn note(&mut self, table: &'static str, found: Option<String>, last: Option<i64>) {
        let lap = self.0.entry(table).or_insert_with(|| Lap { after: i64::MIN, ..Lap::default() });
        lap.found = lap.found.take().or(found);
        match last {
            Some(last) => lap.after = last,
            None => (lap.after, lap.stands) = (i64::MIN, lap.found.take()),
        }
    }
}

/// Logs that times were brought back.
pub(super) fn said(records: usize, fetches: usize) {
    if records + fetches > 0 {
        tracing::warn!(
            records,
            fetches,
            "due times lay further ahead than the longest wait, or were damaged, and were brought back: these records and fetches \
             are due within the longest wait. If no wait was made shorter, check the disk"
        );
    }
}
