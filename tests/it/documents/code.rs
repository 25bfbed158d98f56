//! Rust code as the tests of the layers read it: the files of a folder, and the paths that a file names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All Rust files below a folder, by their path in it.
pub(crate) fn sources(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// All paths of a file, each with its line: `a::b`, paths of `use` trees, and macros as `a!`. `super`, `self` and the
/// name of our crate are resolved to `crate::…`.
pub(crate) fn paths(file: &str, code: &str) -> Vec<(usize, String)> {
    let words = words(code);
    let word = |at: usize| words.get(at).map_or("", |(_, word)| word.as_str());
    let mut paths = Vec::new();
    let mut groups: Vec<Vec<String>> = Vec::new();
    let (mut path, mut at): (Vec<String>, usize) = (Vec::new(), 0);
    while at < words.len() {
        let (line, here) = (words[at].0, word(at));
        let named = here.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if named && at > 0 && word(at - 1) == "." {
            // A field or a method.
        } else if named {
            path.push(here.to_owned());
            let goes_on = word(at + 2).starts_with(|c: char| c.is_alphabetic() || c == '_');
            if word(at + 1) == "::" && word(at + 2) == "{" {
                let before = groups.last().cloned().unwrap_or_default();
                groups.push(before.into_iter().chain(path.drain(..)).collect());
                at += 2;
            } else if word(at + 1) == "::" && goes_on {
                at += 1;
            } else {
                let mut whole: Vec<_> = groups.last().into_iter().flatten().cloned().chain(path.drain(..)).collect();
                if whole.len() == 1 && at > 0 && word(at - 1) == "use" {
                    whole.push("self".to_owned()); // a whole crate, maybe under another name
                }
                let mark = if word(at + 1) == "!" && word(at + 2) != "=" { "!" } else { "" };
                paths.push((line, resolved(file, whole) + mark));
            }
        } else if here == "}" {
            groups.pop();
        } else if here == "{" {
            groups.push(Vec::new());
        }
        at += 1;
    }
    paths
}

fn resolved(file: &str, path: Vec<String>) -> String {
    let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let mut module: Vec<&str> = stem.split('/').filter(|part| !["lib", "main", "mod"].contains(part)).collect();
    let own = path.iter().take_while(|word| ["self", "super"].contains(&word.as_str())).count();
    if own > 0 {
        let up = path.iter().filter(|word| *word == "super").count();
        module.truncate(module.len().saturating_sub(up));
        let rest = path.iter().skip(own).map(String::as_str);
        return ["crate"].into_iter().chain(module).chain(rest).collect::<Vec<_>>().join("::");
    }
    let path = path.join("::");
    path.strip_prefix("transform_relay::").map_or(path.clone(), |rest| format!("crate::{rest}"))
}

/// The words and signs of Rust code, each with its line; comments, texts and characters are left out.
fn words(code: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    let (mut rest, mut line) = (code, 1);
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = literal(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        let counts = first.is_alphanumeric() || "_:{}.!=,;<*".contains(first);
        if counts && !word.contains('"') && !word.starts_with('/') {
            words.push((line, word.to_owned()));
        }
        line += word.matches('\n').count();
        rest = after;
    }
    words
}

/// The length of the text or character at the beginning of this code.
fn literal(code: &str) -> Option<usize> {
    let quote = code.trim_start_matches(['b', 'c']);
    let prefix = code.len() - quote.len();
    if let Some(raw) = quote.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw.get(hashes..)?.strip_prefix('"')?;
        let end = inside.find(&format!("\"{}", "#".repeat(hashes)))?;
        return Some(prefix + 1 + hashes + 1 + end + 1 + hashes);
    }
    let mark = quote.chars().next().filter(|mark| ['"', '\''].contains(mark))?;
    if mark == '\'' && !quote.starts_with("'\\") && quote.chars().nth(2) != Some('\'') {
        return None; // a lifetime
    }
    let mut escaped = false;
    for (at, c) in quote.char_indices().skip(1) {
        if c == mark && !escaped {
            return Some(prefix + at + 1);
        }
        escaped = c == '\\' && !escaped;
    }
    None
}
