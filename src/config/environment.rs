//! `RELAY_SECTION__KEY` → `section.key`.

use std::collections::BTreeMap;

use config::Value;

/// The settings that the environment overrides: key and value.
///
/// Only names with `__` are settings: RELAY_INTEGRATOR_TOKEN, say, is a variable that a secret may refer to.
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

/// Keys whose value is a list: in the environment its elements are separated by commas.
fn is_list(key: &str) -> bool {
    ["allowed_hosts", "tokens", "secrets"].iter().any(|name| key.rsplit('.').next() == Some(name))
}
