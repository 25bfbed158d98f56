//! Keys that may vouch: the certificate's, or those that a source's secrets stand for; and which of them gives a signature.

use secrecy::{ExposeSecret, SecretSlice};

use super::crypto::{self, Key, PublicKey};
use super::signed::{key_id, located, missing, signed};
use super::verify::{Secret, Unverified};
use crate::psp::document::place::Scope;
use crate::psp::profile::{Challenge, Signature};

/// What verifies, and the name of the secret that it is made of.
pub(super) enum AnyKey<'a> {
    /// Of a source's secret.
    Secret {
        /// The secret's name.
        name: &'a str,
        /// The key that its text stands for.
        key: SecretSlice<u8>,
        /// The PSP's id of it.
        id: Option<&'a str>,
    },
    /// Of the PSP's certificate.
    Certificate(&'a PublicKey),
}

impl<'a> AnyKey<'a> {
    /// The key that a secret stands for in this signature; none if its text fits no key of that kind.
    pub(super) fn of(secret: &Secret<'a>, signature: &Signature) -> Option<Self> {
        let key = crypto::key(signature, secret.text.expose_secret()).ok()?;
        Some(Self::Secret { name: secret.name, key, id: secret.key_id })
    }

    const fn key(&self) -> Key<'_> {
        match self {
            Self::Secret { key, .. } => Key::Secret(key),
            Self::Certificate(key) => Key::Public(key),
        }
    }

    /// The name of the secret; none of a certificate.
    pub(super) const fn name(&self) -> Option<&'a str> {
        match self {
            Self::Secret { name, .. } => Some(name),
            Self::Certificate(_) => None,
        }
    }

    /// Whether it may check a signature that names its key so. A key or a signature without an id may be any.
    fn is_called(&self, given: Option<&str>) -> bool {
        match self {
            Self::Secret { id: Some(id), .. } => given.is_none_or(|given| given == *id),
            Self::Secret { id: None, .. } | Self::Certificate(_) => true,
        }
    }
}

/// Which key vouches for one message. What an endpoint check may have signed for anybody is refused before any key is
/// asked: where it is an HMAC, which texts these are does not depend on the key.
pub(super) fn matching<'k, 'a>(
    challenge: Option<&Challenge>,
    signature: &Signature,
    keys: &'k [AnyKey<'a>],
    scope: &Scope<'_>,
) -> Result<&'k AnyKey<'a>, Unverified> {
    if missing(signature, scope).next().is_some() {
        return Err(Unverified::Missing);
    }
    let located = located(&signature.found, scope);
    let given: Vec<(Option<&str>, Vec<u8>)> = located
        .iter()
        .filter_map(|found| {
            Some((key_id(signature, found, scope), crypto::decode(signature.encoding, found.text.trim())?))
        })
        .collect();
    if given.is_empty() {
        return Err(if located.is_empty() { Unverified::Missing } else { Unverified::Wrong });
    }
    let challenge = challenge.filter(|_| signature.algorithm.is_hmac());
    for key in keys {
        let signed = signed(signature, key.key(), scope);
        if challenge.is_some_and(|challenge| challenge.may_have_signed(&signed)) {
            return Err(Unverified::Challenge);
        }
        let mut given = given.iter().filter(|(id, _)| key.is_called(*id)).map(|(_, given)| given.as_slice()).peekable();
        if given.peek().is_some() && crypto::one_is_right(signature.algorithm, key.key(), &signed, given) {
            return Ok(key);
        }
    }
    Err(Unverified::Wrong)
}
