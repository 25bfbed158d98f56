//! The error of a profile, with its line.

/// A fault of a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ProfileError {
    /// The line of the fault, counted from 1; `None` if the whole profile is at fault.
    pub line: Option<usize>,
    /// The reason, for the profile's author.
    pub reason: String,
}

/// The byte offset of a fault, if it has one, and the reason.
pub(super) type Wrong = (Option<usize>, String);

/// An error with this position and reason, unless the condition is `good`.
pub(super) fn ensure(good: bool, at: Option<usize>, reason: &str) -> Result<(), Wrong> {
    if good { Ok(()) } else { Err((at, reason.to_owned())) }
}
