//! The content of a notification: its bytes as a value from JSON, a form, or XML, with an inner message if there is one.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::Encoding as Charset;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::place::scalar;
use super::pointer::Pointer;
use super::xml;
use crate::domain::json;

/// How the body of a notification is written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Content {
    /// JSON, a form or XML.
    pub format: Format,
    /// The charset of a form or of XML without a declaration, by its name on the web; UTF-8 by default.
    pub charset: Option<CharsetName>,
    /// Media types that the PSP sends in addition to those of the format.
    pub media_types: Vec<String>,
    /// The field that holds the message for the rules. Signatures read the body around it.
    pub inner: Option<Inner>,
}

/// A field of the body that holds the message itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inner {
    /// The field.
    pub pointer: Pointer,
    /// The encoding of the field's bytes.
    #[serde(default)]
    pub encoding: InnerEncoding,
    /// The format of the decoded bytes.
    pub format: Format,
}

/// How the bytes of an inner message are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InnerEncoding {
    /// Plain text.
    #[default]
    Text,
    /// Base64; line breaks are ignored.
    Base64,
}

/// The formats of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 8259.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`: an object of texts. A field that occurs twice is a list, and therefore has no
    /// text.
    Form,
    /// XML: an element is its text, or an object of its children by name and its attributes as `@name`; children of one
    /// name are a list.
    Xml,
}

/// A supported charset.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct CharsetName(&'static Charset);

impl TryFrom<String> for CharsetName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Charset::for_label(name.as_bytes()).map(Self).ok_or_else(|| format!("{name:?} is not a supported charset"))
    }
}

impl Content {
    /// The value that signatures read: the body itself.
    ///
    /// # Errors
    /// The reason why the body cannot be read.
    pub fn outer(&self, body: &[u8]) -> Result<Value, String> {
        read(self.format, self.charset, body).map_err(|reason| format!("the body is {reason}"))
    }

    /// The value that the rules read: the body, or the message inside it.
    ///
    /// # Errors
    /// The reason why the message cannot be read.
    pub fn message(&self, body: &[u8]) -> Result<Value, String> {
        let outer = self.outer(body)?;
        let Some(inner) = &self.inner else { return Ok(outer) };
        let text = inner.pointer.find(&outer).and_then(scalar);
        let text = text.ok_or_else(|| format!("{}: missing", inner.pointer))?;
        let bytes = match inner.encoding {
            InnerEncoding::Text => text.into_bytes(),
            InnerEncoding::Base64 => {
                let dense: String = text.split_ascii_whitespace().collect();
                STANDARD.decode(dense).map_err(|_| format!("{}: is not Base64", inner.pointer))?
            }
        };
        read(inner.format, self.charset, &bytes).map_err(|reason| format!("{}: is {reason}", inner.pointer))
    }

    /// An object of texts, written as a form in its charset.
    #[must_use]
    pub fn write_form(&self, fields: &Value) -> Vec<u8> {
        let charset = self.charset.map_or(encoding_rs::UTF_8, |charset| charset.0);
        let encoded = |text: &str| percent_encode(&charset.encode(text).0, NON_ALPHANUMERIC).to_string();
        let fields = fields.as_object().into_iter().flatten();
        let pairs =
            fields.map(|(name, value)| format!("{}={}", encoded(name), encoded(&scalar(value).unwrap_or_default())));
        pairs.collect::<Vec<_>>().join("&").into_bytes()
    }

    /// The usual media type of the format, and the further ones that the form names.
    pub fn media_types(&self) -> impl Iterator<Item = &str> {
        let usual = match self.format {
            Format::Json => "application/json",
            Format::Form => "application/x-www-form-urlencoded",
            Format::Xml => "application/xml",
        };
        std::iter::once(usual).chain(self.media_types.iter().map(String::as_str))
    }

    /// Whether a request of this media type may carry the notification.
    #[must_use]
    pub fn takes(&self, media_type: &str) -> bool {
        let own = match self.format {
            Format::Json => {
                media_type == "application/json"
                    || (media_type.starts_with("application/") && media_type.ends_with("+json"))
            }
            Format::Form => media_type == "application/x-www-form-urlencoded",
            Format::Xml => {
                matches!(media_type, "application/xml" | "text/xml")
                    || (media_type.starts_with("application/") && media_type.ends_with("+xml"))
            }
        };
        own || self.media_types.iter().any(|known| known == media_type)
    }
}

