//! Checked configuration: the options of all parts, the sources, the profiles, and warnings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::access::credentials::Credentials;
use crate::access::proxies::Proxies;
use crate::access::throttle::ThrottlePolicy;
use crate::certificates::CertificateOptions;
use crate::delivery::worker::DeliveryOptions;
use crate::http::ServerOptions;
use crate::psp::profile::catalogue::Catalogue;
use crate::source::Source;
use crate::store::StoreOptions;
use crate::transform::response::FailedAs;

/// The checked configuration. Each field names the keys that it comes from.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: ServerOptions,
    /// `[store]` and `[debounce]`
    pub store: StoreOptions,
    /// `[transform]`
    pub delivery: DeliveryOptions,
    /// `[transform]`: the credentials that Transform presents.
    pub transform: Credentials,
    /// transform.failed_as
    pub failed_as: FailedAs,
    /// `[integrator]`
    pub integrator: Credentials,
    /// `[monitor]`
    pub monitor: Credentials,
    /// server.trusted_proxies and server.forwarded_header
    pub proxies: Proxies,
    /// `[throttle]`
    pub throttle: ThrottlePolicy,
    /// oauth.token_lifetime, in whole seconds
    pub token_lifetime: Duration,
    /// `[certificates]`
    pub certificates: CertificateOptions,
    /// `[sources]`
    pub sources: BTreeMap<String, Source>,
    /// The built-in profiles and those of profiles.dir.
    pub profiles: Catalogue,
    /// profiles.dir, as a path beside the configuration file.
    pub profiles_dir: Option<PathBuf>,
    /// One of the files that were read, if it can perhaps be read only once, as a pipe can.
    pub read_once: Option<PathBuf>,
    /// How many of a source's secrets, from the first on, come from the relay's environment. No command sees those.
    pub secrets_of_environment: BTreeMap<String, usize>,
    /// Warnings about settings that are allowed but not wise. [`super::warnings`] adds those that depend on the time.
    pub warnings: Vec<String>,
}
