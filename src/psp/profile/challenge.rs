//! Challenge of a PSP's endpoint check, and the answer to it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::signature::{Algorithm, Encoding, KeyEncoding};
use crate::psp::document::place::Place;

/// A GET by which a PSP checks that the endpoint belongs to its account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// The header that carries the challenge.
    pub header: Option<String>,
    /// The parameter of the query that carries the challenge.
    pub query: Option<String>,
    /// The characters that a challenge consists of. A text that may have been signed as a challenge vouches for no
    /// notification. So the signed text of a notification must have other characters, or another length.
    pub characters: Characters,
    /// The least and the greatest length of a challenge in bytes: from 1 to 256, or to 64 if it is signed.
    pub length: (usize, usize),
    /// The answer: the texts of these places, one after the other. `given` is the challenge, `signature` its signature.
    pub answer: Vec<Place>,
    /// How the challenge is signed, if the answer has its signature.
    pub sign: Option<ChallengeSignature>,
}

impl Challenge {
    /// Whether a text can be a challenge, by its characters and its length.
    #[must_use]
    pub fn takes(&self, given: &[u8]) -> bool {
        let (least, greatest) = self.length;
        (least..=greatest).contains(&given.len()) && given.iter().all(|byte| self.characters.include(*byte))
    }

    /// Whether anybody may have had these bytes signed as a challenge. If so, a signature of them proves nothing.
    #[must_use]
    pub fn may_have_signed(&self, bytes: &[u8]) -> bool {
        self.sign.is_some() && self.takes(bytes)
    }
}

/// How a challenge is signed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeSignature {
    /// The algorithm of the signature: an HMAC.
    pub algorithm: Algorithm,
    /// How the secret's text becomes the key's bytes.
    #[serde(default)]
    pub key: KeyEncoding,
    /// How the signature is written.
    pub encoding: Encoding,
}

/// The characters that a challenge consists of.
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
