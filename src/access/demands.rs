//! Demands of a source beside a signature: credentials in the Authorization header, other headers, and address ranges.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};

use super::compare::{counts, same};
use super::credentials::{Credentials, Look};

/// The demands that a source makes of the sender of a notification, beside a signature. All of them must be met.
#[derive(Debug, Clone, Copy)]
pub struct Demands<'a> {
    /// The credentials that the Authorization header must hold. If there are none, the header is not looked at.
    pub authorization: &'a Credentials,
    /// The headers that must be there with these values; names in lower case.
    pub headers: &'a BTreeMap<String, SecretString>,
    /// The ranges, one of which must contain the sender's address. If there are none, any address will do.
    pub ip_ranges: &'a [IpNet],
}

impl Demands<'_> {
    /// Whether nothing is demanded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.authorization.is_empty() && self.headers.is_empty() && self.ip_ranges.is_empty()
    }

    /// Whether a sender may have this address.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        self.ip_ranges.is_empty() || self.ip_ranges.iter().any(|range| range.contains(&address))
    }

    /// Checks that the headers of a request meet the demands. `header` looks up a header by its name. Addresses are not
    /// checked here.
    ///
    /// # Errors
    /// The part that is missing or wrong.
    pub fn check<'h>(&self, header: impl Fn(&str) -> Option<&'h str>, look: Look<'_>) -> Result<(), &'static str> {
        if !self.authorization.is_empty() && !self.authorization.allows(header("authorization"), look) {
            return Err("no or wrong credentials in the Authorization header");
        }
        let headers_match = self.headers.iter().all(|(name, expected)| {
            counts(expected, look.suspicious)
                && header(name).is_some_and(|given| same(given.as_bytes(), expected.expose_secret().as_bytes()))
        });
        if headers_match { Ok(()) } else { Err("a configured header is missing or wrong") }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::access::token::Issuer;

    const LONG: &str = "0123456789012345678x";

    fn checked(demands: &Demands<'_>, given: &[(&str, &str)], suspicious: bool) -> Result<(), &'static str> {
        let look =
            Look { audience: "sources/a", issuer: &Issuer::new([7; 32]), now: Timestamp::UNIX_EPOCH, suspicious };
        demands.check(|name| given.iter().find(|(known, _)| *known == name).map(|(_, value)| *value), look)
    }

    #[test]
    fn all_that_is_demanded_must_be_there() {
        let bearer = format!("Bearer {LONG}");
        let authorization = Credentials { tokens: vec![LONG.to_owned().into()], ..Credentials::default() };
        let headers = BTreeMap::from([("x-one".to_owned(), "1".to_owned().into()), ("x-two".to_owned(), LONG.into())]);
        let demands = Demands { authorization: &authorization, headers: &headers, ip_ranges: &[] };
        let all = [("authorization", bearer.as_str()), ("x-one", "1"), ("x-two", LONG)];
        assert_eq!(checked(&demands, &all, false), Ok(()));
        let (authorization, header) =
            ("no or wrong credentials in the Authorization header", "a configured header is missing or wrong");
        for (left_out, lacking) in [authorization, header, header].into_iter().enumerate() {
            let mut some = all;
            some[left_out].1 = "wrong";
            assert_eq!(checked(&demands, &some, false), Err(lacking), "{some:?}");
            some[left_out].0 = "other";
            assert_eq!(checked(&demands, &some, false), Err(lacking), "{some:?}");
        }
        assert_eq!(checked(&demands, &all, true), Err(header), "x-one can be guessed");
    }

    #[test]
    fn a_sender_is_in_one_of_the_ranges_where_there_are_any() {
        let (authorization, headers) = (Credentials::default(), BTreeMap::new());
        let ranges = ["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let within = |ip_ranges, address: &str| {
            let demands = Demands { authorization: &authorization, headers: &headers, ip_ranges };
            (demands.is_empty(), demands.admits(address.parse().unwrap()))
        };
        for (address, admitted) in
            [("192.0.2.9", true), ("2001:db8::9", true), ("192.0.3.9", false), ("2001:db9::9", false)]
        {
            assert_eq!(within(&ranges, address), (false, admitted), "{address}");
            assert_eq!(within(&[], address), (true, true), "{address}");
        }
    }
}
