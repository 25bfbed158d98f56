//! Signature vectors: each has its verdict, and no change of what is signed or unsigned makes another notification of it.

use std::collections::BTreeSet;

use serde_json::Value;
use transform_relay::guide::explain;
use transform_relay::psp::meaning::normalise::normalise;
use transform_relay::psp::profile::{Algorithm, Form, Found, Profile, Signature};
use transform_relay::psp::vouch::verify;

use super::agreement::the_explanation_agrees;
use crate::support::contents::{Vector, profile, vectors};

fn verdict(profile: &Profile, vector: &Vector) -> String {
    vector.received(|means, received| {
        let verified = verify::verify(profile, means, received);
        the_explanation_agrees(&explain::verification(profile, means, received), &verified);
        verified.map_or_else(|reason| reason.to_string(), |_| "verified".to_owned())
    })
}

pub(super) fn each_gives_its_verdict(name: &str) {
    let (profile, vectors) = (profile(name), vectors(name));
    let is_signed = profile.forms.iter().any(|form| !form.signature.is_empty());
    assert!(!vectors.is_empty() || !is_signed, "{name} has no vector");
    let mut names = BTreeSet::new();
    for vector in &vectors {
        assert!(names.insert(&vector.name), "{name}: two vectors have the name {}", vector.name);
    }
    for vector in vectors {
        assert_eq!(verdict(profile, &vector), vector.expect, "{name}, {}", vector.name);
    }
}

/// A signed text cannot be changed by as much as a newline.
pub(super) fn none_verifies_with_a_newline_more(name: &str) {
    let profile = profile(name);
    let mut tried = BTreeSet::new();
    for (form, vector) in signed_in_a_header(name) {
        let tampered = vector.with(vector.headers.clone(), format!("{}\n", vector.body));
        assert_ne!(verdict(profile, &tampered), "verified", "{name}, {} with a newline more", vector.name);
        tried.insert(form);
    }
    // Without a vector nothing would be tried.
    let by_header = |form: &&Form| form.signature.iter().any(|one| signing_header(one).is_some());
    for form in profile.forms.iter().filter(by_header) {
        assert!(tried.contains(&form.name), "{name}: no vector of the form {} verifies by a header", form.name);
    }
}

/// The header of a signature that stands in one. A secret that is sent along signs nothing.
fn signing_header(signature: &Signature) -> Option<&str> {
    match &signature.found.at {
        Found::Header(name) if !matches!(signature.algorithm, Algorithm::Plain) => Some(name),
        _ => None,
    }
}

/// The vectors that verify by a signature in a header, each with the name of its form.
fn signed_in_a_header(name: &str) -> impl Iterator<Item = (String, Vector)> {
    let profile = profile(name);
    vectors(name).into_iter().filter_map(|vector| {
        let (form, _) = key_of(profile, &vector)?;
        let given = |header: &str| vector.headers.keys().any(|name| name.eq_ignore_ascii_case(header));
        form.signature.iter().filter_map(signing_header).any(given).then(|| (form.name.clone(), vector))
    })
}

/// A caught notification can be changed where it is not signed: that makes no other notification of it, and no other
/// time. If a signature covers fields of a body, every other field is changed in turn.
pub(super) fn each_keeps_its_dedupe_key(name: &str) {
    let profile = profile(name);
    for vector in vectors(name) {
        let Some((form, key)) = key_of(profile, &vector).filter(|(form, _)| form.is_protected()) else { continue };
        let mut changed = 0;
        for forged in headers_changed(&vector, form).chain(fields_changed(&vector)) {
            if let Some((_, forged_key)) = key_of(profile, &forged) {
                assert_eq!(forged_key, key, "{name}, {}: {:?} {}", vector.name, forged.headers, forged.body);
                changed += 1;
            }
        }
        assert!(changed > 1, "{name}, {}: {changed} changes verify", vector.name);
    }
}

/// Without them the tests of each PSP would change nothing.
#[test]
fn there_are_vectors_to_change() {
    let names = || transform_relay::psp::profile::catalogue::BUILT_IN.iter().map(|(name, _)| *name);
    let in_a_header: Vec<_> = names().filter(|name| signed_in_a_header(name).next().is_some()).collect();
    assert!(in_a_header.len() > 10, "{in_a_header:?}");
    let mut protected = 0;
    for name in names() {
        let profile = profile(name);
        let vectors = vectors(name);
        let verified = vectors.iter().filter_map(|vector| key_of(profile, vector));
        let own = verified.filter(|(form, _)| form.is_protected()).count();
        let is_protected = profile.forms.iter().any(Form::is_protected);
        assert_eq!(own > 0, is_protected, "{name}: {own} vectors verify");
        protected += own;
    }
    assert!(protected > 80, "{protected}");
}

/// The form of a vector that verifies, and its dedupe key.
fn key_of<'p>(profile: &'p Profile, vector: &Vector) -> Option<(&'p Form, String)> {
    vector.received(|means, received| {
        let verified = verify::verify(profile, means, received).ok()?;
        let form = profile.form(&verified.form().name)?;
        Some((form, normalise(profile, &(&verified).into(), true).dedupe_key))
    })
}

/// Each header with another value, each header that the form names, and a header that it does not name.
fn headers_changed(vector: &Vector, form: &Form) -> impl Iterator<Item = Vector> {
    let named = format!("{form:?}");
    let named = named.split("Header(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    let names: Vec<String> = vector
        .headers
        .keys()
        .cloned()
        .chain(named)
        .chain(["x-razorpay-event-id", "x-other"].map(str::to_owned))
        .collect();
    names.into_iter().map(|name| {
        let mut headers = vector.headers.clone();
        headers.retain(|known, _| !known.eq_ignore_ascii_case(&name));
        headers.insert(name, "another".to_owned());
        vector.with(headers, vector.body.clone())
    })
}

/// Each field of a JSON body with another value, and one field more.
fn fields_changed(vector: &Vector) -> impl Iterator<Item = Vector> {
    let body: Value = serde_json::from_str(&vector.body).unwrap_or_default();
    let mut places = Vec::new();
    leaves(&body, &mut String::new(), &mut places);
    places.into_iter().map(move |place| {
        let mut forged = body.clone();
        match forged.pointer_mut(&place) {
            Some(Value::Object(fields)) => drop(fields.insert("another".to_owned(), "another".into())),
            Some(leaf) => *leaf = "2040-01-01T00:00:00Z".into(),
            None => {}
        }
        vector.with(vector.headers.clone(), forged.to_string())
    })
}

fn leaves(value: &Value, at: &mut String, places: &mut Vec<String>) {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(list) => list.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    if !value.is_array() && !value.is_null() {
        places.push(at.clone());
    }
    for (name, value) in parts {
        let length = at.len();
        at.push('/');
        at.push_str(&name);
        leaves(value, at, places);
        at.truncate(length);
    }
}
