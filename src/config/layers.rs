//! Layers of the configuration: config.example.toml with the defaults, then the file, then the environment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use config::{File, FileFormat, Source, Value};

use super::error::{ConfigError, ConfigErrors};
use super::origins::{Origins, line};
use super::settings::Settings;
use super::shape::{Found, SettingReader, WrongKey, WrongSetting};
use super::{environment, key};
use crate::domain::nearest::nearest;
use crate::domain::text::shown;

/// The lowest layer. Its active lines are the defaults, each beside its explanation.
const DEFAULTS: &str = include_str!("../../config.example.toml");

/// The settings of all layers, read but not checked.
pub(super) struct FoundSettings {
    /// The settings.
    pub(super) settings: Settings,
    /// The errors about unknown keys.
    pub(super) errors: Vec<ConfigError>,
    /// The sources whose `secrets` the environment sets.
    pub(super) sources_with_secrets: Vec<String>,
    /// The origins of the settings.
    pub(super) origins: Origins,
}

/// Reads the layers, with all unknown keys.
///
/// # Errors
/// The file cannot be read, or a value has the wrong shape. The first such value ends the reading; the unknown keys before it
/// are among the errors.
pub(super) fn read(file: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<FoundSettings, ConfigErrors> {
    let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    let (mut origins, mut table) = (Origins::default(), toml::Table::new());
    if let Some(path) = file {
        let name = path.display().to_string();
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|error| ConfigErrors::one(&name, format!("cannot be read: {error}")))?;
        table = toml::from_str(&text).map_err(|error| not_toml(&name, &text, &error))?;
        origins = Origins::of_file(&name, &text);
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    let overrides = environment::overrides(environment, &table);
    origins.add(&overrides);
    let mut errors = Vec::new();
    for environment::GivenSetting { variable, key, value } in &overrides {
        if environment::is_key(key) {
            // The message of the builder spans several lines.
            let not_a_key = |_| ConfigErrors::one(variable, "unknown key");
            builder = builder.set_override(key, value.clone()).map_err(not_a_key)?;
        } else {
            errors.push(ConfigError::new(variable, "unknown key"));
        }
    }
    let layered = builder.build().and_then(|layered| layered.collect());
    // The message could repeat a value.
    let layered = layered.map_err(|_| ConfigErrors::one("configuration", "cannot be put together from its layers"))?;
    let unknown = RefCell::default();
    let settings: Result<Settings, _> =
        serde_path_to_error::deserialize(SettingReader::new(Value::from(layered), &unknown));
    errors.extend(unknown.take().into_iter().map(|one| no_such_key(&one, &origins)));
    match settings {
        Ok(settings) => {
            let sources_with_secrets = environment::sources_with_secrets(&overrides);
            Ok(FoundSettings { settings, errors, sources_with_secrets, origins })
        }
        Err(error) => {
            let mut key = key::of_error(error.path());
            if error.inner().found == Some(Found::Key) {
                key.truncate(key.rfind('.').unwrap_or(key.len()));
            }
            let reason = wrong_shape(&key, error.into_inner());
            errors.push(ConfigError::new(key, reason));
            Err(origins.told(ConfigErrors(errors)))
        }
    }
}

/// The error about an unknown key, with the name that was probably meant: a variable's, if a variable has set the key.
fn no_such_key(unknown: &WrongKey, origins: &Origins) -> ConfigError {
    let full = |name: &str| {
        let mut key = unknown.table.clone();
        key::add(&mut key, name);
        key
    };
    let key = full(&unknown.name);
    let meant = nearest(&unknown.name, unknown.known.iter().copied());
    let meant = meant.map(|meant| match origins.variable(&key) {
        Some(_) => environment::variable(&full(meant)),
        None => meant.to_owned(),
    });
    let hint = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    ConfigError::new(key, format!("unknown key{hint}"))
}

/// The wrong line, and the parser's message if it repeats nothing of the file: a secret may stand there.
fn not_toml(file: &str, text: &str, error: &toml::de::Error) -> ConfigErrors {
    let line = line(text, error.span().map_or(0, |span| span.start));
    let reason = match error.message() {
        message if repeats_nothing(message) => format!("is not TOML: {message}"),
        _ => "is not TOML; a text stands in quotes".to_owned(),
    };
    ConfigErrors::one(format!("{file}:{line}"), reason)
}

/// Whether a message of the parser quotes at most punctuation, and has no digits.
fn repeats_nothing(message: &str) -> bool {
    let is_mark = |quoted: &str| quoted.len() <= 3 && !quoted.contains(char::is_alphanumeric);
    !message.contains(|c: char| c.is_ascii_digit() || matches!(c, '"' | '\n'))
        && message.split('`').skip(1).step_by(2).all(is_mark)
}

/// The shape that a value must have. The value itself is repeated only if its key is known to hold no secret.
fn wrong_shape(key: &str, wrong: WrongSetting) -> String {
    if ["tokens", "secrets"].iter().any(|name| key.rsplit('.').next() == Some(name)) {
        return "must be a list of secrets: [\"text\"], [{ env = \"NAME\" }] or [{ file = \"/path\" }]".to_owned();
    }
    let is = match &wrong.found {
        Some(Found::List) => "is a list, but ".to_owned(),
        Some(Found::Table) => "is a table, but ".to_owned(),
        Some(Found::Text(text)) if holds_no_secret(key) => format!("is {}, but ", shown(text)),
        // A pasted URL may hold a token.
        Some(Found::Text(text)) if key == "transform.allowed_hosts" && is_plain_host(text) => {
            format!("is {}, but ", shown(text))
        }
        Some(Found::Other(value)) if holds_no_secret(key) => format!("is {value}, but "),
        _ => String::new(),
    };
    let example = match (wrong.reason.as_str(), &wrong.found) {
        ("must be a list", Some(Found::Text(_))) => ": [\"one\", \"two\"]".to_owned(),
        ("must be a table", _) if ["sources", "operators"].contains(&key) => format!(": [{key}.NAME]"),
        ("must be a table", _) if !key.contains('[') => format!(": [{key}]"),
        _ => String::new(),
    };
    format!("{is}{}{example}", wrong.reason)
}

fn is_plain_host(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))
}

