//! Delivery: webhooks beside changes at saturation, the time from due to Transform, and the draining of a backlog beside a client
//! that does nothing but post.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use url::Url;

use super::debounced::Rule;
use super::figure::{Figure, Goal, quantile, ratios, sorted};
use super::hooks::Hooks;
use super::load::Load;
use super::relay::{Options, Relay};
use super::stage::{Stage, enough, saturated};
use super::wire::{Notifications, record_id};
use crate::delivery::client::Client;
use crate::proof::stand_in::webhook;

/// The hot records.
const RECORDS: usize = 1_000;
const QUIET_MS: u64 = 200;
const MAX_WAIT_MS: u64 = 1_000;
/// The default of `transform.concurrency`.
const CONCURRENCY: usize = 16;
/// The changes a second while the time from due to Transform is measured.
const CALM: f64 = 50.0;
/// The longest wait for webhooks.
const PATIENCE: Duration = Duration::from_secs(60);

/// The relay that tells, and its Transform.
pub(super) struct Telling {
    relay: Relay,
    hooks: Hooks,
    notifications: Notifications,
    rule: Rule,
    /// The last known rate of notifications.
    rate: f64,
}

impl Telling {
    pub(super) async fn start(stage: &Stage, rate: f64) -> anyhow::Result<Self> {
        let hooks = Hooks::listen()?;
        let options = Options { transform: hooks.address(), debounce: (QUIET_MS, MAX_WAIT_MS) };
        let relay = Relay::start(&stage.program, stage.folder.join("telling"), options, RECORDS).await?;
        let rule = Rule { quiet: Duration::from_millis(QUIET_MS), max_wait: Duration::from_millis(MAX_WAIT_MS) };
        Ok(Self { relay, hooks, notifications: Notifications::of(RECORDS)?, rule, rate })
    }

