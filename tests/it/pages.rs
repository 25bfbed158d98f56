//! Generated documents: docs/psp, docs/profile.schema.json, docs/openapi.yaml and the reference in docs/PROFILES.md fit the profiles and
//! their vocabulary. `UPDATE_DOCS=1 cargo test --test it pages` writes them anew.

mod by_hand;
mod example;
mod glossary;
mod links;
mod logging;
mod openapi;
mod schema;
mod sentences;
mod set_up;
mod vocabulary;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use transform_relay::guide::page::page;
use transform_relay::psp::profile::catalogue::{BUILT_IN, Catalogue};

use crate::support::golden::{DOCS, must_be};

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

#[test]
fn every_psp_has_its_page() {
    let catalogue = Catalogue::built_in().unwrap();
    let mut index = "# The PSPs\n\n<!-- Made by `UPDATE_DOCS=1 cargo test --test it pages`. -->\n\n\
                     | PSP | Profile |\n|---|---|\n"
        .to_owned();
    let mut pages = BTreeSet::from(["README.md".to_owned()]);
    for entry in catalogue.iter() {
        let (name, title) = (&entry.profile.name, &entry.profile.title);
        must_be(&docs("psp").join(format!("{name}.md")), &page(&entry.profile), DOCS);
        index.push_str(&format!("| [{title}]({name}.md) | `{name}` |\n"));
        pages.insert(format!("{name}.md"));
    }
    must_be(&docs("psp").join("README.md"), &index, DOCS);
    let found: BTreeSet<_> =
        fs::read_dir(docs("psp")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, pages, "a page without a profile");
}

/// The README and the changelog are the first places where users look for their PSP.
#[test]
fn the_first_pages_name_every_psp() {
    for file in ["README.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for entry in Catalogue::built_in().unwrap().iter() {
            let name = entry.profile.title.split(" (").next().unwrap();
            assert!(text.contains(name), "{file} does not name {name}");
        }
    }
}

/// A PSP may want another status than 401. Whoever looks up a status finds it where statuses are listed.
#[test]
fn the_lists_of_errors_name_every_status_of_a_profile() {
    for file in ["README.md", "docs/API.md", "docs/openapi.yaml"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for entry in Catalogue::built_in().unwrap().iter().filter(|entry| entry.profile.answer.unverified != 401) {
            let (title, status) = (entry.profile.title.split(" (").next().unwrap(), entry.profile.answer.unverified);
            let said = text.split("For a wrong signature").nth(1).unwrap_or_default();
            let said = said.split(". ").next().unwrap();
            assert!(said.contains(title) && said.contains(&status.to_string()), "{file}: {title} answers {status}");
        }
    }
}

/// A time of receipt can make late news look like the latest, so no profile takes it in silence.
#[test]
fn every_profile_says_what_it_does_without_a_time() {
    for entry in Catalogue::built_in().unwrap().iter() {
        assert_eq!(entry.untimed().collect::<Vec<_>>(), Vec::<String>::new());
    }
}

/// Without these texts a PSP cannot be set up.
#[test]
fn every_profile_says_how_it_is_set_up() {
    let catalogue = Catalogue::built_in().unwrap();
    for (name, _) in BUILT_IN {
        let about = &catalogue.get(name).unwrap().profile.about;
        assert!(!about.setup.is_empty(), "{name}: [about] setup");
        assert!(!about.reference.is_empty(), "{name}: [about] reference");
    }
}
