//! The SHA-256 of a body or text, as hexadecimal digits.

use sha2::{Digest, Sha256};

/// The SHA-256 of these bytes, in hex.
pub(crate) fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
