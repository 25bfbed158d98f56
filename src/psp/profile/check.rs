//! What can only be wrong with a profile as a whole, and with its signatures, calls and endpoint check.

use std::collections::BTreeSet;

use url::Url;

use super::check_challenge::check_challenge;
use super::check_rule::check_rule;
use super::check_signed::check_signed;
use super::error::{Wrong, ensure};
use super::signs::is_signed;
use super::text::{FormText, ProfileText};
use super::{Algorithm, Call, CertificateRule, Encoding, Fetch, Form, Locator, Profile, Signature};
use crate::domain::money::Currency;
use crate::psp::document::place::{Piece, Place};

pub(super) fn check(profile: &Profile, text: &ProfileText) -> Result<(), Wrong> {
    ensure(is_name(&profile.name), None, "name: lower case letters, digits and dashes")?;
    ensure((200..300).contains(&profile.answer.status), None, "answer.status: must be 2xx")?;
    ensure((400..500).contains(&profile.answer.unverified), None, "answer.unverified: must be 4xx")?;
    for (code, digits) in &profile.exponents {
        ensure(code.parse::<Currency>().is_ok(), None, &format!("exponents: {code:?} is no currency"))?;
        ensure(*digits <= 4, None, &format!("exponents.{code}: at most 4"))?;
    }
    ensure(!profile.forms.is_empty(), None, "[[notification]]: at least one")?;
    let mut names = BTreeSet::new();
    for (form, text) in profile.forms.iter().zip(&text.forms) {
        ensure(names.insert(&form.name), Some(text.at()), "name: another form has it")?;
        check_form(form, text)?;
    }
    if let Some(challenge) = &profile.challenge {
        check_challenge(profile, text, challenge).map_err(|(at, reason)| (at, format!("challenge.{reason}")))?;
    }
    check_settings(profile)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The settings that are named are those that are asked for.
fn check_settings(profile: &Profile) -> Result<(), Wrong> {
    let signatures = profile.forms.iter().flat_map(|form| &form.signature);
    let signed = signatures.flat_map(|signature| &signature.signed);
    let used: BTreeSet<&String> = signed
        .chain(profile.challenge.iter().flat_map(|challenge| &challenge.answer))
        .filter_map(|place| if let Place::Setting(name) = place { Some(name) } else { None })
        .collect();
    for name in &used {
        ensure(profile.settings.contains_key(*name), None, &format!("setting:{name}: is not in [settings]"))?;
    }
    for name in profile.settings.keys() {
        ensure(is_name(name), None, &format!("settings.{name}: lower case letters, digits and dashes"))?;
        ensure(used.contains(name), None, &format!("settings.{name}: nothing uses it"))?;
    }
    Ok(())
}

fn check_form(form: &Form, text: &FormText) -> Result<(), Wrong> {
    let at = text.at();
    let said = !form.event_type.is_empty() && form.event_type.iter().all(|part| !part.as_slice().is_empty());
    ensure(said, Some(at), "type: at least one place")?;
    let is_thing = |place: &Place| matches!(place, Place::Message(_) | Place::Fetched(_));
    ensure(form.object.iter().all(is_thing), Some(at), "object: places in the message or in what was fetched")?;
    if form.signature.is_empty() {
        let reason = "without a signature anybody can have sent it: pointer_only = true and a fetch, or trusts_credentials = \
                      true are needed";
        ensure(form.pointer_only || form.trusts_credentials, Some(at), reason)?;
    }
    let needs_no_credentials = form.pointer_only || !form.signature.is_empty();
    ensure(
        !(form.trusts_credentials && needs_no_credentials),
        Some(at),
        "trusts_credentials: only what nobody signs and nobody fetches",
    )?;
    ensure(!form.pointer_only || form.fetch.is_some(), Some(at), "pointer_only: there is no fetch")?;
    for (index, signature) in form.signature.iter().enumerate() {
        check_signature(signature).map_err(|reason| (Some(text.signature_at(index)), reason))?;
    }
    if let Some(fetch) = &form.fetch {
        let checked = check_fetch(fetch).and_then(|()| check_hints(form, fetch));
        checked.map_err(|reason| (Some(at), format!("fetch.{reason}")))?;
    }
    check_own_places(form).map_err(|reason| (Some(at), reason))?;
    check_signed(form, text)?;
    let mut unconditional = BTreeSet::new();
    for (index, rule) in form.rules.iter().enumerate() {
        let at = Some(text.rule_at(index));
        check_rule(form, rule).map_err(|reason| (at, reason))?;
        for event_type in rule.event_type.as_slice() {
            let reached = !unconditional.contains(event_type);
            ensure(reached, at, &format!("{event_type:?} never reaches this rule: an earlier one takes it always"))?;
            if rule.when.is_empty() && !rule.goes_on {
                unconditional.insert(event_type.clone());
            }
        }
    }
    Ok(())
}

fn check_own_places(form: &Form) -> Result<(), String> {
    let defaults = &form.defaults;
    let parts = form.event_type.iter().flat_map(|part| part.as_slice()).map(|place| ("type", place));
    let lists = [
        ("object", &form.object),
        ("requires", &form.requires.keys().cloned().collect()),
        ("dedupe", &form.dedupe),
        ("defaults.ids", &defaults.ids),
        ("defaults.shared_ids", &defaults.shared_ids),
        ("defaults.reference", &defaults.reference),
        ("defaults.at", &defaults.at),
        ("defaults.currency", &defaults.currency),
    ];
    lists
        .into_iter()
        .flat_map(|(key, places)| places.iter().map(move |place| (key, place)))
        .chain(parts)
        // The key of a mere pointer may be made of what is signed of it.
        .filter(|(key, place)| *key != "dedupe" || !(form.pointer_only && is_signed(form, place)))
        .try_for_each(|(key, place)| check_read(form, place).map_err(|reason| format!("{key}: {reason}")))
}

/// Whether the rules of a form can read a place.
pub(super) fn check_read(form: &Form, place: &Place) -> Result<(), String> {
    match place.root() {
        Place::Body | Place::Secret | Place::Given | Place::Signature | Place::Setting(_) | Place::Url(_) => {
            Err(format!("{place} cannot be read by a rule"))
        }
        Place::Fetched(_) if form.fetch.is_none() => Err(format!("{place}: there is no fetch")),
        Place::Fetched(_) | Place::Element(_) | Place::Text(_) | Place::Type => Ok(()),
        Place::Joined(pieces) => pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(_) => Ok(()),
            Piece::Place(place) => check_read(form, place),
        }),
        _ if form.pointer_only => Err(format!("{place}: a pointer_only notification is not read; fetched:/… is")),
        _ => Ok(()),
    }
}

