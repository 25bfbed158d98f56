//! Awaited hosts: what was given up because of them is told again, once the host responds.
//!
//! The truth is in the store: it knows what was given up, and because of which host. A host is awaited from the start on if
//! such debts are found, and whenever its breaker opens. Its first response ends that.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The hosts that are awaited, with their ports.
#[derive(Debug, Default)]
pub struct Awaited {
    hosts: Mutex<Hosts>,
    /// Signalled when an awaited host has responded.
    responded: Notify,
}

#[derive(Debug, Default)]
struct Hosts {
    awaited: BTreeSet<String>,
    /// Those that have responded, and whose debts are not owed again yet.
    responded: BTreeSet<String>,
}

/// The host of what an earlier version gave up. Any host that responds may be it.
const UNKNOWN: &str = "";

impl Awaited {
    /// Awaits a host from now on.
    pub fn add(&self, host: &str) {
        self.hosts().awaited.insert(host.to_owned());
    }

    /// Notes that a host has responded.
    pub fn responds(&self, host: &str) {
        let mut hosts = self.hosts();
        for host in [host, UNKNOWN] {
            if let Some(host) = hosts.awaited.take(host) {
                hosts.responded.insert(host);
                self.responded.notify_one();
            }
        }
    }

    /// Takes the awaited hosts that have responded.
    pub(super) fn take_responded(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.hosts().responded)
    }

    /// The hosts that are awaited now.
    pub(super) fn all(&self) -> BTreeSet<String> {
        self.hosts().awaited.clone()
    }

    /// Waits until an awaited host has responded.
    pub(super) async fn responded(&self) {
        self.responded.notified().await;
    }

    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(all: &BTreeSet<String>) -> Vec<&str> {
        all.iter().map(String::as_str).collect()
    }

    #[test]
    fn a_host_responds_once_until_it_is_awaited_again() {
        let awaited = Awaited::default();
        awaited.responds("a:443");
        assert!(awaited.take_responded().is_empty(), "nobody awaits it");
        awaited.add("a:443");
        awaited.add("b:443");
        awaited.responds("a:443");
        awaited.responds("a:443");
        assert_eq!(hosts(&awaited.take_responded()), ["a:443"]);
        assert_eq!(hosts(&awaited.all()), ["b:443"]);
        awaited.responds("a:443");
        assert!(awaited.take_responded().is_empty());
    }

    #[test]
    fn any_host_may_be_the_unknown_one() {
        let awaited = Awaited::default();
        awaited.add(UNKNOWN);
        awaited.responds("a:443");
        assert_eq!(hosts(&awaited.take_responded()), [UNKNOWN]);
    }
}
