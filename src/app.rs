//! Composition root of the relay: binds the addresses, opens the store, starts the parts, and stops them, the store last.

mod options;
mod parts;
mod reloading;

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use anyhow::{Context, anyhow};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::parts::Parts;
use crate::clock::Clock;
use crate::housekeeping;
use crate::http::{self, Bound, Held, NotBound, Refusals, ServerOptions, State};
use crate::ingest::{Ingest, Repeats};
use crate::registering::Registering;
use crate::store::{OpenError, Store, StoreError};

pub use self::options::Options;
pub use self::reloading::{Reloaded, Reloader};

/// A relay, built and bound.
pub struct App {
    server: Server,
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    ingest: Arc<Ingest>,
    registering: Arc<Registering>,
    refusals: Arc<Refusals>,
    repeats: Arc<Repeats>,
    worker: JoinHandle<()>,
    fetcher: JoinHandle<()>,
    housekeeping: JoinHandle<()>,
    stop: CancellationToken,
    store: Arc<Store>,
    clock: Clock,
    reloader: Reloader,
    grace: Duration,
    owed: usize,
}

impl App {
    /// Binds the addresses, opens the store, and takes up the fetches and webhooks that an earlier run has left. Without an
    /// address no new store is made. Of an existing store its own trouble is told first.
    ///
    /// # Errors
    /// The store cannot be opened (an [`OpenError`]) or read, an address cannot be bound, or TLS cannot be set up. Or the limit
    /// of open files leaves no connection, or the machine gives no random bytes.
    pub async fn build(options: Options) -> anyhow::Result<Self> {
        let held = match http::bind(&options.server).map_err(not_bound) {
            Err(error) if !is_there(&options.store.path) => return Err(error),
            held => held,
        };
        let parts = Parts::open(options).await?;
        let state = parts.state()?;
        let (ingest, refusals) = (Arc::clone(&state.ingest), Arc::clone(&state.refusals));
        let registering = Arc::clone(&state.registering);
        let Bound { server, address, admin: admin_address } = listen(held?, &parts.reloader, state)?;
        let fetcher = parts.start_fetching().await?;
        let (worker, owed) = parts.start_delivery().await?;
        let housekeeping = parts.start_housekeeping();
        let repeats = ingest.repeats();
        let Parts { store, clock, reloader, stop, .. } = parts;
        tokio::spawn(Arc::clone(&refusals).sum_up(clock, stop.clone()));
        tokio::spawn(Arc::clone(&repeats).sum_up(clock, stop.clone()));
        tokio::spawn(Arc::clone(&reloader.keys).run(stop.clone()));
        let grace = reloader.server.shutdown_grace;
        Ok(Self {
            server,
            address,
            admin_address,
            ingest,
            registering,
            refusals,
            repeats,
            worker,
            fetcher,
            housekeeping,
            stop,
            store,
            clock,
            reloader,
            grace,
            owed,
        })
    }

    /// The address that the relay listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the routes that are neither a PSP's nor Transform's, if they have one of their own.
    #[must_use]
    pub const fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// The number of records that Transform had yet to hear of at the start.
    #[must_use]
    pub const fn owed(&self) -> usize {
        self.owed
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    /// The use case of the payment stack.
    #[must_use]
    pub fn registering(&self) -> Arc<Registering> {
        Arc::clone(&self.registering)
    }

    /// The clocks that the relay goes by.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// The handle that puts new options in force.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until `stop`. Then it takes no more requests, finishes requests, webhooks and fetches in flight within the grace
    /// period, and closes the store. Changes that Transform was not told of by then are told after the next start.
    ///
    /// # Errors
    /// The server failed.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let handle = self.server.handle();
        let mut serving = tokio::spawn(self.server);
        tokio::select! {
            ended = &mut serving => ended.context("the server panicked")?.context("the server failed")?,
            () = stop => {
                tracing::info!("stopping");
                self.stop.cancel();
                let served = tokio::time::timeout(self.grace, handle.stop(true));
                let told = tokio::time::timeout(self.grace, self.worker);
                let unfinished = self.fetcher.abort_handle();
                let fetched = tokio::time::timeout(self.grace, self.fetcher);
                let kept = tokio::time::timeout(self.grace, self.housekeeping);
                let (served, told, fetched, _) = tokio::join!(served, told, fetched, kept);
                unfinished.abort();
                if served.is_err() || told.is_err() || fetched.is_err() {
                    tracing::warn!("the grace period is over (server.shutdown_grace): requests, webhooks and fetches in flight are cut off");
                }
            }
        }
        self.refusals.sum_up_the_rest();
        self.repeats.sum_up_the_rest();
        self.ingest.log_ignored();
        drop(self.ingest);
        drop(self.registering);
        housekeeping::keep_clock(&self.store, self.clock).await;
        close(self.store).await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Whether there is a store at this path. An empty file is none yet.
fn is_there(store: &Path) -> bool {
    store.metadata().is_ok_and(|file| file.len() > 0)
}

/// Lets clients connect, as many as there is room for.
fn listen(held: Held, reloader: &Reloader, state: State) -> anyhow::Result<Bound> {
    let server = ServerOptions { max_connections: reloader.room.connections, ..reloader.server };
    http::serve(held, &server, state).map_err(not_bound)
}

/// The fault of an address, and the remedy.
pub(crate) fn not_bound(NotBound { key, at, source }: NotBound) -> anyhow::Error {
    match source.kind() {
        ErrorKind::AddrInUse => {
            anyhow!("{key}: {at} is in use by another program; stop that one, or choose another port")
        }
        ErrorKind::AddrNotAvailable => {
            anyhow!(
                "{key}: cannot listen on {at}, which is no address of this machine; correct it, or say 0.0.0.0 for all"
            )
        }
        _ => anyhow!("{key}: cannot listen on {at}: {source}"),
    }
}

/// Closes the store as soon as the server's threads have released it. They end a moment after the server reports its end.
async fn close(mut store: Arc<Store>) {
    for _ in 0..100 {
        match Arc::try_unwrap(store) {
            Ok(store) => return store.close(),
            Err(shared) => store = shared,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The writer commits whole transactions, so nothing is half written.
    tracing::warn!("the store is not closed: work that was cut off still holds it; nothing acknowledged is lost");
}

/// The exit code for a failure: 74 (EX_IOERR) if the store failed, else 1.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let store = error.is::<OpenError>() || error.is::<StoreError>();
    if store { 74 } else { 1 }
}
