//! The soak's senders: PSPs, the payment stack, and strangers. An unacknowledged notification is sent again, as PSPs do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::TaskTracker;

use super::ledger::Ledger;
use super::lives::{Chance, Life, Registration, SOURCES};
use super::plan::{Act, Post, Step, plan};
use super::world::{World, one};
use crate::proof::stand_in::{Psp, Relay, STACK_TOKEN};
use crate::psp::vouch::sign::Signed;

/// The most requests under way at once.
const AT_ONCE: usize = 48;
/// The number of HTTP clients: PSPs, too, use several connections.
const CLIENTS: usize = 4;
/// A sender's longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(6);

/// All senders.
pub(super) struct Senders {
    world: Arc<World>,
    relay: Arc<Relay>,
    pub(super) ledger: Ledger,
    psps: Vec<Psp>,
    clients: Vec<reqwest::Client>,
    at_once: Semaphore,
    pub(super) under_way: TaskTracker,
}

impl Senders {
    pub(super) fn new(world: Arc<World>, relay: Arc<Relay>) -> anyhow::Result<Arc<Self>> {
        let psps: anyhow::Result<Vec<_>> =
            SOURCES.iter().map(|(source, profile, secret)| Psp::new(source, profile, secret)).collect();
        let client = || reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build();
        let clients: Result<Vec<_>, _> = std::iter::repeat_with(client).take(CLIENTS).collect();
        Ok(Arc::new(Self {
            world,
            relay,
            ledger: Ledger::default(),
            psps: psps?,
            clients: clients?,
            at_once: Semaphore::new(AT_ONCE),
            under_way: TaskTracker::new(),
        }))
    }

    /// Plays the life of this number, each of its steps at its time. Returns the life at once.
    pub(super) fn live(self: &Arc<Self>, number: u64) -> Life {
        let life = Life::of(self.world.seed, number);
        let steps = plan(&life, &mut Chance::of(self.world.seed, "plan", number));
        let began = Instant::now();
        self.world.count.open.fetch_add(steps.len(), Ordering::Relaxed);
        one(&self.world.count.lives);
        for (index, Step { after, act }) in steps.into_iter().enumerate() {
            let senders = Arc::clone(self);
            let chance = Chance::of(self.world.seed, "wait", number * 1000 + u64::try_from(index).unwrap_or_default());
            self.under_way.spawn(async move {
                sleep_until(began + after).await;
                if let Err(error) = senders.act(act, chance).await {
                    senders.world.violated(format!("a sender broke off: {error:#}"));
                }
                senders.world.count.open.fetch_sub(1, Ordering::Relaxed);
            });
        }
        life
    }

    async fn act(&self, act: Act, mut chance: Chance) -> anyhow::Result<()> {
        match act {
            Act::Register(registration) => self.register(&registration, &mut chance).await,
            Act::Post(post) => self.post(&post, &mut chance).await,
            Act::Forge(post) => self.forge(&post, &mut chance).await,
            Act::BreakOff(post) => self.break_off(&post).await,
        }
    }

    fn client(&self, chance: &mut Chance) -> anyhow::Result<&reqwest::Client> {
        let number = usize::try_from(chance.millis(0, 1_000)).unwrap_or_default();
        self.clients.get(number % CLIENTS).ok_or_else(|| anyhow!("there is no client"))
    }

    fn psp(&self, source: &str) -> anyhow::Result<&Psp> {
        self.psps.iter().find(|psp| psp.source == source).ok_or_else(|| anyhow!("there is no PSP of {source}"))
    }

    fn url(&self, path: &str) -> Option<String> {
        self.relay.address().map(|address| format!("http://{address}{path}"))
    }

    /// Registers a record for the payment stack, again and again until the relay confirms it.
    async fn register(&self, one: &Registration, chance: &mut Chance) -> anyhow::Result<()> {
        loop {
            let _permit = self.at_once.acquire().await?;
            if let Some(url) = self.url(&format!("/records/{}/{}", one.kind.name(), one.id)) {
                let request = self.client(chance)?.put(url).bearer_auth(STACK_TOKEN);
                let sent = request.header("Content-Type", "application/json").body(one.body.to_string()).send().await;
                match sent {
                    Ok(response) if response.status().is_success() => {
                        super::world::one(&self.world.count.registrations);
                        return Ok(());
                    }
                    Ok(response) if !again(response.status().as_u16()) => {
                        let (status, text) = (response.status(), response.text().await.unwrap_or_default());
                        self.world.violated(format!("{} {}: registering: {status} {text}", one.kind.name(), one.id));
                        return Ok(());
                    }
                    _ => {}
                }
            }
            self.wait(chance).await;
        }
    }

