//! Errors of a configuration, all at once.

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

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<_> = self.0.iter().map(|error| format!("{}: {}", error.key, error.reason)).collect();
        f.write_str(&lines.join("\n"))
    }
}
