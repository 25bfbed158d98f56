//! What is fuzzed: the pure parts that strangers' bytes reach. The targets of cargo-fuzz call these functions with what
//! libFuzzer makes up, `tests/it/fuzzing.rs` with mutated fixtures. A panic is a finding.
//!
//! An input is a line with the name of a profile, and what it is to read: for `verify` headers line by line, an empty line
//! and a body. What names no profile chooses one anyhow.

mod oracle;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use transform_relay::domain::message::{Meaning, Message, Normalised};
use transform_relay::psp::document::content::{Content, FIELDS_MAX, Format};
use transform_relay::psp::document::received::Received;
use transform_relay::psp::document::xml::{self, DEPTH_MAX};
use transform_relay::psp::meaning::call::hint;
use transform_relay::psp::meaning::normalise::{normalise as normalised, normalise_fetched};
use transform_relay::psp::profile::catalogue::Catalogue;
use transform_relay::psp::profile::{Algorithm, Profile, Signature};
use transform_relay::psp::vouch::sign::{Signed, sign};
use transform_relay::psp::vouch::verify::{self, Means, Unverified, Verified};
use url::Url;

/// Good for every profile: text, hex and Base64. No seed is signed with it.
const SECRET: &str = "f00dbabe5eed1e55f00dbabe5eed1e55";
const OTHER_SECRET: &str = "5eed1e55f00dbabe5eed1e55f00dbabe";
const NOW: i64 = 1_700_000_000;

/// Arbitrary headers and an arbitrary body never verify; what is signed does, and no longer when it is changed.
pub(crate) fn verify(data: &[u8]) {
    let (profile, rest) = chosen(data);
    let (headers, body) = headers(rest);
    let verdict = verified(profile, SECRET, &headers, body);
    assert!(verdict.is_err(), "{} believes what nobody signed", profile.name);

    for form in &profile.forms {
        let Ok(signed) = signed(profile, &form.name, body) else { continue };
        match verified(profile, SECRET, &signed.headers, &signed.body) {
            Ok(_) => {}
            // An empty batch holds nothing that is signed.
            Err(Unverified::Missing) if signed.headers.is_empty() => continue,
            // An endpoint check signs this for anybody.
            Err(Unverified::Challenge) => continue,
            Err(reason) => panic!("{} does not believe what it signed: {reason}", profile.name),
        }
        assert!(verified(profile, OTHER_SECRET, &signed.headers, &signed.body).is_err(), "another secret is believed");
        let is_sent_along = |signature: &Signature| signature.algorithm == Algorithm::Plain;
        if !signed.headers.is_empty() && !form.signature.iter().any(is_sent_along) {
            let longer = [&signed.body[..], b"\n"].concat();
            assert!(verified(profile, SECRET, &signed.headers, &longer).is_err(), "a longer body is believed");
            let longer = [b" ", &signed.body[..]].concat();
            assert!(verified(profile, SECRET, &signed.headers, &longer).is_err(), "a shifted body is believed");
        }
    }
}

/// What a PSP signs is read, whatever it is, to something that is not much larger; read twice it is the same.
pub(crate) fn normalise(data: &[u8]) {
    let (profile, body) = chosen(data);
    for form in &profile.forms {
        let Ok(signed) = signed(profile, &form.name, body) else { continue };
        let Ok(verified) = verified(profile, SECRET, &signed.headers, &signed.body) else { continue };
        let read = normalised(profile, &(&verified).into(), true);
        assert_eq!(read, normalised(profile, &(&verified).into(), true));
        assert!(!read.dedupe_key.is_empty() && !read.messages.is_empty());
        let (size, limit) = (size(&read), 64 * 1024 + 1000 * body.len());
        assert!(size <= limit, "{} bytes become {size}", body.len());
    }
    let received = Received { headers: &[], body, at: Timestamp::UNIX_EPOCH };
    for form in profile.forms.iter().filter(|form| form.fetch.is_some()) {
        let read = normalise_fetched(profile, form, &received, None, 0, body);
        let (size, limit) = (message_size(&read), 64 * 1024 + 1000 * body.len());
        assert!(size <= limit, "{} fetched bytes become {size}", body.len());
    }
    if let Some(hint) = hint(profile, &received, false) {
        assert!(!hint.calls.is_empty() && hint.calls.iter().all(|call| call.starts_with('/')), "{hint:?}");
    }
}