fn check_signature(signature: &Signature) -> Result<(), String> {
    check_locator(&signature.found, "found")?;
    if let Some(id) = &signature.key_id {
        if id.header.is_some() == id.before {
            return Err("key_id: either header or before".to_owned());
        }
        if id.before && signature.found.after.is_none() {
            return Err("key_id.before: found.after says what it is before of".to_owned());
        }
    }
    if let Some(time) = &signature.time {
        check_locator(&time.found, "time.found")?;
        if time.found.pointer().is_some() {
            return Err("time.found: stands in a header".to_owned());
        }
    }
    let in_message = signature.found.pointer().is_some();
    for place in &signature.signed {
        match place.root() {
            Place::Message(_) if !in_message => {
                return Err(format!("signed: {place} can be signed only where the signature stands in the message"));
            }
            Place::SignedAt if signature.time.is_none() => return Err("signed: signed-at needs a time".to_owned()),
            Place::Element(_)
            | Place::Fetched(_)
            | Place::Type
            | Place::Given
            | Place::Signature
            | Place::Joined(_) => {
                return Err(format!("signed: {place} cannot be signed"));
            }
            _ => {}
        }
    }
    if signature.signed.is_empty() {
        return Err("signed: at least one part".to_owned());
    }
    check_algorithm(signature)?;
    if signature.time.is_some() && !signature.signed.contains(&Place::SignedAt) {
        return Err("time: a time that is not signed proves nothing; add signed-at to signed".to_owned());
    }
    let covers_body =
        signature.signed.iter().any(|place| matches!(place, Place::Body | Place::BodySha256 | Place::BodyCrc32));
    if !in_message && !covers_body && signature.algorithm != Algorithm::Plain {
        return Err("signed: must cover the body".to_owned());
    }
    Ok(())
}

