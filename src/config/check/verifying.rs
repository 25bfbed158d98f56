//! What a source's profile verifies with beside secrets: `settings` and `public_url`.

use std::collections::BTreeMap;

use url::Url;

use super::Checker;
use crate::psp::profile::Profile;
use crate::psp::verify;

impl Checker<'_> {
    /// The settings that the profile asks for, all of them and no others.
    pub(super) fn profile_settings(&mut self, key: &str, given: &BTreeMap<String, String>, profile: &Profile) {
        for (name, meaning) in &profile.settings {
            if given.get(name).is_none_or(String::is_empty) {
                self.wrong(&format!("{key}.{name}"), format!("the profile needs it: {meaning}"));
            }
        }
        for name in given.keys().filter(|name| !profile.settings.contains_key(*name)) {
            self.wrong(&format!("{key}.{name}"), "is no setting that the profile asks for");
        }
    }

    /// The URL is signed as the PSP knows it, so every character counts.
    pub(super) fn public_url(&mut self, key: &str, text: Option<&str>, profile: &Profile) -> Option<Url> {
        let Some(text) = text else {
            if verify::needs_public_url(profile) {
                self.wrong(key, "the PSP signs it: the URL that it posts to, as it stands there");
            }
            return None;
        };
        match Url::parse(text) {
            Ok(url) if url.has_host() && matches!(url.scheme(), "https" | "http") && url.as_str() == text => Some(url),
            Ok(url) if url.has_host() && url.as_str() != text => {
                self.wrong(key, "must be written as clients send it: scheme and host in lower case, with a path");
                None
            }
            _ => {
                self.wrong(key, "must be an absolute URL, such as https://relay.example.com/notifications/square");
                None
            }
        }
    }
}
