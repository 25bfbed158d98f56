//! The HTTP client for certificates: one attempt. Certificates use reqwest only here.

use std::time::Duration;

use url::Url;

use crate::outbound::loopback::{LOCALHOST, LOCALHOST_IS};

/// Gets the body at a URL: https only, no redirects, bounded time, bounded size.
#[derive(Debug)]
pub(super) struct Client(reqwest::Client);

/// The largest body that is read: a chain of certificates has some thousand bytes.
const SIZE_MAX: usize = 64 * 1024;

impl Client {
    pub(super) fn new(timeout: Duration) -> Result<Self, String> {
        reqwest::Client::builder()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout)
            .no_proxy()
            .resolve_to_addrs(LOCALHOST, &LOCALHOST_IS)
            .user_agent(concat!("transform-relay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(|error| with_causes(&error))
    }

    pub(super) async fn get(&self, url: Url) -> Result<Vec<u8>, String> {
        let sent = self.0.get(url).send().await;
        let mut response = sent.map_err(|error| with_causes(&error.without_url()))?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("HTTP {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| with_causes(&error.without_url()))? {
            body.extend_from_slice(&chunk);
            if body.len() > SIZE_MAX {
                return Err(format!("the response has more than {SIZE_MAX} bytes"));
            }
        }
        Ok(body)
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