    /// Sends a notification for a PSP, again and again until it is acknowledged.
    async fn post(&self, post: &Post, chance: &mut Chance) -> anyhow::Result<()> {
        let (psp, body) = (self.psp(post.source)?, post.body.to_string());
        loop {
            let _permit = self.at_once.acquire().await?;
            let signed = psp.sign(post.form, body.as_bytes(), Timestamp::now())?;
            let bytes = signed.body.clone();
            self.ledger.sending(post, &bytes);
            one(&self.world.count.sent);
            match self.send(psp, signed, chance).await {
                Some((status, replayed, text)) if (200..300).contains(&status) => {
                    let first = self.ledger.acknowledged(post, &bytes);
                    one(&self.world.count.acknowledged);
                    if !first {
                        one(&self.world.count.repeated);
                    } else if !replayed {
                        self.note_change(post, &text);
                    }
                    return Ok(());
                }
                Some((status, _, text)) if !again(status) => {
                    self.world.violated(format!("{}: a good notification was answered {status}: {text}", post.label));
                    return Ok(());
                }
                _ => one(&self.world.count.unanswered),
            }
            self.wait(chance).await;
        }
    }

    /// Notes a change that the answer names: Transform is to hear of it.
    fn note_change(&self, post: &Post, answer: &str) {
        let answer: Value = serde_json::from_str(answer).unwrap_or_default();
        if answer["outcome"] == "applied" {
            post.concerns.iter().for_each(|key| self.world.changed(key));
        }
    }

    /// Sends a forged notification, signed without the secret.
    async fn forge(&self, post: &Post, chance: &mut Chance) -> anyhow::Result<()> {
        let _permit = self.at_once.acquire().await?;
        let psp = self.psp(post.source)?;
        let signed = psp.stranger().sign(post.form, post.body.to_string().as_bytes(), Timestamp::now())?;
        match self.send(psp, signed, chance).await {
            Some((401, ..)) => one(&self.world.count.refused),
            Some((status, _, text)) if !again(status) => {
                self.world.violated(format!("{}: a forged notification was answered {status}: {text}", post.label));
            }
            _ => {}
        }
        Ok(())
    }

    /// Breaks a connection in the middle of the body.
    async fn break_off(&self, post: &Post) -> anyhow::Result<()> {
        let _permit = self.at_once.acquire().await?;
        let signed = self.psp(post.source)?.sign(post.form, post.body.to_string().as_bytes(), Timestamp::now())?;
        let Some(address) = self.relay.address() else { return Ok(()) };
        let Ok(mut stream) = TcpStream::connect(address).await else { return Ok(()) };
        let mut head = format!(
            "POST /notifications/{} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            post.source,
            signed.body.len()
        );
        for (name, value) in &signed.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let half = signed.body.get(..signed.body.len() / 2).unwrap_or_default();
        let request = [head.as_bytes(), b"\r\n", half].concat();
        // The relay may be down. That is part of the soak.
        drop(stream.write_all(&request).await);
        one(&self.world.count.broken_off);
        Ok(())
    }

    /// Sends a signed notification. Returns the status, whether the answer is a repeated one, and the text. `None` if there
    /// was no answer.
    async fn send(&self, psp: &Psp, signed: Signed, chance: &mut Chance) -> Option<(u16, bool, String)> {
        let mut request = self.client(chance).ok()?.post(self.url(&format!("/notifications/{}", psp.source))?);
        for (name, value) in signed.headers {
            request = request.header(name, value);
        }
        let response = request.header("Content-Type", "application/json").body(signed.body).send().await.ok()?;
        let replayed = response.headers().contains_key("idempotent-replayed");
        Some((response.status().as_u16(), replayed, response.text().await.ok()?))
    }

    async fn wait(&self, chance: &mut Chance) {
        sleep(Duration::from_millis(chance.millis(30, 400))).await;
    }
}

/// Whether a sender sends again after this answer, because the relay cannot take the notification now.
const fn again(status: u16) -> bool {
    status >= 500 || status == 408
}
