//! Certificates kept, and certificates under way: one fetch of a URL serves all notifications that wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use url::Url;

use super::cache::Cache;
use super::chain::{Authorities, Chain};
use super::client::Client;
use super::no_key::NoKey;
use super::options::CertificateOptions;
use crate::clock::Clock;
use crate::domain::due::{Moment, later};
use crate::psp::profile::CertificateRule;
use crate::psp::vouch::crypto::PublicKey;

/// The fetched certificates, their authorities, and the fetches under way.
#[derive(Debug)]
pub struct Certificates {
    options: CertificateOptions,
    authorities: OnceLock<Authorities>,
    client: Client,
    clock: Clock,
    /// The runtime of the fetches. A fetch is a task of its own: the request that began it may be given up while others
    /// wait.
    runtime: Handle,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    cache: Cache,
    flights: HashMap<Url, watch::Receiver<Option<Loaded>>>,
}

type Loaded = Result<Arc<Chain>, NoKey>;

/// The most certificates fetched at once. A notification that needs a further one is answered 503, and has to come
/// again.
const AT_ONCE: usize = 8;

impl Certificates {
    /// Makes an instance whose fetches run on the current runtime.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub fn new(options: CertificateOptions, clock: Clock) -> Result<Self, String> {
        let client = Client::new(options.timeout)?;
        let (authorities, known) = (OnceLock::new(), Mutex::default());
        Ok(Self { options, authorities, client, clock, runtime: Handle::current(), known })
    }

    /// The key of the certificate at a URL, if it is believed at the moment of receipt.
    ///
    /// # Errors
    /// [`NoKey`]
    pub async fn key(
        self: &Arc<Self>,
        url: &Url,
        rule: &CertificateRule,
        received: Moment,
    ) -> Result<PublicKey, NoKey> {
        let known = self.known().cache.look(url, received.steady).transpose()?;
        // A cached certificate that is no longer believed may have been replaced at the same URL.
        if let Some(Ok(key)) = known.map(|chain| self.believed(&chain, rule, received)) {
            return Ok(key);
        }
        let chain = self.fetched(url, rule, received).await?;
        self.believed(&chain, rule, received)
    }

    /// Checks a chain. The check is made again for each notification: the chain is cached, but not the trust in it.
    fn believed(&self, chain: &Chain, rule: &CertificateRule, received: Moment) -> Result<PublicKey, NoKey> {
        let authorities = self.authorities.get_or_init(|| Authorities::of_the_machine_and(&self.options.roots));
        chain.key(authorities, &rule.name_suffix, received.wall).map_err(NoKey::Refused)
    }

    async fn fetched(self: &Arc<Self>, url: &Url, rule: &CertificateRule, received: Moment) -> Loaded {
        let mut flight = self.flight(url, rule, received)?;
        let landed = flight.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        landed.unwrap_or_else(|| Err(NoKey::Unavailable("the fetch was cut off".to_owned())))
    }

    /// Joins the fetch of this URL that is under way, or begins one.
    fn flight(
        self: &Arc<Self>,
        url: &Url,
        rule: &CertificateRule,
        received: Moment,
    ) -> Result<watch::Receiver<Option<Loaded>>, NoKey> {
        let mut known = self.known();
        if let Some(flight) = known.flights.get(url) {
            return Ok(flight.clone());
        }
        if known.flights.len() >= AT_ONCE {
            return Err(NoKey::Unavailable(format!("{AT_ONCE} others are being fetched, the most at once")));
        }
        let (lands, flight) = watch::channel(None);
        known.flights.insert(url.clone(), flight.clone());
        let landing = Landing { certificates: Arc::clone(self), url: url.clone() };
        let rule = rule.clone();
        self.runtime.spawn(async move {
            let answer = landing.fetch(&rule, received).await;
            lands.send_replace(Some(answer));
        });
        Ok(flight)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guard for a fetch under way. However the fetch ends, the guard makes room for another.
struct Landing {
    certificates: Arc<Certificates>,
    url: Url,
}

impl Landing {
    async fn fetch(&self, rule: &CertificateRule, received: Moment) -> Loaded {
        let all = &self.certificates;
        let answer = match all.client.get(self.url.clone()).await {
            Ok(pem) => Chain::of_pem(&pem)
                .map_err(NoKey::Refused)
                .and_then(|chain| all.believed(&chain, rule, received).map(|_| Arc::new(chain))),
            Err(reason) => Err(NoKey::Unavailable(reason)),
        };
        let now = all.clock.now().steady;
        let mut known = all.known();
        match &answer {
            Ok(chain) => {
                tracing::info!(url = %self.url, "fetched a PSP's certificate");
                known.cache.good(self.url.clone(), Arc::clone(chain), now);
            }
            Err(why) => {
                known.cache.bad(self.url.clone(), why.clone(), later(now, all.options.failures_kept));
            }
        }
        answer
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.certificates.known().flights.remove(&self.url);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    #[tokio::test]
    async fn a_certificate_that_is_kept_is_believed_while_it_is_valid() {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new(["a.psp.example".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "psp");
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let pem = params.signed_by(&KeyPair::generate().unwrap(), &root).unwrap().pem();

        let second = Duration::from_secs(1);
        let options = CertificateOptions { roots: Vec::new(), timeout: second, failures_kept: second };
        let all = Arc::new(Certificates::new(options, Clock::start()).unwrap());
        assert!(all.authorities.set(Authorities::of([root.der()])).is_ok());
        // Nothing answers there, so a certificate that is fetched again cannot be had.
        let url = Url::parse("https://127.0.0.1:1/certificate").unwrap();
        let moment = |text: &str| {
            let at: Timestamp = text.parse().unwrap();
            Moment { wall: at, steady: at }
        };
        let (now, after) = (moment("2026-06-01T00:00:00Z"), moment("2027-01-02T00:00:00Z"));
        let chain = Arc::new(Chain::of_pem(pem.as_bytes()).unwrap());
        all.known().cache.good(url.clone(), chain, now.steady);
        let rule = |suffix: &str| CertificateRule {
            header: "x".to_owned(),
            hosts: vec!["127.0.0.1:1".to_owned()],
            name_suffix: suffix.to_owned(),
        };
        assert!(all.key(&url, &rule(".psp.example"), now).await.is_ok());
        let other = all.key(&url, &rule(".other.example"), now).await;
        assert!(matches!(other, Err(NoKey::Unavailable(_))), "another profile's rule is its own: {other:?}");
        let chain = Arc::new(Chain::of_pem(pem.as_bytes()).unwrap());
        all.known().cache.good(url.clone(), chain, now.steady);
        let late = all.key(&url, &rule(".psp.example"), after).await;
        assert!(matches!(late, Err(NoKey::Unavailable(_))), "it is fetched anew: {late:?}");
        assert!(all.known().flights.is_empty());
    }
}
