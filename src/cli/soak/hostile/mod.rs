//! Strangers of `soak --hostile`: untrusted clients attack the relay while the lives go on.
//!
//! No stranger may be believed, keep out others for long, or cost memory or processor time without bound. Each attack is one
//! function that plays one round. It reports answers that the relay must never give.

mod bombs;
mod captured;
mod held;
mod hints;
mod innocent;
mod requests;
mod unread;
mod watch;
mod wire;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use self::hints::Api;
use super::lives::Chance;
use super::relay::Relay;
use super::world::{World, read};

/// The longest pause between two rounds of one attack, in milliseconds.
const PAUSE_MAX_MS: u64 = 40;

/// The longest wait for an answer. Past it the answer counts as missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The sources to which only strangers post, and the sources whose notifications they captured.
pub(super) const SOURCES: [&str; 4] = [captured::BRAINTREE, captured::ADYEN, bombs::WPG, hints::MOLLIE];

/// All strangers.
#[derive(Debug)]
pub(super) struct Strangers {
    api: Arc<Api>,
    memory: watch::Memory,
    done: Arc<Done>,
}

/// How often each attack came to the point at which a fault would have shown. In the end none of these may be 0.
#[derive(Debug, Default)]
struct Done {
    /// Texts signed by the endpoint check that were posted and refused.
    signed: AtomicU64,
    /// Payments that were told of to their end, with replays in between.
    replayed: AtomicU64,
    /// Small bodies that were refused for their signature, beside held bodies.
    small: AtomicU64,
    /// The longest wait of the innocent client for an answer, in milliseconds.
    longest_ms: AtomicU64,
}

/// One stranger's view of the soak.
struct Stranger {
    world: Arc<World>,
    relay: Arc<Relay>,
    client: reqwest::Client,
    done: Arc<Done>,
}

impl Stranger {
    /// The relay's address. `None` if it has not listened yet.
    fn address(&self) -> Option<SocketAddr> {
        self.relay.address()
    }

    fn url(&self, path: &str) -> Option<String> {
        self.address().map(|address| format!("http://{address}{path}"))
    }

    fn violated(&self, what: impl Into<String>) {
        self.world.violated(what.into());
    }
}

impl Strangers {
    /// Starts the strangers, and the PSP's API at which the relay looks up their hints.
    pub(super) async fn come() -> anyhow::Result<Self> {
        let api = Arc::new(Api::listen().await?);
        tokio::spawn({
            let api = Arc::clone(&api);
            async move { api.run().await }
        });
        Ok(Self { api, memory: watch::Memory::default(), done: Arc::default() })
    }

    /// The relay's configuration for strangers, added to that for the lives.
    pub(super) fn config(&self) -> String {
        [captured::config(), bombs::config(), hints::config(self.api.address)].concat()
    }

    /// The strangers' costs at the end, by name, for people.
    pub(super) async fn cost(
        &self,
        world: &Arc<World>,
        relay: &Arc<Relay>,
    ) -> anyhow::Result<Vec<(&'static str, String)>> {
        let idle = watch::stays_idle(&self.stranger(world, relay)?).await;
        let done = [
            ("texts that the endpoint check signed, refused", &self.done.signed),
            ("payments with captured items, right in the end", &self.done.replayed),
            ("small bodies beside held ones, looked at", &self.done.small),
            ("longest wait of an innocent client, in ms", &self.done.longest_ms),
        ];
        for (what, count) in done {
            if read(count) == 0 {
                world.violated(format!("an attack never came to its point: {what}: 0"));
            }
        }
        let done = done.map(|(what, count)| (what, read(count).to_string()));
        Ok([
            ("most memory of the relay", self.memory.most()),
            ("processor time while clients read nothing", idle),
            ("calls for made-up hints", self.api.asked().to_string()),
        ]
        .into_iter()
        .chain(done)
        .collect())
    }

    fn stranger(&self, world: &Arc<World>, relay: &Arc<Relay>) -> anyhow::Result<Stranger> {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let (world, relay, done) = (Arc::clone(world), Arc::clone(relay), Arc::clone(&self.done));
        Ok(Stranger { world, relay, client, done })
    }

    /// Plays all attacks side by side until the time is over.
    pub(super) async fn attack(&self, world: &Arc<World>, relay: &Arc<Relay>, until: Instant) -> anyhow::Result<()> {
        let stranger = self.stranger(world, relay)?;
        let watch = self.memory.watch(world, relay, until);
        let ((), (), answered) = tokio::join!(watch, attacks(&stranger, until), innocent::asks(&stranger, until));
        answered
    }
}

async fn attacks(stranger: &Stranger, until: Instant) {
    tokio::join!(
        rounds(stranger, until, "pipelining without reading", |chance| unread::round(stranger, chance)),
        rounds(stranger, until, "holding bodies and heads", |chance| held::round(stranger, chance)),
        rounds(stranger, until, "smuggling and garbage", |chance| requests::smuggle(stranger, chance)),
        rounds(stranger, until, "guessing and forging", |chance| requests::guess(stranger, chance)),
        rounds(stranger, until, "signing by the endpoint check", |chance| captured::oracle(stranger, chance)),
        rounds(stranger, until, "replaying with another time", |chance| captured::replay(stranger, chance)),
        rounds(stranger, until, "making up hints", |chance| hints::round(stranger, chance)),
        rounds(stranger, until, "bombs of XML, forms and JSON", |chance| bombs::round(stranger, chance)),
    );
}

async fn rounds<F: Future<Output = ()>>(
    stranger: &Stranger,
    until: Instant,
    name: &'static str,
    mut round: impl FnMut(Chance) -> F,
) {
    let (mut number, mut whole) = (0, 0_u64);
    // On a slow machine, a short soak may be over before the first round ends.
    while Instant::now() < until || (whole == 0 && number == 0) {
        let mut chance = Chance::of(stranger.world.seed, name, number);
        let pause = Duration::from_millis(chance.millis(0, PAUSE_MAX_MS));
        stranger.world.trouble_begins(name);
        // When the time is over, the round under way is cut off and its connections close.
        let over = if number == 0 { until + PATIENCE } else { until };
        whole += u64::from(timeout_at(over, round(chance)).await.is_ok());
        stranger.world.trouble_ends();
        number += 1;
        sleep(pause).await;
    }
    if whole == 0 {
        stranger.violated(format!("not one round was whole of: {name}"));
    }
}
