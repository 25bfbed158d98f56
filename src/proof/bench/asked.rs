//! Arguments of `bench`: the length of a round, and the options.

use std::path::PathBuf;

/// Reads `--seconds`: more than 0, at most an hour.
///
/// # Errors
/// It is no number, or a number out of these bounds.
pub fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if seconds > 0.0 && seconds <= 3_600.0 { Ok(seconds) } else { Err("must be above 0, at most 3600".to_owned()) }
}

/// Reads `--rounds`: 1 to 100.
///
/// # Errors
/// It is no number, or a number out of these bounds.
pub fn rounds(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|rounds| (1..=100).contains(rounds)).ok_or_else(|| "must be from 1 to 100".to_owned())
}

/// What is asked of a bench.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The length of each round in seconds.
    pub seconds: f64,
    /// The rounds of each contestant.
    pub rounds: usize,
    /// Measure only how notifications are taken.
    pub quick: bool,
    /// Measure also what needs many rows: a store with this many records, and ten times as many notifications.
    pub full: Option<usize>,
    /// The file that the figures are written to as JSON.
    pub json: Option<PathBuf>,
}
