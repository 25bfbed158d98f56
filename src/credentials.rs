//! Who may come in: bearer tokens and basic credentials, compared in constant time.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A user name and its password.
#[derive(Debug, Clone)]
pub struct Basic {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl Basic {
    /// Whether an Authorization header carries these credentials.
    #[must_use]
    pub fn allows(&self, authorization: &str) -> bool {
        let expected = format!("{}:{}", self.username, self.password.expose_secret());
        scheme(authorization, "basic")
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .is_some_and(|given| same(&given, expected.as_bytes()))
    }
}

/// All that opens one of our doors: any of the tokens, or the basic credentials. Nothing configured lets nobody in.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Bearer tokens; several, so that they can be rotated.
    pub tokens: Vec<SecretString>,
    /// Basic credentials.
    pub basic: Option<Basic>,
}

impl Credentials {
    /// Whether an Authorization header opens the door.
    #[must_use]
    pub fn allows(&self, authorization: Option<&str>) -> bool {
        let Some(authorization) = authorization else { return false };
        let by_token = scheme(authorization, "bearer").is_some_and(|given| {
            self.tokens.iter().any(|token| same(given.as_bytes(), token.expose_secret().as_bytes()))
        });
        by_token || self.basic.as_ref().is_some_and(|basic| basic.allows(authorization))
    }

    /// Whether the door is closed to everybody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.basic.is_none()
    }
}

impl fmt::Display for Credentials {
    /// How many there are, never which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bearer token(s)", self.tokens.len())?;
        if let Some(basic) = &self.basic {
            write!(f, ", basic credentials of {:?}", basic.username)?;
        }
        Ok(())
    }
}

fn scheme<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then_some(rest.trim())
}

/// Compares in a time that depends on neither where the first difference is nor how long the secret is.
#[must_use]
pub fn same(given: &[u8], expected: &[u8]) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_basic_credentials_open_the_door() {
        let basic = Basic { username: "plenigo_test".into(), password: "123456789".to_owned().into() };
        let both = Credentials { tokens: vec!["t1".to_owned().into(), "t2".to_owned().into()], basic: Some(basic) };
        for good in ["Bearer t1", "bearer t2", "Basic cGxlbmlnb190ZXN0OjEyMzQ1Njc4OQ=="] {
            assert!(both.allows(Some(good)), "{good}");
        }
        for bad in ["Bearer t3", "Bearer", "Bearer ", "t1", "Basic t1", "Basic cGxlbmlnb190ZXN0Og==", ""] {
            assert!(!both.allows(Some(bad)), "{bad}");
        }
        assert!(!both.allows(None));
        assert!(!Credentials::default().allows(Some("Bearer ")), "nothing configured lets nobody in");
    }
}
