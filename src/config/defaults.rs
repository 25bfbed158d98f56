//! Defaults of the configuration, all from `defaults.toml`: defaults of settings, and defaults of the keys of each source.

use config::{File, FileFormat};
use serde::Deserialize;
use toml::Table;

use super::error::{ConfigError, ConfigErrors};

const DEFAULTS: &str = include_str!("defaults.toml");
/// The table with the defaults of each source. It is removed from the lowest layer, since it is no setting.
const EACH_SOURCE: &str = "each_source";

/// The defaults of a source's `fetch`, as text.
#[derive(Debug, Deserialize)]
pub(super) struct FetchDefaults {
    pub(super) rate: String,
    pub(super) concurrency: String,
    pub(super) timeout: String,
    pub(super) not_found_for: String,
    pub(super) give_up_after: String,
    pub(super) max_hints: String,
}

/// The lowest layer of the settings, in TOML.
///
/// # Errors
/// The embedded file is damaged.
pub(super) fn settings() -> Result<String, ConfigErrors> {
    let mut defaults: Table = toml::from_str(DEFAULTS).map_err(damaged)?;
    defaults.remove(EACH_SOURCE);
    toml::to_string(&defaults).map_err(damaged)
}

/// The defaults of the `fetch` of each source.
///
/// # Errors
/// The embedded file is damaged.
pub(super) fn fetch() -> Result<FetchDefaults, ConfigErrors> {
    let defaults = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml)).build();
    defaults.and_then(|defaults| defaults.get(&format!("{EACH_SOURCE}.fetch"))).map_err(damaged)
}

fn damaged(error: impl ToString) -> ConfigErrors {
    ConfigErrors(vec![ConfigError { key: "defaults".to_owned(), reason: error.to_string() }])
}
