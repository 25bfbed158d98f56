//! The HTTP client for PSPs' APIs: one call. Fetching uses reqwest only here.

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::api::{Api, Auth};
use crate::outbound::loopback::{LOCALHOST, LOCALHOST_IS};

/// Calls PSPs' APIs: pooled connections, no redirects, bounded time, bounded responses.
#[derive(Debug, Clone)]
pub(super) struct Client(reqwest::Client);

/// The response of a PSP's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    /// The HTTP status.
    pub(super) status: u16,
    /// The Retry-After header.
    pub(super) retry_after: Option<String>,
    /// The whole body.
    pub(super) body: Vec<u8>,
}

/// The reason why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoResponse {
    /// Nothing answered, or the response did not end in time.
    Unreachable(String),
    /// The response is larger than [`RESPONSE_MAX`].
    TooLarge,
}

/// The largest response that is read: an object has some kilobytes.
pub(super) const RESPONSE_MAX: usize = 1024 * 1024;
/// The longest time for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Client {
    /// Makes a client that leaves at most `idle_max` connections to each host open for the next calls.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub(super) fn new(idle_max: usize) -> Result<Self, String> {
        reqwest::Client::builder()
            .pool_max_idle_per_host(idle_max)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .resolve_to_addrs(LOCALHOST, &LOCALHOST_IS)
            .referer(false)
            .user_agent(concat!("transform-relay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map(Self)
            .map_err(|error| with_causes(&error))
    }

    /// Gets a URL with the API's credentials, within its time-out.
    ///
    /// # Errors
    /// The reason why there was no response.
    pub(super) async fn get(&self, api: &Api, url: Url) -> Result<Response, NoResponse> {
        let mut request = self.0.get(url).timeout(api.timeout).header("Accept", "application/json");
        for (name, value) in &api.headers {
            request = request.header(name, value);
        }
        let unreachable = |error: reqwest::Error| NoResponse::Unreachable(with_causes(&error.without_url()));
        let mut response = authorized(request, &api.auth).send().await.map_err(unreachable)?;
        let retry_after =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut answer = Response { status: response.status().as_u16(), retry_after, body: Vec::new() };
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if answer.body.len() + chunk.len() > RESPONSE_MAX {
                return Err(NoResponse::TooLarge);
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}

fn authorized(request: RequestBuilder, auth: &Auth) -> RequestBuilder {
    match auth {
        Auth::None => request,
        Auth::Bearer(token) => request.bearer_auth(token.expose_secret()),
        Auth::Basic(basic) => request.basic_auth(&basic.username, Some(basic.password.expose_secret())),
        Auth::BasicUser(token) => request.basic_auth(token.expose_secret(), Some("")),
        Auth::Plain(token) => request.header("Authorization", sensitive(token)),
    }
}

/// A header value that neither our logs nor the libraries' show. A secret that cannot stand in a header is sent empty.
fn sensitive(secret: &SecretString) -> HeaderValue {
    let mut value = HeaderValue::from_str(secret.expose_secret()).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
