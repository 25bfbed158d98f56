//! Layers of the configuration: config.example.toml with the defaults, then the file, then the environment.

use std::collections::BTreeMap;
use std::path::Path;

use config::{File, FileFormat};

use super::environment;
use super::error::{ConfigError, ConfigErrors};
use super::settings::Settings;
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
    let one = |key: &str, reason: String| ConfigErrors(vec![ConfigError { key: key.to_owned(), reason }]);
    let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some(path) = file {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| one(&name, format!("cannot be read: {error}")))?;
        toml::from_str::<toml::Table>(&text).map_err(|error| one(&name, not_toml(&text, &error)))?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
    }
    for (key, value) in environment::overrides(environment) {
        builder = builder.set_override(&key, value).map_err(|error| one(&key, error.to_string()))?;
    }
    let layered = builder.build().map_err(|error| one("configuration", error.to_string()))?;
    let mut unknown = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| {
        unknown.push(ConfigError { key: path.to_string().replace(".?", ""), reason: "unknown key".to_owned() });
    };
    let tracked = serde_ignored::Deserializer::new(layered, &mut note);
    let settings: Result<Settings, _> = serde_path_to_error::deserialize(tracked);
    match settings {
        Ok(settings) => Ok((settings, unknown)),
        Err(error) => {
            let key = error.path().to_string();
            let reason = wrong_shape(&key, &error.into_inner().to_string());
            unknown.push(ConfigError { key, reason });
            Err(ConfigErrors(unknown))
        }
    }
}

/// The error and the number of its line, without the text of the line: a secret may stand in it.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or_default());
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

/// The shape that a value must have. The value itself is repeated only under a key that holds no secret, where the shape
/// is simple: a secret may stand where none belongs.
fn wrong_shape(key: &str, reason: &str) -> String {
    match reason.rsplit_once(", expected ") {
        _ if ["tokens", "secrets"].iter().any(|name| key.rsplit('.').next() == Some(name)) => {
            "must be a list of secrets: [\"text\"], [{ env = \"NAME\" }] or [{ file = \"/path\" }]".to_owned()
        }
        _ if may_hold_secret(key) => "has the wrong shape; see config.example.toml".to_owned(),
        Some((_, expected)) if expected.contains("struct ") => "must be a table".to_owned(),
        Some((found, expected)) => format!("{}must be {}", is(found), plain(expected)),
        None if reason.starts_with("missing field") => reason.to_owned(),
        None => "has the wrong shape; see config.example.toml".to_owned(),
    }
}

/// What stands in the place of the value, as the beginning of a sentence.
fn is(found: &str) -> String {
    let found = found.rsplit_once("invalid type: ").map_or(found, |(_, found)| found);
    match found {
        "sequence" => "is a list, but ".to_owned(),
        "map" => "is a table, but ".to_owned(),
        _ => match found.strip_prefix("string ") {
            Some(text) => format!("is {}, but ", shown(text.trim_matches('"'))),
            None => String::new(),
        },
    }
}

/// The expected shape, in words of ours. The key is left out, since the error begins with it.
fn plain(expected: &str) -> &str {
    match expected.split(" for key").next().unwrap_or(expected) {
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "a list",
        "a map" => "a table",
        other => other,
    }
}

/// Whether a message about the value at this key could repeat a secret.
fn may_hold_secret(key: &str) -> bool {
    ["secret", "token", "basic", "headers", "password", "oauth", "settings"].iter().any(|name| key.contains(name))
        || key == "sources"
}
