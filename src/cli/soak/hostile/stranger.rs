//! One stranger: its view of the soak, and how often its attacks came to their point.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::cli::soak::relay::Relay;
use crate::cli::soak::world::World;

/// An answer that takes longer does not come.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How often an attack came to the point at which it would have shown a fault: none of these may be 0 in the end.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// A text that the endpoint check signed was posted.
    pub(super) signed: AtomicU64,
    /// A payment was told of to its end, with replays in between.
    pub(super) replayed: AtomicU64,
    /// A small body was refused for its signature, beside bodies that were held.
    pub(super) small: AtomicU64,
    /// An innocent client was answered: its longest wait, in milliseconds.
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
    /// Where the relay listens; none if it has not listened yet.
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
