//! What a PSP's check of the endpoint is answered.

use schemars::JsonSchema;
use serde::Deserialize;

use super::signature::{Algorithm, Encoding, KeyEncoding};
use crate::psp::place::Place;

/// A GET by which a PSP looks whether the endpoint is its account's.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// The header with the challenge.
    pub header: Option<String>,
    /// The parameter of the query with the challenge.
    pub query: Option<String>,
    /// Of which characters it is made: whatever else is signed here could be sent back as a notification.
    pub characters: Characters,
    /// Its least and its greatest length.
    pub length: (usize, usize),
    /// What is answered, as text: these places together; `given` is the challenge, `signature` its signature.
    pub answer: Vec<Place>,
    /// How it is signed.
    pub sign: Option<ChallengeSignature>,
}

/// How a challenge is signed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeSignature {
    /// What makes the signature.
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
