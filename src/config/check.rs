//! From text to options; every error is found, each with its key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::secret::{SecretSetting, others_can_read};
use super::settings::{
    BasicSettings, BreakerSettings, DebounceSettings, ServerSettings, Settings, SourceSettings, StoreSettings,
    TransformSettings,
};
use super::{Config, ConfigError, ConfigErrors, profiles};
use crate::credentials::{Basic, Credentials};
use crate::delivery::breaker::BreakerPolicy;
use crate::delivery::retry::RetryPolicy;
use crate::delivery::worker::DeliveryOptions;
use crate::domain::due::Debounce;
use crate::domain::text::shown;
use crate::http::ServerOptions;
use crate::ingest::Source;
use crate::psp::catalogue::Catalogue;
use crate::psp::profile::Profile;
use crate::psp::verify;
use crate::store::{Keep, ParkedLimits, StoreOptions};
use crate::transform::fetch::FailedAs;
use crate::transform::target::AllowedHosts;

/// Up to five secrets: as many as Digital River keeps for one webhook.
const SECRETS_MAX: usize = 5;
/// The largest body that may be configured, 1 GiB: it is held in memory.
const SIZE_MAX: usize = 1 << 30;
/// The most of anything that is counted.
const COUNT_MAX: usize = 1_000_000;
/// The longest span that is taken: beyond it a typing error is likelier than a wish.
const SPAN_MAX: Duration = Duration::from_secs(400 * 24 * 3600);

/// Checks the settings; `errors` are those that reading them found.
pub(super) fn check(
    settings: Settings,
    errors: Vec<ConfigError>,
    environment: &BTreeMap<String, String>,
    file: Option<&Path>,
) -> Result<Config, ConfigErrors> {
    let mut checker = Checker { environment, errors, warnings: Vec::new(), text_secrets: false };
    let server = checker.server(&settings.server);
    let store = checker.store(&settings.store, &settings.debounce);
    let delivery = checker.delivery(&settings.transform);
    let transform = checker.credentials("transform", &settings.transform.tokens, settings.transform.basic.as_ref());
    let failed_as = checker.take("transform.failed_as", failed_as(&settings.transform.failed_as));
    let integrator = checker.credentials("integrator", &settings.integrator.tokens, settings.integrator.basic.as_ref());
    let dir = settings.profiles.dir.as_ref();
    let folder = file.and_then(Path::parent);
    let profiles_dir = dir.map(|dir| folder.map_or_else(|| dir.into(), |folder| folder.join(dir)));
    let profiles = checker.profiles(profiles_dir.as_deref());
    let sources = checker.sources(&settings.sources, &profiles);
    if let Some(file) = file.filter(|file| checker.text_secrets && others_can_read(file)) {
        let file = file.display();
        checker
            .warnings
            .push(format!("{file}: a secret stands in the settings, and everybody on this machine can read this file"));
    }
    let Checker { errors, warnings, .. } = checker;
    if errors.is_empty() {
        Ok(Config {
            server,
            store,
            delivery,
            transform,
            failed_as,
            integrator,
            sources,
            profiles,
            profiles_dir,
            warnings,
        })
    } else {
        Err(ConfigErrors(errors))
    }
}

fn failed_as(text: &str) -> Result<FailedAs, String> {
    match text {
        "error" => Ok(FailedAs::Error),
        "record" => Ok(FailedAs::Record),
        _ => Err("must be \"error\" or \"record\"".to_owned()),
    }
}

struct Checker<'a> {
    environment: &'a BTreeMap<String, String>,
    errors: Vec<ConfigError>,
    warnings: Vec<String>,
    /// Whether there is a secret in the configuration itself.
    text_secrets: bool,
}

