//! The settings that the routes go by, and that a reload replaces.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::access::credentials::Credentials;
use crate::access::proxies::Proxies;
use crate::access::throttle::ThrottlePolicy;
use crate::source::Source;
use crate::transform::response::FailedAs;
use crate::transform::target::AllowedHosts;

/// What the routes go by and a reload replaces. A request goes by one of these from its start to its end.
#[derive(Debug)]
pub struct InForce {
    /// The sources, by name.
    pub sources: BTreeMap<String, Source>,
    /// What Transform presents.
    pub transform: Credentials,
    /// What the integrator presents.
    pub integrator: Credentials,
    /// What a monitor presents.
    pub monitor: Credentials,
    /// How a failed transaction is fetched.
    pub failed_as: FailedAs,
    /// Where webhooks may go.
    pub allowed_hosts: AllowedHosts,
    /// Whether records without a target of their own can be told.
    pub has_webhook_target: bool,
    /// Who may say for whom they call.
    pub proxies: Proxies,
    /// How often an address may show wrong credentials.
    pub throttle: ThrottlePolicy,
    /// How long a token of ours lasts.
    pub token_lifetime: Duration,
}
