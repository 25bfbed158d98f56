//! Checks of a source's further settings, public URL and credentials: the profile asks for them.

use std::collections::BTreeMap;

use url::Url;

use super::checker::{Checker, but};
use crate::config::key::named;
use crate::config::settings::SourceSettings;
use crate::domain::nearest::hint;
use crate::psp::profile::Profile;
use crate::psp::vouch::needs::{self, Unsigned};
use crate::source::Source;

impl Checker<'_> {
    /// The settings that the profile asks for: all of them, and no others.
    pub(super) fn asked(
        &mut self,
        key: &str,
        settings: &SourceSettings,
        profile: &Profile,
    ) -> BTreeMap<String, String> {
        for (name, what) in &profile.settings {
            if settings.settings.get(name).is_none_or(String::is_empty) {
                self.wrong(&format!("{key}.settings.{name}"), format!("is needed: {what}"));
            }
        }
        for unknown in settings.settings.keys().filter(|name| !profile.settings.contains_key(*name)) {
            let hint = hint(unknown, profile.settings.keys().map(String::as_str));
            self.wrong(
                &format!("{key}.settings.{}", named(unknown)),
                format!("must be left out: the profile asks for no such setting{hint}"),
            );
        }
        settings.settings.clone()
    }

    /// The URL that the PSP posts to. It is needed if the PSP signs it.
    pub(super) fn public_url(&mut self, key: &str, settings: &SourceSettings, profile: &Profile) -> Option<Url> {
        let key = format!("{key}.public_url");
        let Some(written) = &settings.public_url else {
            if needs::needs_public_url(profile) {
                self.wrong(&key, "is needed: the PSP signs the URL that it posts to, as it is configured there");
            }
            return None;
        };
        let text = self.url(&key, written)?;
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        // The PSP signs the URL that it was given, character by character.
        let url = url.filter(|url| url.as_str() == text);
        if url.is_none() {
            let must = "must be the absolute URL that the PSP posts to, written exactly as at the PSP";
            self.wrong(&key, but(written, must));
        }
        url
    }

    /// Checks that the source demands credentials if nothing in a notification vouches for it.
    pub(super) fn credentials_needed(&mut self, source: &Source) {
        if needs::needs_credentials(&source.profile) && source.demands().is_empty() {
            let reason = "nobody signs what this PSP sends: ip_ranges, basic, tokens, oauth or headers are needed";
            self.wrong(&format!("sources.{}", source.name), reason);
        }
    }

    /// Warns of a source that takes notifications with unsigned parts on the word of a secret alone.
    pub(super) fn unguarded(&mut self, source: &Source) {
        let Some(unguarded) = needs::unguarded(&source.profile) else { return };
        if !source.demands().is_empty() || source.closed.is_some() {
            return;
        }
        let risk = match unguarded {
            Unsigned::Body => {
                "the PSP signs no part of the body, and the secret stands in it. A stranger who has one notification can write \
                 any others"
            }
            Unsigned::Parts => {
                "the PSP signs parts of the body only. A stranger who has a notification before the relay can change its other \
                 parts, such as reasons, payment data and some ids; the first that come count"
            }
        };
        self.warnings.push(format!(
            "sources.{}: {risk}. Let only the PSP's addresses in (ip_ranges), or demand basic credentials, tokens or headers, if \
             the PSP can send them",
            source.name
        ));
    }
}
