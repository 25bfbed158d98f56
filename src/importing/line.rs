//! A line of an import: one JSON object, read as strictly as a registration. Its names are those of the contract (section 3), so that
//! a payment stack can write what it answers Transform. **Pure.**

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::lines::{LINE_MAX, Text};
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::import::MOVED_FIELDS;
use crate::domain::json::{self, in_our_words};
use crate::domain::registration::Refusal;
use crate::domain::text::{masked, shown};
use crate::store::ToImport;
use crate::transform::request::{SETTINGS_ID, with_source};
use crate::transform::spelling::{WrongField, unknown_field, wrong_status};

/// The fault of a line: its field, if it is one field's, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The field.
    pub field: Option<String>,
    /// The reason.
    pub reason: String,
}

impl From<Refusal> for Refused {
    fn from(Refusal { field, reason, .. }: Refusal) -> Self {
        // The reason of a list's entry begins with its place in the list.
        match reason.split_once(": ").filter(|(place, _)| place.starts_with('[')) {
            Some((place, reason)) => Self { field: Some(format!("{field}{place}")), reason: reason.to_owned() },
            None => Self { field: Some(field.to_owned()), reason },
        }
    }
}

impl From<WrongField> for Refused {
    fn from(WrongField { field, reason }: WrongField) -> Self {
        Self { field: Some(masked(&field)), reason: masked(&reason) }
    }
}

fn whole(reason: impl Into<String>) -> Refused {
    Refused { field: None, reason: reason.into() }
}

fn field(field: &str, reason: impl Into<String>) -> Refused {
    Refused { field: Some(field.to_owned()), reason: reason.into() }
}

/// Why a line is no JSON. Its own number stands in front of it, so of the place the column alone is said.
fn no_json(reason: &str) -> String {
    match reason.rsplit_once(" at line 1 column ") {
        Some(("trailing characters", _)) => {
            "more follows the first object: write one object a line (curl: --data-binary)".to_owned()
        }
        Some((what, column)) if what.starts_with("EOF ") => format!("is no JSON: it ends at column {column}"),
        Some((what, column)) => format!("is no JSON: {what} at column {column}"),
        None => format!("is no JSON: {reason}"),
    }
}

type Fields = Map<String, Value>;

/// The names of a record's id. An agreement has none of a transaction.
const ID: &str = "id";
const TRANSACTION_ID: &str = "transactionId";
const AGREEMENT_ID: &str = "agreementId";
/// The stamp of the answer that Transform read last, in the contract's words.
const LAST_UPDATED: &str = "lastUpdated";
const ANSWERED_AT: &str = "answeredAt";
/// The fields of a line that are neither of a registration nor of money.
const OWN: [&str; 5] = ["kind", ID, TRANSACTION_ID, LAST_UPDATED, SETTINGS_ID];

/// The field as the line names it: the stamp of the last answer has two names.
#[must_use]
pub fn as_named(refused: Refused, has_last_updated: bool) -> Refused {
    let is_stamp = has_last_updated && refused.field.as_deref() == Some(ANSWERED_AT);
    if is_stamp { Refused { field: Some(LAST_UPDATED.to_owned()), ..refused } } else { refused }
}

/// Whether a line names the stamp of the last answer as the contract does.
#[must_use]
pub fn has_last_updated(text: &Text) -> bool {
    matches!(text, Text::Read(text) if text.contains(&format!("{LAST_UPDATED:?}")))
}

/// Reads a line. `source_of` knows the source of a `pspSettingsId`.
///
/// # Errors
/// The field, and the reason.
pub fn read<'a>(text: &Text, source_of: impl FnOnce(&str) -> Option<&'a str>) -> Result<ToImport, Refused> {
    let text = match text {
        Text::Read(text) => text.trim(),
        Text::TooLong => return Err(whole(format!("is longer than {LINE_MAX} bytes"))),
        Text::NoText => return Err(whole("is no UTF-8")),
    };
    let value = json::read(text.as_bytes()).map_err(|reason| whole(no_json(&reason)))?;
    let mut fields = match value {
        Value::Object(fields) => fields,
        Value::Array(_) => return Err(whole("is a list, but must be one object: write one object a line")),
        _ => return Err(whole("must be a JSON object")),
    };
    if let Some(way) = json::twice(text.as_bytes()) {
        return Err(field(&masked(&way.join(".")), "is there twice in its object: leave one out"));
    }
    let kind = kind(fields.remove("kind"))?;
    let key = RecordKey::new(kind, id(kind, &mut fields)?);
    last_updated(&mut fields)?;
    with_source(&mut fields, source_of)?;
    let further: Vec<&'static str> = OWN.into_iter().chain(of_moved(kind)).collect();
    if let Some(wrong) = unknown_field(&fields, kind, &further).or_else(|| wrong_status(&fields, kind)) {
        return Err(wrong.into());
    }
    let (moved, said) = fields.into_iter().partition(|(name, _)| of_moved(kind).any(|own| own == name));
    Ok(ToImport { key, said: typed(said)?, moved: typed(moved)? })
}

