//! Signing of a notification as a PSP would, for the demo, for `notify`, for `profile sign` and for tests. The inverse of
//! [`super::verify`].

use secrecy::{ExposeSecret, SecretSlice};
use serde_json::Value;

use super::crypto::{self, Key};
use super::needs::can_be_made;
use super::signed::signed;
use super::verify::{Means, Secret};
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

/// The key that signs, and the signature that it makes.
struct Signer<'a> {
    signature: &'a Signature,
    key: SecretSlice<u8>,
    /// The PSP's id of the key. It is made up if the secret has none.
    key_id: Option<&'a str>,
}

/// Signs a body with the first of the secrets that fits the form, at a time in unix seconds. The form is the named one, or the
/// profile's first signed form if none is named. A signature that names its key has the secret's key id.
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
    let signer = signer(form, means)?;
    match &signer.signature.found.at {
        Found::Message(pointer) => sign_messages(form, &signer, pointer, means, body),
        Found::Header(_) => sign_headers(&signer, means, now_s, id, body),
    }
}

/// The first signature of a form that a secret can make, with that secret.
fn signer<'a>(form: &'a Form, means: &Means<'a>) -> Result<Signer<'a>, String> {
    let name = &form.name;
    if form.signature.is_empty() {
        return Err(format!("form {name:?} is not signed"));
    }
    let secrets = &means.secrets;
    let takes = |signature: &Signature, secret: &Secret<'a>| crypto::key(signature, secret.text.expose_secret());
    let mut wrong = None;
    for signature in form.signature.iter().filter(|signature| can_be_made(signature)) {
        for secret in secrets {
            match takes(signature, secret) {
                Ok(key) => return Ok(Signer { signature, key, key_id: secret.key_id }),
                Err(reason) => wrong = wrong.or(Some(reason)),
            }
        }
    }
    let mut theirs = form.signature.iter().filter(|signature| !can_be_made(signature));
    let is_public_key = |signature: &Signature| secrets.iter().any(|secret| takes(signature, secret).is_ok());
    Err(match wrong {
        _ if form.signature.iter().all(|signature| signature.certificate.is_some()) => {
            format!("only the PSP can sign form {name:?}: it signs with the private key of its certificate")
        }
        _ if theirs.any(|signature| signature.certificate.is_none() && is_public_key(signature)) => {
            format!(
                "only the PSP can sign form {name:?}: the secret is the public part of a key, and the PSP has the private part"
            )
        }
        Some(reason) => format!("the secret for form {name:?} {reason}"),
        None => format!("there is no secret to sign form {name:?} with"),
    })
}

fn sign_headers(signer: &Signer<'_>, means: &Means<'_>, now_s: i64, id: &str, body: &[u8]) -> Result<Signed, String> {
    let signature = signer.signature;
    let now_text = now_s.to_string();
    let extra = signature.signed.iter().filter_map(|place| match place {
        Place::Header(name) if name.ends_with("date") => Some((name.clone(), date(now_s)?)),
        Place::Header(name) => Some((name.clone(), id.to_owned())),
        _ => None,
    });
    let key_header = signature.key_id.as_ref().and_then(|id| id.header.as_deref());
    let named_key = key_header.zip(signer.key_id).map(|(header, id)| (header.to_owned(), id.to_owned()));
    let mut headers: Vec<(String, String)> = extra.chain(named_key).collect();
    let text = {
        let received = Received { headers: &headers, body, at: jiff::Timestamp::UNIX_EPOCH };
        let scope = Scope { signed_at: Some(&now_text), ..Scope::new(&received, &Value::Null) };
        encoded(signer, means, &scope)?
    };
    let mut parts = vec![(&signature.found, text)];
    parts.extend(signature.time.as_ref().map(|time| (&time.found, now_text)));
    parts.sort_by_key(|(locator, _)| (locator.index, locator.prefix.clone()));
    for (locator, text) in parts {
        add_part(&mut headers, locator, &text, signer.key_id);
    }
    Ok(Signed { headers, body: body.to_vec() })
}

