//! The set-up of each PSP names every type of event that its profile reads. A type that nobody subscribes to never comes.

use std::fs;
use std::path::Path;

use transform_relay::guide::page::page;
use transform_relay::psp::document::place::Place;
use transform_relay::psp::profile::catalogue::Catalogue;
use transform_relay::psp::profile::{EventRule, Profile};

/// The words of a set-up for a PSP that lets nobody choose.
const NO_CHOICE: &str = "all types";

/// The section with this heading.
fn section(text: &str, heading: &str) -> String {
    let section = text.split(heading).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    section.split("\n## ").next().unwrap().to_owned()
}

fn is_fetched(place: &Place) -> bool {
    place.to_string().starts_with("fetched:")
}

/// Whether a rule reads what was fetched: its type is then a word of the PSP's API, and nobody subscribes to it.
fn reads_what_was_fetched(rule: &EventRule) -> bool {
    rule.ids.as_ref().is_some_and(|ids| !ids.is_empty() && ids.iter().all(is_fetched))
}

/// The types that a PSP must send to a source of this profile.
fn types(profile: &Profile) -> Vec<&str> {
    let forms = profile.forms.iter().filter(|form| {
        let places = form.event_type.iter().flat_map(|part| part.as_slice());
        !places.into_iter().all(is_fetched)
    });
    let rules = forms.flat_map(|form| &form.rules).filter(|rule| !rule.ignore && !reads_what_was_fetched(rule));
    rules.flat_map(|rule| rule.event_type.as_slice()).map(String::as_str).collect()
}

/// Whether a text has this word by itself, in any case. A dot ends a word, as an underscore does not.
fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let belongs = |sign: Option<char>| sign.is_some_and(|sign| sign.is_alphanumeric() || "_-".contains(sign));
    text.match_indices(&word)
        .any(|(at, _)| !belongs(text[..at].chars().next_back()) && !belongs(text[at + word.len()..].chars().next()))
}

/// Whether a text names this type: as a word, under a beginning with `*` after it, or part by part.
fn names(text: &str, event_type: &str) -> bool {
    let of_form = |word: &str| word.trim_matches(|sign: char| !sign.is_alphanumeric() && sign != '*').to_owned();
    let beginnings: Vec<String> =
        text.split_whitespace().map(of_form).filter_map(|word| Some(word.strip_suffix(".*")?.to_owned())).collect();
    let event_type = if text.contains("`v1.`") { event_type.trim_start_matches("v1.") } else { event_type };
    let begins = |one: &String| {
        event_type == one || event_type.starts_with(&format!("{one}.")) || event_type.starts_with(&format!("{one} "))
    };
    has_word(text, event_type) || beginnings.iter().any(begins) || {
        let mut parts = event_type.split(' ');
        event_type.contains(' ') && parts.all(|part| has_word(text, part))
    }
}

fn missing<'a>(text: &str, profile: &'a Profile) -> Vec<&'a str> {
    types(profile).into_iter().filter(|event_type| !names(text, event_type)).collect()
}

#[test]
fn every_type_that_is_read_is_in_the_set_up() {
    let catalogue = Catalogue::built_in().unwrap();
    let mut wrong = Vec::new();
    for entry in catalogue.iter() {
        let set_up = section(&page(&entry.profile), "\n## Set-up\n");
        assert!(!set_up.contains("{types"), "{}: a form of this name is unknown: {set_up}", entry.profile.name);
        let missing = missing(&set_up, &entry.profile);
        if !missing.is_empty() && !set_up.contains(NO_CHOICE) {
            wrong.push((entry.profile.name.clone(), missing));
        }
    }
    assert!(wrong.is_empty(), "name them in [about] setup, by hand or by {{types}}: {wrong:#?}");
}

/// A newcomer follows the README first.
#[test]
fn the_example_of_the_readme_names_them_too() {
    let catalogue = Catalogue::built_in().unwrap();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let step = readme.split("3. **Connect both sides.**").nth(1).unwrap().split("\n4. ").next().unwrap();
    let mut missing = missing(step, &catalogue.get("stripe").unwrap().profile);
    // The example has no thin events.
    missing.retain(|event_type| !event_type.starts_with("v1."));
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn names_of_types_are_seen() {
    let text = "Choose payment_intent.*, `refund.created` and CAPTURE, and the entities ORDER of CREATION.";
    for there in ["payment_intent.created", "payment_intent", "refund.created", "CAPTURE", "CREATION ORDER"] {
        assert!(names(text, there), "{there}");
    }
    for absent in ["payment_intents.created", "refund.create", "CAPTURE_FAILED", "CHANGE ORDER", "payment"] {
        assert!(!names(text, absent), "{absent}");
    }
}
