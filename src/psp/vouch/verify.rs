//! Is this notification really the PSP's? Nothing else makes a [`Verified`].

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::Value;
use url::Url;

use super::crypto::{self, Key, PublicKey};
use super::needs::forms_that_trust_credentials;
use super::signed::{key_id, located, missing, signed, signed_time, within};
use crate::psp::document::place::{Configured, Scope};
use crate::psp::document::received::Received;
use crate::psp::profile::{Algorithm, Challenge, Form, Profile, Signature};

/// What a source has to verify with.
#[derive(Debug, Clone, Default)]
pub struct Means<'a> {
    /// Secrets; any of them may vouch.
    pub secrets: Vec<Secret<'a>>,
    /// The settings that the profile asks for, by name.
    pub settings: Option<&'a BTreeMap<String, String>>,
    /// The URL that the PSP posts to, as the PSP knows it.
    pub public_url: Option<&'a Url>,
    /// The key of the certificate that [`super::needs::certificate_url`] leads to.
    pub certificate: Option<&'a PublicKey>,
    /// How far a signature's time may be off, in seconds, instead of the profile's.
    pub tolerance_s: Option<u32>,
    /// Whether the notification has shown the credentials that the source demands beside a signature: an Authorization header, other
    /// headers, an address.
    pub credentials: bool,
}

/// A secret of a source.
#[derive(Debug, Clone, Copy)]
pub struct Secret<'a> {
    /// As it is configured.
    pub text: &'a SecretString,
    /// The PSP's id of the key. A signature that names its key is checked by the secret of that id, and by those
    /// without one.
    pub key_id: Option<&'a str>,
}

impl<'a> From<&'a SecretString> for Secret<'a> {
    fn from(text: &'a SecretString) -> Self {
        Self { text, key_id: None }
    }
}

impl<'a> Means<'a> {
    /// One secret and nothing else.
    #[must_use]
    pub fn secret(secret: &'a SecretString) -> Self {
        Self { secrets: vec![secret.into()], ..Self::default() }
    }

    /// As much of it as a profile can name.
    #[must_use]
    pub const fn configured(&self) -> Configured<'a> {
        Configured { settings: self.settings, public_url: self.public_url }
    }
}

/// A notification that the PSP vouches for.
#[derive(Debug)]
pub struct Verified<'a> {
    received: Received<'a>,
    form: &'a Form,
    signed_at: Option<&'a str>,
    secret: Option<usize>,
}

impl<'a> Verified<'a> {
    /// The notification.
    #[must_use]
    pub const fn received(&self) -> &Received<'a> {
        &self.received
    }

    /// The form that it verified as; its rules read it.
    #[must_use]
    pub const fn form(&self) -> &'a Form {
        self.form
    }

    /// The signature's timestamp, as text.
    #[must_use]
    pub const fn signed_at(&self) -> Option<&'a str> {
        self.signed_at
    }

    /// Which of the secrets vouched, from 0; none where it was a certificate or credentials.
    #[must_use]
    pub const fn secret(&self) -> Option<usize> {
        self.secret
    }
}

/// Why a notification was not believed. For the log; the sender is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// There is no signature where the profile looks for one.
    #[error("no signature")]
    Missing,
    /// No secret gives the signature.
    #[error("wrong signature")]
    Wrong,
    /// Its signature, right or wrong, is of a text that anybody may have had signed by an endpoint check.
    #[error("what is signed may be an endpoint check, which is signed for anybody: it vouches for nothing")]
    Challenge,
    /// The signature is right, its time is not.
    #[error("timestamp outside the tolerance")]
    Time,
    /// The source has no secret to verify with.
    #[error("the source has no secret")]
    NoSecret,
    /// There is no certificate to verify with.
    #[error("no certificate of the PSP's")]
    NoCertificate,
    /// Only the source's credentials could vouch for it, and the source demands none.
    #[error("nothing vouches for it, and the source asks for no credentials, headers or addresses")]
    NoCredentials,
}

impl Unverified {
    /// How close a notification that is refused for this came to being believed.
    const fn closeness(self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::Wrong | Self::NoSecret | Self::NoCertificate | Self::NoCredentials => 1,
            Self::Challenge => 2,
            Self::Time => 3,
        }
    }
}

