//! Verification of a notification: the proof that it is the PSP's. Nothing else makes a [`Verified`].

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

/// The means of a source for verification.
#[derive(Debug, Clone, Default)]
pub struct Means<'a> {
    /// The secrets; any of them may vouch.
    pub secrets: Vec<Secret<'a>>,
    /// The settings that the profile asks for, by name.
    pub settings: Option<&'a BTreeMap<String, String>>,
    /// The URL that the PSP posts to, as the PSP knows it.
    pub public_url: Option<&'a Url>,
    /// The key of the certificate that [`super::needs::certificate_url`] leads to.
    pub certificate: Option<&'a PublicKey>,
    /// How far a signature's time may be off, in seconds; replaces the profile's value.
    pub tolerance_s: Option<u32>,
    /// Whether the notification has the credentials that the source demands beside a signature: an Authorization header,
    /// other headers, an address.
    pub credentials: bool,
}

/// A secret of a source.
#[derive(Debug, Clone, Copy)]
pub struct Secret<'a> {
    /// The text of the secret as it is configured.
    pub text: &'a SecretString,
    /// The PSP's id of the key. A signature that names its key is checked by the secret with that id and by secrets without
    /// an id.
    pub key_id: Option<&'a str>,
}

impl<'a> From<&'a SecretString> for Secret<'a> {
    fn from(text: &'a SecretString) -> Self {
        Self { text, key_id: None }
    }
}

impl<'a> Means<'a> {
    /// Means that consist of one secret.
    #[must_use]
    pub fn secret(secret: &'a SecretString) -> Self {
        Self { secrets: vec![secret.into()], ..Self::default() }
    }

    /// The part of the means that a profile can name.
    #[must_use]
    pub const fn configured(&self) -> Configured<'a> {
        Configured { settings: self.settings, public_url: self.public_url }
    }
}

/// A notification for which the PSP vouches.
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

    /// The form whose signature was right; the rules of this form read the notification.
    #[must_use]
    pub const fn form(&self) -> &'a Form {
        self.form
    }

    /// The signature's timestamp, as text.
    #[must_use]
    pub const fn signed_at(&self) -> Option<&'a str> {
        self.signed_at
    }

    /// The index of the secret that vouched, from 0; none if a certificate or credentials did.
    #[must_use]
    pub const fn secret(&self) -> Option<usize> {
        self.secret
    }
}

/// The reason why a notification was refused. It is logged; the sender is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// There is no signature where the profile expects one.
    #[error("no signature")]
    Missing,
    /// The signature matches none of the secrets.
    #[error("wrong signature")]
    Wrong,
    /// The signature, right or wrong, covers a text that anybody may have had signed by an endpoint check.
    #[error("the signed text may be an endpoint check, which the relay signs for anybody: it proves nothing")]
    Challenge,
    /// The signature is right, but its time is not.
    #[error("timestamp outside the tolerance")]
    Time,
    /// The source has no secret to verify with.
    #[error("the source has no secret")]
    NoSecret,
    /// There is no certificate for the verification.
    #[error("no certificate of the PSP's")]
    NoCertificate,
    /// Only credentials could vouch for the notification, and the source demands none.
    #[error("the notification has no signature, and the source asks for no credentials, headers or addresses")]
    NoCredentials,
}

impl Unverified {
    /// How close a notification refused for this reason came to being verified.
    const fn closeness(self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::Wrong | Self::NoSecret | Self::NoCertificate | Self::NoCredentials => 1,
            Self::Challenge => 2,
            Self::Time => 3,
        }
    }
}

/// Verifies a notification. Its form is the first one whose signature is right. A notification without any signature has the
/// form that trusts credentials, if there is one and the source demands credentials.
///
/// # Errors
/// The reason that came closest to a verification.
pub fn verify<'a>(profile: &'a Profile, means: &Means<'_>, received: Received<'a>) -> Result<Verified<'a>, Unverified> {
    let mut closest = Unverified::Missing;
    for form in profile.forms.iter().map(toml::Spanned::get_ref) {
        for signature in form.signature.iter().map(toml::Spanned::get_ref) {
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
    // In a batch without messages nothing is signed.
    let secret = vouched.ok_or(Unverified::Missing)?;
    if let (Some(time), Some(text)) = (&signature.time, signed_at)
        && !within(text, received.at, means.tolerance_s.unwrap_or(time.tolerance_s))
    {
        return Err(Unverified::Time);
    }
    Ok(Verified { received, form, signed_at, secret })
}

/// A key, with the index of its secret.
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

    /// Whether this key may check a signature that names that key. An id that is missing, of the key or in the signature,
    /// matches any.
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

/// The messages that are signed one by one. A body that is signed as a whole counts as one message, of which nothing is
/// read. Bytes are parsed before their verification only if the signature is inside, since the signed fields must be found.
pub(crate) fn messages(form: &Form, signature: &Signature, received: Received<'_>) -> Result<Vec<Value>, Unverified> {
    if signature.found.pointer.is_none() {
        return Ok(vec![Value::Null]);
    }
    let body = form.content.outer(received.body).map_err(|_| Unverified::Missing)?;
    Ok(match &form.batch {
        Some(batch) => batch.find(&body).into_iter().cloned().collect(),
        None => vec![body],
    })
}

/// The key that vouches for one message. A text that an endpoint check may have signed for anybody is refused before a key
/// is tried. With HMAC, the set of such texts does not depend on the key.
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
