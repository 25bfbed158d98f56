//! The composition root: build, bind, run; stop HTTP and delivery, then the store.

mod options;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use anyhow::{Context, anyhow};
use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access::throttle::Throttle;
use crate::access::token::Issuer;
use crate::certificates::{CertificateOptions, Certificates};
use crate::clock::Clock;
use crate::delivery::breaker::Breakers;
use crate::delivery::debounce::Debouncer;
use crate::delivery::worker::{DeliveryOptions, Worker};
use crate::fetch::api::Apis;
use crate::http::{self, Bodies, InForce, Refusals, ServerOptions, State};
use crate::ingest::{Ingest, Repeats};
use crate::registering::Registering;
use crate::store::{LongestWaits, OpenError, Store, StoreError, StoreOptions, Wake};
use crate::{fetch, housekeeping, open_files};

pub use options::Options;
use options::apis;

/// A relay, built and bound.
pub struct App {
    server: Server,
    address: SocketAddr,
    ingest: Arc<Ingest>,
    refusals: Arc<Refusals>,
    repeats: Arc<Repeats>,
    worker: JoinHandle<()>,
    fetcher: JoinHandle<()>,
    housekeeping: JoinHandle<()>,
    stop_delivery: CancellationToken,
    store: Arc<Store>,
    clock: Clock,
    reloader: Reloader,
    grace: Duration,
}

/// Puts other options in force while the relay runs. What is under way goes by the old ones to its end.
#[derive(Debug, Clone)]
pub struct Reloader {
    server: ServerOptions,
    certificates: CertificateOptions,
    store: Arc<ArcSwap<StoreOptions>>,
    delivery: Arc<ArcSwap<DeliveryOptions>>,
    apis: Arc<ArcSwap<Apis>>,
    in_force: Arc<ArcSwap<InForce>>,
    room: Room,
}

/// How many connections are served since the start, and how many files may be open.
#[derive(Debug, Clone, Copy)]
struct Room {
    connections: usize,
    most: u64,
}

/// What came of other options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The keys whose new values need a restart; all else is in force.
    pub restart: Vec<&'static str>,
    /// Why there may be too few open files for what is in force, and what to do about it.
    pub shortage: Option<String>,
}

impl Reloader {
    /// Puts all in force that can be, and says what cannot.
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
        // What is fixed stays as it was, so that the next reload says so again.
        let StoreOptions { must_exist, max_waiting, .. } = *before;
        self.store.store(Arc::new(StoreOptions { path: before.path.clone(), must_exist, max_waiting, ..store }));
        self.delivery.store(Arc::new(delivery));
        self.apis.store(Arc::new(apis(&in_force.sources)));
        self.in_force.store(Arc::new(in_force));
        Reloaded { restart, shortage }
    }
}

