//! Requests of commands to a relay over HTTP, with credentials of the configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::access::credentials::Credentials;
use crate::access::token;
use crate::outbound::client::{Call, Client, ClientOptions, NoBody};
use crate::outbound::guard::guarded;

/// The longest time of a request. A relay whose store is busy answers sooner.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is read, in bytes. A record with the most bookings is smaller.
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// A relay at its base URL.
#[derive(Debug, Clone)]
pub(super) struct RelayClient {
    base: Url,
    client: Client,
}

/// An answer of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The body. Bytes that are no UTF-8 are replaced.
    pub(super) body: String,
}

/// The answer of POST /oauth/token.
#[derive(Deserialize)]
struct Token {
    access_token: String,
}

impl RelayClient {
    /// A client for the relay at this URL.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub(super) fn new(base: Url) -> Result<Self, String> {
        Ok(Self { base, client: Client::new(ClientOptions::default())? })
    }

    /// A call that posts a body.
    pub(super) fn post(&self, path: &[&str], body: Vec<u8>) -> Call {
        self.client.post(self.at(path), body, TIMEOUT)
    }

    /// A call that gets a path with a query.
    pub(super) fn get(&self, path: &[&str], query: &str) -> Call {
        let mut url = self.at(path);
        url.set_query(Some(query));
        self.client.get(url, TIMEOUT)
    }

    /// Makes a call.
    ///
    /// # Errors
    /// The reason why there is no answer.
    pub(super) async fn answer(&self, call: Call) -> Result<Answer, String> {
        let no_answer = |reason| {
            format!(
                "no answer of the relay at {}: {reason}; if none runs, `transform-relay serve` starts it",
                self.base
            )
        };
        let response = call.send().await.map_err(no_answer)?;
        let status = response.status();
        let body = response.body(ANSWER_MAX).await.map_err(|error| {
            no_answer(match error {
                NoBody::Broken(reason) => reason,
                NoBody::TooLarge => format!("it is larger than {ANSWER_MAX} bytes"),
            })
        })?;
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// The value of an Authorization header by which credentials let a client in. `None` if there are none. Basic credentials and
    /// tokens stand in the configuration. An OAuth client fetches its token from the relay.
    ///
    /// # Errors
    /// The relay gives no token.
    pub(super) async fn authorization(&self, credentials: &Credentials) -> Result<Option<SecretString>, String> {
        if let Some(basic) = &credentials.basic {
            let text = format!("{}:{}", basic.username, basic.password.expose_secret());
            return Ok(Some(format!("Basic {}", STANDARD.encode(text)).into()));
        }
        let token = match (credentials.tokens.first(), credentials.clients.first()) {
            (Some(token), _) => token.clone(),
            (None, Some(client)) => self.token(client).await?,
            (None, None) => return Ok(None),
        };
        Ok(Some(bearer(&token)))
    }

    /// Fetches a token for an OAuth client.
    async fn token(&self, client: &token::Client) -> Result<SecretString, String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &client.id).append_pair("client_secret", client.secret.expose_secret());
        match &client.user {
            None => form.append_pair("grant_type", "client_credentials"),
            Some(user) => form
                .append_pair("grant_type", "password")
                .append_pair("username", &user.username)
                .append_pair("password", user.password.expose_secret()),
        };
        let call = self.post(&["oauth", "token"], form.finish().into_bytes());
        let answer = self.answer(call.header("Content-Type", "application/x-www-form-urlencoded")).await?;
        let given: Option<Token> = serde_json::from_str(&answer.body).ok();
        let given = given.filter(|_| answer.is_good()).map(|given| given.access_token.into());
        given.ok_or_else(|| {
            format!("the relay gives OAuth client {:?} no token: its answer has status {}", client.id, answer.status)
        })
    }

    /// The URL of a path below the base. Each part is one step of it, whatever characters it has.
    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut steps) = url.path_segments_mut() {
            steps.pop_if_empty().extend(path);
        }
        url
    }
}

impl Answer {
    /// Whether the status is 2xx.
    pub(super) const fn is_good(&self) -> bool {
        matches!(self.status, 200..300)
    }
}

/// The value of an Authorization header with a bearer token.
pub(super) fn bearer(token: &SecretString) -> SecretString {
    format!("Bearer {}", token.expose_secret()).into()
}

/// The base URL of a relay: the one that an option gives, or else the address at which the configured relay listens.
///
/// # Errors
/// The URL is none of a relay, or leads to another machine without TLS, or the relay listens at any free port. Credentials in the
/// URL are not repeated.
pub(super) fn base(option: &str, given: Option<&str>, listen: SocketAddr) -> Result<Url, String> {
    let Some(given) = given else {
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        if listen.port() == 0 {
            return Err(format!(
                "{option} is needed: server.listen = \"{listen}\" picks a free port, which the relay's log names"
            ));
        }
        let url = format!("http://{}", SocketAddr::new(ip, listen.port()));
        return Url::parse(&url).map_err(|error| format!("{url}: {error}"));
    };
    let must = "must be the URL of a relay, as in https://relay.example.com or http://127.0.0.1:8080";
    let url = guarded(given).map_err(|reason| format!("{option} {must}: it {reason}"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{option} {must}, without query and fragment"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn based(given: Option<&str>, listen: &str) -> Result<String, String> {
        base("--url", given, listen.parse().unwrap()).map(String::from)
    }

    #[test]
    fn the_relay_is_where_the_configuration_says() {
        for (listen, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("0.0.0.0:8081", "http://127.0.0.1:8081/"),
            ("[::]:8081", "http://[::1]:8081/"),
            ("192.0.2.7:80", "http://192.0.2.7/"),
        ] {
            assert_eq!(based(None, listen).as_deref(), Ok(expected), "{listen}");
        }
        assert!(based(None, "127.0.0.1:0").unwrap_err().contains("picks a free port"));
    }

    #[test]
    fn a_url_that_is_none_of_a_relay_is_refused_without_its_credentials() {
        assert_eq!(based(Some("https://relay.example.com/a"), "1.2.3.4:5").unwrap(), "https://relay.example.com/a");
        for bad in [
            "relay",
            "ftp://x",
            "https://me:hidden@x",
            "https://x?hidden",
            "https://x#hidden",
            "http://relay.example.com",
        ] {
            let refused = based(Some(bad), "1.2.3.4:5").unwrap_err();
            assert!(refused.starts_with("--url ") && !refused.contains("hidden"), "{bad}: {refused}");
        }
    }

    #[test]
    fn a_path_stands_below_the_base() {
        let at = |base: &str, path: &[&str]| RelayClient::new(Url::parse(base).unwrap()).unwrap().at(path).to_string();
        assert_eq!(at("http://x", &["api", "transactions", "a b/c"]), "http://x/api/transactions/a%20b%2Fc");
        assert_eq!(at("https://x/relay/", &["notifications", "one"]), "https://x/relay/notifications/one");
    }
}
