//! Check of a signature: its parts, its algorithm, its time and its certificate.

use url::Url;

use crate::psp::document::place::Place;
use crate::psp::profile::{Algorithm, CertificateRule, Encoding, Locator, Signature};

pub(super) fn check_signature(signature: &Signature) -> Result<(), String> {
    check_locator(&signature.found, "found")?;
    if let Some(id) = &signature.key_id {
        if id.header.is_some() == id.before {
            return Err("key_id: needs either header or before".to_owned());
        }
        if id.before && signature.found.after.is_none() {
            return Err("key_id.before: needs found.after, the separator between the id and the signature".to_owned());
        }
    }
    if let Some(time) = &signature.time {
        check_locator(&time.found, "time.found")?;
        if time.found.pointer().is_some() {
            return Err("time.found: must stand in a header".to_owned());
        }
    }
    let in_message = signature.found.pointer().is_some();
    for place in &signature.signed {
        match place.root() {
            Place::Message(_) if !in_message => {
                return Err(format!("signed: {place} can be signed only where the signature stands in the message"));
            }
            Place::SignedAt if signature.time.is_none() => {
                return Err("signed: signed-at needs the key time".to_owned());
            }
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
        return Err("signed: needs at least one part".to_owned());
    }
    check_algorithm(signature)?;
    if signature.time.is_some() && !signature.signed.contains(&Place::SignedAt) {
        return Err("time: a time that is not signed proves nothing; add signed-at to signed".to_owned());
    }
    let covers_body =
        signature.signed.iter().any(|place| matches!(place, Place::Body | Place::BodySha256 | Place::BodyCrc32));
    if !in_message && !covers_body && signature.algorithm != Algorithm::Plain {
        return Err("signed: must cover the body; add body, body-sha256 or body-crc32".to_owned());
    }
    Ok(())
}

fn check_algorithm(signature: &Signature) -> Result<(), String> {
    let with_secret = signature.signed.contains(&Place::Secret);
    if signature.algorithm.signs_the_secret() != with_secret {
        return Err(if with_secret {
            "signed: this algorithm does not sign the secret; remove secret".to_owned()
        } else {
            "signed: without the secret anybody can make this signature; add secret".to_owned()
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
        return Err("certificate.hosts: needs at least one".to_owned());
    }
    let is_host = |host: &&String| {
        Url::parse(&format!("https://{host}/"))
            .is_ok_and(|url| url.as_str() == format!("https://{host}/") && url.path() == "/" && !host.contains('@'))
    };
    if let Some(wrong) = rule.hosts.iter().find(|host| !is_host(host)) {
        return Err(format!("certificate.hosts: {wrong:?} must be a host, or a host and a port, in lower case"));
    }
    let suffix = &rule.name_suffix;
    if !suffix.starts_with('.') || suffix.len() < 2 || *suffix != suffix.to_ascii_lowercase() {
        return Err("certificate.name_suffix: must start with a dot, and be in lower case".to_owned());
    }
    Ok(())
}

fn check_locator(locator: &Locator, key: &str) -> Result<(), String> {
    if locator.index.is_some() && locator.split.is_none() {
        return Err(format!("{key}: index needs split"));
    }
    if [&locator.split, &locator.after].into_iter().flatten().any(String::is_empty) {
        return Err(format!("{key}: split and after must not be empty"));
    }
    Ok(())
}