impl Checker<'_> {
    fn wrong(&mut self, key: &str, reason: impl Into<String>) {
        self.errors.push(ConfigError { key: key.to_owned(), reason: reason.into() });
    }

    /// Whether something under this key is wrong already: then values are not what was written.
    fn is_wrong(&self, prefix: &str) -> bool {
        self.errors.iter().any(|error| error.key.starts_with(prefix))
    }

    /// The value, or any value and an error: what is built from it is thrown away.
    fn take<T: Fallback>(&mut self, key: &str, value: Result<T, String>) -> T {
        value.unwrap_or_else(|reason| {
            self.wrong(key, reason);
            T::fallback()
        })
    }

    fn span(&mut self, key: &str, text: &str) -> Duration {
        let parsed = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
        let reason = || "is no span of time such as \"500ms\", \"10s\" or \"72h\", 9600h at most".to_owned();
        self.take(key, parsed.filter(|span| *span <= SPAN_MAX).ok_or_else(reason))
    }

    fn positive_span(&mut self, key: &str, text: &str) -> Duration {
        let span = self.span(key, text);
        if span.is_zero() && !self.is_wrong(key) {
            self.wrong(key, "must be more than 0");
        }
        span
    }

    fn size(&mut self, key: &str, text: &str) -> usize {
        let parsed = text.parse::<bytesize::ByteSize>().ok().and_then(|size| usize::try_from(size.as_u64()).ok());
        let parsed = parsed.filter(|size| (1..=SIZE_MAX).contains(size));
        self.take(key, parsed.ok_or_else(|| "is no size such as \"1MiB\", 1 GiB at most".to_owned()))
    }

    /// Signatures' times are whole seconds.
    fn tolerance(&mut self, key: &str, text: &str) -> u32 {
        let span = self.span(key, text);
        if span.as_secs() == 0 || span.subsec_nanos() > 0 {
            self.wrong(key, "must be whole seconds, at least 1");
        }
        u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
    }

    fn number(&mut self, key: &str, text: &str, most: usize) -> usize {
        let parsed = text.parse().ok().filter(|number| (1..=most).contains(number));
        self.take(key, parsed.ok_or_else(|| format!("must be a number from 1 to {most}")))
    }

    fn server(&mut self, settings: &ServerSettings) -> ServerOptions {
        let listen = settings.listen.parse();
        let server = ServerOptions {
            listen: self.take(
                "server.listen",
                listen.map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8080".into()),
            ),
            max_body: self.size("server.max_body", &settings.max_body),
            max_buffered: self.size("server.max_buffered", &settings.max_buffered),
            max_connections: self.number("server.max_connections", &settings.max_connections, COUNT_MAX),
            header_timeout: self.positive_span("server.header_timeout", &settings.header_timeout),
            body_timeout: self.positive_span("server.body_timeout", &settings.body_timeout),
            keep_alive: self.positive_span("server.keep_alive", &settings.keep_alive),
            shutdown_grace: self.span("server.shutdown_grace", &settings.shutdown_grace),
        };
        if server.max_buffered < server.max_body && !self.is_wrong("server.max_b") {
            self.wrong("server.max_buffered", "must not be below server.max_body");
        }
        server
    }

    fn store(&mut self, settings: &StoreSettings, debounce: &DebounceSettings) -> StoreOptions {
        if settings.path.is_empty() || settings.path.starts_with(":memory:") {
            self.wrong("store.path", "must be a file: what is acknowledged must be on disk");
        }
        let per_source = self.number("store.parked.per_source", &settings.parked.per_source, COUNT_MAX);
        StoreOptions {
            path: settings.path.clone().into(),
            debounce: self.debounce(debounce),
            max_waiting: self.number("store.max_waiting", &settings.max_waiting, COUNT_MAX),
            parked: ParkedLimits {
                per_source: u32::try_from(per_source).unwrap_or(u32::MAX),
                max_age: self.positive_span("store.parked.max_age", &settings.parked.max_age),
            },
            keep: Keep {
                notifications: self.positive_span("store.keep.notifications", &settings.keep.notifications),
                dead_letters: self.positive_span("store.keep.dead_letters", &settings.keep.dead_letters),
                attempts: self.positive_span("store.keep.attempts", &settings.keep.attempts),
                history: self.positive_span("store.keep.history", &settings.keep.history),
            },
        }
    }

    fn debounce(&mut self, settings: &DebounceSettings) -> Debounce {
        let quiet = self.span("debounce.quiet", &settings.quiet);
        let max_wait = self.span("debounce.max_wait", &settings.max_wait);
        if max_wait < quiet && !self.is_wrong("debounce.") {
            self.wrong("debounce.max_wait", "must not be below debounce.quiet");
        }
        Debounce { quiet, max_wait }
    }

    fn delivery(&mut self, settings: &TransformSettings) -> DeliveryOptions {
        let allowed_hosts = AllowedHosts::parse(&settings.allowed_hosts).unwrap_or_else(|wrong| {
            for (index, reason) in wrong {
                self.wrong(&format!("transform.allowed_hosts[{index}]"), reason);
            }
            AllowedHosts::default()
        });
        if let Some(Err(reason)) = settings.webhook_target.as_ref().map(|target| allowed_hosts.check(target)) {
            self.wrong("transform.webhook_target", reason);
        }
        let retry = RetryPolicy {
            first: self.positive_span("transform.retry.first", &settings.retry.first),
            max: self.positive_span("transform.retry.max", &settings.retry.max),
            give_up_after: self.span("transform.retry.give_up_after", &settings.retry.give_up_after),
        };
        if retry.max < retry.first && !self.is_wrong("transform.retry.") {
            self.wrong("transform.retry.max", "must not be below transform.retry.first");
        }
        DeliveryOptions {
            allowed_hosts,
            webhook_target: settings.webhook_target.clone(),
            timeout: self.positive_span("transform.timeout", &settings.timeout),
            concurrency: self.number("transform.concurrency", &settings.concurrency, 1024),
            retry,
            breaker: self.breaker(&settings.breaker),
        }
    }

    fn breaker(&mut self, settings: &BreakerSettings) -> BreakerPolicy {
        let failures = self.number("transform.breaker.failures", &settings.failures, COUNT_MAX);
        let first = self.positive_span("transform.breaker.first", &settings.first);
        let max = self.positive_span("transform.breaker.max", &settings.max);
        if max < first && !self.is_wrong("transform.breaker.") {
            self.wrong("transform.breaker.max", "must not be below transform.breaker.first");
        }
        BreakerPolicy { failures: u32::try_from(failures).unwrap_or(u32::MAX), first, max }
    }

    fn credentials(&mut self, section: &str, tokens: &[SecretSetting], basic: Option<&BasicSettings>) -> Credentials {
        let tokens = self.secrets(&format!("{section}.tokens"), tokens);
        let basic = basic.and_then(|basic| self.basic(&format!("{section}.basic"), basic));
        Credentials { tokens, basic }
    }

    fn secrets(&mut self, key: &str, settings: &[SecretSetting]) -> Vec<SecretString> {
        let resolved = settings.iter().enumerate().map(|(index, one)| self.secret(&format!("{key}[{index}]"), one));
        resolved.flatten().collect()
    }

    fn secret(&mut self, key: &str, setting: &SecretSetting) -> Option<SecretString> {
        if let Some(file) = setting.readable_by_others() {
            self.warnings.push(format!("{key}: everybody on this machine can read {file}"));
        }
        self.text_secrets |= setting.is_text();
        setting.resolve(self.environment).map_err(|reason| self.wrong(key, reason)).ok()
    }

    fn basic(&mut self, key: &str, settings: &BasicSettings) -> Option<Basic> {
        let username = settings.username.clone().filter(|name| !name.is_empty() && !name.contains(':'));
        if username.is_none() {
            self.wrong(&format!("{key}.username"), "is needed, without a colon");
        }
        let Some(password) = &settings.password else {
            self.wrong(&format!("{key}.password"), "is needed");
            return None;
        };
        Some(Basic { password: self.secret(&format!("{key}.password"), password)?, username: username? })
    }

    /// The built-in profiles and those of a folder.
    fn profiles(&mut self, dir: Option<&Path>) -> Catalogue {
        let mut catalogue = Catalogue::built_in().unwrap_or_else(|error| {
            self.wrong("profiles", error.to_string());
            Catalogue::default()
        });
        if let Some(Err(errors)) = dir.map(|dir| profiles::add_folder(&mut catalogue, dir)) {
            errors.into_iter().for_each(|reason| self.wrong("profiles.dir", reason));
        }
        catalogue
    }

    fn sources(
        &mut self,
        settings: &BTreeMap<String, SourceSettings>,
        profiles: &Catalogue,
    ) -> BTreeMap<String, Source> {
        let checked = settings.iter().map(|(name, source)| self.source(name, source, profiles));
        checked.flatten().map(|source| (source.name.clone(), source)).collect()
    }

    /// Types that the profile understands; another one would be a typing error.
    fn events(&mut self, key: &str, types: &[String], profile: &Profile) -> BTreeSet<String> {
        let rules = profile.forms.iter().flat_map(|form| &form.get_ref().rules);
        let known: BTreeSet<_> = rules.flat_map(|rule| rule.get_ref().event_type.as_slice()).collect();
        for (index, unknown) in types.iter().enumerate().filter(|(_, name)| !known.contains(name)) {
            let reason = format!("{} is no type that the profile understands", shown(unknown));
            self.wrong(&format!("{key}[{index}]"), reason);
        }
        types.iter().cloned().collect()
    }

    fn source(&mut self, name: &str, settings: &SourceSettings, profiles: &Catalogue) -> Option<Source> {
        let key = format!("sources.{name}");
        if name.is_empty()
            || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        {
            self.wrong(&key, "a source's name has lower case letters, digits, - and _");
        }
        let secrets = self.secrets(&format!("{key}.secrets"), &settings.secrets);
        let basic = settings.basic.as_ref().and_then(|basic| self.basic(&format!("{key}.basic"), basic));
        let headers = settings.headers.iter().filter_map(|(header, value)| {
            Some((header.to_ascii_lowercase(), self.secret(&format!("{key}.headers.{header}"), value)?))
        });
        let headers: BTreeMap<_, _> = headers.collect();
        let answer = settings.disabled_answer.as_deref().map_or(Ok(CLOSED), closed_answer);
        let closed = self.take(&format!("{key}.disabled_answer"), answer);
        let tolerance_s = settings.tolerance.as_ref().map(|text| self.tolerance(&format!("{key}.tolerance"), text));
        if !(1..=SECRETS_MAX).contains(&settings.secrets.len()) {
            self.wrong(&format!("{key}.secrets"), format!("1 to {SECRETS_MAX} are needed to verify signatures"));
        }
        let Some(entry) = settings.profile.as_deref().and_then(|profile| profiles.get(profile)) else {
            let names: Vec<_> = profiles.iter().map(|entry| entry.profile.name.as_str()).collect();
            self.wrong(&format!("{key}.profile"), format!("must be one of {}", names.join(", ")));
            return None;
        };
        let mut keys: Vec<SecretSlice<u8>> = Vec::new();
        for (index, secret) in secrets.iter().enumerate() {
            match verify::key(&entry.profile, secret.expose_secret()) {
                Ok(key) => keys.push(key),
                Err(reason) => self.wrong(&format!("{key}.secrets[{index}]"), reason),
            }
        }
        let events = settings.events.as_ref().map(|types| self.events(&format!("{key}.events"), types, &entry.profile));
        Some(Source {
            closed: (settings.enabled == Some(false)).then_some(closed),
            events,
            name: name.to_owned(),
            profile: entry.profile.clone(),
            secrets: keys,
            basic,
            headers,
            tolerance_s,
        })
    }
}

/// What is answered at the door of a source that is not enabled: as if it were not there.
const CLOSED: u16 = 404;

fn closed_answer(text: &str) -> Result<u16, String> {
    match text {
        "404" => Ok(CLOSED),
        "503" => Ok(503),
        _ => Err("must be 404 or 503".to_owned()),
    }
}

/// Some value, to go on looking for errors with.
trait Fallback {
    fn fallback() -> Self;
}

impl Fallback for std::net::SocketAddr {
    fn fallback() -> Self {
        Self::from(([127, 0, 0, 1], 0))
    }
}

impl Fallback for Duration {
    fn fallback() -> Self {
        Self::from_secs(1)
    }
}

impl Fallback for u16 {
    fn fallback() -> Self {
        CLOSED
    }
}

impl Fallback for usize {
    fn fallback() -> Self {
        1
    }
}

impl Fallback for FailedAs {
    fn fallback() -> Self {
        Self::default()
    }
}
