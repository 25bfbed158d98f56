//! Text settings → checked configuration. Defaults < file < `RELAY_SECTION__KEY` in the environment.
//!
//! Each part of the program defines its own options; this module fills them in, and nothing imports it but the
//! commands.

mod check;
mod environment;
pub mod error;
mod print;
mod profiles;
mod rotation;
mod rotation_lock;
mod secret;
mod secrets_file;
mod settings;
mod unheld;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::access::credentials::Credentials;
use crate::access::proxies::Proxies;
use crate::access::throttle::ThrottlePolicy;
use crate::certificates::CertificateOptions;
use crate::config::error::ConfigErrors;
use crate::delivery::worker::DeliveryOptions;
use crate::http::ServerOptions;
use crate::psp::profile::catalogue::Catalogue;
use crate::source::Source;
use crate::store::StoreOptions;
use crate::transform::response::FailedAs;

pub use print::{in_force, missing};
pub use profiles::{add_folder, renamed};
pub use rotation::{Rotation, rotation, store_path};
pub use rotation_lock::PATIENCE as WAITS_FOR_ANOTHER;
pub use secrets_file::Written;
pub use unheld::warnings;

/// All that is in force, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: ServerOptions,
    /// `[store]` and `[debounce]`
    pub store: StoreOptions,
    /// `[transform]`
    pub delivery: DeliveryOptions,
    /// Who comes in as Transform
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
    /// profiles.dir, where it leads to.
    pub profiles_dir: Option<PathBuf>,
    /// A file that may be read once only, since it is a pipe, say; any of those that were read.
    pub read_once: Option<PathBuf>,
    /// How many of a source's secrets, from the first on, come from the environment, where no command sees them.
    pub secrets_of_environment: BTreeMap<String, usize>,
    /// What is allowed, but not wise, at any time.
    pub warnings: Vec<String>,
}

/// Reads and checks the configuration.
///
/// # Errors
/// All that is wrong, each with its key.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigErrors> {
    let environment = environment::text(environment)?;
    let (settings, unknown) = settings::read(file, &environment)?;
    check::check(settings, unknown, &environment, file)
}
