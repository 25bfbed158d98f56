//! Places: where in a notification, its source or a fetched response a value stands.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::pointer::{Each, Pointer, Root};
use super::received::Received;

/// A place that a profile names:
///
/// | written | means |
/// |---|---|
/// | `/a/b` | JSON Pointer (RFC 6901) into the message: the body, or one item of a batch; `-` is the last of a list |
/// | `./a/b` | the same, into the current element of the rule's or item's `each`, or into the form's `object` |
/// | `fetched:/a/b` | the same, into the fetched response |
/// | `tail:/a/b` | the text there after its last `/`: the id at the end of a link |
/// | `head:/a/b` | the text there before its last `_`: the part that ids of one family have in common |
/// | `last4:/a/b` | the last four characters of the text there, if it has more |
/// | `header:NAME` | a request header |
/// | `text:WORDS` | these words |
/// | `join:{/a}-{./b}` | the texts of the places in braces with the words around them; none unless each has one |
/// | `setting:NAME` | a setting of the source that the profile asks for |
/// | `url`, `url:host`, `url:path` | the source's public URL, its host (and port, if it has one), its path with the query |
/// | `signed-at` | the timestamp of the signature, as text |
/// | `type` | the message's type |
/// | `body-sha256` | the SHA-256 of the raw body in Base64 |
/// | `body-crc32` | the CRC-32 of the raw body as a decimal number |
/// | `body` | the raw body; in `signed` only |
/// | `secret` | the source's secret; in `signed` only |
/// | `given`, `signature` | the text of an endpoint check, and its signature; in `[challenge]` only |
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Place {
    /// Into the message.
    Message(Pointer),
    /// Into the current element of `each`.
    Element(Pointer),
    /// Into the fetched response.
    Fetched(Pointer),
    /// A part of the text at a place.
    Part(Part, Box<Self>),
    /// A request header.
    Header(String),
    /// These words.
    Text(String),
    /// Several texts joined into one.
    Joined(Vec<Piece>),
    /// A setting of the source.
    Setting(String),
    /// A part of the source's public URL.
    Url(UrlPart),
    /// The timestamp of the signature.
    SignedAt,
    /// The message's type.
    Type,
    /// The SHA-256 of the raw body, in Base64.
    BodySha256,
    /// The CRC-32 of the raw body, as a decimal number.
    BodyCrc32,
    /// The raw body.
    Body,
    /// The secret.
    Secret,
    /// The text of an endpoint check.
    Given,
    /// The signature of the text of an endpoint check.
    Signature,
}

impl Place {
    /// The place whose text is looked up: this one, or the place of a part.
    #[must_use]
    pub const fn root(&self) -> &Self {
        match self {
            Self::Part(_, place) => place,
            _ => self,
        }
    }
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// What stands after the last slash.
    Tail,
    /// What stands before the last underscore.
    Head,
    /// The last four characters, of a text that has more.
    LastFour,
}

impl Part {
    const ALL: [Self; 3] = [Self::Tail, Self::Head, Self::LastFour];

    const fn word(self) -> &'static str {
        match self {
            Self::Tail => "tail",
            Self::Head => "head",
            Self::LastFour => "last4",
        }
    }

    fn of(self, text: &str) -> Option<&str> {
        match self {
            Self::Tail => text.rsplit_once('/').map(|(_, tail)| tail),
            Self::Head => text.rsplit_once('_').map(|(head, _)| head),
            Self::LastFour => {
                let (at, _) = text.char_indices().rev().nth(3)?;
                (at > 0).then(|| &text[at..])
            }
        }
    }
}

/// A piece of a joined text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Piece {
    /// A fixed text.
    Text(String),
    /// The text at a place.
    Place(Place),
}

/// Writes pieces in the syntax that [`pieces`] reads.
pub(in crate::psp) fn write_pieces(f: &mut fmt::Formatter<'_>, pieces: &[Piece]) -> fmt::Result {
    pieces.iter().try_for_each(|piece| match piece {
        Piece::Text(words) => f.write_str(words),
        Piece::Place(place) => write!(f, "{{{place}}}"),
    })
}

