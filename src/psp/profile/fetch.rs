//! Where the truth of a notification is fetched that carries less than all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::rule::When;
use crate::psp::document::place::{Piece, Place, pieces, write_pieces};
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
    /// Path and query below the base. In a `pointer_only` form that nobody signs as a whole, one place at most leads it.
    pub path: Template,
}

impl Call {
    /// The places whose texts lead it, each once.
    pub(super) fn places(&self) -> BTreeSet<&Place> {
        self.path
            .0
            .iter()
            .filter_map(|piece| if let Piece::Place(place) = piece { Some(place) } else { None })
            .collect()
    }

    /// Whether one place at most leads it, so that whoever knows what stands there knows all of it.
    #[must_use]
    pub fn names_one_thing(&self) -> bool {
        self.places().len() <= 1
    }
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

#[cfg(test)]
mod tests {
    use crate::psp::profile::Profile;

    const TEXT: &str = r#"
name = "it"
title = "It"
amounts = "major"
[[notification]]
name = "pointer"
pointer_only = true
type = ["fetched:/status"]
SIGNATURE
[notification.fetch]
base = "https://api.example.com"
auth = "bearer"
[[notification.fetch.call]]
path = "PATH"
"#;

    fn refused(signed: Option<&str>, path: &str) -> Option<String> {
        let signature = signed.map_or_else(String::new, |signed| {
            let found = if signed.contains("body") { "header = \"signature\"" } else { "pointer = \"/signature\"" };
            format!(
                "dedupe = [\"/id\"]\n[[notification.signature]]\nalgorithm = \"hmac-sha256\"\nsigned = [{signed}]\n\
                 encoding = \"hex\"\nfound = {{ {found} }}"
            )
        });
        Profile::read(&TEXT.replace("SIGNATURE", &signature).replace("PATH", path)).err().map(|error| error.to_string())
    }

    /// Beside an id that somebody knows any number of others could be made up.
    #[test]
    fn a_pointer_that_anybody_can_write_into_is_fetched_by_one_place() {
        let two = "/payments/{/payment}/refunds/{/id}";
        for signed in [None, Some("\"/id\"")] {
            let reason = refused(signed, two).unwrap_or_default();
            assert!(reason.contains(&format!("fetch.call.path: {two} has several places")), "{reason}");
            assert_eq!(refused(signed, "/refunds/{/id}?of={/id}"), None);
        }
        assert_eq!(refused(Some("\"body\""), two), None);
    }
}
