//! Signing of a notification as a PSP would, for the demo, for `profile sign` and for tests. The inverse of
//! [`super::verify`].

use secrecy::ExposeSecret;
use serde_json::Value;

use super::crypto::{self, Key};
use super::signed::signed;
use super::verify::Means;
use crate::psp::document::content::Format;
use crate::psp::document::place::{Configured, Place, Scope};
use crate::psp::document::pointer::Pointer;
use crate::psp::document::received::Received;
use crate::psp::profile::{Form, Found, Locator, Profile, Signature};

/// A notification ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The headers that carry the signature.
    pub headers: Vec<(String, String)>,
    /// The body; changed only if the signature is inside it.
    pub body: Vec<u8>,
}

/// Signs a body with the first of the secrets, at a time in unix seconds. The form is the named one, or the profile's first
/// signed form if none is named.
///
/// `id` is the value of every header that is signed and does not carry the signature (`webhook-id`). A header that is called a
/// date (`x-ms-date`) has the time instead.
///
/// # Errors
/// The form does not exist, only the PSP can sign it, or the body cannot be read although the signature is inside.
pub fn sign(
    profile: &Profile,
    form: Option<&str>,
    means: &Means<'_>,
    now_s: i64,
    id: &str,
    body: &[u8],
) -> Result<Signed, String> {
    let form = match form {
        Some(name) => profile.form(name),
        None => profile.forms.iter().find(|known| !known.signature.is_empty()),
    };
    let form = form.ok_or("the profile has no form of this name, or none that is signed")?;
    let signature = form.signature.first().ok_or("this form is not signed")?;
    match &signature.found.at {
        Found::Message(pointer) => sign_messages(form, signature, pointer, means, body),
        Found::Header(_) => sign_headers(signature, means, now_s, id, body),
    }
}

fn sign_headers(signature: &Signature, means: &Means<'_>, now_s: i64, id: &str, body: &[u8]) -> Result<Signed, String> {
    let now_text = now_s.to_string();
    let extra = signature.signed.iter().filter_map(|place| match place {
        Place::Header(name) if name.ends_with("date") => Some((name.clone(), date(now_s)?)),
        Place::Header(name) => Some((name.clone(), id.to_owned())),
        _ => None,
    });
    let mut headers: Vec<(String, String)> = extra.collect();
    let text = {
        let received = Received { headers: &headers, body, at: jiff::Timestamp::UNIX_EPOCH };
        let scope = Scope { signed_at: Some(&now_text), ..Scope::new(&received, &Value::Null) };
        encoded(signature, means, &scope)?
    };
    let mut parts = vec![(&signature.found, text)];
    parts.extend(signature.time.as_ref().map(|time| (&time.found, now_text)));
    parts.sort_by_key(|(locator, _)| (locator.index, locator.prefix.clone()));
    for (locator, text) in parts {
        add_part(&mut headers, locator, &text);
    }
    Ok(Signed { headers, body: body.to_vec() })
}

