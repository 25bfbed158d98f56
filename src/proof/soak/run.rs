//! The run of the soak: lives, moods and faults side by side for a time, and then the checks against the truth.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, sleep};

use super::asked::Asked;
use super::hostile::Strangers;
use super::lives::{Chance, Truth};
use super::senders::Senders;
use super::transform::Transform;
use super::world::World;
use super::{check, config, faults, print};
use crate::proof::stand_in::Relay;
use crate::proof::stop::Stop;
use crate::proof::{Ended, Verdict, folder};

/// The number of open steps from which on no new life begins. So the machine's speed decides the load.
const OPEN_MAX: usize = 1_000;
/// The longest wait between the beginnings of two lives, in milliseconds.
const BIRTHS_MAX_WAIT_MS: u64 = 60;
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Soaks the relay on a multi-threaded runtime, and tells of it on stdout. The verdict is good if Transform holds the truth
/// in the end. With `keep`, or after a violation, the folder is kept. SIGINT, SIGTERM and SIGHUP stop the soak and its relay.
///
/// # Errors
/// A part of the soak cannot be started. The folder is kept.
pub async fn soak(asked: Asked) -> anyhow::Result<Ended> {
    // The signals are heard before there is a relay or a folder.
    let mut stop = Stop::heard().context("cannot listen for signals")?;
    let folder = folder::made(&format!("transform-relay-soak-{}", uuid::Uuid::now_v7()))?;
    let at = format!("the store, the configuration and the log are in {}", folder.display());
    let stage = Stage::set(&asked, folder.clone()).context(at.clone())?;
    let soaked = tokio::select! {
        soaked = stage.soaked(asked.minutes) => Ok(soaked),
        by = stop.asked() => Err(by),
    };
    // Tasks that go on hold the relay, too.
    stage.relay.kill();
    let keep = asked.keep || stage.world.violations().0 > 0;
    let good = match soaked {
        Ok(soaked) => soaked.context(at)?,
        Err(by) => return Ok(Ended::stopped(by, folder, keep)),
    };
    let keep = keep || !good;
    let mut untold = None;
    if keep {
        untold = print::kept(&folder).err();
    } else {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let verdict = if good { Verdict::Good } else { Verdict::Bad };
    Ok(Ended { verdict, kept: keep.then_some(folder), untold })
}

/// The parts of a soak.
struct Stage {
    world: Arc<World>,
    transform: Arc<Transform>,
    strangers: Option<Strangers>,
    relay: Arc<Relay>,
    failed_as: &'static str,
}

impl Stage {
    /// Makes all parts. The relay is not started.
    fn set(asked: &Asked, folder: PathBuf) -> anyhow::Result<Self> {
        let world = Arc::new(World::new(asked.seed, folder));
        let failed_as = Chance::of(asked.seed, "failed_as", 0).pick(&["error", "record"]);
        print::opening(&world, asked.minutes, failed_as);
        let transform = Arc::new(Transform::start(Arc::clone(&world))?);
        let strangers = if asked.hostile { Some(Strangers::come()?) } else { None };
        let more = strangers.as_ref().map(Strangers::config).unwrap_or_default();
        let config = config::config(&world.folder, transform.address(), failed_as) + &more;
        let program = std::env::current_exe().context("cannot find the path of this program")?;
        let relay = Arc::new(Relay::new(program, &world.folder, &config)?);
        transform.reads_from(&relay);
        Ok(Self { world, transform, strangers, relay, failed_as })
    }

    /// Soaks the relay. Returns whether Transform holds the truth in the end.
    async fn soaked(&self, minutes: f64) -> anyhow::Result<bool> {
        let Self { world, transform, strangers, relay, failed_as } = self;
        relay.start().await?;
        let senders = Senders::new(Arc::clone(world), Arc::clone(relay))?;

        let lasts = Duration::from_secs(60).mul_f64(minutes);
        let until = Instant::now() + lasts;
        let moods = tokio::spawn(faults::moods(Arc::clone(world), Arc::clone(transform), until));
        let teller = tokio::spawn(tell(Arc::clone(world), Arc::clone(transform)));
        let trouble = async {
            match strangers {
                Some(strangers) => strangers.attack(world, relay, until).await,
                None => faults::misfortunes(world, relay, until).await,
            }
        };
        let (truths, struck) = tokio::join!(births(world, &senders, until), trouble);
        struck?;
        moods.await?;
        let active = world.began.elapsed();

        check::settles(world, relay).await?;
        teller.abort();
        let cost = match strangers {
            Some(strangers) => strangers.cost(world, relay).await?,
            None => Vec::new(),
        };
        check::truths(world, transform, &truths, *failed_as == "error").await?;
        check::findings(world, relay, &truths).await?;
        let code = relay.terminate().await?;
        if code != Some(0) {
            world.violated(format!("SIGTERM ended the relay with exit code {code:?}"));
        }
        let distinct = senders.ledger.len();
        check::inbox(world, &relay.database(), &senders.ledger.take())?;
        check::reread(world, relay).await?;
        check::log(world, &relay.log())?;

        let closing = print::Closing { minutes, records: truths.len(), distinct, active, cost };
        Ok(print::closing(world, &closing))
    }
}

/// Begins one life after the other, as fast as the machine can take them. Returns their truth.
async fn births(world: &World, senders: &Arc<Senders>, until: Instant) -> Vec<(Arc<str>, Truth)> {
    let mut chance = Chance::of(world.seed, "births", 0);
    let mut truths = Vec::new();
    let mut number = 0;
    while Instant::now() < until {
        if world.count.open.load(Ordering::Relaxed) < OPEN_MAX {
            let life = senders.live(number);
            number += 1;
            let label: Arc<str> = life.label.into();
            truths.extend(life.truths.into_iter().map(|truth| (Arc::clone(&label), truth)));
        }
        sleep(Duration::from_millis(chance.millis(0, BIRTHS_MAX_WAIT_MS))).await;
    }
    truths
}

/// Prints the progress every [`SAY_EVERY`], without end.
async fn tell(world: Arc<World>, transform: Arc<Transform>) {
    loop {
        sleep(SAY_EVERY).await;
        print::progress(&world, &transform);
    }
}
