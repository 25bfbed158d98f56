//! Settings of the configuration as they are written: text, not yet checked. What each one means, and its default, stands
//! in config.example.toml. `check` prints them as they are serialised here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::secret::{NamedSetting, SecretSetting};
use super::written::{Address, Count};

#[derive(Deserialize, Serialize)]
pub(super) struct Settings {
    pub(super) server: ServerSettings,
    pub(super) store: StoreSettings,
    pub(super) debounce: DebounceSettings,
    pub(super) transform: TransformSettings,
    #[serde(default)]
    pub(super) integrator: CredentialSettings,
    #[serde(default)]
    pub(super) monitor: MonitorSettings,
    #[serde(default)]
    pub(super) operators: BTreeMap<String, OperatorSettings>,
    pub(super) oauth: OauthSettings,
    pub(super) throttle: ThrottleSettings,
    pub(super) certificates: CertificatesSettings,
    pub(super) fetch: FetchSettings,
    #[serde(default)]
    pub(super) profiles: ProfilesSettings,
    #[serde(default)]
    pub(super) sources: BTreeMap<String, SourceSettings>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct ServerSettings {
    pub(super) listen: String,
    pub(super) admin_listen: Option<String>,
    pub(super) max_body: Count,
    pub(super) max_buffered: Count,
    pub(super) max_connections: Count,
    pub(super) header_timeout: String,
    pub(super) body_timeout: String,
    pub(super) write_timeout: String,
    pub(super) keep_alive: String,
    pub(super) shutdown_grace: String,
    #[serde(default)]
    pub(super) trusted_proxies: Vec<String>,
    pub(super) forwarded_header: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct StoreSettings {
    pub(super) path: String,
    pub(super) must_exist: bool,
    pub(super) max_waiting: Count,
    pub(super) parked: ParkedSettings,
    pub(super) keep: KeepSettings,
}

#[derive(Deserialize, Serialize)]
pub(super) struct ParkedSettings {
    pub(super) per_source: Count,
    pub(super) max_age: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct KeepSettings {
    pub(super) notifications: String,
    pub(super) dead_letters: String,
    pub(super) dead_letters_size: Count,
    pub(super) attempts: String,
    pub(super) history: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct DebounceSettings {
    pub(super) quiet: String,
    pub(super) max_wait: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct TransformSettings {
    #[serde(default)]
    pub(super) allowed_hosts: Vec<String>,
    pub(super) webhook_target: Option<Address>,
    #[serde(default)]
    pub(super) tokens: Vec<SecretSetting>,
    pub(super) basic: Option<BasicSettings>,
    #[serde(default)]
    pub(super) oauth: Vec<ClientSettings>,
    #[serde(default)]
    pub(super) jwt: JwtSettings,
    pub(super) timeout: String,
    pub(super) concurrency: Count,
    pub(super) failed_as: String,
    pub(super) retry: RetrySettings,
    pub(super) breaker: BreakerSettings,
}

#[derive(Default, Deserialize, Serialize)]
pub(super) struct JwtSettings {
    pub(super) jwks_url: Option<Address>,
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct BreakerSettings {
    pub(super) failures: Count,
    pub(super) first: String,
    pub(super) max: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct RetrySettings {
    pub(super) first: String,
    pub(super) max: String,
    pub(super) give_up_after: String,
}

#[derive(Default, Deserialize, Serialize)]
pub(super) struct CredentialSettings {
    #[serde(default)]
    pub(super) tokens: Vec<SecretSetting>,
    pub(super) basic: Option<BasicSettings>,
    #[serde(default)]
    pub(super) oauth: Vec<ClientSettings>,
}

#[derive(Default, Deserialize, Serialize)]
pub(super) struct MonitorSettings {
    #[serde(default)]
    pub(super) tokens: Vec<SecretSetting>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct OperatorSettings {
    #[serde(default)]
    pub(super) tokens: Vec<SecretSetting>,
    pub(super) role: Option<String>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct OauthSettings {
    pub(super) token_lifetime: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct ThrottleSettings {
    pub(super) failures: Count,
    pub(super) window: String,
}

#[derive(Deserialize, Serialize)]
pub(super) struct ClientSettings {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<SecretSetting>,
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretSetting>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct BasicSettings {
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretSetting>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct CertificatesSettings {
    pub(super) roots: Option<String>,
    pub(super) timeout: String,
    pub(super) failures_kept: String,
}

#[derive(Default, Deserialize, Serialize)]
pub(super) struct ProfilesSettings {
    pub(super) dir: Option<String>,
}

#[derive(Deserialize, Serialize)]
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
    #[serde(default)]
    pub(super) psp_settings_ids: Vec<String>,
    pub(super) public_url: Option<Address>,
    pub(super) events: Option<Vec<String>>,
    #[serde(default = "enabled")]
    pub(super) enabled: bool,
    #[serde(default = "disabled_answer")]
    pub(super) disabled_answer: Count,
    pub(super) fetch: Option<SourceFetchSettings>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct FetchSettings {
    pub(super) rate: Count,
    pub(super) concurrency: Count,
    pub(super) timeout: String,
    pub(super) not_found_for: String,
    pub(super) give_up_after: String,
    pub(super) max_hints: Count,
}

#[derive(Default, Deserialize, Serialize)]
pub(super) struct SourceFetchSettings {
    pub(super) mode: Option<String>,
    pub(super) base_url: Option<Address>,
    pub(super) token: Option<SecretSetting>,
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretSetting>,
    pub(super) rate: Option<Count>,
    pub(super) concurrency: Option<Count>,
    pub(super) timeout: Option<String>,
    pub(super) not_found_for: Option<String>,
    pub(super) give_up_after: Option<String>,
    pub(super) max_hints: Option<Count>,
    pub(super) max_hints_per_address: Option<Count>,
}

const fn enabled() -> bool {
    true
}

fn disabled_answer() -> Count {
    404.into()
}

impl SourceFetchSettings {
    /// Fills in what `[fetch]` says where the source itself says nothing.
    pub(super) fn fill(&mut self, all: &FetchSettings) {
        let FetchSettings { rate, concurrency, timeout, not_found_for, give_up_after, max_hints } = all;
        self.rate.get_or_insert_with(|| rate.clone());
        self.concurrency.get_or_insert_with(|| concurrency.clone());
        self.timeout.get_or_insert_with(|| timeout.clone());
        self.not_found_for.get_or_insert_with(|| not_found_for.clone());
        self.give_up_after.get_or_insert_with(|| give_up_after.clone());
        self.max_hints.get_or_insert_with(|| max_hints.clone());
    }
}
