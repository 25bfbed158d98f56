//! Values of settings as they are written, with the form in which `check` and errors show them.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::domain::text::shown;

/// The text that stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// A number, or a size with its unit. In the environment all values are text, so a number may be text in a file too.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Count(String);

impl Count {
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The number, if it has neither unit nor fraction.
    fn whole(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

impl From<u32> for Count {
    fn from(number: u32) -> Self {
        Self(number.to_string())
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole() {
            Some(number) => number.fmt(f),
            None => f.write_str(&shown(&self.0)),
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(number) => serializer.serialize_i64(number),
            None => serializer.serialize_str(&self.0),
        }
    }
}

/// A URL. Its credentials, query and fragment may hold a secret, so they are never shown.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Address(String);

impl Address {
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The URL with [`MASK`] in the place of its credentials, and of its query and fragment.
    pub(super) fn masked(&self) -> String {
        let (place, mark) = match self.0.find(['?', '#']).and_then(|at| self.0.split_at_checked(at)) {
            Some((place, query)) => (place, query.get(..1).unwrap_or_default()),
            None => (self.0.as_str(), ""),
        };
        let (scheme, rest) = place.split_once("://").map_or(("", place), |(scheme, rest)| (scheme, rest));
        let place = match rest.rsplit_once('@') {
            Some((_, host)) if scheme.is_empty() => format!("{MASK}@{host}"),
            Some((_, host)) => format!("{scheme}://{MASK}@{host}"),
            None => place.to_owned(),
        };
        if mark.is_empty() { place } else { format!("{place}{mark}{MASK}") }
    }
}

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.masked()))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_url_is_shown_that_may_be_a_secret() {
        for (url, masked) in [
            ("https://x.example/hook", "https://x.example/hook"),
            ("https://x.example/hook?token=sesame", "https://x.example/hook?***"),
            ("https://x.example/hook#sesame?sesame", "https://x.example/hook#***"),
            ("https://user:sesame@x.example/?a=sesame@b", "https://***@x.example/?***"),
            ("https://user:ses@me/x@x.example/", "https://***@x.example/"),
            ("user:sesame@x.example", "***@x.example"),
            ("sesame", "sesame"),
            ("?sesame", "?***"),
        ] {
            assert_eq!(Address::from(url.to_owned()).masked(), masked, "{url}");
        }
    }

    #[test]
    fn a_number_is_shown_as_one_and_any_other_text_in_quotes() {
        let shown = |text: &str| Count(text.to_owned()).to_string();
        assert_eq!((shown("4096"), shown("-1"), shown("1MiB")), ("4096".into(), "-1".into(), "\"1MiB\"".into()));
    }
}
