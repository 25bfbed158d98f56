//! Is this notification really the PSP's? Nothing else makes a [`Verified`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::Value;
use sha2::Sha256;

use super::place::{Place, Scope, scalar};
use super::profile::{Encoding, Form, KeyEncoding, Locator, Profile, Signature, SignedTime};
use super::received::Received;

/// A notification that one of the source's secrets vouches for.
#[derive(Debug)]
pub struct Verified<'a> {
    received: Received<'a>,
    form: &'a Form,
    signed_at: Option<String>,
    secret: usize,
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
    pub fn signed_at(&self) -> Option<&str> {
        self.signed_at.as_deref()
    }

    /// Which of the source's secrets vouched, from 0.
    #[must_use]
    pub const fn secret(&self) -> usize {
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
    /// The signature is right, its time is not.
    #[error("timestamp outside the tolerance")]
    Time,
    /// The source has no secret to verify with.
    #[error("the source has no secret")]
    NoSecret,
}

/// Verifies a notification: the first form whose signature is right is the notification's form.
///
/// `tolerance_s` replaces that of the profile. Comparison takes the same time wherever the first difference is.
///
/// # Errors
/// The reason that came closest to being believed.
pub fn verify<'a>(
    profile: &'a Profile,
    secrets: &[SecretSlice<u8>],
    tolerance_s: Option<u32>,
    received: Received<'a>,
) -> Result<Verified<'a>, Unverified> {
    if secrets.is_empty() {
        return Err(Unverified::NoSecret);
    }
    let mut closest = Unverified::Missing;
    for form in profile.forms.iter().map(toml::Spanned::get_ref) {
        for signature in form.signature.iter().map(toml::Spanned::get_ref) {
            match verify_as(form, signature, secrets, tolerance_s, received) {
                Ok(verified) => return Ok(verified),
                Err(Unverified::Missing) => {}
                Err(Unverified::Wrong) if closest == Unverified::Time => {}
                Err(reason) => closest = reason,
            }
        }
    }
    Err(closest)
}

fn verify_as<'a>(
    form: &'a Form,
    signature: &'a Signature,
    secrets: &[SecretSlice<u8>],
    tolerance_s: Option<u32>,
    received: Received<'a>,
) -> Result<Verified<'a>, Unverified> {
    let signed_at = match &signature.time {
        Some(time) => Some(signed_time(time, received).ok_or(Unverified::Missing)?),
        None => None,
    };
    let messages = if signature.found.pointer.is_some() { parsed_messages(form, received)? } else { vec![Value::Null] };
    let mut vouched = None;
    for message in &messages {
        let scope = Scope { received: &received, message, element: None, signed_at, event_type: "" };
        let secret = matching_secret(signature, secrets, &scope)?;
        vouched.get_or_insert(secret);
    }
    // A batch without a message has nothing that anybody vouched for.
    let secret = vouched.ok_or(Unverified::Missing)?;
    if let (Some(time), Some(text)) = (&signature.time, signed_at)
        && !within(text, received.at, tolerance_s.unwrap_or(time.tolerance_s))
    {
        return Err(Unverified::Time);
    }
    Ok(Verified { received, form, signed_at: signed_at.map(str::to_owned), secret })
}

/// The messages of a body whose signature stands inside it: the one case in which bytes are parsed before they
/// are verified, since the signed fields must be found.
fn parsed_messages(form: &Form, received: Received<'_>) -> Result<Vec<Value>, Unverified> {
    let body: Value = serde_json::from_slice(received.body).map_err(|_| Unverified::Missing)?;
    Ok(match &form.batch {
        Some(batch) => batch.find(&body).into_iter().cloned().collect(),
        None => vec![body],
    })
}

