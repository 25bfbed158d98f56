//! The demo's relay as its clients see it: the payment stack registers, PSPs notify, and all that was sent is counted.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use jiff::Timestamp;
use serde_json::Value;

use crate::proof::lock::lock;
use crate::proof::stand_in::{Psp, STACK_TOKEN};
use crate::psp::vouch::sign::Signed;

/// Counts of the notifications that were sent.
#[derive(Debug, Default, Clone)]
pub(super) struct Count {
    /// All of them.
    pub(super) sent: usize,
    /// Those without a genuine signature.
    pub(super) forged: usize,
    /// Those that the relay answered 401.
    pub(super) refused: usize,
    /// Source and body of those with a genuine signature, each once.
    pub(super) genuine: BTreeSet<(&'static str, Vec<u8>)>,
    /// The answers that were no 2xx to a genuine signature, or no 401 to a forged one.
    pub(super) wrong: Vec<String>,
}

/// An HTTP client of the relay.
pub(super) struct Relay {
    address: SocketAddr,
    client: reqwest::Client,
    registered: Mutex<Vec<String>>,
    count: Mutex<Count>,
}

/// The relay's answer to a notification.
pub(super) struct Answer {
    status: u16,
    body: String,
    /// Whether it is the answer to the same bytes once more.
    replayed: bool,
}

impl Answer {
    /// The answer in one line: `200 applied`, `200 [accepted]`, `401 refused`. The repeated answer to the same bytes is
    /// `200 sent again`.
    pub(super) fn summary(&self) -> String {
        let outcome = serde_json::from_str::<Value>(&self.body).ok();
        let outcome = outcome.and_then(|body| body["outcome"].as_str().map(str::to_owned));
        // `repeated` is an outcome of its own: other bytes that say nothing new.
        let outcome = if self.replayed { Some("sent again".to_owned()) } else { outcome };
        let text = outcome.unwrap_or_else(|| if self.status < 300 { self.body.clone() } else { "refused".into() });
        format!("{} {text}", self.status)
    }
}

impl Relay {
    pub(super) fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { address, client, registered: Mutex::default(), count: Mutex::default() })
    }

    /// Registers a record, as the payment stack does.
    pub(super) async fn register(&self, kind: &str, id: &str, body: &Value) -> anyhow::Result<()> {
        let path = format!("/records/{kind}/{id}");
        let request = self.client.put(format!("http://{}{path}", self.address)).bearer_auth(STACK_TOKEN);
        let response = request.header("Content-Type", "application/json").body(body.to_string()).send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "registering {kind} {id}: {status} {text}");
        lock(&self.registered).push(path);
        Ok(())
    }

    /// Posts a notification, signed as its PSP signs.
    pub(super) async fn notify(&self, psp: &Psp, body: &Value) -> anyhow::Result<Answer> {
        let signed = psp.sign(None, body.to_string().as_bytes(), Timestamp::now())?;
        lock(&self.count).genuine.insert((psp.source, signed.body.clone()));
        let answer = self.post(psp, signed).await?;
        if !(200..300).contains(&answer.status) {
            lock(&self.count).wrong.push(format!("a genuine notification was answered {}: {body}", answer.summary()));
        }
        Ok(answer)
    }

    /// Posts a notification whose signature is not genuine.
    pub(super) async fn forge(&self, psp: &Psp, forged: Signed) -> anyhow::Result<Answer> {
        let answer = self.post(psp, forged).await?;
        let mut count = lock(&self.count);
        count.forged += 1;
        if answer.status == 401 {
            count.refused += 1;
        } else {
            count.wrong.push(format!("a forged notification was answered {}", answer.summary()));
        }
        Ok(answer)
    }

    async fn post(&self, psp: &Psp, signed: Signed) -> anyhow::Result<Answer> {
        let mut request = self.client.post(format!("http://{}/notifications/{}", self.address, psp.source));
        for (name, value) in signed.headers {
            request = request.header(name, value);
        }
        let response = request.header("Content-Type", "application/json").body(signed.body).send().await?;
        lock(&self.count).sent += 1;
        let replayed = response.headers().contains_key("Idempotent-Replayed");
        Ok(Answer { status: response.status().as_u16(), replayed, body: response.text().await? })
    }

    /// Waits until Transform was told of everything.
    pub(super) async fn until_all_told(&self) -> anyhow::Result<()> {
        for _ in 0..400 {
            if self.get("/readyz").await?["owed"] == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(anyhow!("Transform was not told of everything within 10 seconds"))
    }

    /// The number of different notifications that the relay says it has verified.
    pub(super) async fn verified(&self) -> anyhow::Result<u64> {
        let told = self.get("/sources").await?;
        let secrets = told["sources"].as_array().into_iter().flatten().flat_map(|one| one["secrets"].as_array());
        Ok(secrets.flatten().filter_map(|secret| secret["verified"].as_u64()).sum())
    }

    /// The number of webhooks that the relay says it has sent.
    pub(super) async fn attempts(&self) -> anyhow::Result<usize> {
        let records = lock(&self.registered).clone();
        let mut attempts = 0;
        for record in records {
            let history = self.get(&format!("{record}/history")).await?;
            attempts += history["attempts"].as_array().map_or(0, Vec::len);
        }
        Ok(attempts)
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let asked = self.client.get(format!("http://{}{path}", self.address)).bearer_auth(STACK_TOKEN);
        Ok(serde_json::from_str(&asked.send().await?.text().await?)?)
    }

    pub(super) fn count(&self) -> Count {
        lock(&self.count).clone()
    }
}
