//! The schemas of all bodies, made from their types.

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

/// The generators of schemas: one for bodies that the relay writes, one for bodies that it reads.
pub(super) struct Schemas {
    pub(super) replies: SchemaGenerator,
    pub(super) requests: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        Self { replies: generator(Contract::Serialize), requests: generator(Contract::Deserialize) }
    }

    /// The schema of a body that the relay writes.
    pub(super) fn of<T: JsonSchema>(&mut self) -> Value {
        self.replies.subschema_for::<T>().to_value()
    }

    /// All named schemas.
    pub(super) fn all(mut self) -> Map<String, Value> {
        let mut all = self.requests.take_definitions(true);
        all.append(&mut self.replies.take_definitions(true));
        all.sort_keys();
        all
    }
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        settings.contract = contract;
    });
    settings.into_generator()
}

/// Mends what the generator cannot know, in a part of the document and all parts below it.
///
/// - A property that may be absent is left out where it is null, so it is never null.
/// - The formats of numbers without a sign are Rust's own, and OpenAPI knows none of them.
/// - A default of null says the same as none.
/// - A line break within a paragraph is where the comment broke.
pub(super) fn mend(part: &mut Value) {
    match part {
        Value::Object(fields) => {
            fields.retain(|name, value| !is_noise(name, value));
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = unbroken(text);
            }
            never_null(fields);
            fields.values_mut().for_each(mend);
        }
        Value::Array(parts) => parts.iter_mut().for_each(mend),
        _ => {}
    }
}

fn is_noise(name: &str, value: &Value) -> bool {
    name == "default" && value.is_null() || name == "format" && value.as_str().is_some_and(|is| is.starts_with("uint"))
}

/// Each paragraph and each item of a list on one line.
fn unbroken(text: &str) -> String {
    let mut out = String::new();
    for line in text.trim().lines() {
        let begins = line.is_empty() || line.starts_with(['-', '|', ' ']) || out.is_empty() || out.ends_with('\n');
        match (begins, line.is_empty()) {
            (_, true) => out.push_str("\n\n"),
            (true, false) if !out.is_empty() && !out.ends_with('\n') => out = format!("{out}\n{line}"),
            (true, false) => out.push_str(line),
            (false, false) => out = format!("{out} {line}"),
        }
    }
    out
}

fn never_null(fields: &mut Map<String, Value>) {
    // A body that is read takes null for absent, and its schema refuses unknown fields.
    if fields.contains_key("additionalProperties") {
        return;
    }
    let required = fields.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = fields.get_mut("properties") else { return };
    let absent = properties.iter_mut().filter(|(name, _)| !required.iter().any(|known| known == name.as_str()));
    for (_, property) in absent {
        without_null(property);
    }
}

fn without_null(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            fields.shift_remove("anyOf");
            fields.extend(only);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_property_that_may_be_absent_is_never_null() {
        let mut schema = json!({
            "required": ["b"],
            "properties": {
                "a": {"type": ["string", "null"]},
                "b": {"type": ["string", "null"]},
                "c": {"description": "A\nb.", "anyOf": [{"$ref": "#/x"}, {"type": "null"}]},
                "d": {"type": "integer", "format": "uint64", "default": null},
            },
        });
        mend(&mut schema);
        let expected = json!({
            "required": ["b"],
            "properties": {
                "a": {"type": "string"},
                "b": {"type": ["string", "null"]},
                "c": {"description": "A b.", "$ref": "#/x"},
                "d": {"type": "integer"},
            },
        });
        assert_eq!(schema, expected);
    }

    #[test]
    fn paragraphs_and_lists_stay() {
        assert_eq!(unbroken("One\ntwo.\n\n- three\n- four\n\nFive\nsix."), "One two.\n\n- three\n- four\n\nFive six.");
    }
}
