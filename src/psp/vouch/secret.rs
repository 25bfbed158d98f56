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
    Ok(format!("{}{text}", signature.key_prefix.as_deref().unwrap_or_default()))
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
