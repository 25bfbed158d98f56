//! Fetch of the truth behind a notification that does not carry all of it: the PSP's API and its calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::rule::When;
use crate::psp::document::place::{Piece, Place, pieces, write_pieces};
use crate::psp::document::pointer::Pointer;

/// How the truth behind a message is fetched from the PSP's API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// When a source fetches, if its configuration does not say so.
    #[serde(default)]
    pub mode: FetchMode,
    /// The URL of the PSP's API, without a slash at its end. A source may have another one, such as the PSP's sandbox.
    pub base: String,
    /// How the relay presents its credentials to the API.
    pub auth: FetchAuth,
    /// Further headers that the API wants.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The part of the response that `fetched:` points into; by default all of it.
    pub part: Option<Pointer>,
    /// The calls. The first call that fits a message is made. If none fits, the message is read as it is; in a
    /// `pointer_only` form it concerns no record then.
    #[serde(rename = "call")]
    pub calls: Vec<Call>,
}

/// When the truth is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FetchMode {
    /// For each verified notification, and for unsigned ones.
    #[default]
    Always,
    /// For notifications that carry no truth of their own. One that fails verification is a hint to fetch as well.
    Unverified,
    /// For each verified notification, if the source has a `fetch` table. Otherwise never.
    Configured,
    /// Never. Only the notification itself is read.
    Never,
}

/// How the relay presents its credentials to the PSP's API.
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

/// One call, made by GET.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Conditions. The call fits a message that meets all of them.
    #[serde(default)]
    pub when: When,
    /// Whether a message that the call fits carries no truth of its own. If the source fetches nothing, it is not understood.
    #[serde(default)]
    pub needed: bool,
    /// Path and query below `base`; places in braces stand for their texts. If a `pointer_only` form is not signed as a
    /// whole, it may have one place only.
    pub path: Template,
}

impl Call {
    /// The places whose texts fill the path, each once.
    pub(super) fn places(&self) -> BTreeSet<&Place> {
        self.path
            .0
            .iter()
            .filter_map(|piece| if let Piece::Place(place) = piece { Some(place) } else { None })
            .collect()
    }

    /// Whether at most one place fills the path. A client that knows the text of that place knows the whole path then.
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
            return Err(format!("{text:?}: a path must start with one /"));
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

    /// A stranger who knows the id at one place could make up any number of ids at a second place.
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
