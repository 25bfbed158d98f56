//! The built-in profiles on the project's own fixtures, `fixtures/<profile>/`:
//!
//! - `vectors/*.json`: signature vectors, each with its verdict;
//! - `challenges/*.json`: what the PSP asks the endpoint, and the answer;
//! - `*.json`, `*.form`, `*.xml`: bodies as the PSP documents them, perhaps with headers in `<name>.headers`; what must
//!   come out of each stands in `events/*.snap`, and in `events/*.not-fetched.snap` if that differs where nothing is
//!   fetched;
//! - `fetched/*.json`: what is fetched for a notification; what must come out stands in `fetched/events/*.snap`.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use transform_relay::domain::message::{Meaning, Message, Normalised};
use transform_relay::guide::explain::{self, Expected, MessageSeen, Verdict, Verification};
use transform_relay::psp::document::place::Configured;
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::in_form::InForm;
use transform_relay::psp::meaning::normalise::{normalise, normalise_fetched};
use transform_relay::psp::profile::catalogue::{BUILT_IN, Catalogue};
use transform_relay::psp::profile::{Algorithm, Form, Profile};
use transform_relay::psp::vouch::challenge;
use transform_relay::psp::vouch::crypto::PublicKey;
use transform_relay::psp::vouch::sign::sign;
use transform_relay::psp::vouch::verify::{self, Means, Secret, Unverified, Verified};
use url::Url;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    secret: Option<String>,
    /// The PSP's id of the secret.
    key_id: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    public_url: Option<String>,
    /// The public key of the PSP's certificate: SubjectPublicKeyInfo, DER, Base64.
    public_key: Option<String>,
    headers: BTreeMap<String, String>,
    body: String,
    #[serde(default)]
    now_unix: i64,
    /// Whether the source has seen its credentials.
    #[serde(default)]
    credentials: bool,
    /// `verified`, or the reason why not.
    expect: String,
}

/// Later than any time in a fixture: a time ahead of the receipt would count as the receipt.
const RECEIPT: i64 = 1_900_000_000;

fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)));
    files.sort();
    files
}

fn folder(profile: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(profile)
}

fn bodies(profile: &str) -> Vec<PathBuf> {
    files(&folder(profile), &["json", "form", "xml"])
}

fn parsed<T: for<'a> Deserialize<'a>>(file: &Path) -> T {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn verdict(profile: &Profile, vector: &Vector) -> String {
    let headers: Vec<_> = vector.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let at = Timestamp::from_second(vector.now_unix).unwrap();
    let received = Received { headers: &headers, body: vector.body.as_bytes(), at };
    let secret: Option<SecretString> = vector.secret.clone().map(Into::into);
    let certificate = vector.public_key.as_ref().map(|der| PublicKey(STANDARD.decode(der).unwrap()));
    let public_url = vector.public_url.as_ref().map(|url| Url::parse(url).unwrap());
    let means = Means {
        secrets: secret.iter().map(|text| Secret { key_id: vector.key_id.as_deref(), ..text.into() }).collect(),
        settings: Some(&vector.settings),
        public_url: public_url.as_ref(),
        certificate: certificate.as_ref(),
        tolerance_s: None,
        credentials: vector.credentials,
    };
    let verified = verify::verify(profile, &means, received);
    the_explanation_agrees(&explain::verification(profile, &means, received), &verified);
    verified.map_or_else(|reason| reason.to_string(), |_| "verified".to_owned())
}

/// `profile test` tells the same as the relay does.
fn the_explanation_agrees(explained: &Verification<'_>, verified: &Result<Verified<'_>, Unverified>) {
    let said = |verdict: &Result<Verified<'_>, Unverified>| match verdict {
        Ok(verified) => Ok((verified.form().name.clone(), verified.secret().map(str::to_owned))),
        Err(reason) => Err(reason.clone()),
    };
    assert_eq!(said(&explained.verdict), said(verified));
    if matches!(verified, Ok(verified) if verified.form().trusts_credentials) {
        assert!(explained.signatures.iter().all(|seen| seen.verdict == Err(Unverified::Missing)));
        return;
    }
    let first = explained.signatures.iter().find_map(|seen| Some((seen.form.to_owned(), seen.verdict.clone().ok()?)));
    assert_eq!(first.as_ref(), said(verified).as_ref().ok(), "the first that is right is the one");
    for seen in explained.signatures.iter().filter(|seen| seen.verdict.is_ok()) {
        for signed in seen.signed.iter().filter(|_| !matches!(seen.algorithm, Algorithm::RsaSha256)) {
            let Ok(Some(secret)) = &seen.verdict else { panic!("a secret vouched: {seen:?}") };
            assert!(signed.missing.is_empty(), "{signed:?}");
            let by = signed.expected.iter().find(|(name, _)| name == secret);
            match by.map(|(_, expected)| expected).unwrap_or_else(|| panic!("no secret is called {secret}: {signed:?}"))
            {
                Expected::Signature(expected) => {
                    assert!(
                        signed
                            .given
                            .iter()
                            .any(|given| given.to_ascii_lowercase().starts_with(&expected.to_ascii_lowercase())),
                        "{signed:?}"
                    )
                }
                Expected::Secret | Expected::PublicKey => {}
                Expected::Unfit(reason) => panic!("{reason}"),
            }
        }
    }
}

