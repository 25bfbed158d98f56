//! Environment variables that override settings: `RELAY_SECTION__KEY` → `section.key`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

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

/// A setting that the environment gives.
pub(super) struct GivenSetting {
    /// The name of the variable.
    pub(super) variable: String,
    /// The key of the setting.
    pub(super) key: String,
    /// The new value.
    pub(super) value: Value,
}

/// The settings that the environment overrides.
///
/// Only names with `__` are settings. RELAY_INTEGRATOR_TOKEN, for example, is a variable that a secret may refer to.
pub(super) fn overrides(environment: &BTreeMap<String, String>) -> Vec<GivenSetting> {
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
            Some(GivenSetting { variable: name.clone(), key, value })
        })
        .collect()
}

/// Whether a variable of this name overrides a setting, or has to be UTF-8 for another reason: a secret may refer to it.
pub(super) fn counts(name: &OsStr, value: &OsStr) -> bool {
    let setting = name.to_str().and_then(|name| name.strip_prefix("RELAY_"));
    setting.is_some_and(|rest| rest.contains("__") || value.to_str().is_none())
}

/// Whether a key can be one of a setting: names with dots between them.
pub(super) fn is_key(key: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    key.split('.').all(is_name)
}

/// The sources whose `secrets` the environment sets.
pub(super) fn sources_with_secrets(environment: &BTreeMap<String, String>) -> Vec<String> {
    let source = |key: &str| Some(key.strip_prefix("sources.")?.strip_suffix(".secrets")?.to_owned());
    overrides(environment).into_iter().filter_map(|one| source(&one.key)).collect()
}

/// Whether the value of a key is a list. In the environment, commas separate its elements.
fn is_list(key: &str) -> bool {
    ["allowed_hosts", "tokens", "secrets", "events", "ip_ranges", "trusted_proxies"]
        .iter()
        .any(|name| key.rsplit('.').next() == Some(name))
}
