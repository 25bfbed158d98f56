//! Options of all parts of the relay.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use crate::access::credentials::Credentials;
use crate::access::jwt::JwtPolicy;
use crate::access::operators::Operator;
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
    /// The delivery of webhooks to Transform.
    pub delivery: DeliveryOptions,
    /// The credentials that Transform presents.
    pub transform: Credentials,
    /// The issuer whose JWTs Transform may present.
    pub jwt: Option<JwtPolicy>,
    /// How Transform reads a failed transaction.
    pub failed_as: FailedAs,
    /// The credentials that the integrator presents.
    pub integrator: Credentials,
    /// The credentials that a monitor presents.
    pub monitor: Credentials,
    /// The operators, by name.
    pub operators: BTreeMap<String, Operator>,
    /// The proxies that may name a client's address.
    pub proxies: Proxies,
    /// How often an address may show wrong credentials.
    pub throttle: ThrottlePolicy,
    /// The lifetime of an issued OAuth token.
    pub token_lifetime: Duration,
    /// The PSPs' certificates.
    pub certificates: CertificateOptions,
    /// The sources, by name.
    pub sources: BTreeMap<String, Source>,
}

impl Options {
    /// The connections that may be served if the relay may have `most` files open and keeps some for itself.
    ///
    /// # Errors
    /// There is no room for a connection; the reason and the remedy.
    pub fn room(&self, most: u64) -> Result<Room, String> {
        open_files::room(self.server.max_connections, self.reserve(), most)
    }

    /// The most files that are open beside the connections of clients.
    pub(super) fn reserve(&self) -> u64 {
        let fetches = self.sources.values().filter_map(|source| Some(source.fetch.as_ref()?.limits.concurrency));
        let calls = fetches.fold(self.delivery.concurrency, usize::saturating_add);
        open_files::reserve(http::workers(), calls)
    }

    /// The options, split by the part that uses them.
    pub(super) fn split(self) -> (ServerOptions, StoreOptions, DeliveryOptions, InForce) {
        let in_force = InForce {
            sources: self.sources,
            transform: self.transform,
            jwt: self.jwt,
            integrator: self.integrator,
            monitor: self.monitor,
            operators: self.operators,
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

/// The APIs of all sources that fetch, by the source's name.
pub(super) fn apis(sources: &BTreeMap<String, Source>) -> Apis {
    sources.iter().filter_map(|(name, source)| Some((name.clone(), source.fetch.clone()?))).collect()
}

/// The URL of the keys of Transform's issuer.
pub(super) fn jwks_url(jwt: Option<&JwtPolicy>) -> Option<Url> {
    jwt.map(|policy| policy.jwks_url.clone())
}
