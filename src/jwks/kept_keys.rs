//! The kept key set, the task that fetches it anew, and the callers who wait for it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::client::{Client, FetchedKeys, TIMEOUT};
use crate::access::jwt::{JwtError, JwtPolicy, UnverifiedJwt};
use crate::access::key_set::KeySet;
use crate::clock::Clock;
use crate::domain::due::later;
use crate::outbound::retry::spread;

/// Callers with unknown keys cause one fetch in this time at most, all together.
const ASKED_EVERY: Duration = Duration::from_secs(30);
/// The wait after a failed fetch. It doubles up to the longest one.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// The keys of the configured issuer.
#[derive(Debug)]
pub struct KeptKeys {
    client: Client,
    clock: Clock,
    state: watch::Sender<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The URL of the key set; none if no issuer is configured.
    url: Option<Url>,
    /// The keys from that URL; none until the first fetch has succeeded.
    keys: Option<Arc<KeySet>>,
    /// Whether a fetch is due at once, or under way.
    fetching: bool,
    /// When a caller has caused a fetch, by the store's clock.
    asked: Option<Timestamp>,
    /// The failures since the last fetch that succeeded.
    failures: u32,
}

/// The reason why a JWT is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    /// The JWT may be right: the keys could not be fetched yet.
    #[error("the issuer's keys could not be fetched yet from transform.jwt.jwks_url")]
    NoKeys,
    /// The JWT is wrong.
    #[error("{0}")]
    Wrong(JwtError),
}

impl KeptKeys {
    /// Makes an instance without keys.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub fn new(clock: Clock) -> Result<Self, String> {
        Ok(Self { client: Client::new()?, clock, state: watch::Sender::default() })
    }

    /// From now on the keys are those at this URL. They are fetched at once. Until that has succeeded, the kept keys go on
    /// being used, if they come from the same URL.
    pub(crate) fn configure(&self, url: Option<Url>) {
        self.state.send_modify(|state| {
            if state.url != url {
                *state = State { url, asked: state.asked, ..State::default() };
            }
            state.fetching = state.url.is_some();
        });
    }

    /// Decides about a JWT. An unknown key may be a new one: then this waits for a fetch, if one may be made.
    ///
    /// # Errors
    /// [`NotBelieved`]
    pub(crate) async fn verify(&self, token: &str, policy: &JwtPolicy) -> Result<(), NotBelieved> {
        let jwt = policy.check(token, self.clock.now().wall).map_err(NotBelieved::Wrong)?;
        match self.look(&jwt, policy) {
            Err(NotBelieved::NoKeys) => {}
            Err(NotBelieved::Wrong(JwtError::UnknownKey(_))) => self.ask(),
            decided => return decided,
        }
        let mut state = self.state.subscribe();
        // The fetch itself ends in time; the time-out is for a relay that stops.
        drop(timeout(TIMEOUT, state.wait_for(|state| !state.fetching)).await);
        self.look(&jwt, policy)
    }

    /// Decides by the kept keys.
    fn look(&self, jwt: &UnverifiedJwt<'_>, policy: &JwtPolicy) -> Result<(), NotBelieved> {
        let keys = {
            let state = self.state.borrow();
            state.keys.clone().filter(|_| state.url.as_ref() == Some(&policy.jwks_url))
        };
        jwt.verify(&*keys.ok_or(NotBelieved::NoKeys)?).map_err(NotBelieved::Wrong)
    }

    /// Makes a fetch due, unless callers have caused one lately.
    fn ask(&self) {
        let now = self.clock.now().steady;
        self.state.send_if_modified(|state| {
            let may = !state.fetching && state.asked.is_none_or(|asked| later(asked, ASKED_EVERY) <= now);
            if may {
                (state.asked, state.fetching) = (Some(now), state.url.is_some());
            }
            may
        });
    }

    /// Fetches the keys whenever that is due, until the stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        // The state's sender lives as long as this does.
        let _ended = stop.run_until_cancelled(self.keep()).await;
    }

    async fn keep(&self) -> Result<(), watch::error::RecvError> {
        let mut state = self.state.subscribe();
        loop {
            let Some(url) = state.wait_for(|state| state.fetching).await?.url.clone() else { continue };
            let fetched = tokio::select! {
                fetched = self.client.get(url.clone()) => fetched,
                other = state.wait_for(|state| state.url.as_ref() != Some(&url)) => {
                    other?;
                    continue;
                }
            };
            let wait = self.settle(&url, fetched);
            if timeout(wait, state.wait_for(|state| state.fetching)).await.is_err() {
                self.state.send_modify(|state| state.fetching = state.url.is_some());
            }
        }
    }

    /// Takes what was fetched from a URL. Returns the time until the next fetch.
    fn settle(&self, url: &Url, fetched: Result<FetchedKeys, String>) -> Duration {
        let mut wait = Duration::ZERO;
        self.state.send_modify(|state| {
            if state.url.as_ref() == Some(url) {
                wait = state.settle(fetched);
            }
        });
        wait
    }
}

impl State {
    fn settle(&mut self, fetched: Result<FetchedKeys, String>) -> Duration {
        self.fetching = false;
        match fetched {
            Ok(FetchedKeys { keys, fresh_for }) => {
                self.failures = 0;
                self.take(keys);
                fresh_for
            }
            Err(reason) => {
                let wait = spread(RETRY_FIRST, RETRY_MAX, self.failures, fastrand::f64());
                self.failures = self.failures.saturating_add(1);
                self.tell_failure(&reason, wait);
                wait
            }
        }
    }

    fn take(&mut self, keys: KeySet) {
        let (before, now) = (self.keys.as_ref().map(ToString::to_string), keys.to_string());
        if keys.is_empty() {
            tracing::warn!(
                "the issuer publishes no key that can verify a JWT: all JWTs are refused; look at transform.jwt.jwks_url"
            );
        } else if before.as_ref() == Some(&now) {
            tracing::debug!(keys = now, "fetched the issuer's keys");
        } else {
            tracing::info!(keys = now, "fetched the issuer's keys: they are believed instead of the earlier ones");
        }
        self.keys = Some(Arc::new(keys));
    }

    fn tell_failure(&self, reason: &str, wait: Duration) {
        let wait = SignedDuration::try_from(wait).and_then(|wait| wait.round(Unit::Millisecond)).unwrap_or_default();
        let retry_in = format!("{wait:#}");
        if self.keys.is_some() {
            tracing::warn!(
                reason,
                retry_in,
                "could not fetch the issuer's keys: the kept ones go on being used; look at transform.jwt.jwks_url"
            );
        } else {
            tracing::warn!(
                reason,
                retry_in,
                "could not fetch the issuer's keys, and there are none yet: JWTs are answered 503; look at \
                 transform.jwt.jwks_url"
            );
        }
    }
}
