//! Secrets are compared in constant time, and short ones count for nobody who was wrong too often.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// As many characters as this nobody guesses, however often they may try.
pub const GUESSABLE_BELOW: usize = 20;

/// Whether a secret counts for somebody who was wrong too often, or was not.
#[must_use]
pub fn counts(secret: &SecretString, suspicious: bool) -> bool {
    !suspicious || secret.expose_secret().len() >= GUESSABLE_BELOW
}

/// Compares in a time that depends on neither where the first difference is nor how long the secret is.
#[must_use]
pub fn same(given: &[u8], expected: &[u8]) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}
