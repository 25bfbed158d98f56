//! Basic credentials (RFC 7617).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::compare::same;

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
        decoded_basic(authorization).is_some_and(|given| same(&given, expected.as_bytes()))
    }
}

/// The part of an Authorization header after the scheme's name, if the header has that scheme.
pub(crate) fn scheme<'a>(authorization: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then_some(rest.trim())
}

/// The `name:password` of an Authorization header with basic credentials.
#[must_use]
pub fn decoded_basic(authorization: &str) -> Option<Vec<u8>> {
    scheme(authorization, "basic").and_then(|encoded| STANDARD.decode(encoded).ok())
}
