//! The configuration of a relay that is served: read, and its errors and warnings logged.

use std::path::PathBuf;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::error::ConfigErrors;
use crate::config::{self, Config};

/// Reads the configuration in a thread of its own: a slow disk makes the reading slow.
///
/// # Errors
/// The reading panicked.
pub(super) async fn load(file: Option<PathBuf>) -> anyhow::Result<Result<Config, ConfigErrors>> {
    let read = move || config::load(file.as_deref(), std::env::vars_os());
    tokio::task::spawn_blocking(read).await.context("reading the configuration panicked")
}

pub(super) fn log_errors(errors: &ConfigErrors) {
    for error in &errors.0 {
        tracing::error!(origin = error.origin, key = error.key, reason = error.reason, "wrong configuration");
    }
}

pub(super) fn log_hints(config: &Config) {
    for warning in config::warnings(config, Clock::start().now().wall) {
        tracing::warn!("not safe: {warning}");
    }
    for name in config::renamed(&config.profiles) {
        tracing::warn!("renamed: {name}");
    }
    for hint in config::missing(config) {
        tracing::warn!("to add: {hint}");
    }
}
