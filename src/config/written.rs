//! Values of settings as they are written, with the form in which `check` and errors show them.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use url::Url;

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

    /// The URL with [`MASK`] in the place of its credentials, and of its query and fragment. It is read as a request reads it,
    /// so an `@` of the path changes nothing. `None` if the text is no URL with a host: a secret may stand anywhere in it.
    pub(super) fn masked(&self) -> Option<String> {
        let mut url = Url::parse(&self.0).ok().filter(|url| url.has_host() && !self.0.contains(char::is_control))?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !has_user && url.query().is_none() && url.fragment().is_none() {
            return Some(self.0.clone());
        }
        if has_user {
            url.set_password(None).and_then(|()| url.set_username(MASK)).ok()?;
            // The password may have a slash in it, and then goes on behind it.
            if url.path().contains('@') {
                url.set_path(MASK);
                url.set_host(Some("masked.invalid")).ok()?;
            }
        }
        let rest = if url.query().is_some() { "?" } else { "#" };
        let is_more = url.query().is_some() || url.fragment().is_some();
        url.set_query(None);
        url.set_fragment(None);
        Some(if is_more { format!("{url}{rest}{MASK}") } else { url.into() })
    }
}

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked().map_or_else(|| "no absolute URL".to_owned(), |url| shown(&url)))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.masked().as_deref().unwrap_or(MASK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_url_is_shown_that_may_be_a_secret() {
        for (url, masked) in [
            ("https://x.example/hook", Some("https://x.example/hook")),
            ("https://x.example", Some("https://x.example")),
            ("https://x.example/hook?token=sesame", Some("https://x.example/hook?***")),
            ("https://x.example/hook#sesame?sesame", Some("https://x.example/hook#***")),
            ("https://user:sesame@x.example/?a=sesame@b", Some("https://***@x.example/?***")),
            ("https://:sesame@x.example/", Some("https://***@x.example/")),
            ("https://x.example/@user/hook", Some("https://x.example/@user/hook")),
            ("https://x.example/a@b?sesame", Some("https://x.example/a@b?***")),
            ("https://user:ses@me/sesame@x.example/", Some("https://***@masked.invalid/***")),
            ("https:\\\\user:sesame@x.example", Some("https://***@x.example/")),
            ("https://x.example:sesame/", None),
            ("https://x.exa\nmple/sesame", None),
            ("user:sesame@x.example", None),
            ("sesame", None),
            ("?sesame", None),
        ] {
            assert_eq!(Address::from(url.to_owned()).masked().as_deref(), masked, "{url}");
        }
    }

    #[test]
    fn a_number_is_shown_as_one_and_any_other_text_in_quotes() {
        let shown = |text: &str| Count(text.to_owned()).to_string();
        assert_eq!((shown("4096"), shown("-1"), shown("1MiB")), ("4096".into(), "-1".into(), "\"1MiB\"".into()));
    }
}
