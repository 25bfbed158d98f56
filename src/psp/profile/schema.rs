//! JSON Schema of the vocabulary, for editors that complete keys. It is made from the structs that read profiles, so it has
//! the same keys. Faults that only a whole profile shows are found when the profile is read.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{Profile, Template};
use crate::psp::document::content::CharsetName;
use crate::psp::document::place::Place;
use crate::psp::document::pointer::{Each, Pointer};

/// The JSON Schema of a profile.
#[must_use]
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Profile>();
    schema.insert("title".to_owned(), "A profile of transform-relay".into());
    schema.to_value()
}

/// Texts with a syntax of their own: the name of the type, its description and its schema.
macro_rules! texts {
    ($($type:ty, $name:literal, $description:literal, $schema:tt;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!($schema);
                schema.insert("type".to_owned(), "string".into());
                schema.insert("description".to_owned(), $description.into());
                schema
            }
        }
    )*};
}

texts! {
    Pointer, "Pointer", "A JSON Pointer (RFC 6901); `-` is the last element of a list.",
        { "pattern": "^/" };
    Each, "Each", "A JSON Pointer in which `*` stands for every element of a list: into the message, from ./ on into the \
        current element, from fetched:/ on into the fetched response.",
        { "pattern": "^(\\./|/|fetched:/)" };
    Template, "Template", "Path and query of a call; places in braces stand for their texts.",
        { "pattern": "^/($|[^/])" };
    CharsetName, "Charset", "A charset by its name on the web.", {};
    Place, "Place", "Where a value stands: /a/b in the message, ./a in the current element of `each`, fetched:/a in the \
        fetched response, tail:, head: or last4: and one of these, header:NAME, text:WORDS, setting:NAME, join:{/a}-{/b}, or one of \
        the words.",
        { "anyOf": [
            { "enum": [
                "type", "signed-at", "body", "body-sha256", "body-crc32", "secret", "url", "url:host", "url:path", "given",
                "signature",
            ] },
            { "pattern": "^(\\./|/|fetched:/|(tail|head|last4):.|header:.|text:|setting:.|join:.*\\{.+\\})" },
        ] };
}
