//! State that the handlers share: the parts of the relay, and the settings in force.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::body::Bodies;
use super::in_force::InForce;
use super::probed::Probed;
use super::refusals::Refusals;
use crate::access::throttle::Throttle;
use crate::access::token::Issuer;
use crate::clock::Clock;
use crate::delivery::breaker::Breakers;
use crate::delivery::debounce::Debouncer;
use crate::ingest::Ingest;
use crate::jwks::KeptKeys;
use crate::registering::Registering;
use crate::store::Store;

/// The state that the handlers of all routes share.
#[derive(Debug)]
pub struct State {
    /// The settings in force.
    pub in_force: Arc<ArcSwap<InForce>>,
    /// Takes notifications.
    pub ingest: Arc<Ingest>,
    /// Registers records.
    pub registering: Arc<Registering>,
    /// Reads records.
    pub store: Arc<Store>,
    /// Counts the records that are owed a webhook.
    pub debouncer: Arc<Debouncer>,
    /// Issues tokens and recognises them.
    pub issuer: Arc<Issuer>,
    /// Verifies the JWTs of Transform's issuer.
    pub keys: Arc<KeptKeys>,
    /// Knows the addresses that showed wrong credentials too often.
    pub throttle: Throttle,
    /// Counts the refusals.
    pub refusals: Arc<Refusals>,
    /// Cancelled when delivery or fetching has ended.
    pub delivery_ended: CancellationToken,
    /// The bounds of request bodies.
    pub bodies: Bodies,
    /// Tells the time.
    pub clock: Clock,
    /// Knows the hosts of Transform that do not respond.
    pub breakers: Arc<Breakers>,
    /// The finding of the last readiness probe.
    pub probed: Probed,
}
