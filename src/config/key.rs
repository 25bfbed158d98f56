//! Keys in errors: with names that users choose, which may hold a secret by mistake, as in `"X-Key: secret" = …`.

use super::written::MASK;

/// A name in the form in which an error may repeat it: as it is, if TOML takes it without quotes; else a mask.
pub(super) fn named(name: &str) -> &str {
    const LONGEST: usize = 64;
    let is_bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if is_bare && (1..=LONGEST).contains(&name.len()) { name } else { MASK }
}

/// The key of a value that could not be read.
pub(super) fn of_error(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut key = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => key.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => add(&mut key, name),
            Segment::Unknown => add(&mut key, ""),
        }
    }
    if key.is_empty() { "configuration".to_owned() } else { key }
}

/// Adds a name to the key of its table, in the form in which an error may repeat it.
pub(super) fn add(key: &mut String, name: &str) {
    if !key.is_empty() {
        key.push('.');
    }
    key.push_str(named(name));
}

/// A text in one line: its control characters are escaped. A key, a name or a path may hold a line break.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}
