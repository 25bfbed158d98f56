//! The spelling of a registration: names of fields that are none, and states that are none, with those that were probably meant.

use serde_json::{Map, Value};

use super::request::{FIELDS, TRANSACTION_ID};
use crate::domain::ids::Kind;
use crate::domain::nearest::{hint, nearest};
use crate::domain::registration::has_field;
use crate::domain::status::Status;
use crate::domain::text::shown;

const TELL: &str = "tell";

/// A field that is none, or whose value is no state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongField {
    /// The field, as the body has it.
    pub field: String,
    /// The reason, in words for the payment stack.
    pub reason: String,
}

/// The first wrong field of a registration of that kind.
#[must_use]
pub fn wrong_field(fields: &Map<String, Value>, kind: Kind) -> Option<WrongField> {
    unknown_field(fields, kind, &[]).or_else(|| wrong_status(fields, kind))
}

/// The first field that is neither one of a registration nor one of `further`.
#[must_use]
pub fn unknown_field(fields: &Map<String, Value>, kind: Kind, further: &[&'static str]) -> Option<WrongField> {
    let is_known = |name: &str| FIELDS.contains(&name) || further.contains(&name);
    let unknown = fields.keys().find(|name| !is_known(name))?;
    Some(WrongField { field: unknown.clone(), reason: no_such_field(unknown, kind, further) })
}

/// The reason why the value of `status` is no state.
#[must_use]
pub fn wrong_status(fields: &Map<String, Value>, kind: Kind) -> Option<WrongField> {
    let reason = no_state(fields.get("status")?, kind)?;
    Some(WrongField { field: "status".to_owned(), reason })
}

fn no_such_field(name: &str, kind: Kind, further: &[&'static str]) -> String {
    if name == TRANSACTION_ID {
        return "is in the path, and not in the body".to_owned();
    }
    // A registration may have a field that an import refuses.
    let is_for = |field: &&str| has_field(kind, field) && (further.is_empty() || *field != TELL);
    let known = || FIELDS.into_iter().chain(further.iter().copied()).filter(is_for);
    match nearest(name, known()) {
        Some(meant) => format!("there is no such field; did you mean {meant}?"),
        None => {
            format!("there is no such field; the fields of kind {kind} are {}", known().collect::<Vec<_>>().join(", "))
        }
    }
}

/// The reason why a value is no state. A state of another kind is refused later.
fn no_state(value: &Value, kind: Kind) -> Option<String> {
    let states = || Status::ALL.into_iter().filter(|status| status.fits(kind)).map(Status::name);
    let is = match value {
        Value::Null => return None,
        Value::String(text) if Status::ALL.iter().any(|status| status.name() == text) => return None,
        Value::String(text) => shown(text),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    let hint = value.as_str().map(|text| hint(text, states())).unwrap_or_default();
    Some(format!("is {is}, but must be one of {}{hint}", states().collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_probably_meant_is_of_the_same_kind() {
        let said = |kind, body: Value| wrong_field(body.as_object().unwrap(), kind).map(|found| found.reason);
        assert_eq!(said(Kind::Payment, json!({"currency": "EUR", "status": "Active"})), None, "it is refused later");
        assert_eq!(said(Kind::Payment, json!({"status": null})), None);
        let near = said(Kind::Agreement, json!({"pspTransactonId": "x"}));
        assert!(near.is_some_and(|near| near.starts_with("there is no such field; the fields of kind agreement are ")));
        let near = said(Kind::Payment, json!({"pspTransactonId": "x"}));
        assert_eq!(near.as_deref(), Some("there is no such field; did you mean pspTransactionId?"));
    }
}
