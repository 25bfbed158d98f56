//! The scripted Transform of the stand-ins, as the tests use it: what goes wrong with it, or does not come, is a failure.

use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;

use serde_json::Value;
use tokio::time::Instant;
use transform_relay::proof::stand_in::{self, Stream, Webhook, plain};

use super::setup::TRANSFORM_TOKEN;
use super::tls::Certificate;
use super::within;

pub(crate) use transform_relay::proof::stand_in::{Gate, Scripted as Answer};

/// The body of a webhook of that kind.
pub(crate) fn webhook(kind: &str, id: &str) -> Value {
    let kinds = ["preauth", "payment", "refund", "agreement"];
    let (_, code) = kinds.iter().zip(1..).find(|(name, _)| **name == kind).unwrap();
    stand_in::webhook(code, id)
}

/// A Transform on this machine. Webhooks beyond the script get a 200.
#[derive(Debug)]
pub(crate) struct Transform {
    pub(crate) address: SocketAddr,
    stand_in: stand_in::Transform,
}

impl Transform {
    pub(crate) fn start() -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn listen(address: SocketAddr) -> Self {
        Self::listen_by(address, plain)
    }

    /// The same; each webhook is noted before it is answered.
    #[cfg(target_os = "linux")]
    pub(crate) fn noting(note: impl Fn(&Webhook) + Send + Sync + 'static) -> Self {
        let usual = move |hook: &Webhook, _: &_| {
            note(hook);
            Answer::status(200)
        };
        let stand_in = stand_in::Transform::start(usual).unwrap();
        Self { address: stand_in.address(), stand_in }
    }

    /// The same by https.
    pub(crate) fn start_tls(certificate: &Certificate) -> Self {
        Self::listen_by("127.0.0.1:0".parse().unwrap(), certificate.serves())
    }

    fn listen_by(
        address: SocketAddr,
        wrap: impl Fn(TcpStream) -> std::io::Result<Box<dyn Stream>> + Send + Sync + 'static,
    ) -> Self {
        let stand_in = stand_in::Transform::listen(address, wrap, |_, _| Answer::status(200)).unwrap();
        Self { address: stand_in.address(), stand_in }
    }

    /// From now on every record is read from there as soon as a webhook tells of it.
    pub(crate) fn fetch_from(&self, relay: &str) {
        self.reads_from(relay.strip_prefix("http://").unwrap().parse().unwrap(), TRANSFORM_TOKEN);
    }

    /// Waits for the n-th webhook; returns all so far.
    pub(crate) async fn nth(&self, n: usize) -> Vec<Webhook> {
        within(&format!("webhook {n}"), self.heard(n, |_| true)).await
    }

    /// Waits for the n-th webhook about this record; returns all about it so far.
    pub(crate) async fn told(&self, kind: &str, id: &str, n: usize) -> Vec<Webhook> {
        let wanted = webhook(kind, id).to_string();
        within(&format!("webhook {n} about {kind}/{id}"), self.heard(n, |hook| hook.body == wanted)).await
    }

    /// How often this record was told so far.
    pub(crate) fn count(&self, kind: &str, id: &str) -> usize {
        let wanted = webhook(kind, id).to_string();
        self.stand_in.count(|hook| hook.body == wanted)
    }

    /// Waits until the relay has hung up on this many unfinished responses.
    pub(crate) async fn hung_up(&self, times: usize) {
        within("the relay to hang up", self.stand_in.hung_up(times)).await;
    }

    /// The time just before the n-th response (from 0) was written.
    pub(crate) fn answered(&self, n: usize) -> Instant {
        self.stand_in.answered(n).unwrap()
    }
}

impl Deref for Transform {
    type Target = stand_in::Transform;

    fn deref(&self) -> &Self::Target {
        &self.stand_in
    }
}
