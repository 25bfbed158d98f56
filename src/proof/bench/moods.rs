//! Ingest beside a Transform that is healthy, dead, or hangs; more connections than usual; and rotations without a pause.
//!
//! Each mood has a relay of its own. The relays that are not in turn are stopped, since they would go on telling.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::figure::{Figure, Goal, ratios};
use super::ingest::RECORDS;
use super::load::{Load, Window};
use super::relay::{Options, Relay};
use super::stage::{CONNECTIONS, Stage, enough, saturated};
use super::wire::{Notifications, SOURCE};
use crate::proof::stand_in::{Scripted, Transform};

const QUIET_MS: u64 = 100;
const MAX_WAIT_MS: u64 = 1_000;
/// More connections than usual.
const MANY: usize = 512;

/// How a secret is rotated. The configured secret, with which all notifications are signed, goes on verifying.
const ROTATION: [&str; 4] = ["--overlap", "0", "--keep-configured", "--made-here"];

/// How a Transform behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Healthy,
    /// Does not listen.
    Dead,
    /// Takes webhooks and never responds.
    Hanging,
}

/// A relay and its Transform.
struct Pair {
    relay: Relay,
    transform: Transform,
    /// The webhooks that came.
    webhooks: Arc<AtomicUsize>,
    notifications: Notifications,
    rate: f64,
    answered: usize,
}

impl Pair {
    /// Starts a relay whose Transform is in this mood, and stops it until its turn.
    async fn start(stage: &Stage, mood: Mood, rate: f64) -> anyhow::Result<Self> {
        let webhooks = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&webhooks);
        let transform = Transform::start(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            if mood == Mood::Hanging { Scripted::Hang } else { Scripted::status(200) }
        })?;
        transform.refuses(mood == Mood::Dead)?;
        let options = Options { transform: transform.address(), debounce: (QUIET_MS, MAX_WAIT_MS) };
        let folder = stage.folder.join(format!("{mood:?}").to_lowercase());
        let relay = Relay::start(&stage.program, folder, options, RECORDS).await?;
        relay.child.signal("STOP")?;
        Ok(Self { relay, transform, webhooks, notifications: Notifications::of(RECORDS)?, rate, answered: 0 })
    }

    /// A round, after a lead-in that nobody counts: a relay that was stopped has to wake up.
    async fn turn(&mut self, lasts: Duration) -> anyhow::Result<f64> {
        self.relay.child.signal("CONT")?;
        self.load(CONNECTIONS, lasts / 4).await?;
        let window = self.load(CONNECTIONS, lasts).await?;
        self.relay.child.signal("STOP")?;
        Ok(window.rate())
    }

    async fn load(&mut self, connections: usize, lasts: Duration) -> anyhow::Result<Window> {
        let requests = self.notifications.next(enough(self.rate * 1.5, lasts))?;
        let load = Load { connections, ..saturated(self.relay.address, requests, lasts) };
        let window = load.send().await?;
        self.rate = window.rate();
        self.answered += window.answered;
        Ok(window)
    }

    /// A round in which the source's secret is rotated and the configuration reloaded without a pause. Returns the number of
    /// rotations beside.
    async fn load_while_rotating(&mut self, stage: &Stage) -> anyhow::Result<(Window, usize)> {
        let over = Arc::new(AtomicBool::new(false));
        let (is_over, program, config) = (Arc::clone(&over), stage.program.clone(), self.relay.child.config());
        let rotations = tokio::task::spawn_blocking(move || {
            let mut rotations = 0;
            while !is_over.load(Ordering::Relaxed) {
                let mut command = Command::new(&program);
                command.args(["secret", "rotate", SOURCE]).args(ROTATION).arg("--config").arg(&config).env_clear();
                let done = command.output().context("cannot rotate a secret")?;
                let why = String::from_utf8_lossy(&done.stderr).into_owned();
                ensure!(done.status.success(), "the secret could not be rotated: {why}");
                rotations += 1;
            }
            Ok(rotations)
        });
        let window = self.load(CONNECTIONS, stage.round).await;
        over.store(true, Ordering::Relaxed);
        let rotations = rotations.await.context("the rotations panicked")??;
        Ok((window?, rotations))
    }
}

