//! Attack: clients that pipeline requests and read no answer.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::super::lives::Chance;
use super::stranger::Stranger;
use super::wire;

/// The number of connections held at once.
const CONNECTIONS: usize = 20;
/// The most bytes written to each connection.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// The time without room for a write after which the client stops writing.
const STUCK: Duration = Duration::from_millis(500);

/// Fills some connections, holds them for a while, and drops them.
pub(super) async fn round(stranger: &Stranger, mut chance: Chance) {
    let held = filled(stranger).await;
    sleep(Duration::from_millis(chance.millis(100, 3_000))).await;
    drop(held);
}

/// Connections full of requests whose answers are not read.
pub(super) async fn filled(stranger: &Stranger) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        let Some(address) = stranger.address() else { return held };
        if let Some(mut stream) = wire::connect(address).await {
            fill(&mut stream).await;
            held.push(stream);
        }
    }
    held
}

async fn fill(stream: &mut TcpStream) {
    let requests = b"GET /nothing HTTP/1.1\r\nHost: relay\r\n\r\n".repeat(200);
    let mut written = 0;
    while written < BYTES_MAX {
        match timeout(STUCK, stream.write_all(&requests)).await {
            Ok(Ok(())) => written += requests.len(),
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
