//! Attack: hints at made-up objects, with a PSP's API that knows none of them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::lives::Chance;
use super::stranger::Stranger;

pub(super) const MOLLIE: &str = "strangers-mollie";
/// The number of hints in one round.
const HINTS: usize = 20;

pub(super) fn config(api: SocketAddr) -> String {
    format!(
        "\n[sources.{MOLLIE}]\nprofile = \"mollie\"\nfetch = {{ base_url = \"http://{api}\", token = \"soak-api-key\" }}\n"
    )
}

/// Sends hints at objects that do not exist. They may be taken or refused. The relay asks the API for each taken hint, and
/// after a 404 it asks again while most slots are free.
pub(super) async fn round(stranger: &Stranger, mut chance: Chance) {
    for _ in 0..HINTS {
        let Some(url) = stranger.url(&format!("/notifications/{MOLLIE}")) else { return };
        let request = stranger.client.post(url).header("Content-Type", "application/x-www-form-urlencoded");
        let sent = request.body(format!("id=tr_{}", chance.hex(10))).send().await;
        if let Ok(response) = sent
            && !matches!(response.status().as_u16(), 200..300 | 401 | 429 | 503)
        {
            stranger.violated(format!("a made-up hint is answered {}", response.status()));
        }
    }
}

/// A PSP's API that answers 404.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) address: SocketAddr,
    listener: TcpListener,
    asked: AtomicU64,
}

impl Api {
    pub(super) async fn listen() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Ok(Self { address: listener.local_addr()?, listener, asked: AtomicU64::new(0) })
    }

    /// The number of calls it had.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Answers, one connection after the other.
    pub(super) async fn run(&self) {
        while let Ok((mut stream, _)) = self.listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                self.asked.fetch_add(1, Ordering::Relaxed);
                let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\
                               Connection: close\r\n\r\n{}";
                // The relay may have gone. Then the response has no reader.
                drop(stream.write_all(answer).await);
            }
        }
    }
}
