//! Calls that fetch the truth of a message, and hints in notifications that are not verified.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::rules::{event_type, holds, printable};
use crate::domain::message::{Meaning, Message};
use crate::psp::document::place::{Piece, Scope};
use crate::psp::document::received::Received;
use crate::psp::profile::{Call, Fetch, Form, Profile, Template};

/// A hint: a notification that nobody vouches for, taken only as a sign that there may be news. Nothing in it is believed
/// except where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The form by which the notification was read.
    pub form: String,
    /// The paths to fetch, below the base of the PSP's API.
    pub calls: Vec<String>,
}

/// The hint in a notification that cannot be verified: read by the first form that may be a pointer and has something to
/// fetch. `unsigned_only` restricts it to unsigned forms.
#[must_use]
pub fn hint(profile: &Profile, received: &Received<'_>, unsigned_only: bool) -> Option<Hint> {
    let forms = profile.forms.iter();
    forms.filter(|form| form.pointer_only && (form.signature.is_empty() || !unsigned_only)).find_map(|form| {
        let fetch = form.fetch.as_ref()?;
        let body = form.content.message(received.body).ok()?;
        let found = form.batch.as_ref().map_or_else(|| vec![&body], |batch| batch.find(&body));
        let calls = found.into_iter().filter_map(|message| {
            let scope = Scope::new(received, message);
            // The id decides whether an object belongs to a record. With two ids, a stranger who knows one could invent the
            // other.
            call(fetch, &scope, true).filter(|call| call.names_one_thing())?;
            match self::message(form, fetch, &scope, true)?.meaning {
                Meaning::Fetch(path) => Some(path),
                _ => None,
            }
        });
        let calls: Vec<String> = calls.collect();
        (!calls.is_empty()).then(|| Hint { form: form.name.clone(), calls })
    })
}

/// The first call that fits a message. If nothing but what is needed is fetched, other calls do not count.
fn call<'f>(fetch: &'f Fetch, scope: &Scope<'_>, fetching: bool) -> Option<&'f Call> {
    fetch.calls.iter().filter(|call| fetching || call.needed).find(|call| holds(&call.when, scope))
}

/// A message that asks for a fetch; none if no call fits it.
pub(super) fn message(form: &Form, fetch: &Fetch, scope: &Scope<'_>, fetching: bool) -> Option<Message> {
    let call = call(fetch, scope, fetching)?;
    let meaning = path(&call.path, scope).map_or_else(Meaning::NotUnderstood, Meaning::Fetch);
    Some(Message::new(printable(&event_type(form, scope)), meaning))
}

/// The longest text in a path, in bytes: as long as the longest PSP id.
const PIECE_MAX: usize = 255;

/// All characters except those that RFC 3986 never reserves.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn path(template: &Template, scope: &Scope<'_>) -> Result<String, String> {
    let mut path = String::new();
    for piece in &template.0 {
        match piece {
            Piece::Text(text) => path.push_str(text),
            Piece::Place(place) => {
                let text = scope.text(place).ok_or_else(|| format!("no text at {place} to fetch by"))?;
                // Dots are steps up in a path, even when they are escaped.
                if text.len() > PIECE_MAX || text.bytes().all(|byte| byte == b'.') {
                    return Err(format!("the text at {place} cannot be part of a path to fetch"));
                }
                path.extend(utf8_percent_encode(&text, RESERVED));
            }
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn called(template: &str, message: &serde_json::Value) -> Result<String, String> {
        let received = Received { headers: &[], body: &[], at: jiff::Timestamp::UNIX_EPOCH };
        path(&Template::try_from(template.to_owned()).unwrap(), &Scope::new(&received, message))
    }

    /// A message that is signed as a whole may be fetched by several ids. A hint may not: one known id does not vouch for
    /// another.
    #[test]
    fn a_hint_is_looked_up_by_one_place() {
        let text = |path: &str| {
            format!(
                "name = \"it\"\ntitle = \"It\"\namounts = \"major\"\n[[notification]]\nname = \"pointer\"\n\
                 pointer_only = true\ntype = [\"fetched:/status\"]\n[[notification.signature]]\n\
                 algorithm = \"hmac-sha256\"\nsigned = [\"body\"]\nencoding = \"hex\"\nfound = {{ header = \"signature\" }}\n\
                 [notification.fetch]\nbase = \"https://api.example.com\"\nauth = \"bearer\"\n\
                 [[notification.fetch.call]]\npath = \"{path}\"\n"
            )
        };
        let received = Received { headers: &[], body: br#"{"a": "1", "b": "2"}"#, at: jiff::Timestamp::UNIX_EPOCH };
        let calls = |path: &str| hint(&Profile::read(&text(path)).unwrap(), &received, false).map(|hint| hint.calls);
        assert_eq!(calls("/x/{/a}?again={/a}"), Some(vec!["/x/1?again=1".to_owned()]));
        assert_eq!(calls("/x/{/a}/y/{/b}"), None);
    }

    #[test]
    fn a_path_stays_below_the_base() {
        let template = "/v2/payments/{/id}?embed=refunds";
        let good = |id: &str| called(template, &json!({"id": id})).unwrap();
        assert_eq!(good("tr_5B8cwPMGnU6qLbRvo7qEZo"), "/v2/payments/tr_5B8cwPMGnU6qLbRvo7qEZo?embed=refunds");
        assert_eq!(good("../../x?y#z"), "/v2/payments/..%2F..%2Fx%3Fy%23z?embed=refunds");
        assert_eq!(good("@evil.example"), "/v2/payments/%40evil.example?embed=refunds");
        for bad in [json!({"id": ".."}), json!({"id": "."}), json!({"id": ""}), json!({"id": ["a"]}), json!({})] {
            assert!(called(template, &bad).is_err(), "{bad}");
        }
        assert!(called(template, &json!({"id": "x".repeat(256)})).is_err());
        for bad in ["v2/x", "//evil.example/{/id}", "/v2/{/id", "/v2/{id}"] {
            assert!(Template::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
