//! The composition root: build, bind, run; stop HTTP and delivery, then the store.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use anyhow::{Context, anyhow};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::certificates::{CertificateOptions, Certificates};
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::delivery::breaker::Breakers;
use crate::delivery::debounce::Debouncer;
use crate::delivery::worker::{DeliveryOptions, Worker};
use crate::housekeeping;
use crate::http::{self, Bodies, Doors, ServerOptions};
use crate::ingest::{Ingest, Source};
use crate::store::sqlite::Store;
use crate::store::{OpenError, StoreError, StoreOptions, Wake};
use crate::transform::fetch::FailedAs;

/// All options of all parts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The HTTP server.
    pub server: ServerOptions,
    /// The store.
    pub store: StoreOptions,
    /// Telling Transform.
    pub delivery: DeliveryOptions,
    /// What Transform presents.
    pub transform: Credentials,
    /// How a failed transaction is fetched.
    pub failed_as: FailedAs,
    /// What the integrator presents.
    pub integrator: Credentials,
    /// The PSPs' certificates.
    pub certificates: CertificateOptions,
    /// The doors for PSPs.
    pub sources: Vec<Source>,
}

/// A relay, built and bound.
pub struct App {
    server: Server,
    address: SocketAddr,
    ingest: Arc<Ingest>,
    worker: JoinHandle<()>,
    housekeeping: JoinHandle<()>,
    stop_delivery: CancellationToken,
    store: Arc<Store>,
    grace: Duration,
}

impl App {
    /// Opens the store, binds the socket, picks up what was not told before.
    ///
    /// # Errors
    /// The store cannot be opened (an [`OpenError`]), the address cannot be bound, or TLS cannot be set up.
    pub async fn build(options: Options) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let debouncer = Arc::new(Debouncer::default());
        let breakers = Breakers::new(options.delivery.breaker);
        let wake = Arc::clone(&debouncer);
        let store = Arc::new(Store::open(options.store, Wake::new(move |owed| wake.owe(owed)))?);
        let sources = options.sources.into_iter().map(|source| (source.name.clone(), source)).collect();
        let delivery_ended = CancellationToken::new();
        let certificates = Certificates::new(options.certificates, clock).map_err(|reason| anyhow!(reason))?;
        let ingest = Arc::new(Ingest::new(sources, Arc::clone(&store), Arc::new(certificates)));
        let doors = Doors {
            ingest: Arc::clone(&ingest),
            store: Arc::clone(&store),
            debouncer: Arc::clone(&debouncer),
            transform: options.transform,
            integrator: options.integrator,
            failed_as: options.failed_as,
            allowed_hosts: options.delivery.allowed_hosts.clone(),
            has_webhook_target: options.delivery.webhook_target.is_some(),
            delivery_ended: delivery_ended.clone(),
            bodies: Bodies::new(&options.server),
            clock,
            breakers: Arc::clone(&breakers),
            probed: http::Probed::default(),
        };
        let (server, address) = http::bind(&options.server, doors)
            .with_context(|| format!("cannot listen on {}", options.server.listen))?;
        let stop_delivery = CancellationToken::new();
        let stop = stop_delivery.clone();
        let worker = Worker::new(Arc::clone(&store), debouncer, breakers, options.delivery, clock, stop);
        let worker = worker.map_err(|reason| anyhow!(reason))?;
        let owed = worker.recover().await?;
        if owed > 0 {
            tracing::info!(owed, "records that Transform has yet to hear of");
        }
        let worker = tokio::spawn(async move {
            // Dropped when delivery ends, also by a panic: /readyz says so.
            let _ended = delivery_ended.drop_guard();
            worker.run().await;
        });
        let housekeeping = tokio::spawn(housekeeping::run(Arc::clone(&store), clock, stop_delivery.clone()));
        Ok(Self {
            server,
            address,
            ingest,
            worker,
            housekeeping,
            stop_delivery,
            store,
            grace: options.server.shutdown_grace,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then takes no more, finishes what is in flight within the grace period, and closes the
    /// store. What was not told by then is told after the next start.
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
                self.stop_delivery.cancel();
                let served = tokio::time::timeout(self.grace, handle.stop(true));
                let told = tokio::time::timeout(self.grace, self.worker);
                let kept = tokio::time::timeout(self.grace, self.housekeeping);
                let (served, told, _) = tokio::join!(served, told, kept);
                if served.is_err() || told.is_err() {
                    tracing::warn!("the grace period is over; what was in flight is cut off");
                }
            }
        }
        self.ingest.log_ignored();
        drop(self.ingest);
        close(self.store).await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Closes the store as soon as the server's threads have let go of it: they end a moment after the server says so.
async fn close(mut store: Arc<Store>) {
    for _ in 0..100 {
        match Arc::try_unwrap(store) {
            Ok(store) => return store.close(),
            Err(shared) => store = shared,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // A request that was cut off still holds it; what it commits is whole all the same.
    tracing::warn!("the store is still in use");
}

/// The exit code for a failure: 74 (EX_IOERR) where it is the store's.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let store = error.is::<OpenError>() || error.is::<StoreError>();
    if store { 74 } else { 1 }
}
