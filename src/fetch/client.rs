//! One call of a PSP's API, with the account's credentials.

use std::time::Duration;

use secrecy::ExposeSecret;
use url::Url;

use super::api::{Api, Auth};
use crate::outbound::client::{self, Call, ClientOptions, NoBody};

/// Calls PSPs' APIs.
#[derive(Debug, Clone)]
pub(super) struct Client(client::Client);

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
        let connect_timeout = Some(CONNECT_TIMEOUT);
        let options = ClientOptions { idle_max: Some(idle_max), connect_timeout, ..ClientOptions::default() };
        client::Client::new(options).map(Self)
    }

    /// Gets a URL with the API's credentials, within its time-out.
    ///
    /// # Errors
    /// The reason why there was no response.
    pub(super) async fn get(&self, api: &Api, url: Url) -> Result<Response, NoResponse> {
        let call = self.0.get(url, api.timeout).header("Accept", "application/json");
        let call = api.headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        let response = authorized(call, &api.auth).send().await.map_err(NoResponse::Unreachable)?;
        let (status, retry_after) = (response.status(), response.retry_after());
        let body = response.body(RESPONSE_MAX).await.map_err(|reason| match reason {
            NoBody::Broken(reason) => NoResponse::Unreachable(reason),
            NoBody::TooLarge => NoResponse::TooLarge,
        })?;
        Ok(Response { status, retry_after, body })
    }
}

fn authorized(call: Call, auth: &Auth) -> Call {
    match auth {
        Auth::None => call,
        Auth::Bearer(token) => call.bearer(token),
        Auth::Basic(basic) => call.basic(&basic.username, basic.password.expose_secret()),
        Auth::BasicUser(token) => call.basic(token.expose_secret(), ""),
        Auth::Plain(token) => call.authorization(token),
    }
}
