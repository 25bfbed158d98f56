//! The throttle: failed credentials, counted by the caller's address. An address with too many is suspicious.
//!
//! Failures are never counted by user name, so that nobody can lock out somebody else. A suspicious address is not locked
//! out either: secrets too long to be guessed still count (see [`counts`](super::compare::counts)). So a proxy that was
//! not configured as one does not lock out everybody.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::due::later;

/// The limit on wrong credentials from one address.
#[derive(Debug, Clone, Copy)]
pub struct ThrottlePolicy {
    /// The failures that make an address suspicious.
    pub failures: u32,
    /// The time in which they count, from the first failure on.
    pub window: Duration,
}

/// Failures by address.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    failures: HashMap<IpAddr, Failures>,
    /// The addresses, ordered by the end of their windows: a reload may change the windows' length.
    order: BTreeSet<(Timestamp, IpAddr)>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    until: Timestamp,
}

/// The most addresses remembered (some hundred kilobytes). Past that, the addresses whose windows end first give way.
const ADDRESSES_MAX: usize = 10_000;

impl Throttle {
    /// How long an address stays suspicious. `None`: it is not.
    pub(crate) fn suspicious(&self, address: IpAddr, policy: &ThrottlePolicy, now: Timestamp) -> Option<Duration> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = table.failures.get(&network(address))?;
        (known.until > now && known.count >= policy.failures)
            .then(|| Duration::try_from(known.until.duration_since(now)).unwrap_or_default())
    }

    /// Counts a failure. Returns whether this failure made the address suspicious.
    pub(crate) fn failed(&self, address: IpAddr, policy: &ThrottlePolicy, now: Timestamp) -> bool {
        let address = network(address);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget_ended(now);
        if let Some(known) = table.failures.get_mut(&address) {
            known.count = known.count.saturating_add(1);
            return known.count == policy.failures;
        }
        while table.failures.len() >= ADDRESSES_MAX && table.forget_first() {}
        let until = later(now, policy.window);
        table.failures.insert(address, Failures { count: 1, until });
        table.order.insert((until, address));
        policy.failures == 1
    }
}

impl Table {
    fn forget_ended(&mut self, now: Timestamp) {
        while self.order.first().is_some_and(|(until, _)| *until <= now) && self.forget_first() {}
    }

    fn forget_first(&mut self) -> bool {
        let Some((_, address)) = self.order.pop_first() else { return false };
        self.failures.remove(&address);
        true
    }
}

/// The address by which a caller is counted. For IPv6 it is the network: a client with one address there has at least
/// the 2^64 addresses of its network.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: ThrottlePolicy = ThrottlePolicy { failures: 3, window: Duration::from_secs(60) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn too_many_failures_of_an_address_count_against_it_until_its_window_ends() {
        let (throttle, one) = (Throttle::default(), address("192.0.2.1"));
        let failed: Vec<_> = [0, 10, 20, 30].map(|second| throttle.failed(one, &POLICY, at(second))).into();
        assert_eq!(failed, [false, false, true, false]);
        assert_eq!(throttle.suspicious(one, &POLICY, at(30)), Some(Duration::from_secs(30)));
        assert_eq!(throttle.suspicious(one, &POLICY, at(60)), None);
        assert_eq!(throttle.suspicious(address("192.0.2.2"), &POLICY, at(30)), None, "another address");
        assert!(!throttle.failed(one, &POLICY, at(60)), "a new window");
        assert_eq!(throttle.suspicious(one, &POLICY, at(61)), None);
    }

    /// A reload may shorten the window. An address counted by the long window must not go uncounted until that window's end.
    #[test]
    fn a_shorter_window_counts_although_a_longer_one_has_not_ended() {
        let (throttle, long, one) = (Throttle::default(), address("192.0.2.9"), address("192.0.2.1"));
        throttle.failed(long, &ThrottlePolicy { window: Duration::from_secs(3600), ..POLICY }, at(0));
        throttle.failed(one, &POLICY, at(0));
        for second in 100..103 {
            throttle.failed(one, &POLICY, at(second));
        }
        assert!(throttle.suspicious(one, &POLICY, at(103)).is_some(), "its second window");
        let table = throttle.0.lock().unwrap();
        assert_eq!((table.failures.len(), table.order.len()), (2, 2));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let throttle = Throttle::default();
        for host in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:1"] {
            throttle.failed(address(host), &POLICY, at(0));
        }
        assert!(throttle.suspicious(address("2001:db8::77"), &POLICY, at(0)).is_some());
        assert!(throttle.suspicious(address("2001:db8:0:1::77"), &POLICY, at(0)).is_none());
    }

    #[test]
    fn the_table_does_not_grow_and_the_oldest_give_way() {
        let throttle = Throttle::default();
        let nth = |n: u32| IpAddr::from(n.to_be_bytes());
        let many = u32::try_from(ADDRESSES_MAX).unwrap() + 10;
        for n in 0..many {
            for _ in 0..3 {
                throttle.failed(nth(n), &POLICY, at(0));
            }
        }
        {
            let table = throttle.0.lock().unwrap();
            assert_eq!((table.failures.len(), table.order.len()), (ADDRESSES_MAX, ADDRESSES_MAX));
        }
        assert!(throttle.suspicious(nth(0), &POLICY, at(1)).is_none());
        assert!(throttle.suspicious(nth(many - 1), &POLICY, at(1)).is_some());
        throttle.failed(nth(0), &POLICY, at(60));
        assert_eq!(throttle.0.lock().unwrap().failures.len(), 1, "what has ended is forgotten");
    }
}