/// `profile test` tells the same of the rules as the rules do.
fn the_reading_agrees(profile: &Profile, notification: &InForm<'_>, normalised: &Normalised, fetching: bool) {
    let reading = explain::reading(profile, notification, fetching);
    assert_eq!(&reading.normalised, normalised);
    if reading.messages.is_empty() {
        assert!(matches!(normalised.messages[..], [Message { meaning: Meaning::NotUnderstood(_), .. }]));
        return;
    }
    assert_eq!(reading.messages.len(), normalised.messages.len());
    for (seen, message) in reading.messages.iter().zip(&normalised.messages) {
        assert_eq!(&seen.message, message);
        the_rules_agree(seen);
    }
}

fn the_rules_agree(seen: &MessageSeen<'_>) {
    let fits = seen.rules.iter().filter(|rule| rule.verdict == Verdict::Fits);
    let reads = fits.filter(|rule| !rule.rule.ignore).count();
    let made = seen.calls.iter().filter(|call| call.verdict == Verdict::Fits).count();
    match &seen.message.meaning {
        Meaning::Events(_) => assert!(reads > 0 && made == 0, "{seen:?}"),
        Meaning::Fetch(_) => assert_eq!((reads, made), (0, 1), "{seen:?}"),
        Meaning::Ignored | Meaning::NotUnderstood(_) => {}
    }
}

#[test]
fn every_vector_gives_its_verdict() {
    let catalogue = Catalogue::built_in().unwrap();
    for (name, _) in BUILT_IN {
        let profile = &catalogue.get(name).unwrap().profile;
        let vectors = files(&folder(name).join("vectors"), &["json"]);
        let is_signed = profile.forms.iter().any(|form| !form.signature.is_empty());
        assert!(!vectors.is_empty() || !is_signed, "{name} has no vector");
        for file in vectors {
            let vector: Vector = parsed(&file);
            assert_eq!(verdict(profile, &vector), vector.expect, "{}", file.display());
        }
    }
}

/// A PSP's check of the endpoint.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    secret: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    /// None if this is no check.
    answer: Option<String>,
}

#[test]
fn every_challenge_gives_its_answer() {
    let catalogue = Catalogue::built_in().unwrap();
    for (name, _) in BUILT_IN {
        let checks = files(&folder(name).join("challenges"), &["json"]);
        let Some(challenge) = &catalogue.get(name).unwrap().profile.challenge else {
            assert!(checks.is_empty(), "{name} has no challenge");
            continue;
        };
        assert!(!checks.is_empty(), "{name}: no fixture of its challenge");
        for file in checks {
            let check: Check = parsed(&file);
            let secret: Option<SecretString> = check.secret.map(Into::into);
            let configured = Configured { settings: Some(&check.settings), public_url: None };
            let header = |name: &str| check.headers.get(name).cloned();
            let query = |name: &str| check.query.get(name).cloned();
            let answer = challenge::answer(challenge, configured, secret.as_ref(), header, query);
            assert_eq!(answer, check.answer, "{}", file.display());
        }
    }
}

