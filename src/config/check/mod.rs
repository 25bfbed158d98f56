//! From text to options; every error is found, each with its key.

mod asked;
mod certificates;
mod credentials;
mod fetch;
mod secrets;
mod server;
mod sources;
mod store;
mod transform;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;

use super::Config;
use super::environment::sources_with_secrets;
use super::error::{ConfigError, ConfigErrors};
use super::secret::others_can_read;
use super::settings::{CredentialSettings, Settings, TransformSettings};
use crate::transform::response::FailedAs;

/// The largest body that may be configured: it is held in memory.
const SIZE_MAX: ByteSize = ByteSize::gib(1);
/// The most that may be kept of anything on the disk.
const KEPT_MAX: ByteSize = ByteSize::tib(1);
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
    let mut checker = Checker {
        environment,
        errors,
        folder: file.and_then(Path::parent),
        warnings: Vec::new(),
        text_secrets: false,
        client_ids: BTreeSet::new(),
        read_once: None,
    };
    if let Some(file) = file {
        checker.reads(file);
    }
    let server = checker.server(&settings.server);
    let store = checker.store(&settings.store, &settings.debounce);
    let delivery = checker.delivery(&settings.transform);
    let proxies = checker.proxies(&settings.server);
    let throttle = checker.throttle(&settings.throttle);
    let token_lifetime = checker.whole_seconds("oauth.token_lifetime", &settings.oauth.token_lifetime);
    let CredentialSettings { tokens, basic, oauth } = &settings.integrator;
    let integrator = checker.credentials("integrator", tokens, basic.as_ref(), oauth);
    let monitor = checker.credentials("monitor", &settings.monitor.tokens, None, &[]);
    let TransformSettings { tokens, basic, oauth, .. } = &settings.transform;
    let transform = checker.credentials("transform", tokens, basic.as_ref(), oauth);
    checker.own_tokens(&monitor, &[("integrator", &integrator), ("transform", &transform)]);
    let failed_as = checker.take("transform.failed_as", transform::failed_as(&settings.transform.failed_as));
    let certificates = checker.certificates(&settings.certificates);
    let profiles_dir = checker.beside_config(settings.profiles.dir.as_deref());
    let profiles = checker.profiles(profiles_dir.as_deref());
    let sources = checker.sources(&settings.sources, &profiles);
    let of_environment = sources_with_secrets(environment).into_iter();
    let counted = of_environment.filter_map(|name| settings.sources.get(&name).map(|one| (name, one.secrets.len())));
    let secrets_of_environment = counted.collect();
    if let Some(file) = file.filter(|file| checker.text_secrets && others_can_read(file)) {
        let file = file.display();
        checker
            .warnings
            .push(format!("{file}: a secret stands in the settings, and everybody on this machine can read this file"));
    }
    let Checker { errors, warnings, read_once, .. } = checker;
    if errors.is_empty() {
        Ok(Config {
            server,
            store,
            delivery,
            transform,
            failed_as,
            integrator,
            monitor,
            proxies,
            throttle,
            token_lifetime: Duration::from_secs(token_lifetime.into()),
            certificates,
            sources,
            profiles,
            profiles_dir,
            read_once,
            secrets_of_environment,
            warnings,
        })
    } else {
        Err(ConfigErrors(errors))
    }
}

/// A path that starts at the configuration file, if it does not start at the root.
pub(super) fn beside(folder: Option<&Path>, path: &str) -> PathBuf {
    folder.map_or_else(|| path.into(), |folder| folder.join(path))
}

struct Checker<'a> {
    environment: &'a BTreeMap<String, String>,
    errors: Vec<ConfigError>,
    /// The folder of the configuration file.
    folder: Option<&'a Path>,
    warnings: Vec<String>,
    /// Whether there is a secret in the configuration itself.
    text_secrets: bool,
    /// The OAuth clients so far.
    client_ids: BTreeSet<String>,
    /// A file that may be read once only.
    read_once: Option<PathBuf>,
}

impl Checker<'_> {
    fn wrong(&mut self, key: &str, reason: impl Into<String>) {
        self.errors.push(ConfigError { key: key.to_owned(), reason: reason.into() });
    }

    /// Notes a file that is read, if that may be possible once only: it is a pipe, say, or what a shell makes of `<(…)`.
    fn reads(&mut self, path: &Path) {
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            self.read_once.get_or_insert_with(|| path.to_owned());
        }
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

    fn beside_config(&self, path: Option<&str>) -> Option<PathBuf> {
        path.map(|path| beside(self.folder, path))
    }

    fn span(&mut self, key: &str, text: &str) -> Duration {
        let parsed = text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
        let reason = || "must be a number with a unit, such as \"500ms\", \"10s\" or \"72h\"; 9600h at most".to_owned();
        self.take(key, parsed.filter(|span| *span <= SPAN_MAX).ok_or_else(reason))
    }

    fn positive_span(&mut self, key: &str, text: &str) -> Duration {
        let span = self.span(key, text);
        if span.is_zero() && !self.is_wrong(key) {
            self.wrong(key, "must be more than 0");
        }
        span
    }

    /// How much is held in memory.
    fn size(&mut self, key: &str, text: &str) -> usize {
        usize::try_from(self.bytes(key, text, SIZE_MAX)).unwrap_or(usize::MAX)
    }

    fn bytes(&mut self, key: &str, text: &str, most: ByteSize) -> u64 {
        let parsed = text.parse::<ByteSize>().map_err(|_| "must be a size such as \"1MiB\" or 1048576".to_owned());
        let parsed = parsed.and_then(|size| {
            let fits = (1..=most.as_u64()).contains(&size.as_u64());
            if fits { Ok(size.as_u64()) } else { Err(format!("must be from 1 byte to {most}")) }
        });
        self.take(key, parsed)
    }

    /// The times of signatures and tokens are whole seconds.
    fn whole_seconds(&mut self, key: &str, text: &str) -> u32 {
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
        sources::CLOSED
    }
}

impl Fallback for u64 {
    fn fallback() -> Self {
        1
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
