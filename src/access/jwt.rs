//! JWTs of Transform's issuer (RFC 7519): what one must say, and whether the issuer has signed it. Pure: the keys and the
//! time are arguments.
//!
//! A JWT does not say how it is to be verified (RFC 8725). Keys come from the issuer's key set alone, and a key's own type
//! decides about the algorithm. What a header says of keys (`jwk`, `jku`, `x5u`, `x5c`) is not read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, crypto};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Number;
use url::Url;

use super::basic::scheme;
use super::key_set::{KeyError, KeySet, algorithm, listed};
use crate::domain::text::shown;

/// The largest JWT that is read.
const SIZE_MAX: usize = 16 * 1024;
/// The types of a token that opens routes (RFC 7519, section 5.1; RFC 9068, section 2.1), in any case.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];
/// The difference of clocks that is allowed.
const LEEWAY_S: i64 = 60;

/// The issuer whose JWTs open Transform's routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtPolicy {
    /// The URL at which the issuer publishes its keys.
    pub jwks_url: Url,
    /// The name of the issuer; `iss` must equal it.
    pub issuer: String,
    /// The name of the relay at the issuer; `aud` must contain it.
    pub audience: String,
}

/// The reason why a JWT is not believed. It is for the operator, and holds neither the token nor its subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// No known key is meant. A newer key set may have it.
    #[error("{0}")]
    UnknownKey(String),
    /// The JWT is wrong, whatever the keys are.
    #[error("{0}")]
    Wrong(String),
}

/// A JWT that says what it must. Its signature is yet to be verified.
pub struct UnverifiedJwt<'a> {
    signed: &'a str,
    signature: &'a str,
    key_id: Option<String>,
    algorithm: Algorithm,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<Number>,
    nbf: Option<Number>,
    iat: Option<Number>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The token of an Authorization header, if it has the form of a JWT: three parts in base64url, with dots between them.
#[must_use]
pub fn presented(authorization: &str) -> Option<&str> {
    let token = scheme(authorization, "bearer")?;
    let is_encoded = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    (token.split('.').count() == 3 && token.split('.').all(is_encoded)).then_some(token)
}

impl JwtPolicy {
    /// Checks all that a JWT says; `now` is the machine's time. The signature comes last, since a JWT of another issuer must
    /// not make the relay fetch keys.
    ///
    /// # Errors
    /// [`JwtError::Wrong`]
    pub fn check<'a>(&self, token: &'a str, now: Timestamp) -> Result<UnverifiedJwt<'a>, JwtError> {
        self.checked(token, now).map_err(JwtError::Wrong)
    }

    fn checked<'a>(&self, token: &'a str, now: Timestamp) -> Result<UnverifiedJwt<'a>, String> {
        if token.len() > SIZE_MAX {
            return Err(format!("the token has {} bytes, but must have {SIZE_MAX} at most", token.len()));
        }
        let parts =
            token.rsplit_once('.').and_then(|(signed, signature)| Some((signed.split_once('.')?, signed, signature)));
        let ((header, claims), signed, signature) = parts.ok_or("the token does not have three parts")?;
        let header: Header = read(header, "header")?;
        if header.crit.is_some() {
            return Err("the token's header has \"crit\", but must not: the relay knows no extension".to_owned());
        }
        // An issuer's logout tokens and proofs of possession are JWTs, too (RFC 8725, section 3.11).
        if let Some(other) = header.typ.filter(|typ| !TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ))) {
            return Err(format!("the token's type (typ) is {}, but must be {}", shown(&other), TYPES.join(" or ")));
        }
        let algorithm = algorithm(&header.alg).ok_or_else(|| {
            format!("the token's algorithm is {}, but must be RS…, PS…, ES256, ES384 or EdDSA", shown(&header.alg))
        })?;
        self.check_claims(&read(claims, "claims")?, now)?;
        Ok(UnverifiedJwt { signed, signature, key_id: header.kid, algorithm })
    }

    fn check_claims(&self, claims: &Claims, now: Timestamp) -> Result<(), String> {
        let told = |name: Option<&str>| name.map_or_else(|| "missing".to_owned(), shown);
        if claims.iss.as_ref() != Some(&self.issuer) {
            let (is, must) = (told(claims.iss.as_deref()), shown(&self.issuer));
            return Err(format!("the token's issuer is {is}, but must be {must} (transform.jwt.issuer)"));
        }
        let audiences = match &claims.aud {
            None => &[],
            Some(Audience::One(one)) => std::slice::from_ref(one),
            Some(Audience::Several(several)) => several.as_slice(),
        };
        if !audiences.contains(&self.audience) {
            let (is, must) = (told(audiences.first().map(String::as_str)), shown(&self.audience));
            let more = if audiences.len() > 1 { format!(" (the first of {})", audiences.len()) } else { String::new() };
            return Err(format!("the token's audience is {is}{more}, but must be {must} (transform.jwt.audience)"));
        }
        check_times(claims, now.as_second())
    }
}

