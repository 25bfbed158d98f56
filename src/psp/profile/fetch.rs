//! Where the truth of a notification is fetched that carries less than all of it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::rule::When;
use crate::psp::document::place::{Piece, pieces, write_pieces};
use crate::psp::document::pointer::Pointer;

/// How the truth is fetched.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// Whether a source fetches where its configuration does not say.
    #[serde(default)]
    pub mode: FetchMode,
    /// The URL of the PSP's API, without a slash at its end. A source may name another: the PSP's sandbox.
    pub base: String,
    /// How the relay shows who it is.
    pub auth: FetchAuth,
    /// Headers that the API wants.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Which part of the answer `fetched:` points into; all of it by default.
    pub part: Option<Pointer>,
    /// The calls; the first that fits a message is made. A message that none fits is read as it is; of a `pointer_only`
    /// form it concerns no record.
    #[serde(rename = "call")]
    pub calls: Vec<Call>,
}

/// When the truth is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FetchMode {
    /// For whatever is verified, and for what nobody signs.
    #[default]
    Always,
    /// For what carries no truth of its own. What fails verification is a hint to fetch, too.
    Unverified,
    /// Never: what a notification says itself is all.
    Never,
}

/// How the relay shows the PSP's API who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FetchAuth {
    /// `Authorization: Bearer` and the source's token.
    Bearer,
    /// HTTP Basic: the source's token is the user name, the password is empty.
    BasicUser,
    /// HTTP Basic with the source's user name and password.
    Basic,
    /// `Authorization` with the source's token as it is.
    Plain,
}

/// One call. GET is all that reading needs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Conditions, all to be met.
    #[serde(default)]
    pub when: When,
    /// Path and query below the base.
    pub path: Template,
}

/// `/v2/payments/{/id}?embed=refunds`: places in braces stand for their texts, percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(pub Vec<Piece>);

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_pieces(f, &self.0)
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.starts_with('/') || text.starts_with("//") {
            return Err(format!("{text:?}: a path starts with one /"));
        }
        pieces(&text).map(Self)
    }
}
