//! Mutated fixtures for the entry points of `fuzz/`: the share of fuzzing that every test run can afford.

#[path = "../../fuzz/entries.rs"]
mod entries;
mod mutations;
mod seeds;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use transform_relay::psp::profile::catalogue::BUILT_IN;

use self::mutations::{changed, changes};
use self::seeds::{SEEDS, Seed, sent, under};
use crate::documents::code::sources;
use crate::support::contents::profile;

fn header_lines() -> impl Strategy<Value = String> {
    let names = [
        "stripe-signature",
        "digitalriver-signature",
        "plenigo-signature",
        "hmacsignature",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "authorization",
    ];
    let value = prop_oneof![
        "(t=[0-9]{0,12},?)?(v[01]=[0-9a-fA-F]{0,70},?){0,3}",
        "1700000000,[ ]?[A-Za-z0-9+/=]{0,50}",
        "(v1,[A-Za-z0-9+/=]{0,50} ?){0,20}",
        "1[67][0-9]{8}",
        "[ -~]{0,60}",
    ];
    let line = (prop::sample::select(names.to_vec()), value).prop_map(|(name, value)| format!("{name}: {value}\n"));
    prop::collection::vec(line, 0..5).prop_map(|lines| lines.concat())
}

/// A seed and its changes, as an input of the entries: the name of its profile, and the body in its sent form.
fn bodies() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    (any::<Index>(), changes()).prop_map(|(at, changes)| {
        let seed = at.get(&SEEDS);
        (seed.profile, sent(seed, changed(&seed.body, &changes)))
    })
}

/// XML and near-XML, made of the fixtures and of pieces.
fn xml_texts() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "<a>",
        "</a>",
        "<a/>",
        "<b c='d'>",
        "</b>",
        "<p:a xmlns:p='u'/>",
        " xmlns='v'",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<?p q?>",
        "<!DOCTYPE a>",
        "<!DOCTYPE a [",
        "]>",
        "<!ENTITY e 'f'>",
        "&e;",
        "&lt;",
        "&#65;",
        "&#0;",
        "&",
        "'",
        "\"",
        "=",
        "nil='true'",
        "text",
        " ",
        "\n",
        "\u{FEFF}",
        "ä",
        "<?xml version='1.0'?>",
    ];
    let of_pieces = prop::collection::vec((prop::sample::select(pieces.to_vec()), 1..80_usize), 0..30)
        .prop_map(|pieces| pieces.iter().map(|(piece, times)| piece.repeat(*times)).collect::<String>().into_bytes());
    let of_fixtures = (any::<Index>(), changes()).prop_map(|(at, changes)| {
        let seeds: Vec<_> = SEEDS.iter().filter(|seed| seed.is_xml).collect();
        changed(&at.get(&seeds).body, &changes)
    });
    prop_oneof![of_pieces, of_fixtures]
}

fn form_texts() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        "[a-c]{0,2}=[a-z%+0-9]{0,6}",
        "(%[0-9A-F]{2}){1,3}=(%[0-9A-F]{2}){0,3}",
        "\\PC{0,4}",
        "a=1(&a=2){0,300}"
    ];
    prop::collection::vec(field, 0..20).prop_map(|fields| fields.join("&").into_bytes())
}

/// Texts that an endpoint check signs, and some texts that it refuses to sign.
fn challenges() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9a-f]{1,64}", "[0-9a-f]{20,32}", "[A-Za-z0-9_.=-]{1,66}", "[ -~]{0,40}", "[0-9a-f]{20}\n"]
}

/// A built-in profile with lines removed, doubled or moved, and with texts exchanged. Many of these profiles still load.
fn profile_texts() -> impl Strategy<Value = String> {
    let change = (0..4_u8, any::<Index>(), any::<Index>());
    (any::<Index>(), prop::collection::vec(change, 0..4)).prop_map(|(which, changes)| {
        let mut lines: Vec<String> = which.get(BUILT_IN).1.lines().map(str::to_owned).collect();
        for (kind, at, other) in changes {
            let (at, other) = (at.index(lines.len()), other.index(lines.len()));
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[other].clone()),
                2 => lines.swap(at, other),
                _ => {
                    let text = lines[other].split('"').nth(1).unwrap_or("/data/*/id").to_owned();
                    let mut parts: Vec<_> = lines[at].split('"').map(str::to_owned).collect();
                    if let Some(part) = parts.get_mut(1) {
                        *part = text;
                    }
                    lines[at] = parts.join("\"");
                }
            }
        }
        lines.join("\n")
    })
}

fn few(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(few(1000))]

    #[test]
    fn nothing_verifies_that_nobody_signed(headers in header_lines(), (profile, body) in bodies()) {
        entries::verify(&under(profile, &[headers.as_bytes(), b"\n", &body].concat()));
    }

    #[test]
    fn whatever_is_signed_is_read((profile, body) in bodies()) {
        entries::normalise(&under(profile, &body));
    }

    #[test]
    fn nothing_verifies_that_an_endpoint_check_signed(
        (profile, _) in prop::sample::select(BUILT_IN.to_vec()),
        text in challenges(),
    ) {
        entries::challenge(&under(profile, text.as_bytes()));
    }

    #[test]
    fn any_text_is_xml_or_none(text in xml_texts()) {
        entries::xml(&text);
    }

    #[test]
    fn any_bytes_are_a_form_of_so_many_fields(text in form_texts(), noise in changes()) {
        entries::form(&changed(&text, &noise));
    }

    #[test]
    fn any_text_is_a_profile_or_a_mistake(text in profile_texts(), noise in changes(), (_, body) in bodies()) {
        entries::profile(&[text.as_bytes(), b"\0", &body].concat());
        let text: Vec<u8> = changed(text.as_bytes(), &noise).into_iter().filter(|byte| *byte != 0).collect();
        entries::profile(&[&text[..], b"\0", &body].concat());
    }
}

