//! The glossary of ARCHITECTURE.md: complete, without dead entries, and without words that had several meanings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Words of type names that Rust, HTTP, files or the payment trade define, or that mean what they say.
const COMMON: &str = include_str!("common_words.txt");

/// Words that had several meanings, and where the old name is still taken.
const BANNED: [&str; 7] = ["door", "doors", "bell", "lane", "lanes", "wary", "knock"];
const OLD_NAMES: [&str; 6] = ["trusts_door", "--door", "\"door\"", "\"doors\"", "doors:", "- doors"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder whose names end like this, with their texts.
fn files(folder: &Path, ending: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.insert(path.to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// The words of a name in upper camel case or of a glossary entry, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for sign in name.chars() {
        if !sign.is_alphanumeric() || sign.is_uppercase() && !name.contains(' ') {
            words.push(String::new());
        }
        if sign.is_alphanumeric() {
            words.last_mut().unwrap().extend(sign.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The entries of the glossary: all that stands in bold in the section.
fn glossary() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## Words\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let entries: BTreeSet<_> =
        section.split("**").skip(1).step_by(2).flat_map(|entry| entry.split(" / ")).map(str::to_lowercase).collect();
    assert!(entries.len() > 50, "the glossary was not understood: {entries:?}");
    entries
}

/// The public types of a file, but for its tests.
fn types(code: &str) -> Vec<&str> {
    let code = code.split("#[cfg(test)]\nmod tests").next().unwrap();
    let kinds = ["struct ", "enum ", "trait ", "type "];
    let mut found = Vec::new();
    for line in code.lines().map(str::trim_start).filter(|line| line.starts_with("pub")) {
        let after = kinds.iter().find_map(|kind| line.split_once(kind)).map(|(_, name)| name);
        let end = |name: &str| name.find(|sign: char| !sign.is_alphanumeric()).unwrap_or(name.len());
        found.extend(after.map(|name| &name[..end(name)]).filter(|name| name.starts_with(char::is_uppercase)));
    }
    found
}

#[test]
fn every_word_of_a_type_is_in_the_glossary_or_common() {
    let common: BTreeSet<_> = COMMON.split_whitespace().collect();
    let own: BTreeSet<_> = glossary().iter().flat_map(|entry| words(&format!("{entry} "))).collect();
    let mut unknown = BTreeMap::new();
    let mut used = BTreeSet::new();
    for (file, code) in files(&root().join("src"), ".rs") {
        for name in types(&code) {
            for word in words(name) {
                if !own.contains(&word) && !common.contains(word.as_str()) {
                    unknown.insert(word.clone(), format!("{name} in {file}"));
                }
                used.insert(word);
            }
        }
    }
    assert!(unknown.is_empty(), "define them in ARCHITECTURE.md, Words, or use a word that is there: {unknown:#?}");
    let dead: Vec<_> = common.iter().filter(|word| !used.contains(**word)).collect();
    assert!(dead.is_empty(), "tests/it/pages/common_words.txt has words that no type has: {dead:?}");
}

#[test]
fn every_entry_of_the_glossary_is_used() {
    let code: String = files(&root().join("src"), ".rs").into_values().collect::<String>().to_lowercase();
    for entry in glossary() {
        let last = entry.split(' ').next_back().unwrap();
        let entry = entry.strip_prefix("to ").unwrap_or(&entry);
        let is_used = code.contains(entry) || code.contains(&entry.replace(' ', "_")) || code.contains(last);
        assert!(is_used, "the glossary has {entry:?}, and src has not");
    }
}

#[test]
fn a_word_with_several_meanings_is_used_no_more() {
    let mut texts = files(&root().join("src"), "");
    texts.extend(files(&root().join("docs"), ""));
    for name in ["README.md", "ARCHITECTURE.md", "config.example.toml"] {
        texts.insert(name.to_owned(), fs::read_to_string(root().join(name)).unwrap());
    }
    for (file, text) in texts {
        for (number, line) in text.lines().enumerate() {
            let line = OLD_NAMES.iter().fold(line.to_lowercase(), |line, old| line.replace(old, ""));
            let banned = line.split(|sign: char| !sign.is_alphanumeric()).find(|word| BANNED.contains(word));
            assert!(banned.is_none(), "{file}:{}: {banned:?} had several meanings: {line}", number + 1);
        }
    }
}

#[test]
fn words_are_seen() {
    assert_eq!(words("FetchesSought"), ["fetches", "sought"]);
    assert_eq!(words("dead letter "), ["dead", "letter"]);
    assert_eq!(types("pub(super) struct Slot<'a> {\nstruct Own;\n    pub enum Door {"), ["Slot", "Door"]);
}
