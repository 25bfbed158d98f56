//! Requests byte by byte: no HTTP library writes the requests of strangers.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// The most bytes of an answer that are read.
const ANSWER_MAX: usize = 64 * 1024;

/// Opens a connection. `None` if the relay gives none.
pub(super) async fn connect(address: SocketAddr) -> Option<TcpStream> {
    timeout(Duration::from_secs(5), TcpStream::connect(address)).await.ok()?.ok()
}

/// Sends these bytes on a new connection. Returns all bytes that come back until the relay closes it, or the patience ends.
pub(super) async fn exchange(address: SocketAddr, bytes: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let mut stream = connect(address).await?;
    let until = Instant::now() + patience;
    let mut answer = Vec::new();
    // The relay may close the connection before it has read all of the bytes.
    drop(timeout_at(until, stream.write_all(bytes)).await);
    while answer.len() < ANSWER_MAX {
        match timeout_at(until, stream.read_buf(&mut answer)).await {
            Ok(Ok(0)) | Ok(Err(_)) | Err(_) => break,
            Ok(Ok(_)) => {}
        }
    }
    Some(answer)
}

/// The statuses of all answers in these bytes, in their order.
pub(super) fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let after = text.split("HTTP/1.1 ").skip(1);
    after.filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_on_a_connection_is_seen() {
        let two = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}";
        assert_eq!(statuses(two), [400, 200]);
        assert!(statuses(b"").is_empty());
    }
}
