//! A sample notification, taken apart into texts and their places.

use serde_json::Value;

use crate::psp::document::content::{Content, Format};
use crate::psp::document::place::scalar;

/// A sample notification.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) format: Format,
    /// The place of a batch's messages, if the notification is a batch.
    pub(super) batch: Option<String>,
    /// The texts of the (first) message, in its order.
    pub(super) leaves: Vec<Leaf>,
    /// Lists of objects in the message.
    pub(super) lists: Vec<String>,
    pub(super) headers: Vec<(String, String)>,
}

/// A text and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The place, as a profile names it.
    pub(super) place: String,
    /// The last name of the place, in lower case, letters and digits only.
    pub(super) name: String,
    /// The number of steps to the place.
    pub(super) depth: usize,
    pub(super) text: String,
}

/// The usual names of lists of messages.
const BATCHES: [&str; 6] = ["events", "notifications", "notificationitems", "messages", "webhooks", "items"];

impl Sample {
    /// Reads a notification. The file's extension tells its format, or else the body's first character.
    pub(super) fn read(extension: &str, body: &[u8], headers: Vec<(String, String)>) -> Result<Self, String> {
        let format = match (extension, body.trim_ascii_start().first()) {
            ("json", _) => Format::Json,
            ("xml", _) => Format::Xml,
            ("form", _) => Format::Form,
            (_, Some(b'{' | b'[')) => Format::Json,
            (_, Some(b'<')) => Format::Xml,
            _ => Format::Form,
        };
        let whole = Content { format, ..Content::default() }.message(body)?;
        let (batch, message) = batch(&whole).map_or((None, &whole), |(place, first)| (Some(place), first));
        let mut sample = Self { format, batch, leaves: Vec::new(), lists: Vec::new(), headers };
        sample.take_apart("", 0, message);
        if sample.leaves.is_empty() { Err("there is no text in it".to_owned()) } else { Ok(sample) }
    }

    fn take_apart(&mut self, place: &str, depth: usize, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let step = name.replace('~', "~0").replace('/', "~1");
                    self.take_apart(&format!("{place}/{step}"), depth + 1, value);
                }
            }
            Value::Array(list) => {
                // Links of a resource are of no record.
                if list.iter().any(Value::is_object) && !place.ends_with("links") {
                    self.lists.push(format!("{place}/*"));
                }
            }
            other => {
                if let Some(text) = scalar(other).filter(|_| !place.is_empty()) {
                    let last = place.rsplit('/').next().unwrap_or_default();
                    self.leaves.push(Leaf { place: place.to_owned(), name: letters(last), depth, text });
                }
            }
        }
    }
}

/// A name in lower case, without separators between words.
pub(super) fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The place of a batch's messages, and the first message. The body is a list, or holds a list with one of the usual names.
/// If every element holds just one object, that object is the message.
fn batch(whole: &Value) -> Option<(String, &Value)> {
    let (place, list) = match whole {
        Value::Array(list) => ("/*".to_owned(), list),
        Value::Object(fields) => {
            let is_batch =
                |(name, value): &(&String, &Value)| value.is_array() && BATCHES.contains(&letters(name).as_str());
            let (name, list) = fields.iter().find(is_batch)?;
            (format!("/{name}/*"), list.as_array()?)
        }
        _ => return None,
    };
    let first = list.first().filter(|first| first.is_object())?;
    match first.as_object() {
        Some(only) if only.len() == 1 => match only.iter().next() {
            Some((name, inner)) if inner.is_object() => Some((format!("{place}/{name}"), inner)),
            _ => Some((place, first)),
        },
        _ => Some((place, first)),
    }
}
