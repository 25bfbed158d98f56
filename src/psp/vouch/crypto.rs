//! Cryptography of one signature: making and checking it. The primitives come from libraries; this module chooses among
//! them.

use aws_lc_rs::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{Engine, alphabet};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use secrecy::{ExposeSecret, SecretSlice};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::psp::profile::{Algorithm, Encoding, KeyEncoding, Signature};

/// A public key as in an X.509 certificate (DER of a SubjectPublicKeyInfo).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(pub Vec<u8>);

/// The key that makes or checks a signature.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    /// The source's secret, decoded.
    Secret(&'a SecretSlice<u8>),
    /// The key of the PSP's certificate.
    Public(&'a PublicKey),
}

/// The key that a secret's text stands for.
///
/// # Errors
/// The right form of a secret. The secret itself is not in the message.
pub(crate) fn key(signature: &Signature, secret: &str) -> Result<SecretSlice<u8>, String> {
    let prefixes = signature.key_prefix.as_slice().iter();
    // Of two prefixes that fit, the longer one is the whole.
    let text = prefixes.filter_map(|prefix| secret.strip_prefix(prefix.as_str())).min_by_key(|rest| rest.len());
    let text = text.unwrap_or(secret);
    let key = decoded_key(signature.key, text)?;
    if signature.algorithm == Algorithm::Ed25519 && key.expose_secret().len() != ED25519_PUBLIC_KEY_LEN {
        return Err(format!("must be a public key of {ED25519_PUBLIC_KEY_LEN} bytes"));
    }
    Ok(key)
}

/// Base64 with or without the padding at its end, as PSPs show keys.
const PADDED_OR_NOT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes that a key's text stands for.
///
/// # Errors
/// The right form of the text. The text itself is not in the message.
pub(super) fn decoded_key(encoding: KeyEncoding, text: &str) -> Result<SecretSlice<u8>, String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    let bytes = match encoding {
        KeyEncoding::Text => text.as_bytes().to_vec(),
        KeyEncoding::Hex => hex::decode(text).map_err(|_| "must be hexadecimal".to_owned())?,
        KeyEncoding::Base64 => PADDED_OR_NOT.decode(text).map_err(|_| "must be Base64".to_owned())?,
        KeyEncoding::Sha1 => Sha1::digest(text).to_vec(),
    };
    Ok(bytes.into())
}

/// The signature of these bytes, as an owner of the secret makes it; none if this key cannot make one.
pub(crate) fn signature(algorithm: Algorithm, key: Key<'_>, signed: &[u8]) -> Option<Vec<u8>> {
    let Key::Secret(secret) = key else { return None };
    let secret = secret.expose_secret();
    match algorithm {
        Algorithm::HmacSha256 => mac::<Hmac<Sha256>>(secret, signed),
        Algorithm::HmacSha1 => mac::<Hmac<Sha1>>(secret, signed),
        Algorithm::HmacSha512 => mac::<Hmac<Sha512>>(secret, signed),
        Algorithm::Sha256 => Some(Sha256::digest(signed).to_vec()),
        Algorithm::Md5 => Some(Md5::digest(signed).to_vec()),
        Algorithm::Plain => Some(signed.to_vec()),
        Algorithm::RsaSha256 | Algorithm::Ed25519 => None,
    }
}

#[cfg(test)]
thread_local! {
    /// The number of HMACs that this thread has made, for tests to count.
    pub(super) static MACS_MADE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn mac<M: Mac + KeyInit>(secret: &[u8], signed: &[u8]) -> Option<Vec<u8>> {
    #[cfg(test)]
    MACS_MADE.set(MACS_MADE.get() + 1);
    let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
    mac.update(signed);
    Some(mac.finalize().into_bytes().to_vec())
}

/// Whether one of the given signatures of these bytes is right. The expected signature is made once for all of them. A
/// comparison takes the same time wherever the first difference is.
pub(super) fn one_is_right<'a>(
    algorithm: Algorithm,
    key: Key<'_>,
    signed: &[u8],
    mut given: impl Iterator<Item = &'a [u8]>,
) -> bool {
    match (algorithm, key) {
        (Algorithm::RsaSha256, Key::Public(PublicKey(key))) => {
            let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
            given.any(|given| key.verify(signed, given).is_ok())
        }
        (Algorithm::Ed25519, Key::Secret(key)) => {
            let key = UnparsedPublicKey::new(&ED25519, key.expose_secret());
            given.any(|given| key.verify(signed, given).is_ok())
        }
        _ => {
            let Some(expected) = signature(algorithm, key, signed) else { return false };
            if algorithm == Algorithm::Plain {
                // The length of a shared secret is not fixed, and must not be disclosed.
                let expected = Sha256::digest(expected);
                return given.any(|given| expected.ct_eq(&Sha256::digest(given)).into());
            }
            given.any(|given| expected.ct_eq(given).into())
        }
    }
}

/// The bytes of a signature in its written form.
pub(super) fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Text => Some(text.as_bytes().to_vec()),
    }
}

/// A signature in its written form; none if its bytes are not text.
pub(crate) fn encode(encoding: Encoding, bytes: &[u8]) -> Option<String> {
    match encoding {
        Encoding::Hex => Some(hex::encode(bytes)),
        Encoding::Base64 => Some(STANDARD.encode(bytes)),
        Encoding::Text => String::from_utf8(bytes.to_vec()).ok(),
    }
}