/// A time as HTTP writes dates (RFC 9110, section 5.6.7).
fn date(now_s: i64) -> Option<String> {
    let now = jiff::Timestamp::from_second(now_s).ok()?;
    Some(now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

fn add_part(headers: &mut Vec<(String, String)>, locator: &Locator, text: &str) {
    let Found::Header(name) = &locator.at else { return };
    let part = part(locator, text);
    match headers.iter_mut().find(|(known, _)| known == name) {
        Some((_, value)) => {
            value.push_str(locator.split.as_deref().unwrap_or(","));
            value.push_str(&part);
        }
        None => headers.push((name.clone(), part)),
    }
}

/// One part of a value; the text before a signature (the id of its key) is made up.
fn part(locator: &Locator, text: &str) -> String {
    let before = locator.after.as_ref().map(|after| format!("1{after}")).unwrap_or_default();
    format!("{}{before}{text}", locator.prefix)
}

fn sign_messages(
    form: &Form,
    signature: &Signature,
    pointer: &Pointer,
    means: &Means<'_>,
    body: &[u8],
) -> Result<Signed, String> {
    let mut whole = form.content.outer(body)?;
    let messages = match &form.batch {
        Some(batch) => batch.find_mut(&mut whole),
        None => vec![&mut whole],
    };
    if messages.is_empty() {
        return Err(format!("the body has no message of form {:?} to sign", form.name));
    }
    for message in messages {
        let received = Received { headers: &[], body, at: jiff::Timestamp::UNIX_EPOCH };
        let text = encoded(signature, means, &Scope::new(&received, message))?;
        pointer.put(message, Value::String(part(&signature.found, &text)))?;
    }
    let body = match form.content.format {
        Format::Json => serde_json::to_vec(&whole).map_err(|error| error.to_string())?,
        Format::Form => form.content.write_form(&whole),
        Format::Xml => return Err("putting a signature inside XML is not supported".to_owned()),
    };
    Ok(Signed { headers: Vec::new(), body })
}

fn encoded(signature: &Signature, means: &Means<'_>, scope: &Scope<'_>) -> Result<String, String> {
    let configured = Configured { settings: means.settings, public_url: means.public_url };
    let scope = Scope { configured, ..*scope };
    let secret = means.secrets.first().ok_or("there is no secret to sign with")?;
    let secret = crypto::key(signature, secret.text.expose_secret())?;
    let key = Key::Secret(&secret);
    crypto::signature(signature.algorithm, key, &signed(signature, key, &scope))
        .and_then(|bytes| crypto::encode(signature.encoding, &bytes))
        .ok_or_else(|| "only the PSP can sign this form".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use secrecy::SecretString;
    use url::Url;

    use super::*;
    use crate::psp::profile::catalogue::Catalogue;
    use crate::psp::vouch::verify::verify;

    #[test]
    fn a_header_that_is_called_a_date_has_one() {
        let secret: SecretString = "its secret".to_owned().into();
        let url = Url::parse("https://relay.example.com/notifications/vipps").unwrap();
        let vipps = &Catalogue::built_in().unwrap().get("vipps-mobilepay").unwrap().profile.clone();
        let means = Means { public_url: Some(&url), ..Means::secret(&secret) };
        let signed = sign(vipps, None, &means, 1_700_000_000, "msg_1", b"{}").unwrap();
        let date = signed.headers.iter().find(|(name, _)| name == "x-ms-date").map(|(_, value)| value.as_str());
        assert_eq!(date, Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    }

    #[test]
    fn what_is_signed_verifies() {
        let secret: SecretString = "5a5b5c5d5e5f5051".to_owned().into();
        let url = Url::parse("https://relay.example.com/notifications/it").unwrap();
        for entry in Catalogue::built_in().unwrap().iter() {
            let settings: BTreeMap<_, _> =
                entry.profile.settings.keys().map(|name| (name.clone(), format!("its {name}"))).collect();
            let means = Means { settings: Some(&settings), public_url: Some(&url), ..Means::secret(&secret) };
            for form in &entry.profile.forms {
                let body: &[u8] = match form.content.format {
                    Format::Json => br#"{"type":"x","notificationItems":[{"NotificationRequestItem":{"a":"b"}}]}"#,
                    Format::Form => b"a=b&bt_payload=PGEvPg%3D%3D",
                    Format::Xml => b"<a/>",
                };
                let signed = sign(&entry.profile, Some(&form.name), &means, 1_700_000_000, "msg_1", body);
                let signed = match signed {
                    Ok(signed) => signed,
                    Err(reason) => {
                        assert!(
                            reason.contains("is not signed") || reason.contains("only the PSP"),
                            "{}: {reason}",
                            entry.profile.name
                        );
                        continue;
                    }
                };
                let at = Timestamp::from_second(1_700_000_100).unwrap();
                let received = Received { headers: &signed.headers, body: &signed.body, at };
                let verified = verify(&entry.profile, &means, received);
                assert_eq!(verified.map(|v| v.form().name.clone()).as_deref(), Ok(form.name.as_str()), "{signed:?}");
            }
        }
    }
}