/// Whether the key is known to hold no secret: a time, a number, a truth value or a choice. All other keys may hold one, by
/// mistake at least.
fn holds_no_secret(key: &str) -> bool {
    const SECTIONS: [&str; 6] = ["server", "store", "debounce", "throttle", "certificates", "fetch"];
    const OF_TRANSFORM: [&str; 3] = ["timeout", "concurrency", "failed_as"];
    const OF_SOURCES: [&str; 5] = ["enabled", "disabled_answer", "ip_ranges", "events", "psp_settings_ids"];
    match key.split('.').collect::<Vec<_>>().as_slice() {
        [section, _, ..] if SECTIONS.contains(section) => true,
        ["transform", name] => OF_TRANSFORM.contains(name),
        ["transform", "retry" | "breaker", _] | ["oauth", "token_lifetime"] | ["operators", _, "role"] => true,
        ["sources", _, name] => OF_SOURCES.contains(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_parser_that_repeats_the_file_is_left_out() {
        for (text, line) in [
            ("a = 1\nb = [", 2),
            ("a = sesame\n", 1),
            ("a = 1\nsesame 5\n", 2),
            ("a = 99999999999999999999\n", 1),
            ("a = 999999999999999999999999999999\n", 1),
            ("sesame = 1\nsesame = 2\n", 2),
            ("a = \"\\sesame\"\n", 1),
        ] {
            let error = toml::from_str::<toml::Table>(text).unwrap_err();
            let said = not_toml("relay.toml", text, &error).to_string();
            assert!(
                said.starts_with(&format!("relay.toml:{line}: is not TOML"))
                    && !said.contains("sesame")
                    && !said.contains("99"),
                "{text}{said}"
            );
        }
    }

    #[test]
    fn only_keys_that_are_known_to_hold_no_secret_have_their_value_repeated() {
        let wrong =
            || WrongSetting { reason: "must be a list".to_owned(), found: Some(Found::Text("sesame".to_owned())) };
        for key in ["server.trusted_proxies", "store.must_exist", "transform.retry.max", "sources.a.events"] {
            assert_eq!(wrong_shape(key, wrong()), "is \"sesame\", but must be a list: [\"one\", \"two\"]");
        }
        for key in ["server", "transform", "transform.basic", "sources", "sources.a", "sources.a.fetch.rate", "other"] {
            assert_eq!(wrong_shape(key, wrong()), "must be a list: [\"one\", \"two\"]");
        }
    }
}
