//! `[profiles]` and `[sources]`

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::checker::{Checker, but};
use super::fetch::Fetching;
use crate::access::secrets::NamedSecret;
use crate::config::key::named;
use crate::config::profiles;
use crate::config::secret::SecretSetting;
use crate::config::settings::SourceSettings;
use crate::config::written::{Count, MASK};
use crate::domain::nearest::hint;
use crate::domain::text::shown;
use crate::psp::profile::catalogue::Catalogue;
use crate::psp::profile::{ChallengeSignature, Profile};
use crate::psp::vouch::secret::fingerprints;
use crate::psp::vouch::{challenge, needs};
use crate::source::Source;

impl Checker<'_> {
    /// The built-in profiles and those of a folder.
    pub(super) fn profiles(&mut self, dir: Option<&Path>) -> Catalogue {
        let mut catalogue = Catalogue::built_in().unwrap_or_else(|error| {
            self.wrong("profiles", error.to_string());
            Catalogue::default()
        });
        for file in dir.and_then(|dir| profiles::files(dir).ok()).unwrap_or_default() {
            self.reads(&file);
        }
        if let Some(Err(errors)) = dir.map(|dir| profiles::add_folder(&mut catalogue, dir)) {
            errors.into_iter().for_each(|reason| self.wrong("profiles.dir", reason));
        }
        catalogue
    }

    pub(super) fn sources(
        &mut self,
        settings: &mut BTreeMap<String, SourceSettings>,
        profiles: &Catalogue,
        fetching: Fetching<'_>,
    ) -> BTreeMap<String, Source> {
        self.psp_settings_ids(settings);
        let checked = settings.iter_mut().map(|(name, source)| self.source(name, source, profiles, fetching));
        let sources: BTreeMap<_, _> = checked.flatten().map(|source| (source.name.clone(), source)).collect();
        for (source, oracle) in shared_with_a_challenge(&sources) {
            let reason = format!(
                "sources.{} has one of these secrets too, however it is written. Its profile {:?} signs endpoint checks with it for anybody: give \
                 sources.{} a secret of its own",
                oracle.name, oracle.profile.name, source.name
            );
            self.wrong(&format!("sources.{}.secrets", source.name), reason);
        }
        for (one, other) in sharing(&sources) {
            self.warnings.push(format!(
                "sources.{one}.secrets, sources.{other}.secrets: both have the same secret, however it is written. What the PSP signs \
                 for one is taken at the route of the other, and binds a record there that is registered without `source`: \
                 give each source a secret of its own"
            ));
        }
        sources
    }

    /// The types of event that the source takes. A type that the profile does not understand is an error.
    fn events(&mut self, key: &str, types: &[String], profile: &Profile) -> BTreeSet<String> {
        let rules = profile.forms.iter().flat_map(|form| &form.rules);
        let known: BTreeSet<_> = rules.flat_map(|rule| rule.event_type.as_slice()).collect();
        for (index, unknown) in types.iter().enumerate().filter(|(_, name)| !known.contains(name)) {
            let must = "must be a type that the profile understands";
            let hint = hint(unknown, known.iter().map(|name| name.as_str()));
            self.wrong(&format!("{key}[{index}]"), but(shown(unknown), format!("{must}{hint}")));
        }
        types.iter().cloned().collect()
    }

    /// The headers that the PSP must send, by name in lower case.
    fn headers(&mut self, key: &str, settings: &BTreeMap<String, SecretSetting>) -> BTreeMap<String, SecretString> {
        let mut spellings = BTreeMap::new();
        let mut headers = BTreeMap::new();
        for (name, value) in settings {
            // A line of a header in the place of its name has the value in it.
            let at = format!("{key}.{}", if is_header_name(name) { name } else { MASK });
            let lower = name.to_ascii_lowercase();
            if !is_header_name(name) {
                self.wrong(&at, "is not a name that a header can have: letters, digits and dashes, without the value");
            } else if let Some(other) = spellings.insert(lower.clone(), name) {
                self.wrong(&at, format!("is the same header as {other}; names of headers count in any case"));
            }
            headers.extend(self.credential(&at, value).map(|value| (lower, value)));
        }
        headers
    }

    fn source(
        &mut self,
        name: &str,
        settings: &mut SourceSettings,
        profiles: &Catalogue,
        fetching: Fetching<'_>,
    ) -> Option<Source> {
        let key = format!("sources.{}", named(name));
        if !Source::may_be_called(name) {
            self.wrong(&key, "the name of a source must consist of lower case letters, digits, - and _");
        }
        let file = self.beside_config(settings.secrets_file.as_deref());
        let entry = settings.profile.as_deref().and_then(|profile| profiles.get(profile));
        let needed = entry.is_some_and(|entry| needs::needs_secrets(&entry.profile));
        let secrets = self.source_secrets(named(name), settings, file.as_deref(), needed);
        let authorization = self.credentials(&key, &settings.tokens, settings.basic.as_ref(), &settings.oauth);
        let ip_ranges = self.networks(&format!("{key}.ip_ranges"), &settings.ip_ranges);
        let headers = self.headers(&format!("{key}.headers"), &settings.headers);
        let closed = self.take(&format!("{key}.disabled_answer"), closed_answer(&settings.disabled_answer));
        let tolerance_s = settings.tolerance.as_ref().map(|text| self.whole_seconds(&format!("{key}.tolerance"), text));
        let Some(entry) = entry else {
            let names: Vec<_> = profiles.iter().map(|entry| entry.profile.name.as_str()).collect();
            let is = settings
                .profile
                .as_ref()
                .map_or_else(|| "is missing, but".to_owned(), |name| format!("is {}, but", shown(name)));
            let hint = settings.profile.as_ref().map(|name| hint(name, names.iter().copied())).unwrap_or_default();
            self.wrong(&format!("{key}.profile"), format!("{is} must be one of {}{hint}", names.join(", ")));
            return None;
        };
        for (at, secret) in &secrets {
            if let Err(reason) = needs::check_secret(&entry.profile, secret.value.expose_secret()) {
                self.wrong(at, reason);
            }
        }
        let events = settings.events.as_ref().map(|types| self.events(&format!("{key}.events"), types, &entry.profile));
        let fetch = self.fetch(&format!("{key}.fetch"), &mut settings.fetch, &entry.profile, events.as_ref(), fetching);
        let source = Source {
            fetch,
            closed: (!settings.enabled).then_some(closed),
            events,
            name: name.to_owned(),
            profile: entry.profile.clone(),
            secrets: secrets.into_iter().map(|(_, secret)| secret).collect(),
            secrets_file: file,
            settings: self.asked(&key, settings, &entry.profile),
            psp_settings_ids: settings.psp_settings_ids.iter().cloned().collect(),
            public_url: self.public_url(&key, settings, &entry.profile),
            authorization,
            headers,
            ip_ranges,
            tolerance_s,
        };
        self.credentials_needed(&source);
        self.unguarded(&source);
        Some(source)
    }
}

