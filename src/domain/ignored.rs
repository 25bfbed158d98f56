//! What a registration says and the record does not show: newer news of the PSP stands.

use schemars::JsonSchema;
use serde::Serialize;

use super::record::Record;
use super::registration::Registration;
use super::status::PspError;
use super::view::{Detail, View};

/// A field of a registration that is kept and does not show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ignored {
    /// The field of the body.
    pub field: String,
    /// What shows instead, for people.
    pub reason: String,
}

/// The fields of a registration that the record does not show once it is registered.
#[must_use]
pub fn ignored(said: &Registration, record: &Record) -> Vec<Ignored> {
    let view = View::of(record);
    let mut found = Vec::new();
    let mut note = |field: String, reason: String| found.push(Ignored { field, reason });
    let status = record.registered.stated.as_ref().map(|fact| fact.value.status).filter(|_| said.error.is_some());
    if let Some(status) = said.status.or(status).filter(|status| *status != view.status) {
        let field = if said.status.is_some() { "status" } else { "error" };
        note(
            field.to_owned(),
            format!("the record is {}, not {}: other news stands", view.status.name(), status.name()),
        );
    } else if said.error.clone().map(PspError::from).is_some_and(|error| view.error != Some(error)) {
        note("error".to_owned(), "the record shows another failure, or none: other news stands".to_owned());
    }
    for (name, _) in said.bearer.iter().flatten().filter(|(name, value)| view.bearer.get(*name) != Some(value)) {
        note(format!("bearer.{name}"), "what the PSP says of it stands".to_owned());
    }
    if let Detail::Preauth { expires_at, .. } = view.detail
        && said.expires_at.is_some()
        && said.expires_at != expires_at
    {
        note("expiresAt".to_owned(), "the time that the PSP says stands".to_owned());
    }
    found
}
