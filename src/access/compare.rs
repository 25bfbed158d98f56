//! Comparison of secrets in constant time, and the secrets that count. A short secret does not count for a client that
//! was wrong too often.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The length, in bytes, below which a secret might be guessed by trying.
pub const GUESSABLE_BELOW: usize = 20;

/// Whether a secret counts. For a suspicious client, one that was wrong too often, only a long secret counts.
#[must_use]
pub fn counts(secret: &SecretString, suspicious: bool) -> bool {
    !suspicious || secret.expose_secret().len() >= GUESSABLE_BELOW
}

/// Compares in a time that depends neither on the first difference nor on the secret's length.
#[must_use]
pub fn same(given: &[u8], expected: &[u8]) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}