/// The pairs of sources that have a secret in common.
fn sharing(sources: &BTreeMap<String, Source>) -> Vec<(&str, &str)> {
    let prints = |source: &Source| -> BTreeSet<_> {
        source.secrets.iter().flat_map(|secret| fingerprints(&source.profile, &secret.value)).collect()
    };
    let mut before: Vec<(&str, BTreeSet<Vec<u8>>)> = Vec::new();
    let mut found = Vec::new();
    for source in sources.values() {
        let own = prints(source);
        found.extend(
            before
                .iter()
                .filter(|(_, others)| !own.is_disjoint(others))
                .map(|(other, _)| (*other, source.name.as_str())),
        );
        before.push((&source.name, own));
    }
    found
}

/// The sources that share a secret with a source of another profile whose endpoint check signs with it, each with that other
/// source. Only the other profile knows which texts anybody may have had signed.
fn shared_with_a_challenge(sources: &BTreeMap<String, Source>) -> Vec<(&Source, &Source)> {
    let all = sources.values();
    let oracles: Vec<_> =
        all.clone().filter_map(|source| Some((source, source.profile.challenge.as_ref()?.sign.as_ref()?))).collect();
    let found = all.filter_map(|source| {
        let share = |(oracle, sign): &&(&Source, &ChallengeSignature)| {
            let signs_for = |other: &NamedSecret| {
                oracle.secrets.iter().any(|own| challenge::signs_for(sign, &own.value, &source.profile, &other.value))
            };
            source.profile.name != oracle.profile.name && source.secrets.iter().any(signs_for)
        };
        oracles.iter().find(share).map(|(oracle, _)| (source, *oracle))
    });
    found.collect()
}

/// Whether a header can have this name (RFC 9110, section 5.1). No client could send another name.
fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn closed_answer(status: &Count) -> Result<u16, String> {
    match status.text() {
        "404" => Ok(404),
        "503" => Ok(503),
        _ => Err(but(status, "must be 404 or 503")),
    }
}
