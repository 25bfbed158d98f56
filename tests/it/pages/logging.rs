//! docs/LOGGING.md: it has a row for each error, warning and information that the relay logs, and no other row.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The levels with a table in the page.
const LEVELS: [&str; 3] = ["error", "warn", "info"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust code of a folder, without unit tests.
fn code(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(code(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned());
        }
    }
    found
}

/// The messages that code logs at a level. The message is the first text of a call; values stand before it, as fields.
fn messages(code: &str, level: &str) -> Vec<String> {
    let call = format!("{level}!(");
    let calls = code.split(&call).skip(1);
    calls.map(|call| beginning(&text(call.split_once('"').unwrap().1))).collect()
}

/// The text of a literal whose opening quote is gone. A backslash at the end of a line joins the next line to it.
fn text(literal: &str) -> String {
    let (mut text, mut signs) = (String::new(), literal.chars());
    loop {
        match signs.next().unwrap() {
            '"' => return text,
            '\\' => match signs.next().unwrap() {
                '\n' => signs = signs.as_str().trim_start().chars(),
                sign => text.push(sign),
            },
            sign => text.push(sign),
        }
    }
}

/// A message up to its consequence or remedy, as the page has it.
fn beginning(message: &str) -> String {
    let end = ["; ", ". "].into_iter().filter_map(|end| message.find(end)).min();
    message[..end.unwrap_or(message.len())].to_owned()
}

/// The rows of the page: level and message.
fn rows() -> BTreeSet<(String, String)> {
    let page = fs::read_to_string(root().join("docs/LOGGING.md")).unwrap();
    let of_events = |line: &str| {
        let cells: Vec<_> = line.strip_prefix("| ")?.split(" | ").collect();
        let is_event = cells.len() == 5 && LEVELS.contains(&cells[0]);
        is_event.then(|| (cells[0].to_owned(), cells[1].to_owned()))
    };
    page.lines().filter_map(of_events).collect()
}

#[test]
fn the_page_has_every_line_of_the_log_and_no_other() {
    let code = code(&root().join("src"));
    let of_level = |level: &'static str| {
        let all = code.iter().flat_map(move |code| messages(code, level));
        all.map(move |message| (level.to_owned(), message))
    };
    let logged: BTreeSet<_> = LEVELS.into_iter().flat_map(of_level).collect();
    assert!(logged.len() > 80, "the messages were not understood: {logged:?}");
    let rows = rows();
    let missing: Vec<_> = logged.difference(&rows).collect();
    assert!(
        missing.is_empty(),
        "docs/LOGGING.md needs a row, with meaning and remedy, for each of these: {missing:#?}"
    );
    let dead: Vec<_> = rows.difference(&logged).collect();
    assert!(dead.is_empty(), "docs/LOGGING.md has rows that src does not log any more: {dead:#?}");
}

#[test]
fn messages_are_seen() {
    let code =
        "tracing::warn!(source, %error, \"it \\\"waits\\\" \\\n    here: why; do this\");\nwarn!(\"short. More\");";
    assert_eq!(messages(code, "warn"), ["it \"waits\" here: why", "short"]);
    assert!(messages(code, "error").is_empty());
}
