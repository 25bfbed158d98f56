//! Reload of the options while the relay runs: puts new options in force, and names the keys that need a restart.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::options::{Options, apis, jwks_url};
use crate::certificates::CertificateOptions;
use crate::delivery::worker::DeliveryOptions;
use crate::fetch::api::Apis;
use crate::http::{InForce, ServerOptions};
use crate::jwks::KeptKeys;
use crate::open_files;
use crate::store::StoreOptions;

/// Puts new options in force while the relay runs. Work under way keeps the old options to its end.
#[derive(Debug, Clone)]
pub struct Reloader {
    pub(super) server: ServerOptions,
    pub(super) certificates: CertificateOptions,
    pub(super) store: Arc<ArcSwap<StoreOptions>>,
    pub(super) delivery: Arc<ArcSwap<DeliveryOptions>>,
    pub(super) apis: Arc<ArcSwap<Apis>>,
    pub(super) in_force: Arc<ArcSwap<InForce>>,
    pub(super) keys: Arc<KeptKeys>,
    pub(super) room: Room,
}

/// The most connections that are served, fixed at the start, and the most files that may be open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) connections: usize,
    pub(super) most: u64,
}

/// The outcome of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The keys whose new values need a restart; all other new values are in force.
    pub restart: Vec<&'static str>,
    /// The warning that the options in force may need more open files than are allowed, with the remedy.
    pub shortage: Option<String>,
}

impl Reloader {
    /// The settings in force.
    #[must_use]
    pub fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// Puts the new options in force, except those that need a restart.
    pub fn reload(&self, options: Options) -> Reloaded {
        let shortage = open_files::shortage(self.room.connections, options.reserve(), self.room.most);
        let certificates = self.certificates.changed(&options.certificates);
        let (server, store, delivery, in_force) = options.split();
        let before = self.store.load_full();
        let mut restart = self.server.changed(&server);
        let fixed = [
            ("store.path", before.path != store.path),
            ("store.must_exist", before.must_exist != store.must_exist),
            ("store.max_waiting", before.max_waiting != store.max_waiting),
        ];
        restart.extend(certificates);
        restart.extend(fixed.into_iter().filter_map(|(key, changed)| changed.then_some(key)));
        // Fixed options keep their old values, so that the next reload names them again.
        let StoreOptions { must_exist, max_waiting, .. } = *before;
        self.store.store(Arc::new(StoreOptions { path: before.path.clone(), must_exist, max_waiting, ..store }));
        self.delivery.store(Arc::new(delivery));
        self.apis.store(Arc::new(apis(&in_force.sources)));
        self.keys.configure(jwks_url(in_force.jwt.as_ref()));
        self.in_force.store(Arc::new(in_force));
        Reloaded { restart, shortage }
    }
}
