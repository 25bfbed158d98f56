//! One HTTP try to post a webhook.

use std::time::Duration;

use url::Url;

use crate::outbound::client::{self, ClientOptions};

/// Posts webhooks.
#[derive(Debug, Clone)]
pub struct Client(client::Client);

/// Transform's response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The Retry-After header.
    pub retry_after: Option<String>,
}

/// The most bytes of a response's body that are read to keep the connection usable. A longer body closes it.
const ANSWER_MAX: usize = 64 * 1024;

impl Client {
    /// Makes a client that leaves at most `idle_max` connections open for the next calls.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub fn new(idle_max: usize) -> Result<Self, String> {
        client::Client::new(ClientOptions { idle_max: Some(idle_max), ..ClientOptions::default() }).map(Self)
    }

    /// Posts one webhook. It takes at most `timeout`, from connecting to the last byte of the response.
    ///
    /// # Errors
    /// The reason why there was no response.
    pub async fn post(&self, target: Url, body: String, timeout: Duration) -> Result<Response, String> {
        let response = self.0.post_json(target, body, timeout).send().await?;
        let answer = Response { status: response.status(), retry_after: response.retry_after() };
        response.drain(ANSWER_MAX).await;
        Ok(answer)
    }
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
