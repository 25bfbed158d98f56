//! All strangers side by side: each attack is played round by round, until the time is over.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::stranger::{Done, PATIENCE, Stranger};
use super::{bombs, captured, held, hints, innocent, requests, unread, watch};
use crate::proof::soak::lives::Chance;
use crate::proof::soak::world::{World, read};
use crate::proof::stand_in::{PspApi, Relay};

/// The longest pause between two rounds of one attack, in milliseconds.
const PAUSE_MAX_MS: u64 = 40;

/// The sources that only the attacks use. The check of the inbox leaves them out.
pub(in crate::proof::soak) const SOURCES: [&str; 4] = [captured::BRAINTREE, captured::ADYEN, bombs::WPG, hints::MOLLIE];

/// All strangers, with the API that their hints lead to, and their costs so far.
#[derive(Debug)]
pub(in crate::proof::soak) struct Strangers {
    api: PspApi,
    memory: watch::Memory,
    done: Arc<Done>,
}

impl Strangers {
    /// Starts the strangers, and the PSP's API at which the relay looks up their hints.
    pub(in crate::proof::soak) fn come() -> anyhow::Result<Self> {
        let api = PspApi::start()?;
        Ok(Self { api, memory: watch::Memory::default(), done: Arc::default() })
    }

    /// The relay's configuration for strangers, added to that for the lives.
    pub(in crate::proof::soak) fn config(&self) -> String {
        [captured::config(), bombs::config(), hints::config(self.api.address())].concat()
    }

    /// The strangers' costs at the end, by name, for people. Checks that the relay is idle while clients read nothing, and
    /// that each attack came to its point.
    pub(in crate::proof::soak) async fn cost(
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
                world.violated(format!(
                    "an attack never came to the point at which a fault would have shown: {what}: 0"
                ));
            }
        }
        let done = done.map(|(what, count)| (what, read(count).to_string()));
        Ok([
            ("most memory of the relay", self.memory.most()),
            ("processor time while clients read nothing", idle),
            ("calls for made-up hints", self.api.count().to_string()),
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
    pub(in crate::proof::soak) async fn attack(
        &self,
        world: &Arc<World>,
        relay: &Arc<Relay>,
        until: Instant,
    ) -> anyhow::Result<()> {
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
    // The first round is always played. On a slow machine, a short soak may be over before that.
    while Instant::now() < until || (whole == 0 && number == 0) {
        let mut chance = Chance::of(stranger.world.seed, name, number);
        let pause = Duration::from_millis(chance.millis(0, PAUSE_MAX_MS));
        stranger.world.trouble_begins(name);
        // When the time is over, the round under way is cut off and its connections close. The first round may take longer.
        let over = if number == 0 { until + PATIENCE } else { until };
        whole += u64::from(timeout_at(over, round(chance)).await.is_ok());
        stranger.world.trouble_ends();
        number += 1;
        sleep(pause).await;
    }
    if whole == 0 {
        stranger.violated(format!("no round of this attack was played to its end: {name}"));
    }
}