    /// Waits until Transform was told of all changes.
    async fn settles(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.relay.counted("SELECT count(*) FROM outbox")? > 0 {
            if began.elapsed() > PATIENCE {
                return Err(anyhow!("Transform was not told of all changes within {PATIENCE:?}"));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Measures all of delivery.
    pub(super) async fn measure(mut self, stage: &mut Stage) -> anyhow::Result<()> {
        self.saturated(stage).await?;
        self.calm(stage).await?;
        self.backlog(stage).await?;
        self.settles().await?;
        let told = self.relay.counted("SELECT count(*) FROM attempts WHERE failure IS NULL")?;
        // The bare client posts to the same Transform.
        let here = self.hooks.count() - stage.rounds * RECORDS;
        stage.count("webhooks that Transform has seen, and the relay has noted", here, told);
        Ok(())
    }

    /// Webhooks beside changes while notifications come as quickly as they are taken.
    async fn saturated(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let (mut measured, mut predicted, mut rates) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..stage.rounds {
            let seen = self.hooks.count();
            let requests = self.notifications.next(enough(self.rate, stage.round))?;
            let window = saturated(self.relay.address, requests, stage.round).send().await?;
            self.settles().await?;
            self.rate = window.rate();
            rates.push(window.rate());
            let changes = window.answered as f64;
            measured.push((self.hooks.count() - seen) as f64 / changes);
            let of_records = window.answers.iter().map(|(number, at)| (number % RECORDS, *at));
            predicted.push(self.rule.webhooks(of_records) as f64 / changes);
        }
        let name = "webhooks ÷ changes at saturation, 1,000 hot records";
        stage.figure(Figure::of("webhooksToChanges", name, "", &measured));
        stage.figure(Figure::of("webhooksPredicted", "  as quiet and max_wait predict it", "", &predicted));
        let name = "  webhooks ÷ those that are predicted";
        let to_rule = Figure::of("webhooksToPredicted", name, "", &ratios(&measured, &predicted));
        stage.figure(to_rule.goal(Goal::AtMost(1.1)));
        stage.figure(Figure::of("tellingRate", "  durable ingest meanwhile", "1/s", &rates));
        Ok(())
    }

    /// From the due time of a change to Transform, where little happens. A change is due `quiet` after its notification was sent.
    async fn calm(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let mut medians = Vec::new();
        for _ in 0..stage.rounds {
            let seen = self.hooks.count();
            let requests = self.notifications.next(enough(CALM, stage.round))?;
            let first = self.notifications.made() - requests.len();
            let load = Load { rate: Some(CALM), ..saturated(self.relay.address, requests, stage.round) };
            let window = load.send().await?;
            self.settles().await?;
            let answers = window.answers.iter().zip(&window.latencies);
            let due: BTreeMap<_, _> = answers
                .filter_map(|((number, at), latency)| {
                    let sent = at.checked_sub(Duration::from_secs_f64(*latency))?;
                    Some((record_id((first + number) % RECORDS), sent + self.rule.quiet))
                })
                .collect();
            let late = self.hooks.after(seen).into_iter().filter_map(|(at, id)| {
                let late = at.saturating_duration_since(*due.get(&id)?);
                Some(late.as_secs_f64() * 1e3)
            });
            medians.extend(quantile(&sorted(&late.collect::<Vec<_>>()), 0.5));
        }
        let name = "from due to Transform, median";
        stage.figure(Figure::of("dueToTransform", name, "ms", &medians).goal(Goal::AtMost(2.0)));
        Ok(())
    }

    /// A backlog that the relay drains, and as many webhooks of a bare client, in turns.
    async fn backlog(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let (mut drained, mut posted) = (Vec::new(), Vec::new());
        for round in 0..stage.rounds {
            if round % 2 == 0 {
                drained.push(self.drain().await?);
                posted.push(self.post().await?);
            } else {
                posted.push(self.post().await?);
                drained.push(self.drain().await?);
            }
        }
        let name = "a backlog of 1,000 drained ÷ a bare client";
        stage.figure(Figure::of("drainToBareClient", name, "", &ratios(&drained, &posted)).goal(Goal::AtLeast(0.7)));
        stage.figure(Figure::of("drainRate", "  webhooks of the relay", "1/s", &drained));
        stage.figure(Figure::of("bareClientRate", "  webhooks of the bare client", "1/s", &posted));
        Ok(())
    }

    /// Lets all records fall due while Transform holds its responses back. Returns the rate after it has released them.
    async fn drain(&mut self) -> anyhow::Result<f64> {
        let seen = self.hooks.count();
        self.hooks.hold(true);
        let requests = self.notifications.next(RECORDS)?;
        saturated(self.relay.address, requests, PATIENCE).send().await?;
        sleep(self.rule.quiet * 2).await;
        let waiting = self.hooks.count() - seen;
        let began = Instant::now();
        self.hooks.hold(false);
        self.hooks.until(seen + RECORDS, PATIENCE).await?;
        let rate = (RECORDS - waiting) as f64 / began.elapsed().as_secs_f64();
        self.settles().await?;
        Ok(rate)
    }

    /// Posts as many webhooks with the relay's own HTTP client, as many at once, and nothing else.
    async fn post(&self) -> anyhow::Result<f64> {
        let client = Client::new(CONCURRENCY).map_err(|reason| anyhow!(reason))?;
        let url = Url::parse(&format!("http://{}/webhooks", self.hooks.address()))?;
        let next = Arc::new(AtomicUsize::new(0));
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..CONCURRENCY {
            let (client, url, next) = (client.clone(), url.clone(), Arc::clone(&next));
            tasks.spawn(async move {
                loop {
                    let record = next.fetch_add(1, Ordering::Relaxed);
                    if record >= RECORDS {
                        return Ok(());
                    }
                    let body = webhook(2, &record_id(record)).to_string();
                    client.post(url.clone(), body, PATIENCE).await?;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended?.map_err(|reason: String| anyhow!(reason))?;
        }
        Ok(RECORDS as f64 / began.elapsed().as_secs_f64())
    }
}
