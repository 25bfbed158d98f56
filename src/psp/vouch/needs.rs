//! Needs of a profile: the secrets, credentials, URL and certificate that a source must have for verification.

use url::Url;

use super::crypto;
use crate::psp::document::place::Place;
use crate::psp::document::received::Received;
use crate::psp::profile::{Algorithm, CertificateRule, Form, Profile, Signature};

/// Whether sources of this profile need credentials: a form of it is not signed, and is refused without credentials.
#[must_use]
pub fn needs_credentials(profile: &Profile) -> bool {
    forms_that_trust_credentials(profile).next().is_some()
}

/// What a stranger can write into notifications of a profile, if the source has secrets only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// Everything: the secret itself stands in the body, and no part of the body is signed.
    Body,
    /// The unsigned parts of a body that is signed in parts.
    Parts,
}

/// What only credentials can guard in notifications of this profile, if there is anything.
#[must_use]
pub fn unguarded(profile: &Profile) -> Option<Unsigned> {
    let stands_in_body = |one: &Signature| one.algorithm.signs_the_secret() && one.found.pointer().is_some();
    let shows_secret =
        |form: &Form| !form.is_protected() && !form.pointer_only && form.signature.iter().any(stands_in_body);
    let has_unsigned_parts = |form: &Form| form.reads_unsigned() && !form.is_signed_whole();
    if profile.forms.iter().any(shows_secret) {
        return Some(Unsigned::Body);
    }
    profile.forms.iter().any(has_unsigned_parts).then_some(Unsigned::Parts)
}

/// Whether sources of this profile need secrets: every form requires one.
#[must_use]
pub fn needs_secrets(profile: &Profile) -> bool {
    let takes_one = |signature: &Signature| signature.algorithm != Algorithm::RsaSha256;
    let mut forms = profile.forms.iter().map(|form| &form.signature);
    forms.all(|signatures| !signatures.is_empty() && signatures.iter().all(takes_one))
}

/// Whether the source's secret can make this signature. Only the PSP has the private key of the other algorithms.
pub(super) const fn can_be_made(signature: &Signature) -> bool {
    !matches!(signature.algorithm, Algorithm::RsaSha256 | Algorithm::Ed25519)
}

/// Whether sources of this profile need their public URL: the PSP signs it.
#[must_use]
pub fn needs_public_url(profile: &Profile) -> bool {
    signatures(profile).flat_map(|signature| &signature.signed).any(|place| matches!(place, Place::Url(_)))
}

/// Checks that the profile can use a configured secret: it must fit one of its signatures.
///
/// # Errors
/// The right form of a secret. The secret itself is not in the message.
pub fn check_secret(profile: &Profile, secret: &str) -> Result<(), String> {
    let mut reason = "the profile takes no secret".to_owned();
    for signature in signatures(profile).filter(|signature| signature.algorithm != Algorithm::RsaSha256) {
        match crypto::key(signature, secret) {
            Ok(_) => return Ok(()),
            Err(wrong) => reason = wrong,
        }
    }
    Err(reason)
}

/// The longest URL of a certificate. It comes from anybody, and is kept and logged.
const CERTIFICATE_URL_MAX: usize = 512;

/// The URL of the certificate that vouches for this notification, if the profile has certificates. The URL must consist of
/// one of the profile's hosts and a path.
#[must_use]
pub fn certificate_url<'a>(profile: &'a Profile, received: &Received<'_>) -> Option<(Url, &'a CertificateRule)> {
    signatures(profile).filter_map(|signature| signature.certificate.as_ref()).find_map(|rule| {
        let text = received.header(&rule.header).filter(|text| text.len() <= CERTIFICATE_URL_MAX)?;
        let url = Url::parse(text).ok()?;
        let pinned = rule.hosts.iter().any(|host| url.as_str() == format!("https://{host}{}", url.path()));
        pinned.then_some((url, rule))
    })
}

/// All signatures of all forms.
pub(super) fn signatures(profile: &Profile) -> impl Iterator<Item = &Signature> {
    profile.forms.iter().flat_map(|form| &form.signature)
}

/// The unsigned forms, for which the source's credentials have to vouch.
pub(super) fn forms_that_trust_credentials(profile: &Profile) -> impl Iterator<Item = &Form> {
    profile.forms.iter().filter(|form| form.trusts_credentials)
}
