//! What the parts are built from.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::access::credentials::Credentials;
use crate::access::proxies::Proxies;
use crate::access::throttle::ThrottlePolicy;
use crate::certificates::CertificateOptions;
use crate::delivery::worker::DeliveryOptions;
use crate::fetch::api::Apis;
use crate::http::{self, InForce, ServerOptions};
use crate::open_files::{self, Room};
use crate::source::Source;
use crate::store::StoreOptions;
use crate::transform::response::FailedAs;

/// All options of all parts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The HTTP server.
    pub server: ServerOptions,
    /// The store.
    pub store: StoreOptions,
    /// Telling Transform.
    pub delivery: DeliveryOptions,
    /// What Transform presents.
    pub transform: Credentials,
    /// How a failed transaction is fetched.
    pub failed_as: FailedAs,
    /// What the integrator presents.
    pub integrator: Credentials,
    /// What a monitor presents.
    pub monitor: Credentials,
    /// Who may say for whom they call.
    pub proxies: Proxies,
    /// How often an address may show wrong credentials.
    pub throttle: ThrottlePolicy,
    /// How long a token of ours lasts.
    pub token_lifetime: Duration,
    /// The PSPs' certificates.
    pub certificates: CertificateOptions,
    /// The sources, by name.
    pub sources: BTreeMap<String, Source>,
}

impl Options {
    /// As many connections as leave the relay its own files, where so many may be open.
    ///
    /// # Errors
    /// There is room for none; why, and what to do about it.
    pub fn room(&self, most: u64) -> Result<Room, String> {
        open_files::room(self.server.max_connections, self.reserve(), most)
    }

    /// How many files are open beside the connections of clients, at most.
    pub(super) fn reserve(&self) -> u64 {
        let fetches = self.sources.values().filter_map(|source| Some(source.fetch.as_ref()?.limits.concurrency));
        let calls = fetches.fold(self.delivery.concurrency, usize::saturating_add);
        open_files::reserve(http::workers(), calls)
    }

    /// What a reload replaces, by who goes by it.
    pub(super) fn split(self) -> (ServerOptions, StoreOptions, DeliveryOptions, InForce) {
        let in_force = InForce {
            sources: self.sources,
            transform: self.transform,
            integrator: self.integrator,
            monitor: self.monitor,
            failed_as: self.failed_as,
            allowed_hosts: self.delivery.allowed_hosts.clone(),
            has_webhook_target: self.delivery.webhook_target.is_some(),
            proxies: self.proxies,
            throttle: self.throttle,
            token_lifetime: self.token_lifetime,
        };
        (self.server, self.store, self.delivery, in_force)
    }
}

/// How the PSPs of all sources that fetch are asked.
pub(super) fn apis(sources: &BTreeMap<String, Source>) -> Apis {
    sources.iter().filter_map(|(name, source)| Some((name.clone(), source.fetch.clone()?))).collect()
}
