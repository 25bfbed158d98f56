//! The contents of fixtures: signature vectors, endpoint checks and fetched objects, and how a fixture is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use transform_relay::domain::message::Message;
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::normalise::normalise_fetched;
use transform_relay::psp::profile::catalogue::BUILT_IN;
use transform_relay::psp::profile::{Form, Profile};
use transform_relay::psp::vouch::crypto::PublicKey;
use transform_relay::psp::vouch::verify::{Means, Secret};
use url::Url;

use crate::fixtures;

/// Later than any time in a fixture: a time ahead of the receipt would count as the receipt.
pub(crate) const RECEIPT: Timestamp = Timestamp::constant(1_900_000_000, 0);

/// A built-in profile. It is read when it is asked for: most tests need one.
pub(crate) fn profile(name: &str) -> &'static Profile {
    static PROFILES: [OnceLock<Profile>; BUILT_IN.len()] = [const { OnceLock::new() }; BUILT_IN.len()];
    let place = BUILT_IN.iter().position(|(known, _)| *known == name);
    let place = place.unwrap_or_else(|| panic!("no profile is called {name}"));
    PROFILES[place].get_or_init(|| Profile::read(BUILT_IN[place].1).unwrap())
}

/// A signed notification and what the relay must say to it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) name: String,
    secret: Option<String>,
    /// The PSP's id of the secret.
    key_id: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    public_url: Option<String>,
    /// The public key of the PSP's certificate: SubjectPublicKeyInfo, DER, Base64.
    public_key: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    #[serde(default)]
    now_unix: i64,
    /// Whether the source has seen its credentials.
    #[serde(default)]
    credentials: bool,
    /// `verified`, or the reason why not.
    pub(crate) expect: String,
}

impl Vector {
    pub(crate) fn with(&self, headers: BTreeMap<String, String>, body: String) -> Self {
        Self { headers, body, ..self.clone() }
    }

    /// What comes of the notification as it is received by its source.
    pub(crate) fn received<T>(&self, with: impl FnOnce(&Means<'_>, Received<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let at = Timestamp::from_second(self.now_unix).unwrap();
        let secret: Option<SecretString> = self.secret.clone().map(Into::into);
        let certificate = self.public_key.as_ref().map(|der| PublicKey(STANDARD.decode(der).unwrap()));
        let public_url = self.public_url.as_ref().map(|url| Url::parse(url).unwrap());
        let means = Means {
            secrets: secret.iter().map(|text| Secret { key_id: self.key_id.as_deref(), ..text.into() }).collect(),
            settings: Some(&self.settings),
            public_url: public_url.as_ref(),
            certificate: certificate.as_ref(),
            tolerance_s: None,
            credentials: self.credentials,
        };
        with(&means, Received { headers: &headers, body: self.body.as_bytes(), at })
    }
}

/// A PSP's check of the endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) secret: Option<String>,
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) query: BTreeMap<String, String>,
    /// None if this is no check.
    pub(crate) answer: Option<String>,
}

/// The signature vectors of a profile.
pub(crate) fn vectors(profile: &str) -> Vec<Vector> {
    tables(&fixtures::file(profile, "vectors.toml"), "vector")
}

/// The endpoint checks of a profile.
pub(crate) fn checks(profile: &str) -> Vec<Check> {
    tables(&fixtures::file(profile, "challenges.toml"), "challenge")
}

/// The tables of that name in a file; none if there is no such file.
fn tables<T: DeserializeOwned>(file: &Path, name: &str) -> Vec<T> {
    if !file.exists() {
        return Vec::new();
    }
    let fail = |error: toml::de::Error| -> ! { panic!("{}: {error}", file.display()) };
    let text = fs::read_to_string(file).unwrap();
    let mut tables: BTreeMap<String, Vec<T>> = toml::from_str(&text).unwrap_or_else(|error| fail(error));
    let found = tables.remove(name).unwrap_or_default();
    assert!(tables.is_empty() && !found.is_empty(), "{} has [[{name}]] and nothing else", file.display());
    found
}

/// The object that was fetched for a message of a notification.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fetched {
    form: String,
    /// The notification: text as it is, anything else as JSON.
    #[serde(default)]
    notification: Value,
    /// The place of the message in the batch.
    #[serde(default)]
    message: usize,
    answer: Value,
}

/// The files of a profile's fetched objects.
pub(crate) fn fetched(profile: &str) -> Vec<PathBuf> {
    fixtures::files(&fixtures::file(profile, "fetched"))
}

impl Fetched {
    pub(crate) fn read(file: &Path) -> Self {
        let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// What comes of the form, the notification, the place of the message, and the response.
    pub(crate) fn received<T>(
        &self,
        profile: &Profile,
        with: impl FnOnce(&Form, &Received<'_>, usize, &[u8]) -> T,
    ) -> T {
        let form = profile.form(&self.form).unwrap_or_else(|| panic!("no form {}", self.form));
        let body = self.notification.as_str().map_or_else(|| self.notification.to_string(), str::to_owned);
        let received = Received { headers: &[], body: body.as_bytes(), at: RECEIPT };
        with(form, &received, self.message, self.answer.to_string().as_bytes())
    }

    pub(crate) fn message(&self, profile: &Profile) -> Message {
        self.received(profile, |form, received, index, answer| {
            normalise_fetched(profile, form, received, None, index, answer)
        })
    }
}

/// A body as it is sent in that form: a message inside a field of the PSP's body is put there.
pub(crate) fn sent(form: &Form, file: &Path) -> Vec<u8> {
    let body = fs::read(file).unwrap();
    let is_inner = file.extension().is_some_and(|ending| ending != "form");
    if is_inner { wrapped(form, body) } else { body }
}

/// A body inside the field where the form has it; the body itself if it has none.
pub(crate) fn wrapped(form: &Form, body: Vec<u8>) -> Vec<u8> {
    let Some(inner) = &form.content.inner else { return body };
    let mut fields = json!({});
    inner.pointer.put(&mut fields, STANDARD.encode(body).into()).unwrap();
    form.content.write_form(&fields)
}