/// Verifies a notification: the first form whose signature is right is the notification's form. One that has no
/// signature at all is of the form that trusts credentials, if there is one and the source demands them.
///
/// # Errors
/// The reason that came closest to being believed.
pub fn verify<'a>(profile: &'a Profile, means: &Means<'_>, received: Received<'a>) -> Result<Verified<'a>, Unverified> {
    let mut closest = Unverified::Missing;
    for form in &profile.forms {
        for signature in &form.signature {
            match verify_as(profile.challenge.as_ref(), form, signature, means, received) {
                Ok(verified) => return Ok(verified),
                Err(reason) if reason.closeness() >= closest.closeness() => closest = reason,
                Err(_) => {}
            }
        }
    }
    match forms_that_trust_credentials(profile).next() {
        Some(form) if closest == Unverified::Missing && means.credentials => {
            Ok(Verified { received, form, signed_at: None, secret: None })
        }
        Some(_) if closest == Unverified::Missing => Err(Unverified::NoCredentials),
        _ => Err(closest),
    }
}

pub(crate) fn verify_as<'a>(
    challenge: Option<&Challenge>,
    form: &'a Form,
    signature: &'a Signature,
    means: &Means<'_>,
    received: Received<'a>,
) -> Result<Verified<'a>, Unverified> {
    let signed_at = match &signature.time {
        Some(time) => Some(signed_time(time, received).ok_or(Unverified::Missing)?),
        None => None,
    };
    let keys = keys(signature, means)?;
    let mut vouched = None;
    for message in &messages(form, signature, received)? {
        let scope = Scope { configured: means.configured(), signed_at, ..Scope::new(&received, message) };
        let key = matching(challenge, signature, &keys, &scope)?;
        vouched.get_or_insert(key);
    }
    // A batch without a message has nothing that anybody vouched for.
    let secret = vouched.ok_or(Unverified::Missing)?;
    if let (Some(time), Some(text)) = (&signature.time, signed_at)
        && !within(text, received.at, means.tolerance_s.unwrap_or(time.tolerance_s))
    {
        return Err(Unverified::Time);
    }
    Ok(Verified { received, form, signed_at, secret })
}

/// What verifies, and its place among the secrets.
enum AnyKey<'a> {
    Secret { index: usize, key: SecretSlice<u8>, id: Option<&'a str> },
    Certificate(&'a PublicKey),
}

impl AnyKey<'_> {
    const fn key(&self) -> Key<'_> {
        match self {
            Self::Secret { key, .. } => Key::Secret(key),
            Self::Certificate(key) => Key::Public(key),
        }
    }

    const fn index(&self) -> Option<usize> {
        match self {
            Self::Secret { index, .. } => Some(*index),
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

fn keys<'a>(signature: &Signature, means: &Means<'a>) -> Result<Vec<AnyKey<'a>>, Unverified> {
    if signature.algorithm == Algorithm::RsaSha256 {
        return Ok(vec![AnyKey::Certificate(means.certificate.ok_or(Unverified::NoCertificate)?)]);
    }
    if means.secrets.is_empty() {
        return Err(Unverified::NoSecret);
    }
    let decoded = means.secrets.iter().enumerate();
    Ok(decoded
        .filter_map(|(index, secret)| {
            let key = crypto::key(signature, secret.text.expose_secret()).ok()?;
            Some(AnyKey::Secret { index, key, id: secret.key_id })
        })
        .collect())
}

/// The messages that are signed one by one; the body as a whole is one of which nothing is read. Only where the
/// signature stands inside are bytes parsed before they are verified, since the signed fields must be found.
pub(crate) fn messages(form: &Form, signature: &Signature, received: Received<'_>) -> Result<Vec<Value>, Unverified> {
    if signature.found.pointer().is_none() {
        return Ok(vec![Value::Null]);
    }
    let body = form.content.outer(received.body).map_err(|_| Unverified::Missing)?;
    Ok(match &form.batch {
        Some(batch) => batch.find(&body).into_iter().cloned().collect(),
        None => vec![body],
    })
}

/// Which key vouches for one message. What an endpoint check may have signed for anybody is refused before any key is
/// asked: where it is an HMAC, which texts these are does not depend on the key.
fn matching(
    challenge: Option<&Challenge>,
    signature: &Signature,
    keys: &[AnyKey<'_>],
    scope: &Scope<'_>,
) -> Result<Option<usize>, Unverified> {
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
            return Ok(key.index());
        }
    }
    Err(Unverified::Wrong)
}

#[cfg(test)]
mod tests;