/// The pieces of `words{/a}words{/b}`: places stand in braces.
///
/// # Errors
/// A brace is not closed, or the text in it is not a place.
pub fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}').ok_or_else(|| format!("{text:?}: a brace is not closed"))?;
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Place(Place::try_from(place.to_owned())?));
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

/// A part of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UrlPart {
    /// The whole URL as it is configured.
    Whole,
    /// The host, with the port if it is not the scheme's default.
    Host,
    /// The path and the query.
    Path,
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let word = match text.as_str() {
            "signed-at" => Some(Self::SignedAt),
            "type" => Some(Self::Type),
            "body" => Some(Self::Body),
            "body-sha256" => Some(Self::BodySha256),
            "body-crc32" => Some(Self::BodyCrc32),
            "secret" => Some(Self::Secret),
            "given" => Some(Self::Given),
            "signature" => Some(Self::Signature),
            "url" => Some(Self::Url(UrlPart::Whole)),
            "url:host" => Some(Self::Url(UrlPart::Host)),
            "url:path" => Some(Self::Url(UrlPart::Path)),
            _ => None,
        };
        if let Some(word) = word {
            return Ok(word);
        }
        let part = |word: &str| Part::ALL.into_iter().find(|part| part.word() == word);
        match text.split_once(':') {
            Some((word, "")) if matches!(word, "header" | "text" | "setting") || part(word).is_some() => {
                Err(format!("{text} needs a name or words"))
            }
            Some(("header", name)) => Ok(Self::Header(name.to_ascii_lowercase())),
            Some(("text", words)) => Ok(Self::Text(words.to_owned())),
            Some(("setting", name)) => Ok(Self::Setting(name.to_owned())),
            Some(("join", template)) => match pieces(template)? {
                pieces if pieces.iter().any(|piece| matches!(piece, Piece::Place(_))) => Ok(Self::Joined(pieces)),
                _ => Err(format!("{text} needs a place in braces")),
            },
            Some(("fetched", pointer)) => Pointer::try_from(pointer.to_owned()).map(Self::Fetched),
            Some((word, rest)) if let Some(part) = part(word) => match Self::try_from(rest.to_owned())? {
                place @ (Self::Message(_) | Self::Element(_) | Self::Fetched(_)) => {
                    Ok(Self::Part(part, Box::new(place)))
                }
                other => Err(format!("{word}:{other}: only a place in a message or a response has a {word}")),
            },
            _ => match text.strip_prefix('.') {
                Some(pointer) => Pointer::try_from(pointer.to_owned()).map(Self::Element),
                None => Pointer::try_from(text).map(Self::Message),
            },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(pointer) => write!(f, "{pointer}"),
            Self::Element(pointer) => write!(f, ".{pointer}"),
            Self::Fetched(pointer) => write!(f, "fetched:{pointer}"),
            Self::Part(part, place) => write!(f, "{}:{place}", part.word()),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Text(words) => write!(f, "text:{words}"),
            Self::Joined(pieces) => {
                f.write_str("join:")?;
                write_pieces(f, pieces)
            }
            Self::Setting(name) => write!(f, "setting:{name}"),
            Self::Url(UrlPart::Whole) => f.write_str("url"),
            Self::Url(UrlPart::Host) => f.write_str("url:host"),
            Self::Url(UrlPart::Path) => f.write_str("url:path"),
            Self::SignedAt => f.write_str("signed-at"),
            Self::Type => f.write_str("type"),
            Self::BodySha256 => f.write_str("body-sha256"),
            Self::BodyCrc32 => f.write_str("body-crc32"),
            Self::Body => f.write_str("body"),
            Self::Secret => f.write_str("secret"),
            Self::Given => f.write_str("given"),
            Self::Signature => f.write_str("signature"),
        }
    }
}

/// The configuration of a source, as far as a profile can name it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Configured<'a> {
    /// The settings that the profile asks for.
    pub settings: Option<&'a BTreeMap<String, String>>,
    /// The URL that the PSP posts to, as the PSP knows it.
    pub public_url: Option<&'a Url>,
}

