//! Verification of a notification: the proof that it is the PSP's. Nothing else makes a [`Verified`].

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::crypto::PublicKey;
use super::keys::{AnyKey, matching};
use super::needs::forms_that_trust_credentials;
use super::signed::{signed_time, within};
use crate::psp::document::place::{Configured, Scope};
use crate::psp::document::received::Received;
use crate::psp::profile::{Algorithm, Challenge, Form, Profile, Signature};

/// The means of a source for verification.
#[derive(Debug, Clone, Default)]
pub struct Means<'a> {
    /// The secrets. Any secret that holds may vouch. One that does not hold only gives the reason of a refusal.
    pub secrets: Vec<Secret<'a>>,
    /// The settings that the profile asks for, by name.
    pub settings: Option<&'a BTreeMap<String, String>>,
    /// The URL that the PSP posts to, as the PSP knows it.
    pub public_url: Option<&'a Url>,
    /// The key of the certificate at [`super::needs::certificate_url`].
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
    /// The name of the secret, unique within the source. It may stand in logs.
    pub name: &'a str,
    /// Whether the secret's time is now.
    pub holds: Holds,
}

/// Whether a secret's time is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The time is now.
    Now,
    /// The time has not begun.
    NotYet,
    /// The time is over.
    NoMore,
}

impl<'a> From<&'a SecretString> for Secret<'a> {
    /// The only secret of a source: it needs no name, and holds.
    fn from(text: &'a SecretString) -> Self {
        Self { text, key_id: None, name: "", holds: Holds::Now }
    }
}

impl Secret<'_> {
    /// The reason why a signature of this secret does not vouch; none if the secret's time is now.
    fn out_of_time(&self) -> Option<Unverified> {
        let fate = match self.holds {
            Holds::Now => return None,
            Holds::NotYet => "a not yet valid",
            Holds::NoMore => "an expired",
        };
        Some(Unverified::OutOfTime { secret: self.name.to_owned(), fate })
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
    secret: Option<String>,
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

    /// The name of the secret that vouched; none if a certificate or credentials did.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }
}

/// The reason why a notification was not believed. It is for the log; the sender is not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// The signature and its time are right, but the secret's own time is not now.
    #[error("{fate} secret vouched: {secret}")]
    OutOfTime {
        /// The secret's name.
        secret: String,
        /// Expired, or not valid yet.
        fate: &'static str,
    },
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
    /// The rank of a reason: how close the refused notification came to being believed.
    const fn closeness(&self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::Wrong | Self::NoSecret | Self::NoCertificate | Self::NoCredentials => 1,
            Self::Challenge => 2,
            Self::Time => 3,
            Self::OutOfTime { .. } => 4,
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

/// Verifies a notification as one form by one signature. The secrets that hold are asked first. A secret that does not hold
/// can only change the reason of a refusal.
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
    let (held, others) = (keys_in_force(signature, means), out_of_time(signature, means));
    if let (Err(reason), true) = (&held, others.is_empty()) {
        return Err(reason.clone());
    }
    let messages = messages(form, signature, received);
    let vouched = |keys: &[AnyKey<'_>]| {
        let scope = |message| Scope { configured: means.configured(), signed_at, ..Scope::new(&received, message) };
        let messages = messages.as_deref().map_err(Clone::clone)?;
        let secret = voucher(messages.iter().map(|message| matching(challenge, signature, keys, &scope(message))))?;
        let is_in_time = signature
            .time
            .as_ref()
            .zip(signed_at)
            .is_none_or(|(time, text)| within(text, received.at, means.tolerance_s.unwrap_or(time.tolerance_s)));
        if is_in_time { Ok(secret) } else { Err(Unverified::Time) }
    };
    match held.and_then(|keys| vouched(&keys)) {
        Ok(secret) => Ok(Verified { received, form, signed_at, secret }),
        Err(reason) => {
            let is_right =
                |secret: &&Secret<'_>| AnyKey::of(secret, signature).is_some_and(|key| vouched(&[key]).is_ok());
            Err(others.into_iter().find(is_right).and_then(Secret::out_of_time).unwrap_or(reason))
        }
    }
}

/// The name of the secret that vouches for the first message, if every message has a key that vouches for it. In a batch
/// without messages there is nothing to vouch for, so it is refused.
fn voucher<'k>(
    mut keys: impl Iterator<Item = Result<&'k AnyKey<'k>, Unverified>>,
) -> Result<Option<String>, Unverified> {
    let first = keys.next().ok_or(Unverified::Missing)??;
    keys.try_for_each(|key| key.map(drop))?;
    Ok(first.name().map(str::to_owned))
}

/// The keys that may vouch: the certificate's key, or the keys of all secrets that hold.
fn keys_in_force<'a>(signature: &Signature, means: &Means<'a>) -> Result<Vec<AnyKey<'a>>, Unverified> {
    if signature.algorithm == Algorithm::RsaSha256 {
        return Ok(vec![AnyKey::Certificate(means.certificate.ok_or(Unverified::NoCertificate)?)]);
    }
    let mut held = means.secrets.iter().filter(|secret| secret.holds == Holds::Now).peekable();
    held.peek().ok_or(Unverified::NoSecret)?;
    Ok(held.filter_map(|secret| AnyKey::of(secret, signature)).collect())
}

/// The secrets that do not hold. They only give the reason of a refusal.
fn out_of_time<'m, 'a>(signature: &Signature, means: &'m Means<'a>) -> Vec<&'m Secret<'a>> {
    let takes_secrets = signature.algorithm != Algorithm::RsaSha256;
    means.secrets.iter().filter(|secret| takes_secrets && secret.holds != Holds::Now).collect()
}

/// The messages that are signed one by one. A body that is signed as a whole counts as one message, and nothing of it is
/// read. Bytes are parsed before their verification only if the signature is inside: the signed fields must be found.
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

#[cfg(test)]
mod tests;