fn check_times(claims: &Claims, now: i64) -> Result<(), String> {
    let until = claims.exp.as_ref().ok_or("the token has no end (exp), but must have one")?;
    let until = seconds("exp", until)?;
    if until.saturating_add(LEEWAY_S) <= now {
        return Err(format!("the token ended at {} (exp)", time(until)));
    }
    for (name, from) in [("nbf", &claims.nbf), ("iat", &claims.iat)] {
        let Some(from) = from else { continue };
        let from = seconds(name, from)?;
        if from > now.saturating_add(LEEWAY_S) {
            return Err(format!("the token begins at {} ({name}), which is yet to come", time(from)));
        }
    }
    Ok(())
}

impl UnverifiedJwt<'_> {
    /// Verifies the signature.
    ///
    /// # Errors
    /// [`JwtError`]
    pub fn verify(&self, keys: &KeySet) -> Result<(), JwtError> {
        let algorithm = self.algorithm;
        let key = keys.find(self.key_id.as_deref(), algorithm).map_err(|error| self.without_key(error))?;
        match crypto::verify(self.signature, self.signed.as_bytes(), key, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(JwtError::Wrong("the token's signature is wrong".to_owned())),
        }
    }

    fn without_key(&self, error: KeyError) -> JwtError {
        let algorithm = self.algorithm;
        let named = self.key_id.as_deref().map_or_else(|| "none".to_owned(), shown);
        match error {
            KeyError::Unknown => JwtError::UnknownKey(format!(
                "the token's key id (kid) is {named}, and the issuer publishes no such key for {algorithm:?}"
            )),
            KeyError::Unfit(algorithms) => JwtError::Wrong(format!(
                "the token's algorithm is {algorithm:?}, but its key {named} is for {}",
                listed(&algorithms)
            )),
            KeyError::Several(count) => JwtError::Wrong(format!(
                "the token's key id (kid) is {named}, but must name one key: {count} keys of the issuer fit"
            )),
        }
    }
}

/// Reads a part. The error does not repeat the part: its values may be secrets.
fn read<T: DeserializeOwned>(part: &str, name: &str) -> Result<T, String> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| format!("the token's {name} cannot be decoded"))?;
    // serde takes a list for an object: the values of its fields, in their order.
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(format!("the token's {name} is no JSON object"));
    }
    serde_json::from_slice(&json).map_err(|error| {
        let at = error.column();
        format!("the token's {name} cannot be read, from its character {at} on")
    })
}

/// A time in seconds since 1970, which may have a fraction (RFC 7519, section 2).
fn seconds(name: &str, number: &Number) -> Result<i64, String> {
    let text = number.to_string();
    let exact = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
    let whole = exact.ok().and_then(|exact| exact.floor().to_i64());
    whole.ok_or_else(|| format!("the token's {name} is {}, but must be a time in seconds", shown(&text)))
}

fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests;