fn check_algorithm(signature: &Signature) -> Result<(), String> {
    let with_secret = signature.signed.contains(&Place::Secret);
    if signature.algorithm.signs_the_secret() != with_secret {
        return Err(if with_secret {
            "signed: the secret is the key; it is not signed".to_owned()
        } else {
            "signed: without the secret anybody can make this".to_owned()
        });
    }
    if (signature.encoding == Encoding::Text) != (signature.algorithm == Algorithm::Plain) {
        return Err("encoding: \"text\" goes with algorithm \"plain\", and only with it".to_owned());
    }
    match (&signature.certificate, signature.algorithm) {
        (None, Algorithm::RsaSha256) => Err("certificate: rsa-sha256 needs one".to_owned()),
        (Some(_), algorithm) if algorithm != Algorithm::RsaSha256 => {
            Err("certificate: only rsa-sha256 takes one".to_owned())
        }
        (Some(rule), _) => check_certificate(rule),
        (None, _) => Ok(()),
    }
}

fn check_certificate(rule: &CertificateRule) -> Result<(), String> {
    if rule.hosts.is_empty() {
        return Err("certificate.hosts: at least one".to_owned());
    }
    let is_host = |host: &&String| {
        Url::parse(&format!("https://{host}/"))
            .is_ok_and(|url| url.as_str() == format!("https://{host}/") && url.path() == "/" && !host.contains('@'))
    };
    if let Some(wrong) = rule.hosts.iter().find(|host| !is_host(host)) {
        return Err(format!("certificate.hosts: {wrong:?} is no host, or host and port, in lower case"));
    }
    let suffix = &rule.name_suffix;
    if !suffix.starts_with('.') || suffix.len() < 2 || *suffix != suffix.to_ascii_lowercase() {
        return Err("certificate.name_suffix: starts with a dot, in lower case".to_owned());
    }
    Ok(())
}

fn check_locator(locator: &Locator, key: &str) -> Result<(), String> {
    if locator.index.is_some() && locator.split.is_none() {
        return Err(format!("{key}: index needs split"));
    }
    if [&locator.split, &locator.after].into_iter().flatten().any(String::is_empty) {
        return Err(format!("{key}: split and after cannot be empty"));
    }
    Ok(())
}

fn check_fetch(fetch: &Fetch) -> Result<(), String> {
    let base = Url::parse(&fetch.base).ok().filter(|url| url.scheme() == "https" && url.query().is_none());
    if base.is_none() || fetch.base.ends_with('/') {
        return Err("base: an https URL without a slash at its end".to_owned());
    }
    if fetch.calls.is_empty() {
        return Err("call: at least one".to_owned());
    }
    let places = fetch.calls.iter().flat_map(Call::places);
    let conditions = fetch.calls.iter().flat_map(|call| call.when.keys());
    for place in places.chain(conditions) {
        if !matches!(place.root(), Place::Message(_) | Place::Header(_)) {
            return Err(format!("call: {place} is not known when it is made"));
        }
    }
    Ok(())
}

/// Anybody can write into a pointer where nobody signs. An object is known to be ours by its id in the path: beside a known id
/// anything could stand in the place of another one.
fn check_hints(form: &Form, fetch: &Fetch) -> Result<(), String> {
    let may_be_made_up = form.pointer_only && (form.signature.is_empty() || form.is_partly_signed());
    match fetch.calls.iter().find(|call| may_be_made_up && !call.names_one_thing()) {
        Some(Call { path, .. }) => Err(format!(
            "call.path: {path} has several places in a pointer that nobody signs as a whole. Who knows one of their texts could make \
             up the others without end. Fetch by one place"
        )),
        None => Ok(()),
    }
}
