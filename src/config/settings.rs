//! Settings of the configuration as they are written: text, not yet checked.

use std::collections::BTreeMap;
use std::path::Path;

use config::{File, FileFormat};
use serde::Deserialize;

use super::error::{ConfigError, ConfigErrors};
use super::secret::{NamedSetting, SecretSetting};
use super::{defaults, environment};

#[derive(Deserialize)]
pub(super) struct Settings {
    pub(super) server: ServerSettings,
    pub(super) store: StoreSettings,
    pub(super) debounce: DebounceSettings,
    pub(super) transform: TransformSettings,
    pub(super) integrator: CredentialSettings,
    pub(super) monitor: MonitorSettings,
    pub(super) oauth: OauthSettings,
    pub(super) throttle: ThrottleSettings,
    pub(super) certificates: CertificatesSettings,
    #[serde(default)]
    pub(super) profiles: ProfilesSettings,
    #[serde(default)]
    pub(super) sources: BTreeMap<String, SourceSettings>,
}

#[derive(Deserialize)]
pub(super) struct ServerSettings {
    pub(super) listen: String,
    pub(super) max_body: String,
    pub(super) max_buffered: String,
    pub(super) max_connections: String,
    pub(super) header_timeout: String,
    pub(super) body_timeout: String,
    pub(super) write_timeout: String,
    pub(super) keep_alive: String,
    pub(super) shutdown_grace: String,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) forwarded_header: String,
}

#[derive(Deserialize)]
pub(super) struct StoreSettings {
    pub(super) path: String,
    pub(super) must_exist: bool,
    pub(super) max_waiting: String,
    pub(super) parked: ParkedSettings,
    pub(super) keep: KeepSettings,
}

#[derive(Deserialize)]
pub(super) struct ParkedSettings {
    pub(super) per_source: String,
    pub(super) max_age: String,
}

#[derive(Deserialize)]
pub(super) struct KeepSettings {
    pub(super) notifications: String,
    pub(super) dead_letters: String,
    pub(super) dead_letters_size: String,
    pub(super) attempts: String,
    pub(super) history: String,
}

#[derive(Deserialize)]
pub(super) struct DebounceSettings {
    pub(super) quiet: String,
    pub(super) max_wait: String,
}

#[derive(Deserialize)]
pub(super) struct TransformSettings {
    pub(super) allowed_hosts: Vec<String>,
    pub(super) webhook_target: Option<String>,
    pub(super) tokens: Vec<SecretSetting>,
    pub(super) basic: Option<BasicSettings>,
    #[serde(default)]
    pub(super) oauth: Vec<ClientSettings>,
    pub(super) timeout: String,
    pub(super) concurrency: String,
    pub(super) failed_as: String,
    pub(super) retry: RetrySettings,
    pub(super) breaker: BreakerSettings,
}

#[derive(Deserialize)]
pub(super) struct BreakerSettings {
    pub(super) failures: String,
    pub(super) first: String,
    pub(super) max: String,
}

#[derive(Deserialize)]
pub(super) struct RetrySettings {
    pub(super) first: String,
    pub(super) max: String,
    pub(super) give_up_after: String,
}

#[derive(Deserialize)]
pub(super) struct CredentialSettings {
    pub(super) tokens: Vec<SecretSetting>,
    pub(super) basic: Option<BasicSettings>,
    #[serde(default)]
    pub(super) oauth: Vec<ClientSettings>,
}

#[derive(Deserialize)]
pub(super) struct MonitorSettings {
    pub(super) tokens: Vec<SecretSetting>,
}

#[derive(Deserialize)]
pub(super) struct OauthSettings {
    pub(super) token_lifetime: String,
}

#[derive(Deserialize)]
pub(super) struct ThrottleSettings {
    pub(super) failures: String,
    pub(super) window: String,
}

#[derive(Deserialize)]
pub(super) struct ClientSettings {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<SecretSetting>,
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretSetting>,
}

#[derive(Deserialize)]
pub(super) struct BasicSettings {
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretSetting>,
}

#[derive(Deserialize)]
pub(super) struct CertificatesSettings {
    pub(super) roots: Option<String>,
    pub(super) timeout: String,
    pub(super) failures_kept: String,
}

#[derive(Default, Deserialize)]
pub(super) struct ProfilesSettings {
    pub(super) dir: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct SourceSettings {
    pub(super) profile: Option<String>,
    #[serde(default)]
    pub(super) secrets: Vec<NamedSetting>,
    pub(super) secrets_file: Option<String>,
    #[serde(default)]
    pub(super) tokens: Vec<SecretSetting>,
    pub(super) basic: Option<BasicSettings>,
    #[serde(default)]
    pub(super) oauth: Vec<ClientSettings>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, SecretSetting>,
    #[serde(default)]
    pub(super) ip_ranges: Vec<String>,
    pub(super) tolerance: Option<String>,
    #[serde(default)]
    pub(super) settings: BTreeMap<String, String>,
    pub(super) public_url: Option<String>,
    pub(super) events: Option<Vec<String>>,
    pub(super) enabled: Option<bool>,
    pub(super) disabled_answer: Option<String>,
    pub(super) fetch: Option<FetchSettings>,
}

#[derive(Default, Deserialize)]
pub(super) struct FetchSettings {
    pub(super) mode: Option<String>,
    pub(super) base_url: Option<String>,
    pub(super) token: Option<SecretSetting>,
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretSetting>,
    pub(super) rate: Option<String>,
    pub(super) concurrency: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) not_found_for: Option<String>,
    pub(super) give_up_after: Option<String>,
    pub(super) max_hints: Option<String>,
    pub(super) max_hints_per_address: Option<String>,
}

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
    let mut builder = config::Config::builder().add_source(File::from_str(&defaults::settings()?, FileFormat::Toml));
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
            let reason = without_value(&key, &error.into_inner().to_string());
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

/// The shape that a value must have, without the value: a secret may stand where none belongs.
fn without_value(key: &str, reason: &str) -> String {
    match reason.rsplit_once(", expected ") {
        _ if ["tokens", "secrets"].iter().any(|name| key.rsplit('.').next() == Some(name)) => {
            "must be a list of secrets: [\"text\"], [{ env = \"NAME\" }] or [{ file = \"/path\" }]".to_owned()
        }
        _ if may_hold_secret(key) => "has the wrong shape; see config.example.toml".to_owned(),
        Some((_, expected)) if expected.contains("struct ") => "must be a table".to_owned(),
        Some((_, expected)) => format!("must be {}", plain(expected)),
        None if reason.starts_with("missing field") => reason.to_owned(),
        None => "has the wrong shape; see config.example.toml".to_owned(),
    }
}

/// The expected shape, in words of ours. The key is left out, since the error begins with it.
fn plain(expected: &str) -> &str {
    match expected.split(" for key").next().unwrap_or(expected) {
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "a list",
        other => other,
    }
}

/// Whether a message about the value at this key could repeat a secret.
fn may_hold_secret(key: &str) -> bool {
    ["secret", "token", "basic", "headers", "password", "oauth"].iter().any(|name| key.contains(name))
}
