//! What a PSP's check of the endpoint is answered.

use schemars::JsonSchema;
use serde::Deserialize;

use super::signature::{Algorithm, Encoding, KeyEncoding};
use crate::psp::document::place::Place;

/// A GET by which a PSP looks whether the endpoint is its account's.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// The header with the challenge.
    pub header: Option<String>,
    /// The parameter of the query with the challenge.
    pub query: Option<String>,
    /// Of which characters it is made. Nothing that may have been signed as a challenge vouches for a notification, so
    /// no notification may be made of these alone.
    pub characters: Characters,
    /// Its least and its greatest length in bytes, up to 256; up to 64 where it is signed.
    pub length: (usize, usize),
    /// What is answered, as text: these places together; `given` is the challenge, `signature` its signature.
    pub answer: Vec<Place>,
    /// How it is signed.
    pub sign: Option<ChallengeSignature>,
}

impl Challenge {
    /// Whether a text is a challenge: of these characters, and of such a length.
    #[must_use]
    pub fn takes(&self, given: &[u8]) -> bool {
        let (least, greatest) = self.length;
        (least..=greatest).contains(&given.len()) && given.iter().all(|byte| self.characters.include(*byte))
    }

    /// Whether anybody may have had these bytes signed as a challenge. A signature of them proves nothing.
    #[must_use]
    pub fn may_have_signed(&self, bytes: &[u8]) -> bool {
        self.sign.is_some() && self.takes(bytes)
    }
}

/// How a challenge is signed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeSignature {
    /// What makes the signature: an HMAC.
    pub algorithm: Algorithm,
    /// How the secret's text becomes the key's bytes.
    #[serde(default)]
    pub key: KeyEncoding,
    /// How it is written.
    pub encoding: Encoding,
}

/// Of which characters a challenge is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Characters {
    /// 0 to 9 and a to f.
    Hex,
    /// Letters, digits, `-`, `_`, `.` and `=`.
    Token,
}

impl Characters {
    /// Whether this byte is one of them.
    #[must_use]
    pub const fn include(self, byte: u8) -> bool {
        match self {
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Token => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'='),
        }
    }

    /// Its name in a profile.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Token => "token",
        }
    }
}
