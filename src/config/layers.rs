//! Layers of the configuration: config.example.toml with the defaults, then the file, then the environment.

use std::collections::BTreeMap;
use std::path::Path;

use config::{File, FileFormat, Source, Value};

use super::error::{ConfigError, ConfigErrors};
use super::settings::Settings;
use super::shape::{Found, SettingReader, WrongSetting};
use super::{environment, key};
use crate::domain::text::shown;

/// The lowest layer. Its active lines are the defaults, each beside its explanation.
const DEFAULTS: &str = include_str!("../../config.example.toml");

/// Reads the layers. All unknown keys are returned beside the settings.
///
/// # Errors
/// The file cannot be read, or a value has the wrong shape. The first such value ends the reading; the unknown keys before it
/// are among the errors.
pub(super) fn read(
    file: Option<&Path>,
    environment: &BTreeMap<String, String>,
) -> Result<(Settings, Vec<ConfigError>), ConfigErrors> {
    let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some(path) = file {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| one(&name, format!("cannot be read: {error}")))?;
        toml::from_str::<toml::Table>(&text).map_err(|error| one(&name, not_toml(&text, &error)))?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    let overrides = environment::overrides(environment);
    let mut unknown = Vec::new();
    for environment::GivenSetting { variable, key, value } in &overrides {
        if environment::is_key(key) {
            // The message of the builder spans several lines.
            let not_a_key = |_| one(variable, "unknown key".to_owned());
            builder = builder.set_override(key, value.clone()).map_err(not_a_key)?;
        } else {
            unknown.push(ConfigError { key: variable.clone(), reason: "unknown key".to_owned() });
        }
    }
    let layered = builder.build().and_then(|layered| layered.collect());
    // The message could repeat a value.
    let layered = layered.map_err(|_| one("configuration", "cannot be put together from its layers".to_owned()))?;
    let mut note = |path: serde_ignored::Path<'_>| unknown.push(no_such_key(key::of_ignored(&path), &overrides));
    let tracked = serde_ignored::Deserializer::new(SettingReader(Value::from(layered)), &mut note);
    let settings: Result<Settings, _> = serde_path_to_error::deserialize(tracked);
    match settings {
        Ok(settings) => Ok((settings, unknown)),
        Err(error) => {
            let mut key = key::of_error(error.path());
            if error.inner().found == Some(Found::Key) {
                key.truncate(key.rfind('.').unwrap_or(key.len()));
            }
            let reason = wrong_shape(&key, error.into_inner());
            unknown.push(ConfigError { key, reason });
            Err(ConfigErrors(unknown))
        }
    }
}

fn one(key: &str, reason: String) -> ConfigErrors {
    ConfigErrors(vec![ConfigError { key: key.to_owned(), reason }])
}

/// The error about an unknown key. It begins with the variable if the environment has set the key.
fn no_such_key(key: String, overrides: &[environment::GivenSetting]) -> ConfigError {
    let below = format!("{key}.");
    match overrides.iter().find(|one| one.key == key || one.key.starts_with(&below)) {
        Some(one) => ConfigError { key: one.variable.clone(), reason: format!("unknown key {key}") },
        None => ConfigError { key, reason: "unknown key".to_owned() },
    }
}

/// The number of the wrong line, and the parser's message if it repeats nothing of the file: a secret may stand there.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or_default());
    let line = before.matches('\n').count() + 1;
    match error.message() {
        message if repeats_nothing(message) => format!("line {line}: {message}"),
        _ => format!("line {line}: is not TOML; a text stands in quotes"),
    }
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
    let is = match wrong.found {
        Some(Found::List) => "is a list, but ".to_owned(),
        Some(Found::Table) => "is a table, but ".to_owned(),
        Some(Found::Text(text)) if holds_no_secret(key) => format!("is {}, but ", shown(&text)),
        // A pasted URL may hold a token.
        Some(Found::Text(text)) if key == "transform.allowed_hosts" && is_plain_host(&text) => {
            format!("is {}, but ", shown(&text))
        }
        Some(Found::Other(value)) if holds_no_secret(key) => format!("is {value}, but "),
        _ => String::new(),
    };
    format!("{is}{}", wrong.reason)
}

fn is_plain_host(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))
}

/// Whether the key is known to hold no secret: a time, a number, a truth value or a choice. All other keys may hold one, by
/// mistake at least.
fn holds_no_secret(key: &str) -> bool {
    const SECTIONS: [&str; 6] = ["server", "store", "debounce", "throttle", "certificates", "fetch"];
    const OF_TRANSFORM: [&str; 3] = ["timeout", "concurrency", "failed_as"];
    const OF_SOURCES: [&str; 4] = ["enabled", "disabled_answer", "ip_ranges", "events"];
    match key.split('.').collect::<Vec<_>>().as_slice() {
        [section, _, ..] if SECTIONS.contains(section) => true,
        ["transform", name] => OF_TRANSFORM.contains(name),
        ["transform", "retry" | "breaker", _] | ["oauth", "token_lifetime"] => true,
        ["sources", _, name] => OF_SOURCES.contains(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_parser_that_repeats_the_file_is_left_out() {
        for (text, reason) in [
            ("a = 1\nb = [", "line 2: "),
            ("a = sesame\n", "line 1: "),
            ("a = 1\nsesame 5\n", "line 2: "),
            ("a = 99999999999999999999\n", "line 1: is not TOML"),
            ("a = 999999999999999999999999999999\n", "line 1: is not TOML"),
            ("sesame = 1\nsesame = 2\n", "line 2: "),
            ("a = \"\\sesame\"\n", "line 1: "),
        ] {
            let error = toml::from_str::<toml::Table>(text).unwrap_err();
            let said = not_toml(text, &error);
            assert!(said.starts_with(reason) && !said.contains("sesame") && !said.contains("99"), "{text}{said}");
        }
    }

    #[test]
    fn only_keys_that_are_known_to_hold_no_secret_have_their_value_repeated() {
        let wrong =
            || WrongSetting { reason: "must be a list".to_owned(), found: Some(Found::Text("sesame".to_owned())) };
        for key in ["server.trusted_proxies", "store.must_exist", "transform.retry.max", "sources.a.events"] {
            assert_eq!(wrong_shape(key, wrong()), "is \"sesame\", but must be a list");
        }
        for key in ["server", "transform", "transform.basic", "sources", "sources.a", "sources.a.fetch.rate", "other"] {
            assert_eq!(wrong_shape(key, wrong()), "must be a list");
        }
    }
}
