//! One PSP account in the configuration: what it takes, and from whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use crate::access::credentials::Credentials;
use crate::access::secrets::NamedSecret;
use crate::domain::message::{Meaning, Normalised};
use crate::fetch::api::Api;
use crate::psp::meaning::in_form::InForm;
use crate::psp::meaning::normalise::normalise;
use crate::psp::profile::{FetchMode, Profile};
use crate::psp::vouch::verify::{Means, Secret};

/// One PSP account in the configuration, and its route.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in the URL.
    pub name: String,
    /// The PSP's dialect.
    pub profile: Arc<Profile>,
    /// Any of them that holds may vouch for a notification.
    pub secrets: Vec<NamedSecret>,
    /// The file beside the configuration that some of them stand in; the relay writes it when a secret is rotated.
    pub secrets_file: Option<PathBuf>,
    /// The settings that the profile asks for, by name.
    pub settings: BTreeMap<String, String>,
    /// The URL that the PSP posts to, as the PSP knows it.
    pub public_url: Option<Url>,
    /// What the PSP must present in its Authorization header as well; nothing, if there is nothing in it.
    pub authorization: Credentials,
    /// Headers that the PSP must send as well; names in lower case.
    pub headers: BTreeMap<String, SecretString>,
    /// Where the PSP must post from as well; from anywhere, if there is nothing in it.
    pub ip_ranges: Vec<IpNet>,
    /// How far a signature's time may be off, in seconds, instead of the profile's.
    pub tolerance_s: Option<u32>,
    /// The only types of event that are taken in; all that the profile understands if none.
    pub events: Option<BTreeSet<String>>,
    /// The status that is answered while the source is not enabled; none if it is.
    pub closed: Option<u16>,
    /// How truths are fetched; none if never.
    pub fetch: Option<Arc<Api>>,
}

impl Source {
    /// Whether a source may have this name.
    #[must_use]
    pub fn may_be_called(name: &str) -> bool {
        let belongs = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        !name.is_empty() && name.bytes().all(belongs)
    }

    /// What it has to verify with, if these are the secrets.
    #[must_use]
    pub fn means<'a>(&'a self, secrets: &[&'a NamedSecret]) -> Means<'a> {
        Means {
            secrets: secrets
                .iter()
                .map(|secret| Secret { text: &secret.value, key_id: secret.key_id.as_deref() })
                .collect(),
            settings: Some(&self.settings),
            public_url: self.public_url.as_ref(),
            certificate: None,
            tolerance_s: self.tolerance_s,
            credentials: self.has_credentials(),
        }
    }

    /// The secret that takes the others' place, of those that hold at this time.
    #[must_use]
    pub fn newest_secret(&self, at: Timestamp) -> Option<&NamedSecret> {
        self.secrets
            .iter()
            .filter(|secret| secret.holds(at))
            .reduce(|best, other| if best.is_older_than(other) { other } else { best })
    }

    /// Whether it asks for anything beside a signature.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        !self.authorization.is_empty() || !self.headers.is_empty() || !self.ip_ranges.is_empty()
    }

    /// The audience of tokens that are issued for it.
    #[must_use]
    pub fn audience(&self) -> String {
        format!("sources/{}", self.name)
    }

    /// Whether it takes notifications from this address.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        self.ip_ranges.is_empty() || self.ip_ranges.iter().any(|range| range.contains(&address))
    }

    /// The kinds of proof that it asks for.
    #[must_use]
    pub fn proofs(&self) -> Vec<&'static str> {
        let kinds = [
            ("signature", !self.secrets.is_empty() || self.verifies_by_certificate()),
            ("basic", self.authorization.basic.is_some()),
            ("bearer", !self.authorization.tokens.is_empty()),
            ("oauth", !self.authorization.clients.is_empty()),
            ("headers", !self.headers.is_empty()),
            ("ip_ranges", !self.ip_ranges.is_empty()),
        ];
        kinds.into_iter().filter_map(|(kind, asked)| asked.then_some(kind)).collect()
    }

    fn verifies_by_certificate(&self) -> bool {
        let mut signatures = self.profile.forms.iter().flat_map(|form| &form.signature);
        signatures.any(|signature| signature.certificate.is_some())
    }

    /// What a notification says, as far as the source wants to hear it.
    pub(super) fn read(&self, notification: &InForm<'_>) -> Normalised {
        let always = self.fetch.as_ref().is_some_and(|api| api.mode == FetchMode::Always);
        let mut normalised = normalise(&self.profile, notification, always);
        if let Some(events) = &self.events {
            normalised.keep_only(events);
        }
        if self.fetch.is_none() {
            let pointers =
                normalised.messages.iter_mut().filter(|message| matches!(message.meaning, Meaning::Fetch(_)));
            let reason = "its truth would have to be fetched, and this source fetches nothing";
            pointers.for_each(|message| message.meaning = Meaning::NotUnderstood(reason.to_owned()));
        }
        normalised
    }
}
