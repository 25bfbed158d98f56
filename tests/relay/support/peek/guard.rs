//! Guard of the store's engine: no file but the peeks and the tests of the store has SQL, or opens the store.

use std::path::{Path, PathBuf};

/// The beginnings of SQL statements, word by word; `*` is any word. Case and white space do not matter.
/// Not `drop table`: strangers send it.
const STATEMENTS: [&[&str]; 17] = [
    &["update", "*", "set"],
    &["update", "or", "*", "*", "set"],
    &["delete", "from"],
    &["insert", "into"],
    &["insert", "or", "*", "into"],
    &["replace", "into"],
    &["create", "table"],
    &["create", "index"],
    &["create", "trigger"],
    &["alter", "table"],
    &["begin", "immediate"],
    &["begin", "exclusive"],
    &["begin", "deferred"],
    &["begin", "transaction"],
    &["pragma"],
    &["vacuum"],
    &["rusqlite"],
];

/// All Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// What binds this source text to the engine of the store.
fn bound_by(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace("\\n", " ").replace("\\t", " ");
    let words: Vec<_> =
        text.split(|one: char| !one.is_alphanumeric() && one != '_').filter(|word| !word.is_empty()).collect();
    let begins = |at: usize, statement: &[&str]| {
        let here = words.iter().skip(at).take(statement.len());
        here.clone().count() == statement.len() && here.zip(statement).all(|(word, part)| *part == "*" || word == part)
    };
    let statements = STATEMENTS.iter().filter(|statement| (0..words.len()).any(|at| begins(at, statement)));
    let mut bound: Vec<_> = statements.map(|statement| statement.join(" ")).collect();
    // `select!` is a macro of Tokio, and `begin` a name in Rust.
    let dense: String = text.split_whitespace().collect();
    let selects = |rest: &str| !rest.starts_with(|next: char| next == '!' || next.is_alphanumeric() || next == '_');
    let word = |rest: &str, before: &str| {
        !before.ends_with(|last: char| last.is_alphanumeric() || last == '_') && selects(rest)
    };
    if text.match_indices("select").any(|(at, found)| word(&text[at + found.len()..], &text[..at])) {
        bound.push("select".to_owned());
    }
    for call in ["\"begin\"", "\"begin;", "\"commit\"", "\"rollback\"", ".store()", ".stored(", ".stored::<"] {
        if dense.contains(call) {
            bound.push(call.to_owned());
        }
    }
    bound
}

#[test]
fn only_the_stores_own_tests_know_its_engine() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/relay");
    let files = sources(&suite);
    assert!(files.len() > 60, "{files:?}");
    let mut bound = Vec::new();
    for file in files {
        let name = file.strip_prefix(&suite).unwrap().display().to_string();
        if ["store/", "support/peek"].iter().any(|free| name.starts_with(free)) {
            continue;
        }
        let found = bound_by(&std::fs::read_to_string(&file).unwrap());
        if !found.is_empty() {
            bound.push(format!("{name}: {found:?}"));
        }
    }
    assert_eq!(bound, [""; 0], "a question of the store belongs into tests/relay/support/peek.rs");
}

#[test]
fn sql_is_seen_in_any_case_and_spacing() {
    for sql in [
        "\"select id from records\"",
        "\"SELECT\n    id FROM records\"",
        "\"SELECT(1)\"",
        r#""Select\n* from records""#,
        "\"update  outbox\n set due_at = 0\"",
        "\"UPDATE OR IGNORE outbox SET due_at = 0\"",
        "\"delete\tfrom outbox\"",
        r#""DELETE\nFROM outbox""#,
        "\"insert or replace  into outbox\"",
        "\"Replace Into outbox\"",
        "\"pragma user_version\"",
        "\"begin\"",
        "\"BEGIN;\"",
        "\"begin  immediate\"",
        "use rusqlite::Connection;",
        "relay.stored::<i64>(question)",
        "relay\n    .store()",
    ] {
        assert_ne!(bound_by(sql), [""; 0], "{sql}");
    }
    for other in [
        "tokio::select! { _ = a => {} }",
        "fn begin(&mut self) { self.begin(); }",
        "relay.stored_records()",
        "selected updates are set; deleted from",
        "\"payment_intent.updated\"",
        "an answer may begin in the line",
    ] {
        assert_eq!(bound_by(other), [""; 0], "{other}");
    }
}