/// The values that places are looked up in: one message of a notification, verified or not.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The notification.
    pub received: &'a Received<'a>,
    /// The source's configuration; known only while a signature is checked.
    pub configured: Configured<'a>,
    /// The body, or one item of a batch.
    pub message: &'a Value,
    /// The current element of `each`.
    pub element: Option<&'a Value>,
    /// The fetched response, or the part of it that the profile names.
    pub fetched: Option<&'a Value>,
    /// The timestamp of the signature.
    pub signed_at: Option<&'a str>,
    /// The message's type.
    pub event_type: &'a str,
}

impl<'a> Scope<'a> {
    /// A message of which nothing else is known yet.
    #[must_use]
    pub const fn new(received: &'a Received<'a>, message: &'a Value) -> Self {
        let configured = Configured { settings: None, public_url: None };
        Self { received, configured, message, element: None, fetched: None, signed_at: None, event_type: "" }
    }

    /// The text at a place: strings as they are, numbers and booleans as they are written. Absent, null and empty values,
    /// lists and objects have no text. The raw body, the secret and the text of an endpoint check have none either.
    #[must_use]
    pub fn text(&self, place: &Place) -> Option<String> {
        match place {
            Place::Message(_) | Place::Element(_) | Place::Fetched(_) => self.value(place).and_then(scalar),
            Place::Part(part, place) => self.text(place).and_then(|text| part.of(&text).map(str::to_owned)),
            Place::Header(name) => self.received.header(name).map(str::to_owned),
            Place::Text(words) => Some(words.clone()),
            Place::Joined(pieces) => pieces.iter().map(|piece| self.piece(piece)).collect(),
            Place::Setting(name) => self.configured.settings.and_then(|settings| settings.get(name)).cloned(),
            Place::Url(part) => self.configured.public_url.and_then(|url| url_part(url, *part)),
            Place::SignedAt => self.signed_at.map(str::to_owned),
            Place::Type => Some(self.event_type.to_owned()),
            Place::BodySha256 => Some(STANDARD.encode(Sha256::digest(self.received.body))),
            Place::BodyCrc32 => Some(crc32fast::hash(self.received.body).to_string()),
            Place::Body | Place::Secret | Place::Given | Place::Signature => None,
        }
        .filter(|text| !text.is_empty())
    }

    /// The value at a place in the message, the current element or the fetched response.
    #[must_use]
    pub fn value(&self, place: &Place) -> Option<&'a Value> {
        match place {
            Place::Message(pointer) => pointer.find(self.message),
            Place::Element(pointer) => pointer.find(self.element?),
            Place::Fetched(pointer) => pointer.find(self.fetched?),
            _ => None,
        }
    }

    fn piece(&self, piece: &Piece) -> Option<String> {
        match piece {
            Piece::Text(words) => Some(words.clone()),
            Piece::Place(place) => self.text(place),
        }
    }

    /// The text at the first of the places that has one.
    #[must_use]
    pub fn first(&self, places: &[Place]) -> Option<String> {
        places.iter().find_map(|place| self.text(place))
    }

    /// Whether the list is there, be it empty.
    #[must_use]
    pub fn has(&self, each: &Each) -> bool {
        self.root(each).is_some_and(|root| each.is_listed(root))
    }

    /// One scope for each element of the list.
    #[must_use]
    pub fn each(&self, each: &Each) -> Vec<Self> {
        let found = self.root(each).map(|root| each.find(root)).unwrap_or_default();
        found.into_iter().map(|element| Self { element: Some(element), ..*self }).collect()
    }

    const fn root(&self, each: &Each) -> Option<&'a Value> {
        match each.root {
            Root::Message => Some(self.message),
            Root::Element => self.element,
            Root::Fetched => self.fetched,
        }
    }
}

fn url_part(url: &Url, part: UrlPart) -> Option<String> {
    match part {
        UrlPart::Whole => Some(url.as_str().to_owned()),
        UrlPart::Host => Some(match url.port() {
            Some(port) => format!("{}:{port}", url.host_str()?),
            None => url.host_str()?.to_owned(),
        }),
        UrlPart::Path => Some(match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }),
    }
}

