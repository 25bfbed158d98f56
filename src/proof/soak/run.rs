//! The run of the soak: lives, moods and faults side by side for a time, and then the checks against the truth.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use super::asked::Asked;
use super::hostile::Strangers;
use super::lives::{Chance, Truth};
use super::senders::Senders;
use super::transform::Transform;
use super::world::World;
use super::{check, config, faults, print};
use crate::proof::stand_in::Relay;

/// The number of open steps from which on no new life begins. So the machine's speed decides the load.
const OPEN_MAX: usize = 1_000;
/// The longest wait between the beginnings of two lives, in milliseconds.
const BIRTHS_MAX_WAIT_MS: u64 = 60;
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Soaks the relay on a multi-threaded runtime, and tells of it on stdout. Returns whether Transform holds the truth in the
/// end.
///
/// # Errors
/// A part of the soak cannot be started, or the soak is interrupted.
pub async fn soak(asked: Asked) -> anyhow::Result<bool> {
    let Asked { minutes, seed, keep, .. } = asked;
    let folder = std::env::temp_dir().join(format!("transform-relay-soak-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let world = Arc::new(World::new(seed, folder));
    let failed_as = Chance::of(seed, "failed_as", 0).pick(&["error", "record"]);
    print::opening(&world, minutes, failed_as);
    let transform = Arc::new(Transform::start(Arc::clone(&world))?);
    let strangers = if asked.hostile { Some(Strangers::come()?) } else { None };
    let more = strangers.as_ref().map(Strangers::config).unwrap_or_default();
    let config = config::config(&world.folder, transform.address(), failed_as) + &more;
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let relay = Arc::new(Relay::new(program, &world.folder, &config)?);
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

/// Prints the progress every [`SAY_EVERY`], without end.
async fn tell(world: Arc<World>, transform: Arc<Transform>) {
    loop {
        sleep(SAY_EVERY).await;
        print::progress(&world, &transform);
    }
}

/// Waits for SIGINT or SIGTERM.
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
