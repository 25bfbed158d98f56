//! One try to fetch a key set.

use std::time::Duration;

use url::Url;

use super::freshness::freshness;
use crate::access::key_set::KeySet;
use crate::outbound::client::{self, ClientOptions, NoBody};

/// The longest time for one fetch. Callers wait for it.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest response that is read: a key has some hundred bytes, and some thousand with its certificates.
const SIZE_MAX: usize = 256 * 1024;

/// Fetches key sets.
#[derive(Debug)]
pub(super) struct Client(client::Client);

/// A key set that was fetched.
#[derive(Debug)]
pub(super) struct FetchedKeys {
    pub(super) keys: KeySet,
    /// The time after which it is to be fetched anew.
    pub(super) fresh_for: Duration,
}

impl Client {
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub(super) fn new() -> Result<Self, String> {
        client::Client::new(ClientOptions::default()).map(Self)
    }

    /// # Errors
    /// The reason why there is no key set.
    pub(super) async fn get(&self, url: Url) -> Result<FetchedKeys, String> {
        let response = self.0.get(url, TIMEOUT).header("Accept", "application/json").send().await?;
        if response.status() != 200 {
            return Err(format!("HTTP {}", response.status()));
        }
        let fresh_for = freshness(response.cache_control().as_deref());
        let body = response.body(SIZE_MAX).await.map_err(|reason| match reason {
            NoBody::Broken(reason) => reason,
            NoBody::TooLarge => format!("the response has more than {SIZE_MAX} bytes"),
        })?;
        Ok(FetchedKeys { keys: KeySet::read(&body)?, fresh_for })
    }
}
