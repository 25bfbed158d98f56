//! Verification of a notification: the proof that it is the PSP's. Nothing else makes a [`Verified`].

use serde_json::Value;

use super::keys::{AnyKey, matching};
pub use super::means::{Holds, Means, Secret};
use super::needs::forms_that_trust_credentials;
use super::signed::{outside, signed_time};
pub use super::unverified::{Skew, Unverified};
use crate::psp::document::place::Scope;
use crate::psp::document::received::Received;
use crate::psp::profile::{Algorithm, Challenge, Form, Profile, Signature};

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
        let Some((time, text)) = signature.time.as_ref().zip(signed_at) else { return Ok(secret) };
        let tolerance_s = means.tolerance_s.unwrap_or(time.tolerance_s);
        let skew = outside(text, received.at, tolerance_s);
        skew.map_or(Ok(secret), |skew| Err(Unverified::Time { skew, tolerance_s }))
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
