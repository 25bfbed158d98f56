//! How a PSP signs: one HMAC template with its parts.

use serde::Deserialize;

use crate::psp::place::{Place, Pointer};

/// One way a form of notification may be signed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The keyed hash.
    pub algorithm: Algorithm,
    /// How the secret's text becomes the key's bytes.
    pub key: KeyEncoding,
    /// Dropped from the front of the secret before it is decoded, where it is there.
    pub key_prefix: Option<String>,
    /// What is signed, in order.
    pub signed: Vec<Place>,
    /// What stands between the signed parts.
    #[serde(default)]
    pub separator: String,
    /// Where the signature stands. One in the body is looked for, and checked, in every message of a batch.
    pub found: Locator,
    /// How it is written.
    pub encoding: Encoding,
    /// The time that is signed with it, and how far it may be off.
    pub time: Option<SignedTime>,
}

/// Keyed hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HmacSha256,
}

/// How a secret's text becomes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyEncoding {
    /// As it is.
    Text,
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
}

/// Where a signature or its time stands: a header or a place in the message, whole or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locator {
    /// The header's name.
    pub header: Option<String>,
    /// Where in the message.
    pub pointer: Option<Pointer>,
    /// What separates the parts of the value. Space around a part does not count.
    pub split: Option<String>,
    /// Only parts with this prefix count, without it.
    #[serde(default)]
    pub prefix: String,
    /// Only this part counts, from 0.
    pub index: Option<usize>,
}

/// The time that is signed: unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedTime {
    /// Where it stands.
    pub found: Locator,
    /// How far it may be from the relay's clock, in seconds, either way. A source may say otherwise.
    pub tolerance_s: u32,
}
