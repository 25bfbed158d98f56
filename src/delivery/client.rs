//! The HTTP client for webhooks to Transform: one attempt. Delivery uses reqwest only here.

use std::time::Duration;

use url::Url;

use crate::outbound::loopback::{LOCALHOST, LOCALHOST_IS};

/// Posts webhooks: pooled connections, no redirects, bounded time, bounded responses.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

/// Transform's response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The Retry-After header.
    pub retry_after: Option<String>,
}

/// The most of a response's body that is read to keep the connection usable. A longer body closes it.
const ANSWER_MAX: usize = 64 * 1024;

impl Client {
    /// Makes a client that leaves at most `idle_max` connections open for the next calls.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub fn new(idle_max: usize) -> Result<Self, String> {
        reqwest::Client::builder()
            .pool_max_idle_per_host(idle_max)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .resolve_to_addrs(LOCALHOST, &LOCALHOST_IS)
            .user_agent(concat!("transform-relay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(|error| with_causes(&error))
    }

    /// Posts one webhook. It takes at most `timeout`, from connecting to the last byte of the response.
    ///
    /// # Errors
    /// The reason why there was no response.
    pub async fn post(&self, target: Url, body: String, timeout: Duration) -> Result<Response, String> {
        let request = self.0.post(target).header("Content-Type", "application/json").timeout(timeout);
        let sent = request.body(body).send().await;
        // The target may carry a token of Transform's in its path or query. That token does not belong in a log.
        let mut response = sent.map_err(|error| with_causes(&error.without_url()))?;
        let retry_after =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let answer = Response { status: response.status().as_u16(), retry_after };
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > ANSWER_MAX {
                break;
            }
        }
        Ok(answer)
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn asked(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"{}") {
            assert!(stream.read_buf(&mut head).await.unwrap() > 0);
        }
        stream
    }

    /// Each open connection costs an open file, so idle ones are limited.
    #[tokio::test]
    async fn no_more_connections_stay_open_than_may_be_idle() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let client = Client::new(1).unwrap();
        let host = async {
            let (mut one, mut other) = (asked(&listener).await, asked(&listener).await);
            for stream in [&mut one, &mut other] {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            }
            let (mut first, mut second) = ([0], [0]);
            tokio::select! {
                ended = one.read(&mut first) => ended,
                ended = other.read(&mut second) => ended,
            }
        };
        let minute = Duration::from_secs(60);
        let call = || client.post(url.clone(), "{}".to_owned(), minute);
        let (ended, one, other) = tokio::join!(tokio::time::timeout(Duration::from_secs(20), host), call(), call());
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(ended.expect("one of two is closed").unwrap(), 0);
    }
}
