//! One call of a PSP's API, with the account's credentials.

use std::time::Duration;

use secrecy::ExposeSecret;
use url::Url;

use super::api::{Api, Auth};
use crate::outbound::client::{self, Call, ClientOptions, NoBody};

/// Calls PSPs' APIs.
#[derive(Debug, Clone)]
pub(super) struct Client(client::Client);

/// How a PSP answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    /// The HTTP status.
    pub(super) status: u16,
    /// The Retry-After header.
    pub(super) retry_after: Option<String>,
    /// The body, whole.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoResponse {
    /// Nobody is there, or does not come to an end.
    Unreachable(String),
    /// It is larger than what is taken.
    TooLarge,
}

/// The largest answer that is taken: an object is some kilobytes.
pub(super) const RESPONSE_MAX: usize = 1024 * 1024;
/// How long connecting may take at most.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Client {
    /// A client that leaves so many connections to each host open for the next calls.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub(super) fn new(idle_max: usize) -> Result<Self, String> {
        let connect_timeout = Some(CONNECT_TIMEOUT);
        let options = ClientOptions { idle_max: Some(idle_max), connect_timeout, ..ClientOptions::default() };
        client::Client::new(options).map(Self)
    }

    /// Gets a URL with an account's credentials, within the account's time-out.
    ///
    /// # Errors
    /// Why there was no answer.
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
