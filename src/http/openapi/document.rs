//! The document while it is made.

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::refusal::Refusal;
use super::schemas::Schemas;
use super::{about, refusal};
use crate::domain::ids::TransformId;

/// The document while it is made.
pub(super) struct Document {
    pub(super) schemas: Schemas,
    paths: Map<String, Value>,
    responses: Map<String, Value>,
}

impl Document {
    pub(super) fn new() -> Self {
        Self { schemas: Schemas::new(), paths: Map::new(), responses: Map::new() }
    }

    pub(super) fn get(&mut self, path: &str, operation: Operation) {
        self.add(path, "get", operation);
    }

    pub(super) fn head(&mut self, path: &str, operation: Operation) {
        self.add(path, "head", operation);
    }

    pub(super) fn put(&mut self, path: &str, operation: Operation) {
        self.add(path, "put", operation);
    }

    pub(super) fn post(&mut self, path: &str, operation: Operation) {
        self.add(path, "post", operation);
    }

    pub(super) fn delete(&mut self, path: &str, operation: Operation) {
        self.add(path, "delete", operation);
    }

    fn add(&mut self, path: &str, method: &str, operation: Operation) {
        let is_transforms = path.starts_with("/api/");
        let mut responses: Vec<_> =
            operation.answers.iter().map(|(status, answer)| (status.clone(), answer.clone().written())).collect();
        for refusal in operation.refusals.values() {
            let response = match method {
                "head" => refusal.answer(is_transforms, &mut self.schemas).without_a_body().written(),
                _ => self.shared(*refusal, is_transforms),
            };
            responses.push((refusal.status.to_string(), response));
        }
        responses.sort_by(|(one, _), (other, _)| one.cmp(other));
        let written = operation.written(responses.into_iter().collect());
        if let Value::Object(methods) = self.paths.entry(path).or_insert_with(|| json!({})) {
            methods.insert(method.to_owned(), written);
        }
    }

    /// The reference to a refusal that several operations share.
    fn shared(&mut self, refusal: Refusal, is_transforms: bool) -> Value {
        let name = format!("{}{}", if is_transforms { "Transform" } else { "" }, refusal.name);
        let answer = refusal.answer(is_transforms, &mut self.schemas).written();
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        self.responses.insert(name, answer);
        reference
    }

    /// The path variable of a record's id.
    pub(super) fn id(&mut self) -> Value {
        json!({
            "name": "id",
            "in": "path",
            "required": true,
            "description": "The id that Transform gave the transaction or agreement. Percent-encode what a path cannot carry.",
            "schema": self.schemas.of::<TransformId>(),
            "example": "20221108-636a91f61c48d9fa186166f8",
        })
    }

    pub(super) fn written(mut self, webhooks: &Value) -> Value {
        self.responses.sort_keys();
        json!({
            "openapi": "3.1.0",
            "info": about::info(),
            "servers": [{
                "url": "http://127.0.0.1:8080",
                "description": "The default address of the relay. It speaks plain HTTP; TLS ends in front of it.",
            }],
            "tags": about::tags(),
            "paths": self.paths,
            "webhooks": webhooks,
            "components": {
                "securitySchemes": about::security_schemes(),
                "headers": refusal::headers(),
                "responses": self.responses,
                "schemas": self.schemas.all(),
            },
        })
    }
}
