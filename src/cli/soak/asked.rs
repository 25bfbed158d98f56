//! Arguments of `soak`: the length, the seed, and the options.

/// Reads `--minutes`: more than 0, at most a week.
pub(in crate::cli) fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if minutes > 0.0 && minutes <= 10_080.0 { Ok(minutes) } else { Err("must be above 0, at most 10080".to_owned()) }
}

/// The arguments of a soak.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Asked {
    pub(in crate::cli) minutes: f64,
    pub(in crate::cli) seed: Option<u64>,
    /// Keep the temporary folder.
    pub(in crate::cli) keep: bool,
    /// Let strangers attack the relay, and do not kill it.
    pub(in crate::cli) hostile: bool,
}