/// Measures ingest in these moods. `rate` is the rate that is expected.
pub(super) async fn measure(stage: &mut Stage, rate: f64) -> anyhow::Result<()> {
    let mut healthy = Pair::start(stage, Mood::Healthy, rate).await?;
    let mut dead = Pair::start(stage, Mood::Dead, rate).await?;
    let mut hanging = Pair::start(stage, Mood::Hanging, rate).await?;
    let (mut of_healthy, mut of_dead, mut of_hanging) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..stage.rounds {
        if round % 2 == 0 {
            of_healthy.push(healthy.turn(stage.round).await?);
            of_dead.push(dead.turn(stage.round).await?);
            of_hanging.push(hanging.turn(stage.round).await?);
        } else {
            of_hanging.push(hanging.turn(stage.round).await?);
            of_dead.push(dead.turn(stage.round).await?);
            of_healthy.push(healthy.turn(stage.round).await?);
        }
    }
    let (dead_ratios, hanging_ratios) = (ratios(&of_dead, &of_healthy), ratios(&of_hanging, &of_healthy));
    for (key, name, ratios) in [
        ("deadToHealthy", "ingest with a dead Transform ÷ with a healthy one", dead_ratios),
        ("hangingToHealthy", "ingest with a Transform that hangs ÷ with a healthy one", hanging_ratios),
    ] {
        stage.figure(Figure::of(key, name, "", &ratios).goal(Goal::AtLeast(0.8)));
    }
    healthy.relay.child.signal("CONT")?;
    crowd(stage, &mut healthy).await?;
    rotating(stage, &mut healthy).await?;
    for one in [&dead, &hanging] {
        one.relay.child.signal("CONT")?;
    }
    for one in [&healthy, &dead, &hanging] {
        let stored = one.relay.counted("SELECT count(*) FROM notifications")?;
        stage.count("notifications answered beside Transform's moods, and kept", one.answered, stored);
    }
    ensure!(dead.webhooks.load(Ordering::Relaxed) == 0, "a Transform that does not listen was told");
    drop(healthy.transform);
    Ok(())
}

/// Many connections beside the usual number.
async fn crowd(stage: &mut Stage, pair: &mut Pair) -> anyhow::Result<()> {
    let (mut rates, mut worst) = (Vec::new(), Vec::new());
    for _ in 0..stage.rounds {
        let usual = pair.load(CONNECTIONS, stage.round / 2).await?;
        let many = pair.load(MANY, stage.round / 2).await?;
        rates.push(many.rate() / usual.rate());
        let longest = |window: &Window| window.latencies.iter().copied().fold(0.0, f64::max);
        worst.push(longest(&many) / longest(&usual));
    }
    let name = "ingest over 512 connections ÷ over 64";
    stage.figure(Figure::of("crowdToUsual", name, "", &rates).goal(Goal::AtLeast(0.8)));
    stage.figure(Figure::of("crowdWorstToUsual", "  the longest times", "", &worst));
    Ok(())
}

/// Rounds without and with rotations. None is refused.
async fn rotating(stage: &mut Stage, pair: &mut Pair) -> anyhow::Result<()> {
    let (mut rates, mut refused, mut rotations) = (Vec::new(), 0, 0);
    for _ in 0..stage.rounds {
        let calm = pair.load(CONNECTIONS, stage.round).await?;
        let (rotating, times) = pair.load_while_rotating(stage).await?;
        rates.push(rotating.rate() / calm.rate());
        refused += rotating.refused;
        rotations += times;
    }
    stage.figure(Figure::of(
        "rotatingToCalm",
        "ingest while secrets are rotated without a pause ÷ without",
        "",
        &rates,
    ));
    stage.figure(Figure::of("rotations", "  rotations", "", &[rotations as f64]));
    stage.count("notifications refused while secrets were rotated (0 is right)", refused, 0);
    Ok(())
}