/// The fields about money that has moved, of a record of this kind.
fn of_moved(kind: Kind) -> impl Iterator<Item = &'static str> {
    MOVED_FIELDS.into_iter().filter(move |(_, kinds)| kinds.contains(&kind)).map(|(name, _)| name)
}

fn kind(said: Option<Value>) -> Result<Kind, Refused> {
    let must = "must be preauth, payment, refund or agreement";
    match said {
        Some(Value::String(text)) => {
            text.parse().map_err(|_| field("kind", format!("is {}, but {must}", shown(&text))))
        }
        Some(other) => Err(field("kind", format!("is {}, but {must}", masked(&other.to_string())))),
        None => Err(field("kind", format!("is required, and {must}"))),
    }
}

/// Takes out the id of the record: its contract's name, or `id`.
fn id(kind: Kind, fields: &mut Fields) -> Result<TransformId, Refused> {
    if kind == Kind::Agreement && fields.contains_key(TRANSACTION_ID) {
        return Err(field(TRANSACTION_ID, "is not of an agreement: its id is agreementId, or id"));
    }
    let contracts = if kind == Kind::Agreement { AGREEMENT_ID } else { TRANSACTION_ID };
    let said: Vec<_> = [contracts, ID].into_iter().filter_map(|name| Some((name, fields.remove(name)?))).collect();
    let mut ids = Vec::new();
    for (name, value) in said {
        let Value::String(text) = value else {
            return Err(field(name, format!("is {}, but must be a text", masked(&value.to_string()))));
        };
        ids.push((name, TransformId::try_from(text).map_err(|reason| field(name, reason))?));
    }
    let mut ids = ids.into_iter();
    match (ids.next(), ids.next()) {
        (Some((_, one)), None) => Ok(one),
        (Some((name, one)), Some((_, other))) if one != other => {
            Err(field(name, format!("is {one}, but id is {other}: leave one out")))
        }
        (Some((_, one)), Some(_)) => Ok(one),
        (None, _) => Err(field(contracts, "is required: it is Transform's id of the record")),
    }
}

/// Takes the stamp of the last answer as `answeredAt`: all versions of the record are later.
fn last_updated(fields: &mut Fields) -> Result<(), Refused> {
    let Some(at) = fields.remove(LAST_UPDATED) else { return Ok(()) };
    if fields.contains_key(ANSWERED_AT) {
        return Err(field(LAST_UPDATED, "is there beside answeredAt, which means the same: leave one out"));
    }
    fields.insert(ANSWERED_AT.to_owned(), at);
    Ok(())
}

fn typed<T: DeserializeOwned>(fields: Fields) -> Result<T, Refused> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let reason = masked(&in_our_words(&error.into_inner().to_string()));
        Refused { field: Some(masked(&path)).filter(|path| path != "."), reason }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        let text = Text::Read(line.to_owned());
        let refused = as_named(read(&text, |_| None).unwrap_err(), has_last_updated(&text));
        refused.field.map_or(refused.reason.clone(), |field| format!("{field}: {}", refused.reason))
    }

    #[test]
    fn a_line_that_is_no_object_says_what_it_is() {
        assert_eq!(refused("{\"kind\": "), "is no JSON: it ends at column 8");
        assert_eq!(refused("{\"kind\" 1}"), "is no JSON: expected `:` at column 9");
        assert_eq!(refused("{} {}"), "more follows the first object: write one object a line (curl: --data-binary)");
        assert_eq!(refused("[{}]"), "is a list, but must be one object: write one object a line");
        assert_eq!(refused("1"), "must be a JSON object");
    }

    #[test]
    fn a_field_has_the_name_that_the_line_gives_it() {
        let agreement = |more: &str| format!(r#"{{"kind":"agreement","id":"ag-1","status":"Active",{more}}}"#);
        assert_eq!(
            refused(&agreement(r#""transactionId":"ag-1""#)),
            "transactionId: is not of an agreement: its id is agreementId, or id"
        );
        assert!(refused(&agreement(r#""lastUpdated":"yesterday""#)).starts_with("lastUpdated: "));
        assert!(refused(&agreement(r#""answeredAt":"yesterday""#)).starts_with("answeredAt: "));
        let known = refused(&agreement(r#""colour":1"#));
        assert!(known.contains(" webhookTarget") && !known.contains(" tell"), "{known}");
    }
}
