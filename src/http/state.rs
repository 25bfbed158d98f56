//! What the handlers share: the parts of the relay, and the settings in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::body::Bodies;
use super::health::Probed;
use super::refusals::Refusals;
use crate::access::credentials::Credentials;
use crate::access::proxies::Proxies;
use crate::access::throttle::{Throttle, ThrottlePolicy};
use crate::access::token::Issuer;
use crate::clock::Clock;
use crate::delivery::breaker::Breakers;
use crate::delivery::debounce::Debouncer;
use crate::ingest::Ingest;
use crate::registering::Registering;
use crate::source::Source;
use crate::store::Store;
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

/// What the handlers of all routes share.
#[derive(Debug)]
pub struct State {
    /// What they go by now.
    pub in_force: Arc<ArcSwap<InForce>>,
    /// Takes notifications.
    pub ingest: Arc<Ingest>,
    /// Registers records.
    pub registering: Registering,
    /// Reads records.
    pub store: Arc<Store>,
    /// Knows how many records are owed a webhook.
    pub debouncer: Arc<Debouncer>,
    /// Issues tokens and knows them again.
    pub issuer: Arc<Issuer>,
    /// Knows who was wrong too often.
    pub throttle: Throttle,
    /// Counts what was refused.
    pub refusals: Arc<Refusals>,
    /// Cancelled when delivery or fetching has ended.
    pub delivery_ended: CancellationToken,
    /// What bodies may cost.
    pub bodies: Bodies,
    /// Tells the time.
    pub clock: Clock,
    /// Knows which of Transform's hosts do not answer.
    pub breakers: Arc<Breakers>,
    /// What the last readiness probe found.
    pub probed: Probed,
}
