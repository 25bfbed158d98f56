//! Errors of a configuration, all at once.

use super::key::one_line;

/// One error of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, as `section.key`; the name of a file if the file itself is wrong.
    pub key: String,
    /// The reason.
    pub reason: String,
}

/// All errors of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// The errors with one line for each.
    pub(super) fn in_lines(self) -> Self {
        let line = |error: ConfigError| ConfigError { key: one_line(&error.key), reason: one_line(&error.reason) };
        Self(self.0.into_iter().map(line).collect())
    }
}

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<_> = self.0.iter().map(|error| format!("{}: {}", error.key, error.reason)).collect();
        f.write_str(&lines.join("\n"))
    }
}
