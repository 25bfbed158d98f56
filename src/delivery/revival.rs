//! The revival of what was given up because of a host: it is owed again once the host responds.
//!
//! If nothing else asks an awaited host, one of its debts is owed again as its scout: otherwise nobody would see that the host is
//! back.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use super::awaited::Awaited;
use super::worker::DeliveryOptions;
use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// The revival of debts of awaited hosts.
#[derive(Debug)]
pub struct Revival {
    store: Arc<Store>,
    awaited: Arc<Awaited>,
    options: Arc<ArcSwap<DeliveryOptions>>,
    clock: Clock,
    stop: CancellationToken,
}

/// The number of debts that are owed again as one piece of work: other work waits behind it.
const PAGE: u32 = 400;

impl Revival {
    /// Makes a revival of debts in this store. It runs until `stop`.
    #[must_use]
    pub const fn new(
        store: Arc<Store>,
        awaited: Arc<Awaited>,
        options: Arc<ArcSwap<DeliveryOptions>>,
        clock: Clock,
        stop: CancellationToken,
    ) -> Self {
        Self { store, awaited, options, clock, stop }
    }

    /// Awaits the hosts because of which an earlier run has given up. Returns how many deliveries were given up.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn recover(&self) -> Result<u64, StoreError> {
        self.store.awaited_hosts().await?.iter().for_each(|host| self.awaited.add(host));
        self.store.given_up_count().await
    }

    /// Owes debts again until it is stopped.
    pub async fn run(self) {
        loop {
            for host in self.awaited.all() {
                if let Err(error) = self.scout(&host).await {
                    trouble(&host, &error);
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.awaited.responded() => {}
                () = tokio::time::sleep(self.options.load_full().breaker.max) => {}
            }
            for host in self.awaited.take_responded() {
                if let Err(error) = self.revive(&host).await {
                    trouble(&host, &error);
                    self.awaited.add(&host);
                }
            }
        }
    }

    /// Owes one debt again if nothing that is owed asks its host.
    async fn scout(&self, host: &str) -> Result<(), StoreError> {
        if self.store.is_asked(host.to_owned()).await? {
            return Ok(());
        }
        let now = self.clock.now();
        self.store.owe_again_of_host(host.to_owned(), now, now, 1).await.map(drop)
    }

    /// Owes all debts of a host again that it has now.
    async fn revive(&self, host: &str) -> Result<(), StoreError> {
        let (until, mut records) = (self.clock.now(), 0_usize);
        while !self.stop.is_cancelled() {
            let owed = self.store.owe_again_of_host(host.to_owned(), until, self.clock.now(), PAGE).await?;
            if owed == 0 {
                break;
            }
            records = records.saturating_add(owed);
        }
        if records > 0 {
            tracing::info!(host, records, "host responds again: what was given up because of it is told");
        }
        Ok(())
    }
}

fn trouble(host: &str, error: &StoreError) {
    tracing::error!(host, %error, "the store is in trouble: what was given up because of this host waits until the store works again");
}
