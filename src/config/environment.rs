//! Environment variables that override settings: `RELAY_SECTION__KEY` → `section.key`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use config::Value;

use super::error::{ConfigError, ConfigErrors};

/// The variables whose name and value are UTF-8. Others are skipped.
///
/// # Errors
/// A variable's name starts with `RELAY_`, and its value is not UTF-8.
pub(super) fn text(
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, ConfigErrors> {
    let mut text = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, value) in environment {
        match (name.to_str(), value.into_string()) {
            (Some(name), Ok(value)) => drop(text.insert(name.to_owned(), value)),
            (Some(name), Err(_)) if name.starts_with("RELAY_") => {
                errors.push(ConfigError { key: name.to_owned(), reason: "is not UTF-8".to_owned() });
            }
            _ => {}
        }
    }
    if errors.is_empty() { Ok(text) } else { Err(ConfigErrors(errors)) }
}

/// The settings that the environment overrides: key and value.
///
/// Only names with `__` are settings. RELAY_INTEGRATOR_TOKEN, for example, is a variable that a secret may refer to.
pub(super) fn overrides(environment: &BTreeMap<String, String>) -> Vec<(String, Value)> {
    environment
        .iter()
        .filter_map(|(name, text)| {
            let key = name.strip_prefix("RELAY_").filter(|rest| rest.contains("__"))?;
            let key = key.to_ascii_lowercase().replace("__", ".");
            let value = if is_list(&key) {
                text.split(',')
                    .map(str::trim)
                    .filter(|one| !one.is_empty())
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
                    .into()
            } else {
                Value::from(text.clone())
            };
            Some((key, value))
        })
        .collect()
}

/// The sources whose `secrets` the environment sets.
pub(super) fn sources_with_secrets(environment: &BTreeMap<String, String>) -> Vec<String> {
    let source = |key: &str| Some(key.strip_prefix("sources.")?.strip_suffix(".secrets")?.to_owned());
    overrides(environment).into_iter().filter_map(|(key, _)| source(&key)).collect()
}

/// Whether the value of a key is a list. In the environment, commas separate its elements.
fn is_list(key: &str) -> bool {
    ["allowed_hosts", "tokens", "secrets", "events", "ip_ranges", "trusted_proxies"]
        .iter()
        .any(|name| key.rsplit('.').next() == Some(name))
}
