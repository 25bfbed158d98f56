//! Reference in docs/PROFILES.md: every key of every table and every word, made from the schema, which has them from the
//! structs. No key can be missing, and none can lack an explanation.

use std::fs;

use serde_json::{Map, Value};
use transform_relay::psp::profile::schema;

use super::docs;
use crate::support::golden::{DOCS, must_be};

const BEGIN: &str =
    "<!-- The vocabulary begins: made by `UPDATE_DOCS=1 cargo test --test it pages` from src/psp/profile. -->\n";
const END: &str = "<!-- The vocabulary ends. -->\n";

/// The tables in reading order, each in its form in a profile.
const TABLES: [(&str, &str); 28] = [
    ("", "The profile"),
    ("Answer", "`[answer]`"),
    ("Challenge", "`[challenge]`"),
    ("ChallengeSignature", "`[challenge.sign]`"),
    ("About", "`[about]`"),
    ("Form", "`[[notification]]`"),
    ("Content", "`[notification.content]`"),
    ("Inner", "`[notification.content.inner]`"),
    ("Signature", "`[[notification.signature]]`"),
    ("Locator", "`found` of a signature or its time"),
    ("SignedTime", "`time` of a signature"),
    ("KeyId", "`key_id` of a signature"),
    ("CertificateRule", "`certificate` of a signature"),
    ("Fetch", "`[notification.fetch]`"),
    ("Call", "`[[notification.fetch.call]]`"),
    ("Defaults", "`[notification.defaults]`"),
    ("EventRule", "`[[notification.event]]`"),
    ("ErrorRule", "`[notification.event.error]`"),
    ("ItemRule", "`[[notification.event.item]]`"),
    ("ChargebackRule", "`[notification.event.chargeback]`"),
    ("MovementRule", "`[[notification.event.chargeback.movement]]`"),
    ("StatementRule", "`[notification.event.statement]`"),
    ("TotalRule", "`[[notification.event.total]]`"),
    ("ReleasedRule", "`released` of a total"),
    ("ReleaseRule", "`[notification.event.release]`"),
    ("Not", "A condition: `{ not = … }`"),
    ("Starts", "A condition: `{ starts = … }`"),
    ("Mapped", "A map of words: `{ from = […], map = … }`"),
];

#[test]
fn the_vocabulary_is_explained() {
    let file = docs("PROFILES.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark at the beginning");
    let (_, after) = rest.split_once(END).expect("the mark at the end");
    must_be(&file, &format!("{before}{BEGIN}{}{END}{after}", vocabulary(&schema())), DOCS);
}

fn vocabulary(schema: &Value) -> String {
    let definitions = schema["definitions"].as_object().unwrap();
    let mut text = String::new();
    for (name, heading) in TABLES {
        let table = if name.is_empty() { schema } else { &definitions[name] };
        text.push_str(&format!(
            "\n### {heading}\n\n{}\n\n| Key | | Means |\n|---|---|---|\n",
            description(name, table)
        ));
        let needed: Vec<_> = table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, value) in table["properties"].as_object().expect(name) {
            let must = if needed.contains(&key.as_str()) { ", needed" } else { "" };
            let means = description(&format!("{name}.{key}"), value);
            text.push_str(&format!("| `{key}` | {}{must} | {means} |\n", kind(value)));
        }
    }
    for (name, table) in definitions {
        let told = TABLES.iter().any(|(known, _)| known == name);
        let one_of_several = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let told = told || TABLES.iter().any(|(known, _)| *known == one_of_several);
        assert!(told || table.get("properties").is_none(), "the vocabulary does not tell of the table {name}");
    }
    text.push_str("\n### The words\n\n");
    for (name, definition) in definitions {
        text.push_str(&words(name, definition));
    }
    text + "\n"
}

/// The description in the schema, on one line.
#[track_caller]
fn description(name: &str, of: &Value) -> String {
    let text = of["description"].as_str().unwrap_or_else(|| panic!("{name} is not explained"));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    assert!(!text.contains("[`"), "{name} is explained by a link that only code has: {text}");
    text
}

/// The type of value that a key takes.
fn kind(value: &Value) -> String {
    if let Some(name) = value["$ref"].as_str() {
        return named(name);
    }
    if let Some(several) = value["anyOf"].as_array().or(value["allOf"].as_array()) {
        let kinds: Vec<_> = several.iter().filter(|one| one["type"] != "null").map(kind).collect();
        return kinds.join(" or ");
    }
    let of_type = match &value["type"] {
        Value::Array(several) => several.iter().filter_map(Value::as_str).find(|one| *one != "null"),
        one => one.as_str(),
    };
    match of_type {
        Some("string") => "text".to_owned(),
        Some("integer") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => match &value["items"] {
            Value::Array(several) => format!("list of {}", several.len()),
            one => format!("list of {}", plural(&kind(one))),
        },
        Some("object") => map(value.as_object().unwrap()),
        other => panic!("what is written where {other:?} is the type? {value}"),
    }
}

fn map(value: &Map<String, Value>) -> String {
    let values = value.get("additionalProperties").map(kind);
    format!("table of {}", plural(&values.unwrap_or_else(|| "text".to_owned())))
}

fn plural(kind: &str) -> String {
    match kind {
        "text" => "texts".to_owned(),
        "number" => "numbers".to_owned(),
        other => other.to_owned(),
    }
}

/// Readable names of the structs and enums.
fn named(reference: &str) -> String {
    let name = reference.trim_start_matches("#/definitions/").trim_end_matches(|c: char| c.is_ascii_digit());
    match name {
        "OneOrMore" => "one or a list".to_owned(),
        "Fixed" => "a word or a map of words".to_owned(),
        "Mapped" => "map of words".to_owned(),
        "Words" => "table of words, or the name of one of `[maps]`".to_owned(),
        "Form" => "`[[notification]]`".to_owned(),
        "EventRule" => "`[[notification.event]]`".to_owned(),
        other => {
            let mut words = String::new();
            for c in other.chars() {
                if c.is_uppercase() && !words.is_empty() {
                    words.push(' ');
                }
                words.extend(c.to_lowercase());
            }
            words
        }
    }
}

/// The words of an enum, each with its description.
fn words(name: &str, definition: &Value) -> String {
    if let Some(plain) = definition["enum"].as_array() {
        let words: Vec<_> = plain.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return format!("- **{}**: {}\n", named(name), words.join(", "));
    }
    let Some(choices) = definition["oneOf"].as_array() else { return String::new() };
    let mut text = format!("- **{}**\n", named(name));
    for choice in choices {
        let word = choice["const"].as_str().unwrap_or_else(|| panic!("{name}: {choice}"));
        text.push_str(&format!("  - `{word}`: {}\n", description(&format!("{name}.{word}"), choice)));
    }
    text
}
