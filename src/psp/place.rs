//! Where in a notification a value stands.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::received::Received;

/// A place that a profile names:
///
/// | written | means |
/// |---|---|
/// | `/a/b` | JSON Pointer (RFC 6901) into the message: the body, or one item of a batch |
/// | `./a/b` | the same, into the current element of the rule's or item's `each` |
/// | `header:NAME` | a request header |
/// | `signed-at` | the timestamp of the signature, as text |
/// | `type` | the message's type |
/// | `body` | the raw body; in `signed` only |
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Place {
    /// Into the message.
    Message(Pointer),
    /// Into the current element of `each`.
    Element(Pointer),
    /// A request header.
    Header(String),
    /// The timestamp of the signature.
    SignedAt,
    /// The message's type.
    Type,
    /// The raw body.
    Body,
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "signed-at" => Ok(Self::SignedAt),
            "type" => Ok(Self::Type),
            "body" => Ok(Self::Body),
            _ => match (text.strip_prefix("header:"), text.strip_prefix('.')) {
                (Some(""), _) => Err("header: needs a name".to_owned()),
                (Some(name), _) => Ok(Self::Header(name.to_ascii_lowercase())),
                (None, Some(pointer)) => Pointer::try_from(pointer.to_owned()).map(Self::Element),
                (None, None) => Pointer::try_from(text).map(Self::Message),
            },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(pointer) => write!(f, "{}", pointer.0),
            Self::Element(pointer) => write!(f, ".{}", pointer.0),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::SignedAt => f.write_str("signed-at"),
            Self::Type => f.write_str("type"),
            Self::Body => f.write_str("body"),
        }
    }
}

/// A JSON Pointer, checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let escapes_are_good =
            text.match_indices('~').all(|(at, _)| matches!(text.as_bytes().get(at + 1), Some(b'0' | b'1')));
        if text.starts_with('/') && escapes_are_good {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is no JSON Pointer: it starts with / and writes ~ as ~0 and a / in a name as ~1"))
        }
    }
}

impl Pointer {
    /// The value that it points to.
    #[must_use]
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.pointer(&self.0)
    }

    /// Puts a value there, making the objects on the way.
    ///
    /// # Errors
    /// Something on the way is no object.
    pub fn put(&self, into: &mut Value, value: Value) -> Result<(), String> {
        let mut at = into;
        for step in steps(&self.0) {
            let object = match at {
                Value::Object(object) => object,
                _ => return Err(format!("{}: something on the way is no object", self.0)),
            };
            at = object.entry(step).or_insert_with(|| Value::Object(serde_json::Map::new()));
        }
        *at = value;
        Ok(())
    }
}

/// A JSON Pointer in which `*` stands for every element of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Each(Vec<String>);

impl TryFrom<String> for Each {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Pointer::try_from(text.clone())?;
        Ok(Self(steps(&text).collect()))
    }
}

fn steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

impl Each {
    /// All values that it points to; none where a step is missing.
    #[must_use]
    pub fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        self.0.iter().fold(vec![value], |found, step| {
            found
                .into_iter()
                .flat_map(|value| match (value, step.as_str()) {
                    (Value::Array(list), "*") => list.iter().collect::<Vec<_>>(),
                    (Value::Array(list), index) => {
                        index.parse().ok().and_then(|index: usize| list.get(index)).into_iter().collect()
                    }
                    (other, name) => other.get(name).into_iter().collect(),
                })
                .collect()
        })
    }

    /// [`Self::find`], to change what is found.
    pub fn find_mut<'v>(&self, value: &'v mut Value) -> Vec<&'v mut Value> {
        self.0.iter().fold(vec![value], |found, step| {
            found
                .into_iter()
                .flat_map(|value| match (value, step.as_str()) {
                    (Value::Array(list), "*") => list.iter_mut().collect::<Vec<_>>(),
                    (Value::Array(list), index) => {
                        index.parse().ok().and_then(|index: usize| list.get_mut(index)).into_iter().collect()
                    }
                    (other, name) => other.get_mut(name).into_iter().collect(),
                })
                .collect()
        })
    }
}

/// What places are looked up in: one message of a verified or yet to be verified notification.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The notification.
    pub received: &'a Received<'a>,
    /// The body, or one item of a batch.
    pub message: &'a Value,
    /// The current element of `each`.
    pub element: Option<&'a Value>,
    /// The timestamp of the signature.
    pub signed_at: Option<&'a str>,
    /// The message's type.
    pub event_type: &'a str,
}

impl Scope<'_> {
    /// The text at a place: strings as they are, numbers and booleans as they are written. Absent, null, empty,
    /// lists and objects are none. [`Place::Body`] is no text.
    #[must_use]
    pub fn text(&self, place: &Place) -> Option<String> {
        match place {
            Place::Message(pointer) => pointer.find(self.message).and_then(scalar),
            Place::Element(pointer) => self.element.and_then(|element| pointer.find(element)).and_then(scalar),
            Place::Header(name) => self.received.header(name).map(str::to_owned),
            Place::SignedAt => self.signed_at.map(str::to_owned),
            Place::Type => Some(self.event_type.to_owned()),
            Place::Body => None,
        }
        .filter(|text| !text.is_empty())
    }

    /// The text at the first of the places that has one.
    #[must_use]
    pub fn first(&self, places: &[Place]) -> Option<String> {
        places.iter().find_map(|place| self.text(place))
    }
}

/// A string, number or boolean as text. Numbers keep every digit that they came with.
#[must_use]
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_star_stands_for_every_element() {
        let value = json!({"charges": [{"captures": [{"id": 1}, {"id": 2}]}, {}, {"captures": [{"id": 3}]}]});
        let each = Each::try_from("/charges/*/captures/*".to_owned()).unwrap();
        let ids: Vec<_> = each.find(&value).into_iter().map(|found| found["id"].clone()).collect();
        assert_eq!(ids, [json!(1), json!(2), json!(3)]);
    }

    #[test]
    fn places_are_checked() {
        for good in ["/a/0/b~1c", "./id", "header:Webhook-Id", "signed-at", "type", "body"] {
            assert!(Place::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "a/b", "/a~2", "header:", ".id"] {
            assert!(Place::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let value: Value = serde_json::from_str("[12.90, 20190321713212125000, 1e2]").unwrap();
        let texts: Vec<_> = value.as_array().unwrap().iter().filter_map(scalar).collect();
        assert_eq!(texts, ["12.90", "20190321713212125000", "1e+2"]);
    }
}
