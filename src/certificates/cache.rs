//! The cache of certificates by URL, and of URLs that failed. Pure: the time is an argument.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use url::Url;

use super::chain::Chain;
use super::no_key::NoKey;

/// Good certificates, and URLs that gave none. They are kept apart, so that no number of made-up URLs can push a good
/// certificate out.
#[derive(Debug, Default)]
pub(super) struct Cache {
    good: HashMap<Url, Used>,
    bad: HashMap<Url, Failed>,
}

#[derive(Debug)]
struct Used {
    chain: Arc<Chain>,
    last: Timestamp,
}

#[derive(Debug)]
struct Failed {
    why: NoKey,
    until: Timestamp,
}

/// The most good certificates kept. A PSP has one at a time, or two while it changes them.
const GOOD_MAX: usize = 64;
const BAD_MAX: usize = 1024;

impl Cache {
    /// The cached chain or failure of a URL, if any.
    pub(super) fn look(&mut self, url: &Url, now: Timestamp) -> Option<Result<Arc<Chain>, NoKey>> {
        if let Some(used) = self.good.get_mut(url) {
            used.last = now;
            return Some(Ok(Arc::clone(&used.chain)));
        }
        self.bad.get(url).filter(|failed| now < failed.until).map(|failed| Err(failed.why.clone()))
    }

    /// Records a good certificate. If there are too many, the least recently used one gives way.
    pub(super) fn good(&mut self, url: Url, chain: Arc<Chain>, now: Timestamp) {
        self.bad.remove(&url);
        if self.good.len() >= GOOD_MAX {
            let oldest = self.good.iter().min_by_key(|(_, used)| used.last).map(|(url, _)| url.clone());
            oldest.map(|url| self.good.remove(&url));
        }
        self.good.insert(url, Used { chain, last: now });
    }

    /// Records a failed URL. It is not fetched again before `until`, and its cached chain is dropped.
    pub(super) fn bad(&mut self, url: Url, why: NoKey, until: Timestamp) {
        self.good.remove(&url);
        if self.bad.len() >= BAD_MAX {
            let first = self.bad.iter().min_by_key(|(_, failed)| failed.until).map(|(url, _)| url.clone());
            first.map(|url| self.bad.remove(&url));
        }
        self.bad.insert(url, Failed { why, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(n: usize) -> Url {
        Url::parse(&format!("https://api.psp.example/certs/{n}")).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn chain() -> Arc<Chain> {
        let made = rcgen::generate_simple_self_signed(["psp.example".to_owned()]).unwrap();
        Arc::new(Chain::of_pem(made.cert.pem().as_bytes()).unwrap())
    }

    #[test]
    fn a_failure_is_remembered_for_its_time_only() {
        let mut cache = Cache::default();
        assert!(cache.look(&url(1), at(0)).is_none());
        cache.bad(url(1), NoKey::Unavailable("HTTP 404".into()), at(10));
        assert!(matches!(cache.look(&url(1), at(9)), Some(Err(NoKey::Unavailable(_)))));
        assert!(cache.look(&url(1), at(10)).is_none());
        cache.good(url(1), chain(), at(5));
        assert!(matches!(cache.look(&url(1), at(6)), Some(Ok(_))), "a certificate overrules it");
        cache.bad(url(1), NoKey::Refused("CertExpired".into()), at(20));
        assert!(matches!(cache.look(&url(1), at(15)), Some(Err(NoKey::Refused(_)))), "and the other way round");
    }

    #[test]
    fn made_up_urls_push_no_good_certificate_out() {
        let mut cache = Cache::default();
        let good = chain();
        cache.good(url(0), Arc::clone(&good), at(0));
        for n in 1..=3 * BAD_MAX {
            cache.bad(url(n), NoKey::Unavailable("HTTP 404".into()), at(100 + i64::try_from(n).unwrap()));
        }
        assert_eq!(cache.bad.len(), BAD_MAX);
        assert!(cache.look(&url(3 * BAD_MAX), at(1)).is_some() && cache.look(&url(1), at(1)).is_none());
        assert!(matches!(cache.look(&url(0), at(1)), Some(Ok(_))));
        // Even good ones are limited; the one in use stays.
        for n in 1..=3 * GOOD_MAX {
            let second = i64::try_from(n).unwrap();
            cache.good(url(n), Arc::clone(&good), at(second));
            assert!(matches!(cache.look(&url(0), at(second)), Some(Ok(_))), "{n}");
        }
        assert_eq!(cache.good.len(), GOOD_MAX);
    }
}
