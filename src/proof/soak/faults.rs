//! The soak's faults, as the script says: Transform's moods, and kills, freezes and locks around the relay.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rusqlite::{Connection, ErrorCode};
use tokio::time::{Instant, sleep, timeout_at};

use super::lives::Chance;
use super::script::{Fault, Mood, next_fault, next_mood, opening_faults};
use super::transform::Transform;
use super::world::World;
use crate::proof::stand_in::Relay;

/// Plays Transform's moods until the time is over, and leaves Transform healthy.
pub(super) async fn moods(world: Arc<World>, transform: Arc<Transform>, until: Instant) {
    let mut chance = Chance::of(world.seed, "moods", 0);
    loop {
        let (mood, lasts) = next_mood(&mut chance);
        transform.is(mood);
        if mood != Mood::Healthy {
            world.trouble_begins(mood.name());
        }
        let over = timeout_at(until, sleep(lasts)).await.is_err();
        transform.is(if over { Mood::Healthy } else { mood });
        if mood != Mood::Healthy {
            world.trouble_ends();
        }
        if over {
            return;
        }
    }
}

/// Plays the relay's faults until the time is over, and leaves the relay running.
pub(super) async fn misfortunes(world: &World, relay: &Relay, until: Instant) -> anyhow::Result<()> {
    let mut chance = Chance::of(world.seed, "faults", 0);
    let mut opening = opening_faults(&mut chance).into_iter();
    loop {
        let (calm, fault, lasts) = opening.next().unwrap_or_else(|| next_fault(&mut chance));
        if timeout_at(until, sleep(calm)).await.is_err() {
            return Ok(());
        }
        if let Some(code) = relay.ended() {
            world.violated(format!("the relay ended by itself: exit code {code:?}"));
            relay.start().await?;
        }
        world.trouble_begins(fault.name());
        let struck = strike(world, relay, fault, lasts, &mut chance).await;
        world.trouble_ends();
        struck.with_context(|| format!("during the fault: {}", fault.name()))?;
    }
}

async fn strike(
    world: &World,
    relay: &Relay,
    fault: Fault,
    lasts: Duration,
    chance: &mut Chance,
) -> anyhow::Result<()> {
    match fault {
        Fault::Kill => {
            relay.kill();
            sleep(lasts).await;
            relay.start().await
        }
        Fault::KillTwice => {
            relay.kill();
            sleep(lasts).await;
            // The second kill may come before the relay listens, or while it takes up its outbox.
            relay.spawn()?;
            sleep(Duration::from_millis(chance.millis(0, 300))).await;
            relay.kill();
            relay.start().await
        }
        Fault::Terminate => {
            let code = relay.terminate().await?;
            if code != Some(0) {
                world.violated(format!("SIGTERM ended the relay with exit code {code:?}"));
            }
            sleep(lasts).await;
            relay.start().await
        }
        Fault::Freeze => {
            relay.signal("STOP")?;
            sleep(lasts).await;
            relay.signal("CONT")
        }
        Fault::Lock => locked(relay.database(), lasts).await,
        Fault::LockAndKill => {
            let lock = tokio::spawn(locked(relay.database(), lasts));
            sleep(Duration::from_millis(chance.millis(0, 500))).await;
            relay.kill();
            let started = relay.start().await;
            lock.await??;
            started
        }
    }
}

/// Locks the store, as another process with a long write would. Gives up if the relay's writes leave no gap.
async fn locked(database: PathBuf, lasts: Duration) -> anyhow::Result<()> {
    let held = tokio::task::spawn_blocking(move || {
        let connection = Connection::open(database)?;
        connection.busy_timeout(Duration::ZERO)?;
        for _ in 0..LOCK_TRIES {
            match connection.execute_batch("BEGIN IMMEDIATE") {
                Ok(()) => {
                    std::thread::sleep(lasts);
                    return connection.execute_batch("ROLLBACK");
                }
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    });
    held.await?.context("cannot lock the store")
}

/// The most tries to lock the store between the relay's own transactions, a millisecond apart.
const LOCK_TRIES: u32 = 5_000;
