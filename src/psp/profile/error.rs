//! The error of a profile, with its line.

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ProfileError {
    /// Counted from 1.
    pub line: Option<usize>,
    /// For the profile's author.
    pub reason: String,
}

/// Where (byte offset) and what.
pub(super) type Wrong = (Option<usize>, String);

/// Refuses what is not good.
pub(super) fn ensure(good: bool, at: Option<usize>, reason: &str) -> Result<(), Wrong> {
    if good { Ok(()) } else { Err((at, reason.to_owned())) }
}
