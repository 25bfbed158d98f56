//! Credentials of an Authorization header: bearer tokens, tokens that we issued, and basic credentials. All are compared in
//! constant time.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::basic::{Basic, scheme};
use super::compare::{counts, same};
use super::token::{Client, Issuer};

/// The credentials that one audience accepts: any of the tokens, a token that we issued to one of the clients, or the basic
/// credentials. An audience without any credentials lets nobody in.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Bearer tokens. There may be several, so that they can be rotated.
    pub tokens: Vec<SecretString>,
    /// Basic credentials.
    pub basic: Option<Basic>,
    /// The clients that may fetch short-lived tokens for this audience.
    pub clients: Vec<Client>,
}

/// The circumstances under which credentials are checked.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The audience to which they are shown: a token is issued for one audience.
    pub audience: &'a str,
    /// The issuer of our short-lived tokens.
    pub issuer: &'a Issuer,
    /// The time now, by the store's clock.
    pub now: Timestamp,
    /// Whether the client was wrong too often. Only secrets too long to be guessed count then.
    pub suspicious: bool,
}

impl Credentials {
    /// Whether an Authorization header holds good credentials.
    #[must_use]
    pub fn allows(&self, authorization: Option<&str>, look: Look<'_>) -> bool {
        let Some(authorization) = authorization else { return false };
        let by_token = scheme(authorization, "bearer").is_some_and(|given| {
            let configured = |token: &SecretString| {
                counts(token, look.suspicious) && same(given.as_bytes(), token.expose_secret().as_bytes())
            };
            let issued = |client: &Client| look.issuer.issued(given, look.audience, client, look.now);
            self.tokens.iter().any(configured) || self.clients.iter().any(issued)
        });
        let by_password = self
            .basic
            .as_ref()
            .is_some_and(|basic| counts(&basic.password, look.suspicious) && basic.allows(authorization));
        by_token || by_password
    }

    /// Whether no credentials are configured, so that nobody is let in.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.basic.is_none() && self.clients.is_empty()
    }
}

impl fmt::Display for Credentials {
    /// Writes the number of tokens and the names, never a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bearer token(s)", self.tokens.len())?;
        if let Some(basic) = &self.basic {
            write!(f, ", basic credentials of {:?}", basic.username)?;
        }
        for client in &self.clients {
            write!(f, ", OAuth client {:?}", client.id)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(credentials: &Credentials, authorization: Option<&str>, suspicious: bool) -> bool {
        let issuer = Issuer::new([7; 32]);
        credentials
            .allows(authorization, Look { audience: "d", issuer: &issuer, now: Timestamp::UNIX_EPOCH, suspicious })
    }

    #[test]
    fn tokens_and_basic_credentials_are_good() {
        let basic = Basic { username: "plenigo_test".into(), password: "123456789".to_owned().into() };
        let tokens = vec!["t1".to_owned().into(), "t2".to_owned().into()];
        let both = Credentials { tokens, basic: Some(basic), clients: Vec::new() };
        for good in ["Bearer t1", "bearer t2", "Basic cGxlbmlnb190ZXN0OjEyMzQ1Njc4OQ=="] {
            assert!(allows(&both, Some(good), false), "{good}");
        }
        for bad in ["Bearer t3", "Bearer", "Bearer ", "t1", "Basic t1", "Basic cGxlbmlnb190ZXN0Og==", ""] {
            assert!(!allows(&both, Some(bad), false), "{bad}");
        }
        assert!(!allows(&both, None, false));
        assert!(!allows(&Credentials::default(), Some("Bearer "), false), "nothing configured lets nobody in");
    }

    #[test]
    fn only_secrets_that_nobody_guesses_count_when_suspicious() {
        let long = "0123456789012345678x";
        let tokens = vec!["short".to_owned().into(), long.to_owned().into()];
        let basic = Basic { username: "plenigo_test".into(), password: "123456789".to_owned().into() };
        let credentials = Credentials { tokens, basic: Some(basic), clients: Vec::new() };
        assert!(allows(&credentials, Some(&format!("Bearer {long}")), true));
        for short in ["Bearer short", "Basic cGxlbmlnb190ZXN0OjEyMzQ1Njc4OQ=="] {
            assert!(allows(&credentials, Some(short), false) && !allows(&credentials, Some(short), true), "{short}");
        }
    }
}
