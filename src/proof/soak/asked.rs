//! Arguments of `soak`: the length, the seed, and the options.

/// Reads `--minutes`: more than 0, at most a week.
///
/// # Errors
/// It is no number, or a number out of these bounds.
pub fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if minutes > 0.0 && minutes <= 10_080.0 { Ok(minutes) } else { Err("must be above 0, at most 10080".to_owned()) }
}

/// What is asked of a soak.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The length of the run in minutes.
    pub minutes: f64,
    /// The seed of the histories and faults.
    pub seed: u64,
    /// Keep the temporary folder with the store, the configuration and the log.
    pub keep: bool,
    /// Let strangers attack the relay, and do not kill it.
    pub hostile: bool,
}
