//! The store of a command: opened and locked as a relay does it, while no relay runs on it.

use tokio::runtime::Runtime;

use super::serve::runtime;
use crate::clock::Clock;
use crate::housekeeping;
use crate::store::{OpenError, Store, StoreError, StoreOptions, Wake};

/// A store that a command has opened.
pub(super) struct OwnStore {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) runtime: Runtime,
}

/// The reason why it cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime cannot be started.
    #[error("{0:#}")]
    Runtime(anyhow::Error),
}

impl OwnStore {
    pub(super) fn open(options: &StoreOptions) -> Result<Self, NotOpened> {
        let runtime = runtime().map_err(NotOpened::Runtime)?;
        // The next relay finds in the store what Transform is owed.
        let store = Store::open(StoreOptions { must_exist: true, ..options.clone() }, Wake::new(|_| ()))?;
        let clock = runtime.block_on(housekeeping::start_clock(&store))?;
        Ok(Self { store, clock, runtime })
    }

    pub(super) fn close(self) {
        let Self { store, clock, runtime } = self;
        runtime.block_on(housekeeping::keep_clock(&store, clock));
        store.close();
    }
}
