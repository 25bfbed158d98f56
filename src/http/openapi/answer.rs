//! An answer in the description: its text, its headers and its bodies by media type.

use serde_json::{Map, Value, json};

/// An answer to a request.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    description: String,
    headers: Map<String, Value>,
    content: Map<String, Value>,
}

impl Answer {
    /// An answer without a body.
    pub(super) fn new(description: impl Into<String>) -> Self {
        Self { description: description.into(), headers: Map::new(), content: Map::new() }
    }

    /// Adds a body in JSON.
    pub(super) fn json(self, schema: Value) -> Self {
        self.body("application/json", schema)
    }

    /// Adds a body of another media type.
    pub(super) fn body(mut self, media_type: &str, schema: Value) -> Self {
        self.content.insert(media_type.to_owned(), json!({"schema": schema}));
        self
    }

    /// Lets the body in JSON be another one as well. Its example stays, by the name of a trouble.
    pub(super) fn or_json(mut self, schema: &Value, name: &str, example: &Value) -> Self {
        if let Some(Value::Object(body)) = self.content.get_mut("application/json") {
            let trouble = body.shift_remove("example").unwrap_or_default();
            body.insert("examples".to_owned(), named([(name, example.clone()), ("trouble", trouble)]));
            let own = body.get("schema").cloned().unwrap_or_default();
            body.insert("schema".to_owned(), json!({"anyOf": [schema, own]}));
        }
        self
    }

    /// Replaces the text.
    pub(super) fn but(self, description: &str) -> Self {
        Self { description: description.to_owned(), ..self }
    }

    /// Adds an example of the last body.
    pub(super) fn example(self, example: Value) -> Self {
        self.with("example", example)
    }

    /// Adds examples of the last body, by name.
    pub(super) fn examples<const N: usize>(self, examples: [(&str, Value); N]) -> Self {
        self.with("examples", named(examples))
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        if let Some((_, Value::Object(body))) = self.content.iter_mut().next_back() {
            body.insert(name.to_owned(), value);
        }
        self
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &str, header: Value) -> Self {
        self.headers.insert(name.to_owned(), header);
        self
    }

    /// The answer to HEAD.
    pub(super) fn without_a_body(self) -> Self {
        Self { content: Map::new(), ..self }
    }

    pub(super) fn written(self) -> Value {
        let mut answer = Map::from_iter([("description".to_owned(), self.description.into())]);
        for (name, part) in [("headers", self.headers), ("content", self.content)] {
            if !part.is_empty() {
                answer.insert(name.to_owned(), part.into());
            }
        }
        answer.into()
    }
}

/// Examples by name.
pub(super) fn named<const N: usize>(examples: [(&str, Value); N]) -> Value {
    examples.into_iter().map(|(name, value)| (name.to_owned(), json!({"value": value}))).collect()
}

/// A header that always has this text.
pub(super) fn always(text: &str) -> Value {
    json!({"schema": {"type": "string", "const": text}})
}
