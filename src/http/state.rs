//! What the handlers share: the parts of the relay, and the settings in force.

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
use crate::registering::Registering;
use crate::store::Store;

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
