//! The demo's stand-in for Transform: takes webhooks and reads the records that they announce.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::Value;

use super::print::Narrator;
use crate::proof::stand_in::TRANSFORM_TOKEN;

/// The stand-in for Transform. It serves until the process ends.
#[derive(Debug, Clone)]
pub(super) struct Transform {
    address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    narrator: Narrator,
    client: reqwest::Client,
    relay: OnceLock<SocketAddr>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<(u8, String), Value>,
    webhooks: usize,
    failures_left: u32,
}

/// The webhook, as section 2 of the contract defines it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Webhook {
    transaction_id: Option<String>,
    agreement_id: Option<String>,
    r#type: u8,
}

impl Transform {
    pub(super) fn start(narrator: Narrator) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let inner = Arc::new(Inner { narrator, client, relay: OnceLock::new(), state: Mutex::default() });
        let data = web::Data::from(Arc::clone(&inner));
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).route("/webhooks", web::post().to(take)));
        let server = server.workers(1).disable_signals().listen(listener)?.run();
        tokio::spawn(server);
        Ok(Self { address, inner })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn reads_from(&self, relay: SocketAddr) {
        self.inner.relay.get_or_init(|| relay);
    }

    /// Makes the stand-in answer the next webhooks with 503.
    pub(super) fn fail_next(&self, times: u32) {
        self.inner.state().failures_left = times;
    }

    /// The last body read of each record, by type code and id.
    pub(super) fn held(&self) -> BTreeMap<(u8, String), Value> {
        self.inner.state().held.clone()
    }

    /// The number of webhooks that came.
    pub(super) fn webhooks(&self) -> usize {
        self.inner.state().webhooks
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fails_now(&self) -> bool {
        let mut state = self.state();
        state.webhooks += 1;
        let fails = state.failures_left > 0;
        state.failures_left = state.failures_left.saturating_sub(1);
        fails
    }

    async fn fetch(&self, code: u8, id: &str) -> reqwest::Result<()> {
        let Some(relay) = self.relay.get() else { return Ok(()) };
        let path = match code {
            1 => format!("/api/Preauth/{id}"),
            2 => format!("/api/Payment/{id}"),
            3 => format!("/api/Refund/{id}"),
            _ => format!("/api/Agreement/{id}"),
        };
        let text =
            self.client.get(format!("http://{relay}{path}")).bearer_auth(TRANSFORM_TOKEN).send().await?.text().await?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        self.narrator.fetched(&path, &body);
        self.state().held.insert((code, id.to_owned()), body);
        Ok(())
    }
}

async fn take(body: web::Bytes, inner: web::Data<Inner>) -> HttpResponse {
    let text = String::from_utf8_lossy(&body).into_owned();
    if inner.fails_now() {
        inner.narrator.webhook(&text, 503);
        return HttpResponse::ServiceUnavailable().finish();
    }
    let Ok(webhook) = serde_json::from_slice::<Webhook>(&body) else { return HttpResponse::BadRequest().finish() };
    let id = webhook.transaction_id.or(webhook.agreement_id).unwrap_or_default();
    inner.narrator.webhook(&text, 202);
    match inner.fetch(webhook.r#type, &id).await {
        Ok(()) => HttpResponse::Accepted().finish(),
        Err(_) => HttpResponse::BadGateway().finish(),
    }
}
