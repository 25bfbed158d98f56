//! `soak`: proves that nothing acknowledged is lost, whatever happens around the relay.
//!
//! It runs the real program as a child process on a temporary store. PSPs live generated lives and tell them shuffled,
//! repeated, batched, forged and broken off. Transform is in changing moods. The relay is killed, terminated, frozen
//! and locked out of its store. At the end, Transform's readings are compared with the truth.
//!
//! With `--hostile` the relay is not killed. Strangers attack it instead (`hostile`).
//!
//! The seed reproduces the lives, the telling of each, and the script of faults. It does not reproduce the machine's
//! scheduling, nor the number of lives for which there is time.

#![expect(clippy::indexing_slicing, reason = "indexing JSON values cannot panic: the lives know their shapes")]

mod check;
mod faults;
mod hostile;
mod ledger;
mod lives;
mod plan;
mod print;
mod relay;
mod script;
mod senders;
mod transform;
mod world;

use crate::cli::say;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use self::hostile::Strangers;
use self::lives::{Chance, Truth};
use self::relay::Relay;
use self::senders::Senders;
use self::transform::Transform;
use self::world::World;

/// The open steps above which no new life begins: so the machine's speed decides the load.
const OPEN_MAX: usize = 1_000;
/// The longest wait between the beginnings of two lives, in milliseconds.
const BIRTHS_MAX_WAIT_MS: u64 = 60;
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Reads `--minutes`: more than 0, at most a week.
pub(super) fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if minutes > 0.0 && minutes <= 10_080.0 { Ok(minutes) } else { Err("must be above 0, at most 10080".to_owned()) }
}

/// The arguments of a soak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) minutes: f64,
    pub(super) seed: Option<u64>,
    /// Keep the temporary folder.
    pub(super) keep: bool,
    /// Let strangers attack the relay, and do not kill it.
    pub(super) hostile: bool,
}

pub(super) fn run(asked: Asked) -> ExitCode {
    // The seed is short enough to be typed again.
    let seed = asked.seed.unwrap_or_else(|| fastrand::u64(1..1_000_000));
    let soaked = super::serve::runtime().and_then(|runtime| runtime.block_on(soak(asked, seed)));
    match soaked {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("the soak of seed {seed} broke off: {error:#}; its folder stays"));
            ExitCode::FAILURE
        }
    }
}

async fn soak(asked: Asked, seed: u64) -> anyhow::Result<bool> {
    let Asked { minutes, keep, .. } = asked;
    let folder = std::env::temp_dir().join(format!("transform-relay-soak-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let world = Arc::new(World::new(seed, folder));
    let failed_as = Chance::of(seed, "failed_as", 0).pick(&["error", "record"]);
    print::opening(&world, minutes, failed_as);
    let transform = Transform::start(Arc::clone(&world))?;
    let strangers = if asked.hostile { Some(Strangers::come().await?) } else { None };
    let more = strangers.as_ref().map(Strangers::config).unwrap_or_default();
    let relay = Arc::new(Relay::new(&world.folder, transform.address, failed_as, &more)?);
    transform.reads_from(&relay);
    relay.start().await?;
    let senders = Senders::new(Arc::clone(&world), Arc::clone(&relay))?;

    let lasts = Duration::from_secs(60).mul_f64(minutes);
    let until = Instant::now() + lasts;
    let moods = tokio::spawn(faults::moods(Arc::clone(&world), Arc::clone(&transform), until));
    let teller = tokio::spawn(tell(Arc::clone(&world), Arc::clone(&transform)));
    let trouble = async {
        match &strangers {
            Some(strangers) => strangers.attack(&world, &relay, until).await,
            None => faults::misfortunes(&world, &relay, until).await,
        }
    };
    let (truths, struck) = tokio::select! {
        done = async { tokio::join!(births(&world, &senders, until), trouble) } => done,
        () = interrupted() => anyhow::bail!("interrupted"),
    };
    struck?;
    moods.await?;
    let active = world.began.elapsed();

    tokio::select! {
        settled = check::settles(&world, &relay) => settled?,
        () = interrupted() => anyhow::bail!("interrupted"),
    }
    teller.abort();
    let cost = match &strangers {
        Some(strangers) => strangers.cost(&world, &relay).await?,
        None => Vec::new(),
    };
    check::truths(&world, &transform, &truths, failed_as == "error").await?;
    let code = relay.terminate().await?;
    if code != Some(0) {
        world.violated(format!("SIGTERM ended the relay with exit code {code:?}"));
    }
    let distinct = senders.ledger.len();
    check::inbox(&world, &relay.database(), &senders.ledger.take())?;
    check::log(&world, &relay.log())?;

    let closing = print::Closing { minutes, records: truths.len(), distinct, active, cost };
    let good = print::closing(&world, &closing);
    if good && !keep {
        std::fs::remove_dir_all(&world.folder).with_context(|| format!("cannot remove {}", world.folder.display()))?;
    }
    Ok(good)
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

/// Prints the state of the soak now and then, until the soak ends.
async fn tell(world: Arc<World>, transform: Arc<Transform>) {
    loop {
        sleep(SAY_EVERY).await;
        print::progress(&world, &transform);
    }
}

/// SIGINT or SIGTERM.
async fn interrupted() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
