//! Sentences of the pages: 25 words at most (CONTRIBUTING.md, Prose). Tables, code, headings and lists of names are not
//! sentences.

use std::fs;
use std::path::{Path, PathBuf};

use super::links::pages;

/// The most words of a sentence.
const WORDS_MAX: usize = 25;
/// A text with so many commas is a list of names.
const LIST: usize = 6;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The paragraphs and the items of lists of a page, each with its first line.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut in_code, mut begins) = (false, true);
    for (number, line) in text.lines().map(str::trim).enumerate() {
        let is_fence = line.starts_with("```");
        in_code ^= is_fence;
        if in_code || is_fence || line.is_empty() || line.starts_with(['|', '#', '<']) {
            begins = true;
            continue;
        }
        let marker = line.split(' ').next().unwrap_or_default();
        let is_item =
            ["-", "*"].contains(&marker) || marker.strip_suffix('.').is_some_and(|mark| mark.parse::<u32>().is_ok());
        let line = if is_item { line[marker.len()..].trim_start() } else { line };
        match found.last_mut().filter(|_| !begins && !is_item) {
            Some((_, paragraph)) => paragraph.push_str(&format!(" {line}")),
            None => found.push((number + 1, line.to_owned())),
        }
        begins = false;
    }
    found
}

/// A text with one word for each piece of code, and one for several pieces in a row.
fn without_code(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        let between = part.trim_matches([' ', ',', ';']);
        match (index % 2, index) {
            (1, _) if out.ends_with('\u{b7}') => {}
            (1, _) => out.push('\u{b7}'),
            (_, 0) => out.push_str(part),
            _ if ["", "or", "and", "then"].contains(&between) && !part.is_empty() => {}
            _ => out.push_str(part),
        }
    }
    out
}

/// The sentences of a paragraph that are too long, each with the number of its words.
fn long(paragraph: &str) -> Vec<(usize, String)> {
    let text = without_code(paragraph);
    let mut sentences = vec![String::new()];
    for word in text.split_whitespace() {
        let sentence = sentences.last_mut().unwrap();
        sentence.push_str(&format!("{word} "));
        if word.trim_end_matches(['*', ')', '"']).ends_with(['.', '!', '?', ':']) {
            sentences.push(String::new());
        }
    }
    let counted = sentences.into_iter().map(|sentence| {
        let words = sentence
            .split_whitespace()
            .filter(|word| word.chars().any(|sign| sign.is_alphanumeric() || sign == '\u{b7}'));
        (words.count(), sentence)
    });
    counted.filter(|(words, sentence)| *words > WORDS_MAX && sentence.matches(',').count() < LIST).collect()
}

/// The sentences of a text that are too long, each with the number of its words.
pub(super) fn too_long(text: &str) -> Vec<String> {
    let long = paragraphs(text).into_iter().flat_map(|(_, paragraph)| long(&paragraph));
    long.map(|(words, sentence)| format!("{words} words: {sentence}")).collect()
}

/// The part of the changelog that is not released, and every other page as it is.
fn read(page: &PathBuf) -> String {
    let text = fs::read_to_string(page).unwrap();
    if page.ends_with("CHANGELOG.md") { text.split("\n## [0.").next().unwrap().to_owned() } else { text }
}

#[test]
fn no_sentence_has_more_than_25_words() {
    let mut found = Vec::new();
    pages(&root().join("docs"), &mut found);
    pages(&root().join("examples"), &mut found);
    found.retain(|page| !page.starts_with(root().join("docs/upstream")));
    found.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|page| root().join(page)));
    let mut wrong = Vec::new();
    for page in &found {
        for (line, paragraph) in paragraphs(&read(page)) {
            // The types that a rule ignores, with the profile's notes: a list in the form of a sentence.
            if paragraph.starts_with("Known types without effect") {
                continue;
            }
            let long = long(&paragraph).into_iter();
            wrong.extend(long.map(|(words, sentence)| format!("{}:{line}: {words} words: {sentence}", page.display())));
        }
    }
    assert!(found.len() > 40, "{found:?}");
    assert!(wrong.is_empty(), "split these, for PSPs' pages in the profile or in guide/page:\n{}", wrong.join("\n"));
}

#[test]
fn sentences_are_seen() {
    let page = "# A heading\n\nOne two\nthree. Four `five six` seven.\n- eight\n  nine\n\n```\ncode\n```\n| a | b |\n";
    let seen: Vec<_> = paragraphs(page);
    assert_eq!(seen, [(3, "One two three. Four `five six` seven.".to_owned()), (5, "eight nine".to_owned())]);
    assert_eq!(without_code("Take `a`, `b` or `c` for `d e`."), "Take \u{b7} for \u{b7}.");
    let sentence = |words: usize| format!("{}end.", "word ".repeat(words - 1));
    assert!(long(&format!("{} {}", sentence(25), sentence(25))).is_empty());
    assert_eq!(long(&sentence(26)).len(), 1);
}
