//! Secrets in the forms that profiles' signatures take: making a new one, and comparing two.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::crypto::{self, Key};
use super::needs::signatures;
use crate::psp::profile::{Algorithm, KeyEncoding, Profile};

/// The number of random bytes in a secret: as many as the hashes of the signatures have.
pub const RANDOM_BYTES: usize = 32;

/// Writes random bytes as a secret for the profile's first signature that takes one.
///
/// # Errors
/// Only the PSP can make the profile's secrets.
pub fn made_of(random: &[u8; RANDOM_BYTES], profile: &Profile) -> Result<String, String> {
    let takes_one = |algorithm| !matches!(algorithm, Algorithm::RsaSha256 | Algorithm::Ed25519);
    let signature = signatures(profile).find(|signature| takes_one(signature.algorithm));
    let signature = signature.ok_or("its keys are the PSP's own; give them with --from-stdin")?;
    let text = match signature.key {
        // Letters, digits, - and _: any form of text takes them.
        KeyEncoding::Text | KeyEncoding::Sha1 => URL_SAFE_NO_PAD.encode(random),
        KeyEncoding::Hex => hex::encode(random),
        KeyEncoding::Base64 => STANDARD.encode(random),
    };
    Ok(format!("{}{text}", signature.key_prefix.as_slice().first().map_or("", String::as_str)))
}

/// The fingerprints of a secret: HMACs made with its text and with the keys that a profile's signatures derive from it. Two
/// secrets with a common fingerprint verify each other's signatures, in any spelling. The bytes of keys are not compared,
/// since HMAC treats some different bytes as the same key.
#[must_use]
pub fn fingerprints(profile: &Profile, secret: &SecretString) -> BTreeSet<Vec<u8>> {
    let text = SecretSlice::from(secret.expose_secret().as_bytes().to_vec());
    let takes_one = signatures(profile).filter(|signature| signature.algorithm != Algorithm::RsaSha256);
    let keys = takes_one.filter_map(|signature| crypto::key(signature, secret.expose_secret()).ok());
    let made_by = |key| crypto::signature(Algorithm::HmacSha256, Key::Secret(&key), b"fingerprint");
    std::iter::once(text).chain(keys).filter_map(made_by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psp::profile::catalogue::Catalogue;
    use crate::psp::vouch::needs::{check_secret, needs_secrets};

    #[test]
    fn a_new_secret_is_one_that_its_profile_takes() {
        let catalogue = Catalogue::built_in().unwrap();
        let made = |name: &str| made_of(&[0xA7; RANDOM_BYTES], &catalogue.get(name).unwrap().profile).unwrap();
        for entry in catalogue.iter().filter(|entry| needs_secrets(&entry.profile)) {
            if let Ok(secret) = made_of(&[0xA7; RANDOM_BYTES], &entry.profile) {
                assert_eq!(check_secret(&entry.profile, &secret), Ok(()), "{}", entry.profile.name);
            }
        }
        assert_eq!(made("adyen"), "a7".repeat(32));
        assert_eq!(made("standard-webhooks"), format!("whsec_{}", STANDARD.encode([0xA7; 32])));
        assert_eq!(made("digital-river").len(), 43);
    }

    /// Senders show a secret in several ways.
    #[test]
    fn a_secret_is_taken_as_it_is_shown() {
        let catalogue = Catalogue::built_in().unwrap();
        let profile = &catalogue.get("standard-webhooks").unwrap().profile;
        let of = |secret: &str| fingerprints(profile, &SecretString::from(secret.to_owned()));
        let padded = STANDARD.encode([0xA7; 32]);
        let bare = padded.trim_end_matches('=');
        assert_ne!(padded, bare);
        for text in [&padded, bare] {
            for prefix in ["", "whsec_", "v1,", "v1,whsec_"] {
                let secret = format!("{prefix}{text}");
                assert_eq!(check_secret(profile, &secret), Ok(()), "{secret}");
                assert!(!of(&secret).is_disjoint(&of(&format!("whsec_{padded}"))), "{secret}");
            }
            for prefix in ["whpk_", "v1a,", "v1a,whpk_"] {
                let secret = format!("{prefix}{text}");
                assert_eq!(check_secret(profile, &secret), Ok(()), "{secret}");
                assert!(is_public(profile, &secret), "{secret}");
            }
        }
        assert!(check_secret(profile, "v1,whsec_").is_err(), "nothing is left of it");
    }

    /// Whether the text is no shared secret: everybody knows a public key.
    fn is_public(profile: &Profile, secret: &str) -> bool {
        let mut shared = signatures(profile).filter(|signature| signature.algorithm.is_hmac());
        shared.all(|signature| crypto::key(signature, secret).is_err())
    }

    #[test]
    fn one_key_is_known_in_every_spelling() {
        let catalogue = Catalogue::built_in().unwrap();
        let of = |name: &str, secret: &str| {
            fingerprints(&catalogue.get(name).unwrap().profile, &SecretString::from(secret.to_owned()))
        };
        let key = "a7".repeat(32);
        let base64 = format!("whsec_{}", STANDARD.encode([0xA7; 32]));
        let shared = |one: &BTreeSet<Vec<u8>>, other: &BTreeSet<Vec<u8>>| !one.is_disjoint(other);
        assert!(shared(&of("adyen", &key), &of("adyen", &key.to_uppercase())));
        assert!(shared(&of("adyen", &key), &of("standard-webhooks", &base64)));
        assert!(shared(&of("adyen", &key), &of("stripe", &key)), "the same text, another key");
        assert!(!shared(&of("adyen", &key), &of("adyen", &"a8".repeat(32))));
        assert!(!shared(&of("stripe", &key), &of("stripe", &key.to_uppercase())), "text is not hexadecimal");
    }
}