impl App {
    /// Opens the store, binds the socket, picks up what was not told before.
    ///
    /// # Errors
    /// The store cannot be opened (an [`OpenError`]), the address cannot be bound, or TLS cannot be set up.
    pub async fn build(options: Options) -> anyhow::Result<Self> {
        let debouncer = Arc::new(Debouncer::default());
        let breakers = Arc::new(Breakers::default());
        let fetched = options.certificates.clone();
        let signal = Arc::new(fetch::worker::Signal::default());
        let (owed, fetches) = (Arc::clone(&debouncer), Arc::clone(&signal));
        let wake = Wake::new(move |one| owed.owe(one)).and_fetches(move |source| fetches.ring(source));
        let most = open_files::raise();
        let room = options.room(most).map_err(|reason| anyhow!(reason))?;
        if let Some(why) = room.why {
            tracing::warn!("{why}");
        }
        let (server, store, delivery, in_force) = options.split();
        let store = Arc::new(Store::open(store, wake)?);
        // Nothing asks for the time before the store has said where its clock was.
        let clock = housekeeping::start_clock(&store).await?;
        let certificates = Certificates::new(fetched.clone(), clock).map_err(|reason| anyhow!(reason))?;
        let apis = Arc::new(ArcSwap::from_pointee(apis(&in_force.sources)));
        let (delivery, in_force) =
            (Arc::new(ArcSwap::from_pointee(delivery)), Arc::new(ArcSwap::from_pointee(in_force)));
        let reloader = Reloader {
            server,
            certificates: fetched,
            store: store.options(),
            delivery: Arc::clone(&delivery),
            apis: Arc::clone(&apis),
            in_force: Arc::clone(&in_force),
            room: Room { connections: room.connections, most },
        };
        let (delivery_ended, stop_delivery) = (CancellationToken::new(), CancellationToken::new());
        let issuer = Arc::new(Issuer::new(random_key()?));
        let ingest = Arc::new(Ingest::new(Arc::clone(&store), Arc::clone(&issuer), Arc::new(certificates)));
        let refusals = Arc::new(Refusals::default());
        let state = State {
            in_force,
            ingest: Arc::clone(&ingest),
            registering: Registering::new(Arc::clone(&store), Arc::clone(&debouncer), Arc::clone(&breakers)),
            store: Arc::clone(&store),
            debouncer: Arc::clone(&debouncer),
            issuer,
            throttle: Throttle::default(),
            refusals: Arc::clone(&refusals),
            delivery_ended: delivery_ended.clone(),
            bodies: Bodies::new(&server, stop_delivery.clone()),
            clock,
            breakers: Arc::clone(&breakers),
            probed: http::Probed::default(),
        };
        let grace = server.shutdown_grace;
        let (server, address) = http::bind(&ServerOptions { max_connections: room.connections, ..server }, state)
            .with_context(|| format!("cannot listen on {}", server.listen))?;
        let stop = stop_delivery.clone();
        let fetcher = fetch::worker::Worker::new(Arc::clone(&store), apis, signal, clock, stop.clone());
        let fetcher = fetcher.map_err(|reason| anyhow!(reason))?;
        let fetches = fetcher.recover().await?;
        if fetches > 0 {
            tracing::info!(fetches, "objects that are yet to be fetched from PSPs");
        }
        let fetching_ended = delivery_ended.clone();
        let fetcher = tokio::spawn(async move {
            let _ended = fetching_ended.drop_guard();
            fetcher.run().await;
        });
        let waits = Arc::clone(&delivery);
        let longest = move || LongestWaits { retry: waits.load_full().retry.max, fetch: fetch::budget::ASKED_MAX };
        let worker = Worker::new(Arc::clone(&store), debouncer, breakers, delivery, clock, stop);
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
        let housekeeping = tokio::spawn(housekeeping::run(Arc::clone(&store), clock, longest, stop_delivery.clone()));
        tokio::spawn(Arc::clone(&refusals).sum_up(clock, stop_delivery.clone()));
        let repeats = ingest.repeats();
        tokio::spawn(Arc::clone(&repeats).sum_up(clock, stop_delivery.clone()));
        Ok(Self {
            server,
            address,
            ingest,
            refusals,
            repeats,
            worker,
            fetcher,
            housekeeping,
            stop_delivery,
            store,
            clock,
            reloader,
            grace,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What puts other options in force.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
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
                let unfinished = self.fetcher.abort_handle();
                let fetched = tokio::time::timeout(self.grace, self.fetcher);
                let kept = tokio::time::timeout(self.grace, self.housekeeping);
                let (served, told, fetched, _) = tokio::join!(served, told, fetched, kept);
                unfinished.abort();
                if served.is_err() || told.is_err() || fetched.is_err() {
                    tracing::warn!("the grace period is over; what was in flight is cut off");
                }
            }
        }
        self.refusals.sum_up_the_rest();
        self.repeats.sum_up_the_rest();
        self.ingest.log_ignored();
        drop(self.ingest);
        housekeeping::keep_clock(&self.store, self.clock).await;
        close(self.store).await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// 32 bytes that nobody can foresee.
fn random_key() -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| anyhow!("the machine gives no random bytes: {error}"))?;
    Ok(key)
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
