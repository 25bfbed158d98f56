//! Keys that may vouch: the certificate's, or those of a source's secrets; and the search for the key of a signature.

use secrecy::{ExposeSecret, SecretSlice};

use super::crypto::{self, Key, PublicKey};
use super::means::Secret;
use super::signed::{key_id, located, missing, signed};
use super::unverified::Unverified;
use crate::psp::document::place::Scope;
use crate::psp::profile::{Challenge, Signature};

/// A key for verification, with the name of its secret.
pub(super) enum AnyKey<'a> {
    /// The key of a source's secret.
    Secret {
        /// The secret's name.
        name: &'a str,
        /// The key that the secret's text stands for.
        key: SecretSlice<u8>,
        /// The PSP's id of the key.
        id: Option<&'a str>,
    },
    /// The key of the PSP's certificate.
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

    /// The name of the secret; none for a certificate.
    pub(super) const fn name(&self) -> Option<&'a str> {
        match self {
            Self::Secret { name, .. } => Some(name),
            Self::Certificate(_) => None,
        }
    }

    /// Whether the key may check a signature with this key id. A key without an id may check any signature. A signature
    /// without an id may be checked by any key.
    fn is_called(&self, given: Option<&str>) -> bool {
        match self {
            Self::Secret { id: Some(id), .. } => given.is_none_or(|given| given == *id),
            Self::Secret { id: None, .. } | Self::Certificate(_) => true,
        }
    }
}

/// The key that vouches for one message. A text that an endpoint check may have signed for anybody is refused before any
/// key is asked. This concerns HMACs only: with these, the signed text does not depend on the key.
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