/// A string, number or boolean as text. Numbers keep every digit. An XML element with attributes has its text, too.
#[must_use]
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Object(element) => element.get("#text").and_then(Value::as_str).map(str::to_owned),
        Value::Null | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_checked() {
        let good = [
            "/a/0/b~1c",
            "./id",
            "fetched:/a",
            "tail:/links/-/href",
            "tail:./href",
            "tail:fetched:/self",
            "head:/id",
            "last4:./account",
            "header:Webhook-Id",
            "text:a:b",
            "text:\n",
            "join:{/a}-{./b}",
            "setting:webhook-id",
            "url",
            "url:host",
            "url:path",
            "signed-at",
            "type",
            "body",
            "body-sha256",
            "body-crc32",
            "secret",
            "given",
            "signature",
        ];
        for good in good {
            let place = Place::try_from(good.to_owned()).unwrap();
            assert!(place.to_string().eq_ignore_ascii_case(good), "{good}");
        }
        for bad in [
            "",
            "a/b",
            "/a~2",
            "header:",
            "text:",
            "setting:",
            ".id",
            "fetched:a",
            "url:port",
            "tail:",
            "tail:url",
            "tail:tail:/a",
            "head:",
            "last4:head:/a",
            "join:a",
            "join:{/a",
            "join:{a}",
        ] {
            assert!(Place::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let value: Value = serde_json::from_str("[12.90, 20190321713212125000, 1e2]").unwrap();
        let texts: Vec<_> = value.as_array().unwrap().iter().filter_map(scalar).collect();
        assert_eq!(texts, ["12.90", "20190321713212125000", "1e+2"]);
    }

    #[test]
    fn the_tail_of_a_link_is_an_id() {
        let message =
            serde_json::json!({"up": "https://api.psp.example/v2/captures/4L33", "dir": "a/", "none": "a", "n": 1});
        let received = Received { headers: &[], body: b"", at: jiff::Timestamp::UNIX_EPOCH };
        let scope = Scope::new(&received, &message);
        let tail = |name: &str| scope.text(&Place::try_from(format!("tail:/{name}")).unwrap());
        assert_eq!(tail("up").as_deref(), Some("4L33"));
        assert_eq!([tail("dir"), tail("none"), tail("n"), tail("absent")], [None, None, None, None]);
    }

    #[test]
    fn a_text_has_a_head_and_four_last_characters() {
        let message =
            serde_json::json!({"id": "3136_405_2", "none": "3136", "account": 7_199_651_109_i64, "short": "1234"});
        let received = Received { headers: &[], body: b"", at: jiff::Timestamp::UNIX_EPOCH };
        let scope = Scope::new(&received, &message);
        let text = |place: &str| scope.text(&Place::try_from(place.to_owned()).unwrap());
        assert_eq!(text("head:/id").as_deref(), Some("3136_405"));
        assert_eq!(text("join:{head:/id}_0").as_deref(), Some("3136_405_0"));
        assert_eq!(text("last4:/account").as_deref(), Some("1109"));
        assert_eq!([text("head:/none"), text("last4:/short"), text("last4:/absent")], [None, None, None]);
    }

    #[test]
    fn texts_are_joined_if_each_is_there() {
        let received = Received { headers: &[], body: &[], at: jiff::Timestamp::UNIX_EPOCH };
        let (message, element) = (serde_json::json!({"id": 7, "no": null}), serde_json::json!({"id": 2}));
        let scope = Scope { element: Some(&element), ..Scope::new(&received, &message) };
        let text = |place: &str| scope.text(&Place::try_from(place.to_owned()).unwrap());
        assert_eq!(text("join:{/id}/{./id}").as_deref(), Some("7/2"));
        assert_eq!(text("join:<{/id}>").as_deref(), Some("<7>"));
        assert_eq!([text("join:{/id}-{/no}"), text("join:{/id}-{/nowhere}")], [None, None]);
    }

    #[test]
    fn a_public_url_has_parts() {
        let url = Url::parse("https://relay.example.com:8443/notifications/vipps?a=b").unwrap();
        let parts = [UrlPart::Whole, UrlPart::Host, UrlPart::Path].map(|part| url_part(&url, part).unwrap());
        let whole = "https://relay.example.com:8443/notifications/vipps?a=b";
        assert_eq!(parts, [whole, "relay.example.com:8443", "/notifications/vipps?a=b"]);
    }
}