#[test]
fn bytes_without_any_form_are_read_too() {
    for data in [
        &b""[..],
        b"\0",
        b"\xff",
        b"stripe\n{}",
        b"stripe\n\n{}",
        b"adyen\n{\"notificationItems\":[{}]}",
        b"name = 1",
        b"\0\0",
    ] {
        TARGETS.iter().for_each(|(_, entry)| entry(data));
    }
}

/// The targets take in files of the relay by their path. A crate without a feature that those need would break cargo-fuzz alone.
#[test]
fn the_fuzz_crate_has_the_crates_of_the_relays_pure_files_with_the_same_features() {
    let [relay, fuzz] = [include_str!("../../Cargo.toml"), include_str!("../../fuzz/Cargo.toml")].map(|text| {
        let manifest: toml::Table = text.parse().unwrap();
        manifest["dependencies"].as_table().unwrap().clone()
    });
    let of_fuzzing: Vec<_> = fuzz.keys().filter(|name| !relay.contains_key(*name)).collect();
    assert_eq!(of_fuzzing, ["libfuzzer-sys"]);
    for (name, said) in fuzz.iter().filter(|(name, _)| *name != "libfuzzer-sys") {
        assert_eq!(*said, relay[name], "{name}: fuzz/Cargo.toml differs from Cargo.toml");
    }
    for folder in ["src/domain", "src/psp"] {
        for (file, code) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
            let used = |name: &&String| code.contains(&format!("{}::", name.replace('-', "_")));
            let missing: Vec<_> = relay.keys().filter(used).filter(|name| !fuzz.contains_key(*name)).collect();
            assert_eq!(missing, [""; 0], "{folder}/{file} uses crates that fuzz/Cargo.toml does not have");
        }
    }
}

/// A function that takes an input.
type Entry = fn(&[u8]);

/// The targets of cargo-fuzz, by name.
const TARGETS: [(&str, Entry); 6] = [
    ("verify", entries::verify),
    ("normalise", entries::normalise),
    ("profile", entries::profile),
    ("xml", entries::xml),
    ("form", entries::form),
    ("challenge", |data| {
        entries::challenge(data);
    }),
];

/// The inputs in `fuzz/seeds` run each time, and each target of cargo-fuzz has some.
#[test]
fn every_target_has_seeds_that_it_survives() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let named = |folder: &str| {
        let entries = fuzz.join(folder).read_dir().unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!((&named("fuzz_targets"), &named("seeds")), (&targets, &targets));
    let run = std::fs::read_to_string(fuzz.join("run.sh")).unwrap();
    for (name, entry) in TARGETS {
        assert!(run.lines().any(|line| line.starts_with("readonly targets=") && line.contains(name)), "run.sh: {name}");
        let seeds: Vec<_> =
            fuzz.join("seeds").join(name).read_dir().unwrap().map(|seed| seed.unwrap().path()).collect();
        assert!(seeds.len() > 2, "{name}");
        seeds.iter().for_each(|seed| entry(&std::fs::read(seed).unwrap()));
    }
}

/// The fixtures are inputs, too. `fuzz/run.sh` has them written into the folder that `FUZZ_SEEDS` names.
#[test]
fn every_fixture_is_an_input_that_its_target_survives() {
    let inputs = seeds::inputs();
    for (name, entry) in TARGETS {
        let own: Vec<_> = inputs.iter().filter(|(target, _, _)| *target == name).collect();
        assert!(own.len() >= BUILT_IN.len(), "{name}: {}", own.len());
        own.iter().for_each(|(_, _, input)| entry(input));
    }
    if let Some(folder) = env::var_os("FUZZ_SEEDS") {
        seeds::write(Path::new(&folder), &inputs);
    }
}

/// Otherwise the property of the endpoint checks would hold of nothing.
#[test]
fn the_target_of_the_endpoint_checks_tries_what_it_forbids() {
    let hex = "20f9f8ed05f77439fe955c977e4c8a53";
    let tried = |profile| entries::challenge(&under(profile, hex.as_bytes()));
    let all: BTreeMap<_, _> = BUILT_IN.iter().map(|(profile, _)| (*profile, tried(profile))).collect();
    assert!(all["braintree"] > 1 && all["stripe"] > 0 && all["worldline"] > 1, "{all:?}");
    assert!(all.values().filter(|tried| **tried > 0).count() > 10, "{all:?}");
}

/// A body is only fuzzed where it is read: under its own profile.
#[test]
fn every_seed_is_read_by_its_own_profile() {
    let own = |seed: &&Seed| {
        let body = sent(seed, seed.body.clone());
        profile(seed.profile).forms.iter().any(|form| form.content.message(&body).is_ok())
    };
    let strange = SEEDS.iter().filter(|seed| !own(seed)).count();
    assert!(strange < SEEDS.len() / 20, "{strange} of {}", SEEDS.len());
}