/// Any text is a profile or a mistake; what is a profile can sign, verify and read anything. The profile ends at the
/// first NUL, and the body follows.
pub(crate) fn profile(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (text, body) = data.split_at(end);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let body = body.get(1..).unwrap_or_default();
    let profile = match Profile::read(text) {
        Ok(profile) => profile,
        Err(error) => {
            assert!(error.line.is_none_or(|line| line > 0 && line <= text.matches('\n').count() + 1), "{error}");
            return;
        }
    };
    let body = if body.is_empty() { br#"{"type":"x","id":"1","data":[{"id":"2"}]}"# } else { body };
    for form in &profile.forms {
        let Ok(signed) = signed(&profile, &form.name, body) else { continue };
        let Ok(verified) = verified(&profile, SECRET, &signed.headers, &signed.body) else { continue };
        assert!(!normalised(&profile, &(&verified).into(), true).messages.is_empty());
    }
}

/// Any text is XML or none. What is read of it is not much larger, and is nested no deeper than it may be.
pub(crate) fn xml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match xml::read(text) {
        Ok(value) => {
            assert_eq!(xml::read(text).as_ref(), Ok(&value));
            // A list lies between elements of one name.
            assert!(depth(&value) <= 2 * (DEPTH_MAX + 2), "nested too deep");
            let (size, limit) = (value.to_string().len(), 64 + 8 * text.len());
            assert!(size <= limit, "{} bytes become {size}", text.len());
        }
        Err(error) => assert!(error.to_string().len() < 100, "{error}"),
    }
}

/// Nothing that an endpoint check has signed is believed, wherever a stranger puts it. How many such notifications were
/// tried.
pub(crate) fn challenge(data: &[u8]) -> usize {
    oracle::challenge(data)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Any bytes are a form, unless it has too many fields; one of texts is the same when it is written and read again.
pub(crate) fn form(data: &[u8]) {
    let content = Content { format: Format::Form, ..Content::default() };
    let fields = data.split(|byte| *byte == b'&').filter(|field| !field.is_empty()).count();
    let read = content.message(data);
    assert_eq!(read.is_ok(), fields <= FIELDS_MAX, "{fields} fields: {read:?}");
    if let Ok(value) = read
        && value.as_object().is_some_and(|fields| fields.values().all(Value::is_string))
    {
        assert_eq!(content.message(&content.write_form(&value)), Ok(value));
    }
}

static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::built_in().expect("the built-in profiles are good"));

/// The profile that the first line names, and what follows the line. Any other line chooses one by its bytes.
fn chosen(data: &[u8]) -> (&'static Profile, &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (line, rest) = data.split_at(end);
    let named = std::str::from_utf8(line).ok().and_then(|name| CATALOGUE.get(name));
    let any = || {
        let sum: usize = line.iter().map(|byte| usize::from(*byte)).sum();
        CATALOGUE.iter().nth(sum % CATALOGUE.iter().count()).expect("it is one of them")
    };
    (&named.unwrap_or_else(any).profile, rest.get(1..).unwrap_or_default())
}

/// Header lines up to an empty one, as a server hands them on: names in lower case, only values that are text.
fn headers(data: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers = Vec::new();
    let mut rest = data;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')) else { break };
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    (headers, rest)
}

fn signed(profile: &Profile, form: &str, body: &[u8]) -> Result<Signed, String> {
    let secret = SECRET.to_owned().into();
    sign(profile, Some(form), &means(&secret), NOW, "msg_1", body)
}

fn verified<'a>(
    profile: &'a Profile,
    secret: &str,
    headers: &'a [(String, String)],
    body: &'a [u8],
) -> Result<Verified<'a>, Unverified> {
    let at = Timestamp::from_second(NOW).expect("a time of our own");
    let secret = secret.to_owned().into();
    verify::verify(profile, &means(&secret), Received { headers, body, at })
}

/// A source that has all that any profile asks for.
fn means(secret: &SecretString) -> Means<'_> {
    static SETTINGS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
        let names = CATALOGUE.iter().flat_map(|entry| entry.profile.settings.keys().cloned().collect::<Vec<_>>());
        names.map(|name| (name, "set".to_owned())).collect()
    });
    static URL: LazyLock<Url> = LazyLock::new(|| "https://relay.example.com/n/it".parse().expect("a URL"));
    Means { settings: Some(&SETTINGS), public_url: Some(&URL), ..Means::secret(secret) }
}

fn size(read: &Normalised) -> usize {
    read.dedupe_key.len() + read.messages.iter().map(message_size).sum::<usize>()
}

fn message_size(message: &Message) -> usize {
    match &message.meaning {
        Meaning::Events(events) => serde_json::to_vec(events).map_or(0, |json| json.len()),
        Meaning::NotUnderstood(text) | Meaning::Fetch(text) => text.len(),
        Meaning::Ignored => 0,
    }
}
