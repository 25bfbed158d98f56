//! Origins of settings, for messages: a line of the file, or a variable of the environment.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::environment::GivenSetting;
use super::error::{ConfigError, ConfigErrors};
use super::key::{add, one_line};

/// Where the settings come from, by their keys.
#[derive(Default)]
pub(super) struct Origins {
    /// The file's name and text.
    file: Option<(String, String)>,
    /// Where the keys begin in the text.
    starts: BTreeMap<String, usize>,
    /// The variables, each with its key.
    variables: Vec<(String, String)>,
}

impl Origins {
    /// The origins in a file, which must be TOML.
    pub(super) fn of_file(name: &str, text: &str) -> Self {
        let mut starts = BTreeMap::new();
        if let Ok(table) = DeTable::parse(text) {
            note_table("", table.get_ref(), &mut starts);
        }
        Self { file: Some((one_line(name), text.to_owned())), starts, variables: Vec::new() }
    }

    /// Adds what the environment gives.
    pub(super) fn add(&mut self, given: &[GivenSetting]) {
        self.variables.extend(given.iter().map(|one| (one.key.clone(), one.variable.clone())));
    }

    /// The errors with the origins of their settings.
    pub(super) fn told(&self, errors: ConfigErrors) -> ConfigErrors {
        let found = |error: ConfigError| ConfigError { origin: self.of(&error.key), ..error };
        ConfigErrors(errors.0.into_iter().map(found).collect())
    }

    /// The variable that gives a setting, or a part of it.
    pub(super) fn variable(&self, key: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(given, _)| is_in(given, key));
        found.filter(|(given, _)| given == key || !self.starts.contains_key(key)).map(|(_, variable)| variable.as_str())
    }

    /// The origin of a setting. A setting that is missing has the origin of its table.
    pub(super) fn of(&self, key: &str) -> Option<String> {
        let mut key = key;
        loop {
            if let Some(variable) = self.variable(key) {
                return Some(variable.to_owned());
            }
            if let (Some((name, text)), Some(start)) = (&self.file, self.starts.get(key)) {
                return Some(format!("{name}:{}", line(text, *start)));
            }
            key = key.get(..key.rfind(['.', '[', ':'])?)?;
        }
    }
}

/// Whether a key is that of a setting, or of something in it.
fn is_in(key: &str, setting: &str) -> bool {
    key.strip_prefix(setting).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The number of the line in which a byte of the text stands.
pub(super) fn line(text: &str, byte: usize) -> usize {
    text.get(..byte).unwrap_or_default().matches('\n').count() + 1
}

fn note_table(key: &str, table: &DeTable<'_>, starts: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let mut key = key.to_owned();
        add(&mut key, name.get_ref());
        // A table may stand in several sections; the first is its beginning.
        starts.entry(key.clone()).or_insert(name.span().start);
        note(&key, value.get_ref(), starts);
    }
}

fn note(key: &str, value: &DeValue<'_>, starts: &mut BTreeMap<String, usize>) {
    match value {
        DeValue::Table(table) => note_table(key, table, starts),
        DeValue::Array(list) => {
            for (index, one) in list.iter().enumerate() {
                let key = format!("{key}[{index}]");
                starts.entry(key.clone()).or_insert(one.span().start);
                note(&key, one.get_ref(), starts);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_comes_from_its_line_or_that_of_its_table() {
        let text =
            "[server]\nlisten = \"x\"\n\n[sources.a]\nsecrets = [\n  \"x\",\n  { env = \"A\" },\n]\nfetch.rate = 3\n";
        let mut origins = Origins::of_file("relay.toml", text);
        let variable = |key: &str, variable: &str| (key.to_owned(), variable.to_owned());
        origins.variables = vec![
            variable("server.max_body", "RELAY_SERVER__MAX_BODY"),
            variable("debounce.quiet.x", "RELAY_DEBOUNCE__QUIET__X"),
        ];
        for (key, origin) in [
            ("server.listen", Some("relay.toml:2")),
            ("server.max_body", Some("RELAY_SERVER__MAX_BODY")),
            ("server.keep_alive", Some("relay.toml:1")),
            ("debounce.quiet", Some("RELAY_DEBOUNCE__QUIET__X")),
            ("sources.a.profile", Some("relay.toml:4")),
            ("sources.a.secrets[1].name", Some("relay.toml:7")),
            ("sources.a.secrets_file: secret[0]", Some("relay.toml:4")),
            ("sources.a.fetch.rate", Some("relay.toml:9")),
            ("store.path", None),
            ("", None),
        ] {
            assert_eq!(origins.of(key).as_deref(), origin, "{key}");
        }
    }
}
