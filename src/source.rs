//! A source: one PSP account in the configuration, with its profile, secrets, credentials and route.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Serialize;
use sha2::{Digest, Sha256};
use url::Url;

use crate::access::credentials::Credentials;
use crate::access::demands::Demands;
use crate::access::secrets::NamedSecret;
use crate::domain::message::{Meaning, Missing, MissingKind, Normalised};
use crate::domain::text::is_name;
use crate::fetch::api::Api;
use crate::psp::document::place::Configured;
use crate::psp::meaning::in_form::InForm;
use crate::psp::meaning::normalise::normalise;
use crate::psp::profile::{FetchMode, Profile};
use crate::psp::vouch::crypto::PublicKey;
use crate::psp::vouch::verify::{Holds, Means, Secret};

/// A kind of proof that a source asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// A signature.
    Signature,
    /// Basic credentials.
    Basic,
    /// A bearer token of the configuration.
    Bearer,
    /// A token of POST /oauth/token.
    Oauth,
    /// Headers with configured values.
    Headers,
    /// An address in the configured ranges.
    IpRanges,
}

/// One PSP account in the configuration, and its route.
#[derive(Debug, Clone)]
pub struct Source {
    /// The source's name in the URL.
    pub name: String,
    /// The PSP's dialect.
    pub profile: Arc<Profile>,
    /// The secrets; any of them that is in force may vouch for a notification.
    pub secrets: Vec<NamedSecret>,
    /// The file beside the configuration that holds some of the secrets. The relay writes it when a secret is rotated.
    pub secrets_file: Option<PathBuf>,
    /// The settings that the profile asks for, by name.
    pub settings: BTreeMap<String, String>,
    /// The ids by which Transform names this PSP account (`pspSettingsId`).
    pub psp_settings_ids: BTreeSet<String>,
    /// The URL that the PSP posts to, as the PSP knows it.
    pub public_url: Option<Url>,
    /// The credentials that the PSP must present in its Authorization header as well; none are required if it is empty.
    pub authorization: Credentials,
    /// The headers that the PSP must send as well; names in lower case.
    pub headers: BTreeMap<String, SecretString>,
    /// The networks from which the PSP must post as well; any network if it is empty.
    pub ip_ranges: Vec<IpNet>,
    /// How far a signature's time may be off, in seconds; replaces the profile's value.
    pub tolerance_s: Option<u32>,
    /// The only types of event that the source takes; `None` takes all types that the profile understands.
    pub events: Option<BTreeSet<String>>,
    /// The status of all answers while the source is not enabled; `None` if it is enabled.
    pub closed: Option<u16>,
    /// The PSP's API for fetches; `None` if the source never fetches.
    pub fetch: Option<Arc<Api>>,
}

impl Source {
    /// Whether a source may have this name.
    #[must_use]
    pub fn may_be_called(name: &str) -> bool {
        is_name(name)
    }

    /// A digest of all that decides how the source's notifications are read: the profile, the types that it takes, and what it
    /// fetches. Two programs of one version can compare it.
    #[must_use]
    pub fn rules(&self) -> String {
        let mode = self.fetch.as_ref().map(|api| api.mode);
        let hash = Sha256::digest(format!("{:?}\n{:?}\n{mode:?}", self.profile, self.events));
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The source's means to verify a notification at this time. All secrets are among them, each with whether it holds.
    #[must_use]
    pub fn means<'a>(&'a self, certificate: Option<&'a PublicKey>, at: Timestamp) -> Means<'a> {
        let secret = |secret: &'a NamedSecret| Secret {
            text: &secret.value,
            key_id: secret.key_id.as_deref(),
            name: &secret.name,
            holds: if secret.holds(at) {
                Holds::Now
            } else if secret.has_expired(at) {
                Holds::NoMore
            } else {
                Holds::NotYet
            },
        };
        Means {
            secrets: self.secrets.iter().map(secret).collect(),
            settings: Some(&self.settings),
            public_url: self.public_url.as_ref(),
            certificate,
            tolerance_s: self.tolerance_s,
            credentials: !self.demands().is_empty(),
        }
    }

    /// The parts of the source that a place in a profile can name.
    #[must_use]
    pub const fn configured(&self) -> Configured<'_> {
        Configured { settings: Some(&self.settings), public_url: self.public_url.as_ref() }
    }

    /// The secret of this name. No two secrets of a source have the same name.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&NamedSecret> {
        self.secrets.iter().find(|secret| secret.name == name)
    }

    /// The newest of the secrets that hold at this time: the last one to end.
    #[must_use]
    pub fn newest_secret(&self, at: Timestamp) -> Option<&NamedSecret> {
        self.secrets
            .iter()
            .filter(|secret| secret.holds(at))
            .reduce(|best, other| if best.is_older_than(other) { other } else { best })
    }

    /// The source's demands beside a signature.
    #[must_use]
    pub fn demands(&self) -> Demands<'_> {
        Demands { authorization: &self.authorization, headers: &self.headers, ip_ranges: &self.ip_ranges }
    }

    /// The audience of the tokens that are issued for the source.
    #[must_use]
    pub fn audience(&self) -> String {
        format!("sources/{}", self.name)
    }

    /// The kinds of proof that the source asks for.
    #[must_use]
    pub fn proofs(&self) -> Vec<ProofKind> {
        let kinds = [
            (ProofKind::Signature, !self.secrets.is_empty() || self.verifies_by_certificate()),
            (ProofKind::Basic, self.authorization.basic.is_some()),
            (ProofKind::Bearer, !self.authorization.tokens.is_empty()),
            (ProofKind::Oauth, !self.authorization.clients.is_empty()),
            (ProofKind::Headers, !self.headers.is_empty()),
            (ProofKind::IpRanges, !self.ip_ranges.is_empty()),
        ];
        kinds.into_iter().filter_map(|(kind, asked)| asked.then_some(kind)).collect()
    }

    fn verifies_by_certificate(&self) -> bool {
        let mut signatures = self.profile.forms.iter().flat_map(|form| &form.signature);
        signatures.any(|signature| signature.certificate.is_some())
    }

    /// The messages of a notification. Types of event that the source does not take are ignored. If the source fetches nothing,
    /// a message that needs a fetch is not understood.
    pub(super) fn read(&self, notification: &InForm<'_>) -> Normalised {
        let always = self.fetch.as_ref().is_some_and(|api| api.mode == FetchMode::Always);
        let mut normalised = normalise(&self.profile, notification, always);
        if let Some(events) = &self.events {
            normalised.keep_only(events);
        }
        if self.fetch.is_none() {
            let pointers =
                normalised.messages.iter_mut().filter(|message| matches!(message.meaning, Meaning::Fetch(_)));
            let reason = format!(
                "its truth has to be fetched, but this source fetches nothing: give [sources.{}.fetch] the credentials of the \
                 PSP's API, then replay it",
                self.name
            );
            pointers.for_each(|message| {
                message.meaning = Meaning::NotUnderstood(reason.clone());
                message.missing = Some(self.no_fetch());
            });
        }
        normalised
    }

    /// What is missing to read a message that only points to its truth, since the source fetches nothing.
    #[must_use]
    pub fn no_fetch(&self) -> Missing {
        let said = format!("sources.{}.fetch: credentials, and no mode never, so that the truth is fetched", self.name);
        Missing { what: MissingKind::Fetch, said, names: Vec::new() }
    }
}
