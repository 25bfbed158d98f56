//! The built-in profiles on the project's own fixtures.
//!
//! `fixtures/<profile>/vectors/*.json` are signature vectors, each with its verdict. `fixtures/<profile>/*.json` are
//! notifications as the PSP documents them; what must come out of each stands beside them in
//! `fixtures/<profile>/events/*.snap`.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use transform_relay::psp::catalogue::{BUILT_IN, Catalogue};
use transform_relay::psp::normalise::normalise;
use transform_relay::psp::profile::Profile;
use transform_relay::psp::received::Received;
use transform_relay::psp::sign::sign;
use transform_relay::psp::verify::{self, key};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    secret: String,
    headers: BTreeMap<String, String>,
    body: String,
    #[serde(default)]
    now_unix: i64,
    /// `verified`, or why not.
    expect: String,
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    files
}

fn folder(profile: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(profile)
}

fn verdict(profile: &Profile, vector: &Vector) -> String {
    let headers: Vec<_> = vector.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let at = Timestamp::from_second(vector.now_unix).unwrap();
    let received = Received { headers: &headers, body: vector.body.as_bytes(), at };
    let secret = key(profile, &vector.secret).unwrap();
    verify::verify(profile, &[secret], None, received)
        .map_or_else(|reason| reason.to_string(), |_| "verified".to_owned())
}

#[test]
fn every_vector_gives_its_verdict() {
    let catalogue = Catalogue::built_in().unwrap();
    for (name, _) in BUILT_IN {
        let files = json_files(&folder(name).join("vectors"));
        assert!(!files.is_empty(), "{name} has no vector");
        for file in files {
            let vector: Vector = serde_json::from_slice(&fs::read(&file).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let profile = &catalogue.get(name).unwrap().profile;
            assert_eq!(verdict(profile, &vector), vector.expect, "{}", file.display());
            if vector.expect == "verified" && !vector.headers.is_empty() {
                let tampered = Vector { body: format!("{}\n", vector.body), ..vector };
                assert_ne!(verdict(profile, &tampered), "verified", "{} with a newline more", file.display());
            }
        }
    }
}

#[test]
fn every_fixture_gives_its_events() {
    let catalogue = Catalogue::built_in().unwrap();
    for (name, _) in BUILT_IN {
        let profile = &catalogue.get(name).unwrap().profile;
        for file in json_files(&folder(name)) {
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(folder(name).join("events"));
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_debug_snapshot!(stem, normalised(profile, &fs::read(&file).unwrap())));
        }
    }
}

/// A fixture is signed as its PSP would, by the form that its rules need, and read.
fn normalised(profile: &Profile, body: &[u8]) -> transform_relay::psp::normalise::Normalised {
    let secret = key(profile, "00112233445566778899aabbccddeeff").unwrap();
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let readings = profile.forms.iter().filter_map(|form| {
        let signed = sign(profile, Some(&form.get_ref().name), &secret, now.as_second(), "msg_1", body).ok()?;
        let received = Received { headers: &signed.headers, body: &signed.body, at: now };
        let verified = verify::verify(profile, std::slice::from_ref(&secret), None, received).ok()?;
        Some(normalise(profile, &verified))
    });
    readings.into_iter().next().expect("the fixture can be signed by a form of its profile")
}

/// A rule that no fixture reaches is a rule that nobody has seen work.
#[test]
fn every_mapped_type_has_a_fixture() {
    let catalogue = Catalogue::built_in().unwrap();
    for entry in catalogue.iter() {
        let profile = &entry.profile;
        let seen: Vec<String> = json_files(&folder(&profile.name))
            .iter()
            .flat_map(|file| normalised(profile, &fs::read(file).unwrap()).messages)
            .map(|message| message.event_type)
            .collect();
        let rules = profile.forms.iter().flat_map(|form| &form.get_ref().rules);
        for event_type in rules.flat_map(|rule| rule.get_ref().event_type.as_slice()) {
            assert!(seen.contains(event_type), "{}: no fixture of type {event_type:?}", profile.name);
        }
    }
}
