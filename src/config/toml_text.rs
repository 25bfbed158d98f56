//! TOML text of the settings in force, in the order of their declaration: a table of the configuration has its own
//! section, and credentials stand in one line, as in config.example.toml.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::key::one_line;

/// The keys of tables that stand in one line. Any other table is a section.
const IN_ONE_LINE: [&str; 6] = ["basic", "headers", "settings", "token", "password", "client_secret"];

/// The text, with each section's notes below it as comments. A note's key is the name of its section.
pub(super) fn toml_text(settings: &Value, notes: &BTreeMap<String, Vec<String>>) -> String {
    let mut sections = Vec::new();
    section("", settings, notes, &mut sections);
    sections.join("\n\n")
}

fn section(name: &str, value: &Value, notes: &BTreeMap<String, Vec<String>>, sections: &mut Vec<String>) {
    let Some(table) = value.as_object() else { return };
    let (tables, values): (Vec<_>, Vec<_>) = written(table).partition(|(key, value)| is_section(key, value));
    let mut lines: Vec<_> =
        values.into_iter().map(|(key, value)| format!("{} = {}", quoted(key), in_line(value))).collect();
    lines.extend(notes.get(name).into_iter().flatten().map(|note| format!("# {}", one_line(note))));
    if !name.is_empty() && !lines.is_empty() {
        lines.insert(0, format!("[{name}]"));
    }
    if !lines.is_empty() {
        sections.push(lines.join("\n"));
    }
    for (key, value) in tables {
        let key = quoted(key);
        let name = if name.is_empty() { key } else { format!("{name}.{key}") };
        section(&name, value, notes, sections);
    }
}

/// The keys that have a value.
fn written(table: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    table.iter().filter(|(_, value)| !value.is_null())
}

fn is_section(key: &str, value: &Value) -> bool {
    value.is_object() && !IN_ONE_LINE.contains(&key)
}

/// A value in one line. JSON writes numbers and truth values as TOML does.
fn in_line(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(in_line).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let pairs: Vec<_> =
                written(table).map(|(key, value)| format!("{} = {}", quoted(key), in_line(value))).collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        other => other.to_string(),
    }
}

/// A key, in quotes if it needs them.
fn quoted(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if is_bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_is_toml_with_the_same_values() {
        let settings = json!({
            "empty": {},
            "one": {
                "text": "a \"b\"\nc\u{1F511}", "none": null, "number": 4096, "yes": true,
                "list": ["x", {"env": "A", "none": null}], "none at all": [],
                "two": {"password": {"file": "/a b"}, "headers": {"X-A!": "***", "b": {"env": "B"}}},
                "last": "below a table",
            },
        });
        let notes = [("one.two".to_owned(), vec!["a note".to_owned()])].into();
        let text = toml_text(&settings, &notes);
        let mut expected = settings;
        let one = expected["one"].as_object_mut().unwrap();
        one.remove("none");
        one["list"][1].as_object_mut().unwrap().remove("none");
        expected.as_object_mut().unwrap().remove("empty");
        assert_eq!(serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap(), expected, "{text}");
        assert!(text.contains("[one.two]\npassword = { file = \"/a b\" }\n"), "{text}");
        assert!(text.ends_with("\n# a note"), "{text}");
    }
}
