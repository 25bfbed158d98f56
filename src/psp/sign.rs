//! Signing as a PSP would: for the demo, for `profile sign` and for tests. The inverse of [`super::verify`].

use secrecy::SecretSlice;
use serde_json::Value;

use super::place::{Pointer, Scope};
use super::profile::{Encoding, Form, Locator, Profile, Signature};
use super::received::Received;
use super::verify;

/// A notification ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The headers that carry the signature.
    pub headers: Vec<(String, String)>,
    /// The body; changed only where the signature stands inside it.
    pub body: Vec<u8>,
}

/// Signs a body by the named form of a profile (the first form, if none is named) at a time in unix seconds.
///
/// `id` stands in for headers that are signed but not made by the signature (`webhook-id`).
///
/// # Errors
/// There is no such form, or the body is not JSON where the signature stands inside it.
pub fn sign(
    profile: &Profile,
    form: Option<&str>,
    secret: &SecretSlice<u8>,
    now_s: i64,
    id: &str,
    body: &[u8],
) -> Result<Signed, String> {
    let form = profile
        .forms
        .iter()
        .map(toml::Spanned::get_ref)
        .find(|known| form.is_none_or(|name| known.name == name))
        .ok_or("the profile has no such form of notification")?;
    let signature = form.signature.first().map(toml::Spanned::get_ref).ok_or("the form has no signature")?;
    match &signature.found.pointer {
        Some(pointer) => sign_messages(form, signature, pointer, secret, body),
        None => Ok(sign_headers(signature, secret, now_s, id, body)),
    }
}

fn sign_headers(signature: &Signature, secret: &SecretSlice<u8>, now_s: i64, id: &str, body: &[u8]) -> Signed {
    let now_text = now_s.to_string();
    let extra = signature.signed.iter().filter_map(|place| match place {
        super::place::Place::Header(name) => Some((name.clone(), id.to_owned())),
        _ => None,
    });
    let mut headers: Vec<(String, String)> = extra.collect();
    let text = {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let received = Received { headers: &headers, body, at };
        let scope = Scope {
            received: &received,
            message: &Value::Null,
            element: None,
            signed_at: Some(&now_text),
            event_type: "",
        };
        encoded(signature, secret, &scope)
    };
    let mut parts = vec![(&signature.found, text)];
    parts.extend(signature.time.as_ref().map(|time| (&time.found, now_text)));
    parts.sort_by_key(|(locator, _)| (locator.index, locator.prefix.clone()));
    for (locator, text) in parts {
        add_part(&mut headers, locator, &text);
    }
    Signed { headers, body: body.to_vec() }
}

fn add_part(headers: &mut Vec<(String, String)>, locator: &Locator, text: &str) {
    let name = locator.header.clone().unwrap_or_default();
    let part = format!("{}{text}", locator.prefix);
    match headers.iter_mut().find(|(known, _)| *known == name) {
        Some((_, value)) => {
            value.push_str(locator.split.as_deref().unwrap_or(","));
            value.push_str(&part);
        }
        None => headers.push((name, part)),
    }
}

fn sign_messages(
    form: &Form,
    signature: &Signature,
    pointer: &Pointer,
    secret: &SecretSlice<u8>,
    body: &[u8],
) -> Result<Signed, String> {
    let mut whole: Value = serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let messages = match &form.batch {
        Some(batch) => batch.find_mut(&mut whole),
        None => vec![&mut whole],
    };
    for message in messages {
        let received = Received { headers: &[], body, at: jiff::Timestamp::UNIX_EPOCH };
        let scope = Scope { received: &received, message, element: None, signed_at: None, event_type: "" };
        let text = encoded(signature, secret, &scope);
        pointer.put(message, Value::String(text))?;
    }
    let body = serde_json::to_vec(&whole).map_err(|error| error.to_string())?;
    Ok(Signed { headers: Vec::new(), body })
}

fn encoded(signature: &Signature, secret: &SecretSlice<u8>, scope: &Scope<'_>) -> String {
    use base64::Engine;
    let mac = verify::mac(signature, secret, scope);
    match signature.encoding {
        Encoding::Hex => hex::encode(mac),
        Encoding::Base64 => base64::engine::general_purpose::STANDARD.encode(mac),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::psp::catalogue::Catalogue;

    #[test]
    fn what_is_signed_verifies() {
        let body = br#"{"type":"x","notificationItems":[{"NotificationRequestItem":{"pspReference":"a"}}]}"#;
        for entry in Catalogue::built_in().unwrap().iter() {
            let key = verify::key(&entry.profile, "5a5b5c5d5e5f5051").unwrap();
            let signed = sign(&entry.profile, None, &key, 1_700_000_000, "msg_1", body).unwrap();
            let at = Timestamp::from_second(1_700_000_100).unwrap();
            let received = Received { headers: &signed.headers, body: &signed.body, at };
            let verified = verify::verify(&entry.profile, &[key], None, received);
            assert!(verified.is_ok(), "{}: {signed:?}", entry.profile.name);
        }
    }
}
