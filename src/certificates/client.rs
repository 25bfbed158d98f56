//! One try to fetch a certificate.

use std::time::Duration;

use url::Url;

use crate::outbound::client::{self, ClientOptions, NoBody};

/// Fetches the text at a URL: https only, bounded time, bounded size.
#[derive(Debug)]
pub(super) struct Client {
    client: client::Client,
    timeout: Duration,
}

/// The largest body that is read: a chain of certificates has some thousand bytes.
const SIZE_MAX: usize = 64 * 1024;

impl Client {
    pub(super) fn new(timeout: Duration) -> Result<Self, String> {
        let client = client::Client::new(ClientOptions { https_only: true, ..ClientOptions::default() })?;
        Ok(Self { client, timeout })
    }

    pub(super) async fn get(&self, url: Url) -> Result<Vec<u8>, String> {
        let response = self.client.get(url, self.timeout).send().await?;
        if response.status() != 200 {
            return Err(format!("HTTP {}", response.status()));
        }
        response.body(SIZE_MAX).await.map_err(|reason| match reason {
            NoBody::Broken(reason) => reason,
            NoBody::TooLarge => format!("the response has more than {SIZE_MAX} bytes"),
        })
    }
}
