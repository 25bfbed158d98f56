//! Errors of a configuration, all at once.

use super::key::one_line;

/// One error of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The origin of the setting: the file with the line, or the variable. `None` if the setting stands nowhere.
    pub origin: Option<String>,
    /// The key, as `section.key`; the name of a file if the file itself is wrong.
    pub key: String,
    /// The reason.
    pub reason: String,
}

impl ConfigError {
    /// An error about a setting, or a file, without its origin.
    pub(super) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { origin: None, key: key.into(), reason: reason.into() }
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        write!(f, "{}: {}", self.key, self.reason)
    }
}

/// All errors of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// A single error.
    pub(super) fn one(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self(vec![ConfigError::new(key, reason)])
    }

    /// The errors with one line for each.
    pub(super) fn in_lines(self) -> Self {
        let line = |error: ConfigError| ConfigError {
            key: one_line(&error.key),
            reason: one_line(&error.reason),
            origin: error.origin.map(|origin| one_line(&origin)),
        };
        Self(self.0.into_iter().map(line).collect())
    }
}

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}
