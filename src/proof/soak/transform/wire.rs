//! HTTP by hand, for a receiver of webhooks that must be able to misbehave.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request as it came.
#[derive(Debug)]
pub(super) struct Request {
    /// The request line: `POST /webhooks HTTP/1.1`.
    pub(super) line: String,
    /// The headers, with names in lower case.
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// The largest request that is read: a webhook is much smaller.
const REQUEST_MAX: usize = 64 * 1024;

impl Request {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The next request of a connection. `None` if there is no further one.
    pub(super) async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        loop {
            if let Some(request) = Self::parsed(&bytes) {
                return Some(request);
            }
            if bytes.len() > REQUEST_MAX || stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    fn parsed(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
        let mut lines = head.split("\r\n");
        let line = lines.next()?.to_owned();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Self { line, headers, body: Vec::new() };
        let length: usize = request.header("content-length").parse().unwrap_or_default();
        request.body = bytes.get(end + 4..end + 4 + length)?.to_vec();
        Some(request)
    }
}

/// Answers with a status and maybe a header. Returns whether the connection is still good.
pub(super) async fn answer(stream: &mut TcpStream, status: &str, header: &str) -> bool {
    let text = format!("HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\n\r\n");
    stream.write_all(text.as_bytes()).await.is_ok()
}

/// Waits a while for the other side to close the connection. Returns whether it did.
pub(super) async fn closed(stream: &mut TcpStream, patience: std::time::Duration) -> bool {
    let mut byte = [0];
    match tokio::time::timeout(patience, stream.peek(&mut byte)).await {
        Ok(Ok(count)) => count == 0,
        Ok(Err(_)) => true,
        Err(_) => false,
    }
}
