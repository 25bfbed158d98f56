//! The document as a whole: all routes, in the order of their callers.

use serde_json::Value;

use super::document::Document;
use super::schemas::mend;
use super::{batch, fetch, health, lists, notifications, records, tokens};

/// The description of all routes: an OpenAPI document of version 3.1.
#[must_use]
pub fn openapi() -> Value {
    let mut document = Document::new();
    notifications::describe(&mut document);
    tokens::describe(&mut document);
    fetch::describe(&mut document);
    records::describe(&mut document);
    batch::describe(&mut document);
    lists::describe(&mut document);
    health::describe(&mut document);
    let webhooks = notifications::webhooks(&mut document.schemas);
    let mut written = document.written(&webhooks);
    mend(&mut written);
    without_unused_schemas(written)
}

/// Leaves out schemas that no other part names. The generators also name some that are used for others only.
fn without_unused_schemas(mut document: Value) -> Value {
    loop {
        let text = document.to_string();
        let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") else { return document };
        let before = schemas.len();
        schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if schemas.len() == before {
            return document;
        }
    }
}
