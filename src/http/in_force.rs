//! Settings in force: the routes go by them, and a reload replaces them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::access::credentials::Credentials;
use crate::access::jwt::JwtPolicy;
use crate::access::operators::Operator;
use crate::access::proxies::Proxies;
use crate::access::throttle::ThrottlePolicy;
use crate::registering::source_of;
use crate::source::Source;
use crate::transform::response::FailedAs;
use crate::transform::target::AllowedHosts;

/// The settings that the routes go by and that a reload replaces. A handler loads one instance, and goes by it to its
/// end.
#[derive(Debug)]
pub struct InForce {
    /// The sources, by name.
    pub sources: BTreeMap<String, Source>,
    /// The tokens and clients of Transform.
    pub transform: Credentials,
    /// The issuer of Transform's JWTs.
    pub jwt: Option<JwtPolicy>,
    /// The tokens and clients of the integrator.
    pub integrator: Credentials,
    /// The tokens of monitors.
    pub monitor: Credentials,
    /// The operators, by name. While there are none, their routes are the integrator's.
    pub operators: BTreeMap<String, Operator>,
    /// How Transform reads a failed transaction.
    pub failed_as: FailedAs,
    /// The hosts that webhooks may go to.
    pub allowed_hosts: AllowedHosts,
    /// Whether Transform can be told of records without a target of their own.
    pub has_webhook_target: bool,
    /// The proxies that may name the client for which they call.
    pub proxies: Proxies,
    /// The limit on wrong credentials from one address.
    pub throttle: ThrottlePolicy,
    /// The lifetime of a token that the relay issues.
    pub token_lifetime: Duration,
}

impl InForce {
    /// The name of the source that Transform means by this `pspSettingsId`.
    pub(super) fn source_of(&self, psp_settings_id: &str) -> Option<&str> {
        source_of(&self.sources, psp_settings_id)
    }
}
