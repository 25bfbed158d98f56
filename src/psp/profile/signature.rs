//! How a PSP signs: one template with its parts.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::psp::document::place::Place;
use crate::psp::document::pointer::Pointer;

/// One way a form of notification may be signed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// What makes the signature from the signed parts.
    pub algorithm: Algorithm,
    /// How the secret's text becomes the key's bytes.
    #[serde(default)]
    pub key: KeyEncoding,
    /// Dropped from the front of the secret before it is decoded, where it is there.
    pub key_prefix: Option<String>,
    /// What is signed, in order.
    pub signed: Vec<Place>,
    /// What stands between the signed parts.
    #[serde(default)]
    pub separator: String,
    /// Where the id of the key stands that the PSP signed with.
    pub key_id: Option<KeyId>,
    /// Where the signature stands. One in the body is looked for, and checked, in every message of a batch.
    pub found: Locator,
    /// How it is written.
    pub encoding: Encoding,
    /// The time that is signed with it, and how far it may be off.
    pub time: Option<SignedTime>,
    /// Where the PSP's certificate is, and whose it must be.
    pub certificate: Option<CertificateRule>,
}

/// What makes a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-512.
    HmacSha512,
    /// SHA-256 of the signed parts, of which the secret is one.
    Sha256,
    /// MD5 of the signed parts, of which the secret is one.
    Md5,
    /// The signed parts as they are: a shared secret that is sent along. It protects nothing of what it comes with.
    Plain,
    /// RSA PKCS #1 v1.5 with SHA-256, by the key of the PSP's certificate. It takes no secret.
    RsaSha256,
    /// Ed25519; the source's secret is the PSP's public key.
    Ed25519,
}

impl Algorithm {
    /// Its name in a profile.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha512 => "hmac-sha512",
            Self::Sha256 => "sha256",
            Self::Md5 => "md5",
            Self::Plain => "plain",
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519 => "ed25519",
        }
    }

    /// Whether it is an HMAC: the secret is its key, and whoever has it makes any signature.
    #[must_use]
    pub const fn is_hmac(self) -> bool {
        matches!(self, Self::HmacSha256 | Self::HmacSha1 | Self::HmacSha512)
    }

    /// Whether the secret is one of the signed parts.
    #[must_use]
    pub const fn signs_the_secret(self) -> bool {
        matches!(self, Self::Sha256 | Self::Md5 | Self::Plain)
    }
}

/// How a secret's text becomes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyEncoding {
    /// As it is.
    #[default]
    Text,
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
    /// The SHA-1 of the text.
    Sha1,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
    /// As it is; for a secret that is sent along.
    Text,
}

/// Where a signature or its time stands: a header or a place in the message, whole or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
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
    /// A separator inside each part: only what follows the last one is the signature.
    pub after: Option<String>,
    /// Only this part counts, from 0.
    pub index: Option<usize>,
}

/// Where the id of a key stands: in a header, or before each signature (see `after` of `found`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyId {
    /// The header with the id.
    pub header: Option<String>,
    /// Whether the id is what stands before the signature, up to the first separator.
    #[serde(default)]
    pub before: bool,
}

/// The time that is signed: unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedTime {
    /// Where it stands.
    pub found: Locator,
    /// How far it may be from the relay's clock, in seconds, either way. A source may say otherwise.
    pub tolerance_s: u32,
}

/// The PSP's certificate: fetched, believed if a known authority vouches for it and the name is the PSP's, and kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateRule {
    /// The header with its URL.
    pub header: String,
    /// The only hosts that it is fetched from, by https, each with its port where that is not 443: anybody can name a URL
    /// with a certificate of their own.
    pub hosts: Vec<String>,
    /// The end of a DNS name that it must be made out to.
    pub name_suffix: String,
}
