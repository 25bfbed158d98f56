//! Attack: clients that hold shared resources (the room for bodies, and connections).

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::super::lives::Chance;
use super::super::world::one;
use super::stranger::Stranger;
use super::wire;

/// The number of held bodies: more than the default of `server.max_buffered` has room for.
const BODIES: usize = 90;
/// The default of `server.max_body`.
const BODY_MAX: usize = 1024 * 1024;
/// The number of request heads that never end, once as a connection's first request and once as its second.
const HEADS: usize = 60;

/// Holds nearly whole bodies and half heads. Meanwhile a small body must find room.
pub(super) async fn round(stranger: &Stranger, mut chance: Chance) {
    let path = if chance.one_in(2) { "/notifications/stripe-main" } else { "/oauth/token" };
    let (mut bodies, mut heads) = (Vec::new(), Vec::new());
    for _ in 0..BODIES {
        bodies.extend(body(stranger, path).await);
    }
    for _ in 0..HEADS {
        heads.extend(begun(stranger, b"POST /notifications/stripe-main HTTP/1.1\r\nHost: relay\r\nContent-").await);
    }
    for _ in 0..HEADS {
        heads.extend(second_head(stranger).await);
    }
    small_body_finds_room(stranger).await;
    sleep(Duration::from_millis(chance.millis(0, 1_000))).await;
    drop((bodies, heads));
}

/// A connection with a body that lacks one byte.
async fn body(stranger: &Stranger, path: &str) -> Option<TcpStream> {
    let kind = if path == "/oauth/token" { "application/x-www-form-urlencoded" } else { "application/json" };
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: relay\r\nContent-Type: {kind}\r\nContent-Length: {BODY_MAX}\r\n\r\n");
    begun(stranger, &[head.as_bytes(), &vec![b' '; BODY_MAX - 1]].concat()).await
}

/// A connection with the beginning of a request.
async fn begun(stranger: &Stranger, bytes: &[u8]) -> Option<TcpStream> {
    let mut stream = wire::connect(stranger.address()?).await?;
    // The relay may refuse the request before it has read all of it, or stop reading.
    drop(timeout(Duration::from_secs(1), stream.write_all(bytes)).await);
    Some(stream)
}

/// A connection with one answered request, and the first byte of another.
async fn second_head(stranger: &Stranger) -> Option<TcpStream> {
    let mut stream = begun(stranger, b"GET /healthz HTTP/1.1\r\nHost: relay\r\n\r\n").await?;
    let mut answer = [0; 512];
    timeout(Duration::from_secs(1), stream.read(&mut answer)).await.ok()?.ok()?;
    stream.write_all(b"G").await.ok()?;
    Some(stream)
}

async fn small_body_finds_room(stranger: &Stranger) {
    let Some(url) = stranger.url("/notifications/stripe-main") else { return };
    let body = format!("{{\"pad\":\"{}\"}}", "x".repeat(4_000));
    let request = stranger.client.post(url).header("Content-Type", "application/json").body(body);
    match request.send().await.map(|response| response.status().as_u16()) {
        Ok(401) => one(&stranger.done.small),
        Ok(status) => stranger.violated(format!("a small body beside {BODIES} that are held is answered {status}")),
        Err(error) => stranger.violated(format!("a small body beside {BODIES} that are held is not answered: {error}")),
    }
}
