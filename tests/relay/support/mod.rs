//! The parts around the relay under test.

pub(crate) mod adyen;
pub(crate) mod api;
pub(crate) mod certificates;
#[path = "../../support/fixtures.rs"]
pub(crate) mod fixtures;
pub(crate) mod integrator;
pub(crate) mod issuer;
pub(crate) mod letters;
pub(crate) mod lists;
pub(crate) mod mounts;
pub(crate) mod peek;
pub(crate) mod planted;
pub(crate) mod pointing;
#[cfg(target_os = "linux")]
pub(crate) mod preload;
pub(crate) mod program;
pub(crate) mod psp;
pub(crate) mod relay;
pub(crate) mod reply;
pub(crate) mod setup;
pub(crate) mod siege;
pub(crate) mod stripe;
pub(crate) mod tls;
pub(crate) mod transform;

use std::future::Future;
use std::time::Duration;

pub(crate) use integrator::{agreement, payment, preauth, refund};
pub(crate) use relay::Relay;
pub(crate) use reply::Reply;
pub(crate) use setup::Setup;
pub(crate) use transform::{Answer, Gate, Transform, webhook};

/// How long anything may take before a test gives up. It expects no speed; it only ends hopeless waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A relay with this set-up and the Transform that it tells.
pub(crate) async fn start(setup: Setup) -> (Transform, Relay) {
    let transform = Transform::start();
    let relay = Relay::spawn(setup, &transform).await;
    (transform, relay)
}

/// A relay with an attempt in flight for payment tx-1 (pi_1, 10.00 paid). Transform responds when the gate opens.
pub(crate) async fn attempt_in_flight(status: u16) -> (Transform, Relay, Gate) {
    attempt_in_flight_of(Setup::default(), status).await
}

/// The same with this set-up.
pub(crate) async fn attempt_in_flight_of(setup: Setup, status: u16) -> (Transform, Relay, Gate) {
    let (transform, relay) = start(setup).await;
    let (answer, gate) = Answer::held(status);
    transform.script([answer]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    (transform, relay, gate)
}

/// Waits for a value that must come.
pub(crate) async fn within<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, awaited).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