fn matching_secret(signature: &Signature, secrets: &[SecretSlice<u8>], scope: &Scope<'_>) -> Result<usize, Unverified> {
    if signature.signed.iter().any(|place| matches!(place, Place::Header(_)) && scope.text(place).is_none()) {
        return Err(Unverified::Missing);
    }
    let given: Vec<Vec<u8>> = located(&signature.found, scope)
        .into_iter()
        .filter_map(|text| decode(signature.encoding, text.trim()))
        .collect();
    if given.is_empty() {
        let any = !located(&signature.found, scope).is_empty();
        return Err(if any { Unverified::Wrong } else { Unverified::Missing });
    }
    secrets
        .iter()
        .position(|secret| {
            let mac = signed_mac(signature, secret, scope);
            given.iter().any(|given| mac.clone().verify_slice(given).is_ok())
        })
        .ok_or(Unverified::Wrong)
}

/// More signatures than this in one header are not looked at.
const SIGNATURES_MAX: usize = 16;

fn located(locator: &Locator, scope: &Scope<'_>) -> Vec<String> {
    let value = match (&locator.header, &locator.pointer) {
        (Some(name), _) => scope.received.header(name).map(str::to_owned),
        (None, Some(pointer)) => pointer.find(scope.message).and_then(scalar),
        (None, None) => None,
    };
    value.map(|value| parts(locator, &value).map(str::to_owned).collect()).unwrap_or_default()
}

fn parts<'v>(locator: &'v Locator, value: &'v str) -> impl Iterator<Item = &'v str> {
    let pieces: Vec<&str> = match &locator.split {
        Some(split) => value.split(split.as_str()).collect(),
        None => vec![value],
    };
    pieces
        .into_iter()
        .enumerate()
        .filter(|(at, _)| locator.index.is_none_or(|index| index == *at))
        .filter_map(|(_, piece)| piece.trim().strip_prefix(locator.prefix.as_str()))
        .filter(|piece| !piece.is_empty())
        .take(SIGNATURES_MAX)
}

/// The signature's bytes, as whoever has the secret makes them.
pub(super) fn mac(signature: &Signature, secret: &SecretSlice<u8>, scope: &Scope<'_>) -> Vec<u8> {
    signed_mac(signature, secret, scope).finalize().into_bytes().to_vec()
}

fn signed_mac(signature: &Signature, secret: &SecretSlice<u8>, scope: &Scope<'_>) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret()).expect("any key length");
    for (index, place) in signature.signed.iter().enumerate() {
        if index > 0 {
            mac.update(signature.separator.as_bytes());
        }
        match place {
            Place::Body => mac.update(scope.received.body),
            other => mac.update(scope.text(other).unwrap_or_default().as_bytes()),
        }
    }
    mac
}

fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    }
}

/// The text of the signature's time: unix seconds in digits and nothing else.
fn signed_time<'a>(time: &'a SignedTime, received: Received<'a>) -> Option<&'a str> {
    let value = received.header(time.found.header.as_deref()?)?;
    let text = parts(&time.found, value).next()?;
    text.bytes().all(|b| b.is_ascii_digit()).then_some(text)
}

fn within(text: &str, now: Timestamp, tolerance_s: u32) -> bool {
    text.parse::<i64>().is_ok_and(|at| at.abs_diff(now.as_second()) <= u64::from(tolerance_s))
}

/// Turns a configured secret into a key, as the profile says. The profile's first signature decides; all
/// signatures of a profile take the same secrets.
///
/// # Errors
/// What the secret should look like. The secret itself is not in the message.
pub fn key(profile: &Profile, secret: &str) -> Result<SecretSlice<u8>, String> {
    let signature = profile.forms.iter().flat_map(|form| &form.get_ref().signature).next();
    let Some(signature) = signature.map(toml::Spanned::get_ref) else {
        return Err("the profile has no signature".to_owned());
    };
    let text = signature.key_prefix.as_deref().and_then(|prefix| secret.strip_prefix(prefix)).unwrap_or(secret);
    let bytes = match signature.key {
        KeyEncoding::Text => text.as_bytes().to_vec(),
        KeyEncoding::Hex => hex::decode(text).map_err(|_| "must be hexadecimal".to_owned())?,
        KeyEncoding::Base64 => STANDARD.decode(text).map_err(|_| "must be Base64".to_owned())?,
    };
    if bytes.is_empty() {
        return Err("must not be empty".to_owned());
    }
    Ok(bytes.into())
}