/// A time as HTTP writes dates (RFC 9110, section 5.6.7).
fn date(now_s: i64) -> Option<String> {
    let now = jiff::Timestamp::from_second(now_s).ok()?;
    Some(now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

fn add_part(headers: &mut Vec<(String, String)>, locator: &Locator, text: &str, key_id: Option<&str>) {
    let Found::Header(name) = &locator.at else { return };
    let part = part(locator, text, key_id);
    match headers.iter_mut().find(|(known, _)| known == name) {
        Some((_, value)) => {
            value.push_str(locator.split.as_deref().unwrap_or(","));
            value.push_str(&part);
        }
        None => headers.push((name.clone(), part)),
    }
}

/// One part of a value. The text before a signature, the id of its key, is made up if there is none.
fn part(locator: &Locator, text: &str, key_id: Option<&str>) -> String {
    let before = locator.after.as_ref().map(|after| format!("{}{after}", key_id.unwrap_or("1"))).unwrap_or_default();
    format!("{}{before}{text}", locator.prefix)
}

fn sign_messages(
    form: &Form,
    signer: &Signer<'_>,
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
        let text = encoded(signer, means, &Scope::new(&received, message))?;
        pointer.put(message, Value::String(part(&signer.signature.found, &text, signer.key_id)))?;
    }
    let body = match form.content.format {
        Format::Json => serde_json::to_vec(&whole).map_err(|error| error.to_string())?,
        Format::Form => form.content.write_form(&whole),
        Format::Xml => return Err("putting a signature inside XML is not supported".to_owned()),
    };
    Ok(Signed { headers: Vec::new(), body })
}

fn encoded(signer: &Signer<'_>, means: &Means<'_>, scope: &Scope<'_>) -> Result<String, String> {
    let scope = Scope { configured: Configured { settings: means.settings, public_url: means.public_url }, ..*scope };
    let (signature, key) = (signer.signature, Key::Secret(&signer.key));
    crypto::signature(signature.algorithm, key, &signed(signature, key, &scope))
        .and_then(|bytes| crypto::encode(signature.encoding, &bytes))
        .ok_or_else(|| "the signature cannot be made".to_owned())
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
    fn a_signature_names_the_key_of_its_secret() {
        let secret: SecretString = "5a5b5c5d5e5f5051".to_owned().into();
        let catalogue = Catalogue::built_in().unwrap();
        for name in ["klarna", "worldline", "worldpay"] {
            let profile = &catalogue.get(name).unwrap().profile;
            let key_id = Some("key-7");
            let means = Means { secrets: vec![Secret { key_id, ..Secret::from(&secret) }], ..Means::default() };
            let signed = sign(profile, None, &means, 1_700_000_000, "msg_1", b"{}").unwrap();
            let at = Timestamp::from_second(1_700_000_000).unwrap();
            let received = Received { headers: &signed.headers, body: &signed.body, at };
            assert!(verify(profile, &means, received).is_ok(), "{name}: {signed:?}");
            let named = signed.headers.iter().any(|(_, value)| value.contains("key-7"));
            assert!(named, "{name}: {signed:?}");
        }
    }

    #[test]
    fn a_secret_that_fits_signs_and_the_public_part_of_a_key_does_not() {
        let catalogue = Catalogue::built_in().unwrap();
        let profile = &catalogue.get("standard-webhooks").unwrap().profile;
        let secret: SecretString = "whsec_5a5b5c5d5e5f5051".to_owned().into();
        let public: SecretString = format!("whpk_{}=", "A".repeat(43)).into();
        let signed = |secrets: &[&SecretString]| {
            let secrets = secrets.iter().map(|secret| Secret::from(*secret)).collect();
            sign(profile, None, &Means { secrets, ..Means::default() }, 1_700_000_000, "msg_1", b"{}")
        };
        assert_eq!(signed(&[&public, &secret]), signed(&[&secret]));
        assert!(signed(&[&secret]).is_ok());
        let refused = signed(&[&public]).unwrap_err();
        assert!(refused.contains("only the PSP can sign") && refused.contains("public part"), "{refused}");
        assert!(signed(&[]).unwrap_err().contains("no secret"));
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
