//! The key set of an issuer (JWK set, RFC 7517): the public keys that may verify a JWT, each with the algorithms that fit it.
//!
//! A key that fits no algorithm of ours is left out: secrets, keys for encryption, other curves, RSA keys that are too short or too long.

use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::domain::text::shown;

/// The algorithms that are believed. All are asymmetric: with a symmetric one, a public key would do as the secret.
const RSA: [Algorithm; 6] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];
const P256: [Algorithm; 1] = [Algorithm::ES256];
const P384: [Algorithm; 1] = [Algorithm::ES384];
const ED25519: [Algorithm; 1] = [Algorithm::EdDSA];
/// The lengths of RSA keys that are believed, in bits: RFC 7518, section 3.3, and the longest that aws-lc verifies with.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// The keys of an issuer that may verify its JWTs.
#[derive(Debug, Clone)]
pub struct KeySet(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// The reason why a key set has no key for a JWT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyError {
    /// No key has that id, or none without an id fits the algorithm. A newer set may have one.
    Unknown,
    /// The key with that id is for other algorithms.
    Unfit(Vec<Algorithm>),
    /// Several keys fit.
    Several(usize),
}

impl KeySet {
    /// Reads the set as its issuer publishes it.
    ///
    /// # Errors
    /// The text is no JWK set. A key that cannot be read, or cannot verify, is no error: it is left out.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<Value>,
        }
        let published: Published = serde_json::from_slice(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("the response is no JWK set; look at its line {line}, column {column}")
        })?;
        let jwks = published.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(jwks.filter_map(|jwk| Key::of(&jwk)).collect()))
    }

    /// The only key with this id that fits the algorithm; without an id, the only one that fits.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, KeyError> {
        let named: Vec<_> = self.0.iter().filter(|key| id.is_none() || key.id.as_deref() == id).collect();
        let fitting: Vec<_> = named.iter().filter(|key| key.algorithms.contains(&algorithm)).collect();
        match (fitting.as_slice(), named.first()) {
            ([one], _) => Ok(&one.key),
            ([], Some(other)) if id.is_some() => Err(KeyError::Unfit(other.algorithms.clone())),
            ([], _) => Err(KeyError::Unknown),
            (several, _) => Err(KeyError::Several(several.len())),
        }
    }

    /// Whether no key can verify a JWT.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for KeySet {
    /// Writes the ids of the keys with their algorithms.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.0.iter().map(Key::told).collect();
        f.write_str(&keys.join(", "))
    }
}

impl Key {
    fn of(jwk: &Jwk) -> Option<Self> {
        let algorithms = algorithms(jwk);
        let for_signatures =
            jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let operations = jwk.common.key_operations.as_ref();
        let verifies = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        if algorithms.is_empty() || !for_signatures || !verifies {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { id: jwk.common.key_id.clone(), algorithms, key })
    }

    fn told(&self) -> String {
        let id = self.id.as_deref().map_or_else(|| "without an id".to_owned(), shown);
        format!("{id} ({})", listed(&self.algorithms))
    }
}

/// The algorithm of this name, if a JWT that names it can be believed.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    let known: Algorithm = name.parse().ok()?;
    [&RSA[..], &P256, &P384, &ED25519].iter().any(|of_keys| of_keys.contains(&known)).then_some(known)
}

/// The names of algorithms, in one text.
pub(super) fn listed(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect::<Vec<_>>().join(" ")
}

/// The algorithms that fit a key: by its type and curve, and by its own `alg` if it has one.
fn algorithms(jwk: &Jwk) -> Vec<Algorithm> {
    let by_type: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) if RSA_BITS.contains(&bits(&key.n)) => &RSA,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &P256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &P384,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &ED25519,
        _ => &[],
    };
    let own = jwk.common.key_algorithm;
    by_type.iter().copied().filter(|one| own.is_none_or(|own| own == KeyAlgorithm::from(*one))).collect()
}

/// The length of a modulus in bits, without leading zeros; 0 if it cannot be read.
fn bits(modulus: &str) -> usize {
    let bytes = URL_SAFE_NO_PAD.decode(modulus).unwrap_or_default();
    let mut digits = bytes.iter().skip_while(|byte| **byte == 0);
    let first = digits.next().map_or(0, |byte| byte.checked_ilog2().map_or(0, |log| log + 1));
    digits.count().saturating_mul(8).saturating_add(usize::try_from(first).unwrap_or_default())
}
