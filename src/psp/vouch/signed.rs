//! Signed bytes: the location of a signature and its time, and the bytes that are signed.

use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::crypto::Key;
use super::unverified::Skew;
use crate::psp::document::place::{Place, Scope, scalar};
use crate::psp::document::received::Received;
use crate::psp::profile::{Form, Found, Locator, Signature, SignedTime};

/// The id of the key that a signature names.
pub(crate) fn key_id<'f>(signature: &Signature, given: &'f Given, scope: &Scope<'f>) -> Option<&'f str> {
    let id = signature.key_id.as_ref()?;
    given.before.as_deref().or_else(|| scope.received.header(id.header.as_deref()?))
}

/// The required signed parts that are missing.
pub(crate) fn missing<'s>(signature: &'s Signature, scope: &Scope<'_>) -> impl Iterator<Item = &'s Place> {
    let must_be_there = |place: &&Place| matches!(place, Place::Header(_) | Place::Setting(_) | Place::Url(_));
    signature.signed.iter().filter(must_be_there).filter(|place| scope.text(place).is_none())
}

/// The most signatures that are looked at.
const SIGNATURES_MAX: usize = 16;

/// A signature in its written form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The text before the signature and its separator.
    pub(super) before: Option<String>,
    /// The signature.
    pub(crate) text: String,
}

/// The signatures at the location. A header may have several lines, one for each valid secret during a rotation.
pub(crate) fn located(locator: &Locator, scope: &Scope<'_>) -> Vec<Given> {
    let values: Vec<String> = match &locator.at {
        Found::Header(name) => scope.received.all(name).map(str::to_owned).collect(),
        Found::Message(pointer) => pointer.find(scope.message).and_then(scalar).into_iter().collect(),
    };
    let found = |piece: &str| match &locator.after {
        Some(after) => {
            let before = piece.split(after.as_str()).next().map(str::to_owned);
            piece.rsplit_once(after.as_str()).map(|(_, text)| Given { before, text: text.to_owned() })
        }
        None => Some(Given { before: None, text: piece.to_owned() }),
    };
    values.iter().flat_map(|value| parts(locator, value)).filter_map(found).take(SIGNATURES_MAX).collect()
}

fn parts<'v>(locator: &'v Locator, value: &'v str) -> impl Iterator<Item = &'v str> {
    let pieces: Vec<&str> = match &locator.split {
        Some(split) => value.split(split.as_str()).collect(),
        None => vec![value],
    };
    pieces
        .into_iter()
        .enumerate()
        .filter(|(at, _)| locator.index.is_none_or(|index| index == *at))
        .filter_map(|(_, piece)| piece.trim().strip_prefix(locator.prefix.as_str()))
        .filter(|piece| !piece.is_empty())
        .take(SIGNATURES_MAX)
}

/// The bytes that are signed.
pub(crate) fn signed(signature: &Signature, key: Key<'_>, scope: &Scope<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, place) in signature.signed.iter().enumerate() {
        if index > 0 {
            bytes.extend_from_slice(signature.separator.as_bytes());
        }
        match (place, key) {
            (Place::Body, _) => bytes.extend_from_slice(scope.received.body),
            (Place::Secret, Key::Secret(secret)) => bytes.extend_from_slice(secret.expose_secret()),
            (other, _) => bytes.extend_from_slice(scope.text(other).unwrap_or_default().as_bytes()),
        }
    }
    bytes
}

/// The text of the signature's time: unix seconds in digits only.
pub(crate) fn signed_time<'a>(time: &'a SignedTime, received: Received<'a>) -> Option<&'a str> {
    let Found::Header(name) = &time.found.at else { return None };
    let value = received.header(name)?;
    let text = parts(&time.found, value).next()?;
    text.bytes().all(|b| b.is_ascii_digit()).then_some(text)
}

/// The signed time of a notification of this form, as its header has it.
#[must_use]
pub fn signed_at(form: &Form, received: Received<'_>) -> Option<String> {
    let times = form.signature.iter().filter_map(|signature| signature.time.as_ref());
    times.filter_map(|time| signed_time(time, received)).map(str::to_owned).next()
}

/// The distance of a time in unix seconds from now, if it is more than `tolerance_s` seconds.
pub(crate) fn outside(text: &str, now: Timestamp, tolerance_s: u32) -> Option<Skew> {
    let Ok(at) = text.parse::<i64>() else { return Some(Skew::NoTime) };
    let (now, distance) = (now.as_second(), at.abs_diff(now.as_second()));
    let skew = if at < now { Skew::Behind(distance) } else { Skew::Ahead(distance) };
    (distance > u64::from(tolerance_s)).then_some(skew)
}
