//! Parts of the relay, built and started one after the other. Each part gets only what it needs of the others.

use std::sync::Arc;

use anyhow::anyhow;
use arc_swap::ArcSwap;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::options::{Options, apis, jwks_url};
use super::reloading::{Reloader, Room};
use crate::access::throttle::Throttle;
use crate::access::token::Issuer;
use crate::certificates::Certificates;
use crate::clock::Clock;
use crate::delivery::awaited::Awaited;
use crate::delivery::breaker::Breakers;
use crate::delivery::debounce::Debouncer;
use crate::delivery::revival::Revival;
use crate::delivery::worker::Worker;
use crate::fetch::worker::Signal;
use crate::http::{Bodies, Probed, Refusals, State};
use crate::ingest::Ingest;
use crate::jwks::KeptKeys;
use crate::registering::Registering;
use crate::store::Store;
use crate::store::{LongestWaits, Wake};
use crate::{fetch, housekeeping, open_files};

/// What the parts share: an open store, its clock, the options in force, and the ways in which parts wake each other.
pub(super) struct Parts {
    pub(super) store: Arc<Store>,
    pub(super) clock: Clock,
    pub(super) reloader: Reloader,
    /// Cancelled when the relay is to stop.
    pub(super) stop: CancellationToken,
    /// Cancelled when delivery or fetching has ended, even by a panic. /readyz reports it.
    ended: CancellationToken,
    debouncer: Arc<Debouncer>,
    breakers: Arc<Breakers>,
    signal: Arc<Signal>,
}

impl Parts {
    /// Opens the store and starts its clock. Nothing runs yet.
    ///
    /// # Errors
    /// There is no room for a connection, TLS cannot be set up, or the store cannot be opened.
    pub(super) async fn open(options: Options) -> anyhow::Result<Self> {
        let (debouncer, signal) = (Arc::new(Debouncer::default()), Arc::new(Signal::default()));
        let room = room(&options)?;
        let certificates = options.certificates.clone();
        let (server, store, delivery, in_force) = options.split();
        let store = Arc::new(Store::open(store, wake(&debouncer, &signal))?);
        // No part may ask for the time before the store has told where its clock stood.
        let clock = housekeeping::start_clock(&store).await?;
        let keys = Arc::new(KeptKeys::new(clock).map_err(|reason| anyhow!(reason))?);
        keys.configure(jwks_url(in_force.jwt.as_ref()));
        let reloader = Reloader {
            server,
            certificates,
            store: store.options(),
            delivery: Arc::new(ArcSwap::from_pointee(delivery)),
            apis: Arc::new(ArcSwap::from_pointee(apis(&in_force.sources))),
            in_force: Arc::new(ArcSwap::from_pointee(in_force)),
            keys,
            room,
        };
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        Ok(Self { store, clock, reloader, stop, ended, debouncer, breakers: Arc::default(), signal })
    }

    /// What the handlers of the routes share.
    ///
    /// # Errors
    /// TLS cannot be set up, or the machine gives no random bytes.
    pub(super) fn state(&self) -> anyhow::Result<State> {
        let certificates = Certificates::new(self.reloader.certificates.clone(), self.clock);
        let certificates = Arc::new(certificates.map_err(|reason| anyhow!(reason))?);
        let issuer = Arc::new(Issuer::new(random_key()?));
        let (debouncer, breakers) = (Arc::clone(&self.debouncer), Arc::clone(&self.breakers));
        Ok(State {
            in_force: Arc::clone(&self.reloader.in_force),
            ingest: Arc::new(Ingest::new(Arc::clone(&self.store), Arc::clone(&issuer), certificates)),
            registering: Arc::new(Registering::new(
                Arc::clone(&self.store),
                Arc::clone(&debouncer),
                Arc::clone(&breakers),
            )),
            store: Arc::clone(&self.store),
            debouncer,
            issuer,
            keys: Arc::clone(&self.reloader.keys),
            throttle: Throttle::default(),
            refusals: Arc::new(Refusals::default()),
            delivery_ended: self.ended.clone(),
            bodies: Bodies::new(&self.reloader.server, self.stop.clone()),
            clock: self.clock,
            breakers,
            probed: Probed::default(),
        })
    }

