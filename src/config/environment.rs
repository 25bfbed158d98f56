//! Environment variables that override settings: `RELAY_SECTION__KEY` → `section.key`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use config::Value;
use toml::Table;

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
                errors.push(ConfigError::new(name, "is not UTF-8"));
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
/// A dash cannot stand in the name of a variable. So `_` stands for it where the file has such a name: a source, or a header.
pub(super) fn overrides(environment: &BTreeMap<String, String>, file: &Table) -> Vec<GivenSetting> {
    environment
        .iter()
        .filter_map(|(name, text)| {
            let key = name.strip_prefix("RELAY_").filter(|rest| rest.contains("__"))?;
            let key = spelled(&key.to_ascii_lowercase().replace("__", "."), file);
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

/// A key with its names as the file spells them, where only dashes and case differ. A name that the file has as it is, or in
/// several spellings, stays.
fn spelled(key: &str, file: &Table) -> String {
    let mut table = Some(file);
    let names = key.split('.').map(|name| {
        let name = table.map_or(name, |table| spelling(name, table));
        table = table.and_then(|table| table.get(name)?.as_table());
        name
    });
    names.collect::<Vec<_>>().join(".")
}

fn spelling<'a>(name: &'a str, table: &'a Table) -> &'a str {
    let is_meant = |other: &&String| other.to_ascii_lowercase().replace('-', "_") == name;
    let mut meant = table.keys().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(one), None) if !table.contains_key(name) => one,
        _ => name,
    }
}

/// The variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("RELAY_{}", key.replace('.', "__").replace('-', "_").to_ascii_uppercase())
}

/// The sources whose `secrets` the environment sets.
pub(super) fn sources_with_secrets(overrides: &[GivenSetting]) -> Vec<String> {
    let source = |key: &str| Some(key.strip_prefix("sources.")?.strip_suffix(".secrets")?.to_owned());
    overrides.iter().filter_map(|one| source(&one.key)).collect()
}

/// Whether the value of a key is a list. In the environment, commas separate its elements.
fn is_list(key: &str) -> bool {
    ["allowed_hosts", "tokens", "secrets", "events", "ip_ranges", "psp_settings_ids", "trusted_proxies"]
        .iter()
        .any(|name| key.rsplit('.').next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_underscore_reaches_a_dash_where_the_file_has_one() {
        let file =
            "[sources.a-b]\nheaders = { X-Key = 1 }\n[sources.c-d]\n[sources.c_d]\n[sources.e-f_g]\n[sources.e_f-g]\n";
        let file = toml::from_str(file).unwrap();
        for (key, meant) in [
            ("sources.a_b.secrets", "sources.a-b.secrets"),
            ("sources.a_b.headers.x_key", "sources.a-b.headers.X-Key"),
            ("sources.c_d.secrets", "sources.c_d.secrets"),
            ("sources.e_f_g.secrets", "sources.e_f_g.secrets"),
            ("sources.x_y.secrets", "sources.x_y.secrets"),
            ("server.max_body", "server.max_body"),
        ] {
            assert_eq!(spelled(key, &file), meant);
        }
    }
}
