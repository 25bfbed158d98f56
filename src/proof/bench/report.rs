//! The report of a bench: its figures, the counts that must agree, and warnings.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::figure::Figure;
use super::machine::Machine;

/// Two counts of the same things, from two sides.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Count {
    /// What was counted.
    pub(super) what: &'static str,
    /// What this side has counted.
    pub(super) here: usize,
    /// What the other side has: its store, or Transform.
    pub(super) there: usize,
}

/// All that a bench says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// When it began.
    pub(super) at: jiff::Timestamp,
    /// The length of a round in seconds.
    pub(super) seconds: f64,
    pub(super) machine: Machine,
    pub(super) figures: Vec<Figure>,
    pub(super) counts: Vec<Count>,
    pub(super) warnings: Vec<String>,
}

impl Report {
    /// The counts that do not agree.
    pub(super) fn wrong(&self) -> Vec<&Count> {
        self.counts.iter().filter(|count| count.here != count.there).collect()
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text + "\n").with_context(|| format!("--json: cannot write {}", file.display()))
    }
}
