//! HTTP client for all requests to others, and all of reqwest: no redirects, no proxy, bounded bodies, errors without URLs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::guard::LOCALHOST;

/// The addresses of [`LOCALHOST`] for every client of ours. No resolver is asked for the name, so that none can lead plain
/// http elsewhere. The URL gives the port.
const LOCALHOST_IS: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0), SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0)];

/// A client: pooled connections, no redirects, no proxy.
#[derive(Debug, Clone)]
pub(crate) struct Client(reqwest::Client);

/// The options in which clients differ.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ClientOptions {
    /// The most idle connections to each host that stay open for the next calls; if none, all of them.
    pub(crate) idle_max: Option<usize>,
    /// The longest time for connecting; if none, the time of the whole call.
    pub(crate) connect_timeout: Option<Duration>,
    /// Whether plain http is refused for this machine as well.
    pub(crate) https_only: bool,
}

impl Client {
    /// A client with these options.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub(crate) fn new(options: ClientOptions) -> Result<Self, String> {
        let ClientOptions { idle_max, connect_timeout, https_only } = options;
        let mut builder = reqwest::Client::builder()
            .https_only(https_only)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .resolve_to_addrs(LOCALHOST, &LOCALHOST_IS)
            .user_agent(concat!("transform-relay/", env!("CARGO_PKG_VERSION")));
        if let Some(idle_max) = idle_max {
            builder = builder.pool_max_idle_per_host(idle_max);
        }
        if let Some(timeout) = connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        builder.build().map(Self).map_err(|error| with_causes(&error))
    }

    /// A call that gets a URL. It takes at most `timeout`, from connecting to the last byte of the response.
    pub(crate) fn get(&self, url: Url, timeout: Duration) -> Call {
        Call(self.0.get(url).timeout(timeout))
    }

    /// A call that posts JSON to a URL. It takes at most `timeout`, from connecting to the last byte of the response.
    pub(crate) fn post_json(&self, url: Url, body: String, timeout: Duration) -> Call {
        self.post(url, body.into(), timeout).header("Content-Type", "application/json")
    }

    /// A call that posts a body to a URL, without a Content-Type. It takes at most `timeout`, from connecting to the last byte of the
    /// response.
    pub(crate) fn post(&self, url: Url, body: Vec<u8>, timeout: Duration) -> Call {
        Call(self.0.post(url).timeout(timeout).body(body))
    }
}

/// A call that is not made yet.
#[derive(Debug)]
#[must_use]
pub(crate) struct Call(reqwest::RequestBuilder);

impl Call {
    /// With a header.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// With a bearer token.
    pub(crate) fn bearer(self, token: &SecretString) -> Self {
        Self(self.0.bearer_auth(token.expose_secret()))
    }

    /// With basic credentials.
    pub(crate) fn basic(self, username: &str, password: &str) -> Self {
        Self(self.0.basic_auth(username, Some(password)))
    }

    /// With a secret as its Authorization header.
    pub(crate) fn authorization(self, secret: &SecretString) -> Self {
        self.secret_header("Authorization", secret)
    }

    /// With a secret as the value of a header, which no log of ours or of the libraries shows. A secret that cannot stand in a header
    /// is sent as an empty text.
    pub(crate) fn secret_header(self, name: &str, secret: &SecretString) -> Self {
        let mut value = HeaderValue::from_str(secret.expose_secret()).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        Self(self.0.header(name, value))
    }

    /// Makes the call.
    ///
    /// # Errors
    /// The reason why there is no response. It does not contain the URL, which may carry a token in its path or query.
    pub(crate) async fn send(self) -> Result<Response, String> {
        self.0.send().await.map(Response).map_err(told)
    }
}

/// The head of a response; its body is still to be read.
#[derive(Debug)]
pub(crate) struct Response(reqwest::Response);

/// The reason why a response has no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// The body was cut off, or does not end in time.
    Broken(String),
    /// The body is larger than the bound.
    TooLarge,
}

impl Response {
    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// The Retry-After header.
    pub(crate) fn retry_after(&self) -> Option<String> {
        self.header("retry-after")
    }

    /// The Cache-Control header.
    pub(crate) fn cache_control(&self) -> Option<String> {
        self.header("cache-control")
    }

    fn header(&self, name: &str) -> Option<String> {
        self.0.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }

    /// The whole body, if it has at most `max` bytes.
    ///
    /// # Errors
    /// [`NoBody`]
    pub(crate) async fn body(mut self, max: usize) -> Result<Vec<u8>, NoBody> {
        let mut body = Vec::new();
        while let Some(chunk) = self.0.chunk().await.map_err(|error| NoBody::Broken(told(error)))? {
            if body.len() + chunk.len() > max {
                return Err(NoBody::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Reads the body to its end, so that the connection stays usable, but at most `max` bytes. A longer body closes it.
    pub(crate) async fn drain(mut self, max: usize) {
        let mut read = 0;
        while let Ok(Some(chunk)) = self.0.chunk().await {
            read += chunk.len();
            if read > max {
                break;
            }
        }
    }
}

fn told(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_this_machine_leads_to_this_machine() {
        assert_eq!(LOCALHOST_IS.map(|address| address.to_string()), ["127.0.0.1:0", "[::1]:0"]);
    }
}