fn read(format: Format, charset: Option<CharsetName>, bytes: &[u8]) -> Result<Value, String> {
    match format {
        Format::Json => json::read(bytes).map_err(|reason| format!("not JSON: {reason}")),
        Format::Form => form(charset, bytes),
        Format::Xml => {
            let text = decoded(charset, bytes).ok_or("not text in its charset")?;
            xml::read(&text).map_err(|reason| format!("not XML: {reason}"))
        }
    }
}

/// The most fields of a form.
pub const FIELDS_MAX: usize = 1000;

/// Reads any bytes as a form, up to the most fields. A field whose bytes are not text in the charset has no value.
fn form(charset: Option<CharsetName>, bytes: &[u8]) -> Result<Value, String> {
    let mut fields = Map::new();
    for (before, pair) in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
        if before >= FIELDS_MAX {
            return Err(format!("a form with more than {FIELDS_MAX} fields"));
        }
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = component(charset, halves.next().unwrap_or_default());
        let value = component(charset, halves.next().unwrap_or_default());
        let (Some(name), value) = (name, value.map_or(Value::Null, Value::String)) else { continue };
        match fields.get_mut(&name) {
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(fields.insert(name, value)),
        }
    }
    Ok(Value::Object(fields))
}

fn component(charset: Option<CharsetName>, bytes: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let bytes: Cow<'_, [u8]> = percent_decode(&spaced).into();
    decoded(charset, &bytes)
}

fn decoded(charset: Option<CharsetName>, bytes: &[u8]) -> Option<String> {
    let charset = charset.map_or(encoding_rs::UTF_8, |charset| charset.0);
    let text = charset.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn content(toml: &str) -> Content {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn a_form_is_read_in_its_charset() {
        let latin = content("format = \"form\"\ncharset = \"iso-8859-1\"");
        let read = latin.message(b"name=M%FCller+%26+Co&key=a&key=b&empty=&flag").unwrap();
        assert_eq!(read, json!({"name": "Müller & Co", "key": ["a", "b"], "empty": "", "flag": ""}));
        let utf8 = content("format = \"form\"");
        assert_eq!(utf8.message(b"name=M%FCller&id=1").unwrap(), json!({"name": null, "id": "1"}));
        assert!(toml::from_str::<Content>("charset = \"klingon\"").is_err());
    }

    #[test]
    fn a_form_has_so_many_fields_and_no_more() {
        let form = content("format = \"form\"");
        let fields = |count: usize| (0..count).map(|n| format!("&f{n}=")).collect::<String>();
        assert_eq!(form.message(fields(FIELDS_MAX).as_bytes()).unwrap().as_object().unwrap().len(), FIELDS_MAX);
        for count in [FIELDS_MAX + 1, 150_000] {
            let reason = form.message(fields(count).as_bytes()).unwrap_err();
            assert_eq!(reason, "the body is a form with more than 1000 fields");
        }
        let many_times = "a=1&".repeat(FIELDS_MAX + 1);
        assert!(form.message(many_times.as_bytes()).is_err());
    }

    #[test]
    fn a_message_may_be_inside_a_field() {
        let braintree =
            content("format = \"form\"\ninner = { pointer = \"/payload\", encoding = \"base64\", format = \"xml\" }");
        let xml = STANDARD.encode("<a><b>1</b></a>").replace('+', "%2B");
        let body = format!("payload={}%0A{}", &xml[..3], &xml[3..]);
        assert_eq!(braintree.message(body.as_bytes()).unwrap(), json!({"a": {"b": "1"}}));
        assert_eq!(braintree.message(b"other=1").unwrap_err(), "/payload: missing");
        assert_eq!(braintree.message(b"payload=%25").unwrap_err(), "/payload: is not Base64");
    }

    #[test]
    fn media_types_follow_the_format() {
        let unzer = content("media_types = [\"text/plain\"]");
        for (media_type, taken) in [("application/json", true), ("application/vnd.x+json", true), ("text/plain", true)]
            .into_iter()
            .chain([("text/html", false), ("application/x-www-form-urlencoded", false)])
        {
            assert_eq!(unzer.takes(media_type), taken, "{media_type}");
        }
    }
}
