//! One stranger: its view of the soak, and the counts of attacks that came to their point.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::proof::soak::world::World;
use crate::proof::stand_in::Relay;

/// The longest wait for an answer. Past it the answer counts as missing.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How often each attack came to the point at which a fault would have shown. In the end none of these may be 0.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Texts signed by the endpoint check that were posted and refused.
    pub(super) signed: AtomicU64,
    /// Payments that were told of to their end, with replays in between.
    pub(super) replayed: AtomicU64,
    /// Small bodies that were refused for their signature, beside held bodies.
    pub(super) small: AtomicU64,
    /// The longest wait of the innocent client for an answer, in milliseconds.
    pub(super) longest_ms: AtomicU64,
}

/// One stranger's view of the soak.
pub(super) struct Stranger {
    pub(super) world: Arc<World>,
    pub(super) relay: Arc<Relay>,
    pub(super) client: reqwest::Client,
    pub(super) done: Arc<Done>,
}

impl Stranger {
    /// The relay's address. `None` if it has not listened yet.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.relay.address()
    }

    pub(super) fn url(&self, path: &str) -> Option<String> {
        self.address().map(|address| format!("http://{address}{path}"))
    }

    pub(super) fn violated(&self, what: impl Into<String>) {
        self.world.violated(what.into());
    }
}
