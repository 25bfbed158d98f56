//! The demo's relay on a temporary store. The PSPs and the payment stack send it HTTP requests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::psp::{both, source};
use crate::access::credentials::Credentials;
use crate::access::proxies::Proxies;
use crate::access::throttle::ThrottlePolicy;
use crate::app::{App, Options};
use crate::certificates::CertificateOptions;
use crate::delivery::breaker::BreakerPolicy;
use crate::delivery::worker::DeliveryOptions;
use crate::domain::due::Debounce;
use crate::http::ServerOptions;
use crate::outbound::retry::RetryPolicy;
use crate::proof::stand_in::{Psp, STACK_TOKEN, TRANSFORM_TOKEN};
use crate::store::{Keep, ParkedLimits, StoreOptions};
use crate::transform::response::FailedAs;
use crate::transform::target::AllowedHosts;

const DEBOUNCE: Debounce = Debounce { quiet: Duration::from_millis(300), max_wait: Duration::from_secs(2) };
const RETRY: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(400),
    max: Duration::from_secs(2),
    give_up_after: Duration::from_secs(60),
};

const BREAKER: BreakerPolicy =
    BreakerPolicy { failures: 5, first: Duration::from_millis(400), max: Duration::from_secs(2) };
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts of the notifications that the relay answered, and of those that it refused with 401.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) notifications: usize,
    pub(super) refused: usize,
}

/// A relay and an HTTP client for it.
pub(super) struct Relay {
    address: SocketAddr,
    folder: PathBuf,
    client: reqwest::Client,
    notifications: AtomicUsize,
    refused: AtomicUsize,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

/// The relay's answer to a notification.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    /// Whether it is a repetition of the answer to an earlier notification.
    pub(super) replayed: bool,
}

impl Answer {
    /// The answer in one line: `200 applied`, `200 [accepted]`, `401 refused`.
    pub(super) fn summary(&self) -> String {
        let outcome = serde_json::from_str::<Value>(&self.body).ok();
        let outcome = outcome.and_then(|body| body["outcome"].as_str().map(str::to_owned));
        let outcome = if self.replayed { Some("repeated".to_owned()) } else { outcome };
        let text = outcome.unwrap_or_else(|| if self.status < 300 { self.body.clone() } else { "refused".into() });
        format!("{} {text}", self.status)
    }
}

impl Relay {
    pub(super) async fn start(transform: SocketAddr) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("transform-relay-demo-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let app = App::build(options(folder.join("relay.db"), transform)?).await?;
        let address = app.address();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(app.run_until(async {
            // A dropped sender means stop, too.
            stopped.await.unwrap_or_default();
        }));
        let client = reqwest::Client::builder().no_proxy().build()?;
        let (notifications, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Ok(Self { address, folder, client, notifications, refused, stop, running })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Registers a record, as the payment stack does.
    pub(super) async fn register(&self, kind: &str, id: &str, body: &Value) -> anyhow::Result<()> {
        let request = self.client.put(format!("http://{}/records/{kind}/{id}", self.address)).bearer_auth(STACK_TOKEN);
        let response = request.header("Content-Type", "application/json").body(body.to_string()).send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "registering {kind} {id}: {status} {text}");
        Ok(())
    }

    /// Posts a notification, signed as its PSP signs.
    pub(super) async fn notify(&self, psp: &Psp, body: &Value) -> anyhow::Result<Answer> {
        let signed = psp.sign(None, body.to_string().as_bytes(), Timestamp::now())?;
        let mut request = self.client.post(format!("http://{}/notifications/{}", self.address, psp.source));
        for (name, value) in signed.headers {
            request = request.header(name, value);
        }
        let response = request.header("Content-Type", "application/json").body(signed.body).send().await?;
        let replayed = response.headers().contains_key("Idempotent-Replayed");
        let answer = Answer { status: response.status().as_u16(), replayed, body: response.text().await? };
        self.notifications.fetch_add(1, Ordering::Relaxed);
        if answer.status == 401 {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Waits until Transform was told of everything.
    pub(super) async fn until_all_told(&self) -> anyhow::Result<()> {
        for _ in 0..400 {
            let ready = self.client.get(format!("http://{}/readyz", self.address)).bearer_auth(STACK_TOKEN);
            let ready = ready.send().await?.text().await?;
            let ready: Value = serde_json::from_str(&ready)?;
            if ready["owed"] == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(anyhow!("Transform was not told of everything within 10 seconds"))
    }

    pub(super) fn count(&self) -> Count {
        Count {
            notifications: self.notifications.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        drop(self.client);
        drop(self.stop);
        self.running.await??;
        std::fs::remove_dir_all(&self.folder).with_context(|| format!("cannot remove {}", self.folder.display()))
    }
}

fn options(path: PathBuf, transform: SocketAddr) -> anyhow::Result<Options> {
    let token = |text: &str| Credentials { tokens: vec![text.to_owned().into()], ..Credentials::default() };
    let allowed_hosts = AllowedHosts::parse(&[transform.to_string()]).map_err(|wrong| anyhow!("{wrong:?}"))?;
    Ok(Options {
        server: ServerOptions {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            max_body: 1024 * 1024,
            max_buffered: 16 * 1024 * 1024,
            max_connections: 256,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(2),
        },
        store: StoreOptions {
            path,
            must_exist: false,
            debounce: DEBOUNCE,
            max_waiting: 256,
            parked: ParkedLimits { per_source: 100, max_age: DAY },
            keep: Keep {
                notifications: DAY,
                dead_letters: DAY,
                dead_letters_size: u64::MAX,
                attempts: DAY,
                history: DAY,
            },
        },
        delivery: DeliveryOptions {
            allowed_hosts,
            webhook_target: Some(format!("http://{transform}/webhooks")),
            timeout: Duration::from_secs(5),
            concurrency: 4,
            retry: RETRY,
            breaker: BREAKER,
        },
        transform: token(TRANSFORM_TOKEN),
        failed_as: FailedAs::Error,
        integrator: token(STACK_TOKEN),
        monitor: Credentials::default(),
        certificates: CertificateOptions {
            roots: Vec::new(),
            timeout: Duration::from_secs(5),
            failures_kept: Duration::from_secs(10),
        },
        proxies: Proxies::default(),
        throttle: ThrottlePolicy { failures: 10, window: Duration::from_secs(60) },
        token_lifetime: Duration::from_secs(900),
        sources: both()?.iter().map(source).map(|source| (source.name.clone(), source)).collect(),
    })
}