    /// Takes up the fetches that an earlier run has left, and fetches from PSPs until the stop.
    ///
    /// # Errors
    /// TLS cannot be set up, or the store cannot be read.
    pub(super) async fn start_fetching(&self) -> anyhow::Result<JoinHandle<()>> {
        let (apis, signal) = (Arc::clone(&self.reloader.apis), Arc::clone(&self.signal));
        let fetcher = fetch::worker::Worker::new(Arc::clone(&self.store), apis, signal, self.clock, self.stop.clone());
        let fetcher = fetcher.map_err(|reason| anyhow!(reason))?;
        let fetches = fetcher.recover().await?;
        if fetches > 0 {
            tracing::info!(fetches, "objects that are yet to be fetched from PSPs");
        }
        let ended = self.ended.clone();
        Ok(tokio::spawn(async move {
            let _ended = ended.drop_guard();
            fetcher.run().await;
        }))
    }

    /// Takes up the records that Transform has yet to hear of, and posts webhooks until the stop. Returns their number beside.
    ///
    /// # Errors
    /// TLS cannot be set up, or the store cannot be read.
    pub(super) async fn start_delivery(&self) -> anyhow::Result<(JoinHandle<()>, usize)> {
        let (debouncer, breakers) = (Arc::clone(&self.debouncer), Arc::clone(&self.breakers));
        let options = Arc::clone(&self.reloader.delivery);
        let (store, clock, stop) = (&self.store, self.clock, &self.stop);
        let awaited = Arc::new(Awaited::default());
        let shared = (debouncer, breakers, Arc::clone(&awaited));
        let worker = Worker::new(Arc::clone(store), shared, Arc::clone(&options), clock, stop.clone());
        let worker = worker.map_err(|reason| anyhow!(reason))?;
        let revival = Revival::new(Arc::clone(store), awaited, options, clock, stop.clone());
        let owed = worker.recover().await?;
        if owed > 0 {
            tracing::info!(owed, "records that Transform has yet to hear of");
        }
        let given_up = revival.recover().await?;
        if given_up > 0 {
            tracing::warn!(
                given_up,
                "deliveries were given up: Transform has not heard of these changes. GET /dead-letters/deliveries lists them, and \
                 `transform-relay tell --given-up` tells of them again"
            );
        }
        let ended = self.ended.clone();
        let running = tokio::spawn(async move {
            let _ended = ended.drop_guard();
            tokio::join!(worker.run(), revival.run());
        });
        Ok((running, owed))
    }

    /// Runs housekeeping until the stop.
    pub(super) fn start_housekeeping(&self) -> JoinHandle<()> {
        let delivery = Arc::clone(&self.reloader.delivery);
        let longest = move || LongestWaits { retry: delivery.load_full().retry.max, fetch: fetch::budget::ASKED_MAX };
        tokio::spawn(housekeeping::run(Arc::clone(&self.store), self.clock, longest, self.stop.clone()))
    }
}

/// Raises the limit of open files as far as the machine allows. Returns how many connections may be served under that limit.
fn room(options: &Options) -> anyhow::Result<Room> {
    let most = open_files::raise();
    let room = options.room(most).map_err(|reason| anyhow!(reason))?;
    if let Some(why) = room.why {
        tracing::warn!("{why}");
    }
    Ok(Room { connections: room.connections, most })
}

/// How the store wakes delivery and fetching after a commit.
fn wake(debouncer: &Arc<Debouncer>, signal: &Arc<Signal>) -> Wake {
    let (owed, fetches) = (Arc::clone(debouncer), Arc::clone(signal));
    Wake::new(move |one| owed.owe(one)).and_fetches(move |source| fetches.ring(source))
}

/// 32 random bytes.
fn random_key() -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| anyhow!("the machine gives no random bytes: {error}"))?;
    Ok(key)
}
