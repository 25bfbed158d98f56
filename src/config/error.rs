//! What is wrong with a configuration: all of it at once.

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, as `section.key`; a file's name where the file itself is wrong.
    pub key: String,
    /// What is wrong.
    pub reason: String,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<_> = self.0.iter().map(|error| format!("{}: {}", error.key, error.reason)).collect();
        f.write_str(&lines.join("\n"))
    }
}