/// A signed text cannot be changed by as much as a newline.
#[test]
fn a_body_that_is_signed_cannot_be_changed() {
    let catalogue = Catalogue::built_in().unwrap();
    let mut seen = 0;
    for (name, _) in BUILT_IN {
        let profile = &catalogue.get(name).unwrap().profile;
        for file in files(&folder(name).join("vectors"), &["json"]) {
            let vector: Vector = parsed(&file);
            let stands_in_a_header = vector.headers.keys().any(|name| !name.eq_ignore_ascii_case("authorization"));
            if vector.expect == "verified" && stands_in_a_header {
                let tampered = Vector { body: format!("{}\n", vector.body), ..vector };
                assert_ne!(verdict(profile, &tampered), "verified", "{} with a newline more", file.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn every_fixture_gives_its_events() {
    let catalogue = Catalogue::built_in().unwrap();
    for (name, _) in BUILT_IN {
        let profile = &catalogue.get(name).unwrap().profile;
        for file in bodies(name) {
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let [fetching, not_fetching] = [true, false].map(|fetching| normalised(profile, &file, fetching));
            settings(&folder(name)).bind(|| {
                insta::assert_debug_snapshot!(stem.as_str(), fetching);
                if not_fetching != fetching {
                    insta::assert_debug_snapshot!(format!("{stem}.not-fetched"), not_fetching);
                }
            });
        }
        let fetched = folder(name).join("fetched");
        for file in files(&fetched, &["json"]) {
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            settings(&fetched).bind(|| insta::assert_debug_snapshot!(stem, read_fetched(profile, &file)));
        }
    }
}

fn settings(folder: &Path) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder.join("events"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

/// A message inside a field of the PSP's body is kept as it is.
fn outer(form: &Form, file: &Path) -> Vec<u8> {
    let body = fs::read(file).unwrap();
    let Some(inner) = form.content.inner.as_ref().filter(|_| file.extension().is_some_and(|ending| ending != "form"))
    else {
        return body;
    };
    let mut fields = Value::Object(serde_json::Map::new());
    inner.pointer.put(&mut fields, STANDARD.encode(body).into()).unwrap();
    form.content.write_form(&fields)
}

/// A fixture is signed as its PSP would sign it, in the form that its rules need, and read. A fixture that only the PSP
/// can sign, or that is unsigned, is read as it is.
fn normalised(profile: &Profile, file: &Path, fetching: bool) -> Normalised {
    let own = headers(&file.with_extension("headers"));
    let secret: SecretString = "00112233445566778899aabbccddeeff".to_owned().into();
    let settings: BTreeMap<_, _> = profile.settings.keys().map(|name| (name.clone(), "set".to_owned())).collect();
    let url = Url::parse("https://relay.example.com/notifications/it").unwrap();
    let means = Means { settings: Some(&settings), public_url: Some(&url), ..Means::secret(&secret) };
    let now = Timestamp::from_second(RECEIPT).unwrap();
    let readings = profile.forms.iter().filter_map(|form| {
        let body = outer(form, file);
        form.content.outer(&body).ok()?;
        let Ok(signed) = sign(profile, Some(&form.name), &means, now.as_second(), "msg_1", &body) else {
            let received = Received { headers: &own, body: &body, at: now };
            let verified = InForm::new(form, received);
            let normalised = normalise(profile, &verified, fetching);
            the_reading_agrees(profile, &verified, &normalised, fetching);
            return Some(normalised);
        };
        let headers: Vec<_> = own.iter().chain(&signed.headers).cloned().collect();
        let received = Received { headers: &headers, body: &signed.body, at: now };
        let verified = verify::verify(profile, &means, received).ok()?;
        let notification = InForm::from(&verified);
        let normalised = normalise(profile, &notification, fetching);
        the_reading_agrees(profile, &notification, &normalised, fetching);
        (verified.form().name == form.name).then_some(normalised)
    });
    // If several forms are signed as a whole, the body's own form is the one in which it has a type.
    let readings: Vec<Normalised> = readings.collect();
    let typed =
        readings.iter().position(|reading| reading.messages.iter().all(|message| !message.event_type.is_empty()));
    let chosen = readings.into_iter().nth(typed.unwrap_or_default());
    chosen.unwrap_or_else(|| panic!("{} is of no form of its profile", file.display()))
}

fn headers(file: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().map(|line| line.split_once(':').expect("Name: value"));
    lines.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect()
}

/// The object that was fetched for a message of a notification.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fetched {
    form: String,
    /// The notification: text as it is, anything else as JSON.
    #[serde(default)]
    notification: Value,
    /// The place of the message in the batch.
    #[serde(default)]
    message: usize,
    answer: Value,
}

fn read_fetched(profile: &Profile, file: &Path) -> Message {
    let fetched: Fetched = parsed(file);
    let form = profile.form(&fetched.form).unwrap_or_else(|| panic!("{}: no form", file.display()));
    let body = match &fetched.notification {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let at = Timestamp::from_second(RECEIPT).unwrap();
    let received = Received { headers: &[], body: body.as_bytes(), at };
    let answer = fetched.answer.to_string();
    let message = normalise_fetched(profile, form, &received, None, fetched.message, answer.as_bytes());
    if let Ok(seen) = explain::fetched(profile, form, &received, None, fetched.message, answer.as_bytes()) {
        assert_eq!(seen.message, message);
        the_rules_agree(&seen);
    }
    message
}

/// A rule that no fixture reaches is an untested rule.
#[test]
fn every_mapped_type_has_a_fixture() {
    let catalogue = Catalogue::built_in().unwrap();
    for entry in catalogue.iter() {
        let profile = &entry.profile;
        let messages = bodies(&profile.name).into_iter().flat_map(|file| normalised(profile, &file, true).messages);
        let fetched = files(&folder(&profile.name).join("fetched"), &["json"]);
        let messages = messages.chain(fetched.iter().map(|file| read_fetched(profile, file)));
        let seen: Vec<String> = messages.map(|message| message.event_type).collect();
        let rules = profile.forms.iter().flat_map(|form| &form.rules);
        for event_type in rules.filter(|rule| !rule.ignore).flat_map(|rule| rule.event_type.as_slice()) {
            assert!(seen.contains(event_type), "{}: no fixture of type {event_type:?}", profile.name);
        }
    }
}

/// A caught notification can be changed where it is not signed: that makes no other notification of it, and no other
/// time. If a signature covers fields of a body, every other field is changed in turn.
#[test]
fn what_nobody_signs_makes_no_other_notification() {
    let catalogue = Catalogue::built_in().unwrap();
    let mut changed = 0;
    for (name, _) in BUILT_IN {
        let profile = &catalogue.get(name).unwrap().profile;
        for file in files(&folder(name).join("vectors"), &["json"]) {
            let vector: Vector = parsed(&file);
            let Some((form, key)) = key_of(profile, &vector).filter(|(form, _)| form.is_protected()) else { continue };
            for forged in headers_changed(&vector, form).chain(fields_changed(&vector)) {
                if let Some((_, forged_key)) = key_of(profile, &forged) {
                    assert_eq!(forged_key, key, "{}: {:?} {}", file.display(), forged.headers, forged.body);
                    changed += 1;
                }
            }
        }
    }
    assert!(changed > 100, "{changed}");
}

/// The form of a vector that verifies, and its dedupe key.
fn key_of<'p>(profile: &'p Profile, vector: &Vector) -> Option<(&'p Form, String)> {
    let headers: Vec<_> = vector.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let at = Timestamp::from_second(vector.now_unix).unwrap();
    let received = Received { headers: &headers, body: vector.body.as_bytes(), at };
    let secret: Option<SecretString> = vector.secret.clone().map(Into::into);
    let certificate = vector.public_key.as_ref().map(|der| PublicKey(STANDARD.decode(der).unwrap()));
    let public_url = vector.public_url.as_ref().map(|url| Url::parse(url).unwrap());
    let means = Means {
        secrets: secret.iter().map(|text| Secret { key_id: vector.key_id.as_deref(), ..text.into() }).collect(),
        settings: Some(&vector.settings),
        public_url: public_url.as_ref(),
        certificate: certificate.as_ref(),
        tolerance_s: None,
        credentials: vector.credentials,
    };
    let verified = verify::verify(profile, &means, received).ok()?;
    let form = profile.form(&verified.form().name)?;
    Some((form, normalise(profile, &(&verified).into(), true).dedupe_key))
}

/// Each header with another value, each header that the form names, and a header that it does not name.
fn headers_changed(vector: &Vector, form: &Form) -> impl Iterator<Item = Vector> {
    let named = format!("{form:?}");
    let named = named.split("Header(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    let names: Vec<String> = vector
        .headers
        .keys()
        .cloned()
        .chain(named)
        .chain(["x-razorpay-event-id", "x-other"].map(str::to_owned))
        .collect();
    names.into_iter().map(|name| {
        let mut headers = vector.headers.clone();
        headers.retain(|known, _| !known.eq_ignore_ascii_case(&name));
        headers.insert(name, "another".to_owned());
        vector.with(headers, vector.body.clone())
    })
}

/// Each field of a JSON body with another value, and one field more.
fn fields_changed(vector: &Vector) -> impl Iterator<Item = Vector> {
    let body: Value = serde_json::from_str(&vector.body).unwrap_or_default();
    let mut places = Vec::new();
    leaves(&body, &mut String::new(), &mut places);
    places.into_iter().map(move |place| {
        let mut forged = body.clone();
        match forged.pointer_mut(&place) {
            Some(Value::Object(fields)) => drop(fields.insert("another".to_owned(), "another".into())),
            Some(leaf) => *leaf = "2040-01-01T00:00:00Z".into(),
            None => {}
        }
        vector.with(vector.headers.clone(), forged.to_string())
    })
}

fn leaves(value: &Value, at: &mut String, places: &mut Vec<String>) {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(list) => list.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    if !value.is_array() && !value.is_null() {
        places.push(at.clone());
    }
    for (name, value) in parts {
        let length = at.len();
        at.push('/');
        at.push_str(&name);
        leaves(value, at, places);
        at.truncate(length);
    }
}

impl Vector {
    fn with(&self, headers: BTreeMap<String, String>, body: String) -> Self {
        Self { headers, body, ..self.clone() }
    }
}
