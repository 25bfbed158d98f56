//! The configuration of a source and the proofs of its notifications, on the page of a profile.

use super::words::{bulleted, code, places};
use crate::psp::document::place::Place;
use crate::psp::profile::{
    Algorithm, Encoding, FetchAuth, FetchMode, Form, Found, KeyEncoding, Locator, Profile, Signature,
};
use crate::psp::vouch::needs::{needs_credentials, needs_public_url, needs_secrets};

/// The source in the configuration: all settings that it must have.
pub(super) fn source(profile: &Profile) -> String {
    let env = profile.name.to_uppercase().replace('-', "_");
    let mut lines = vec!["```toml".to_owned(), "[sources.NAME]".to_owned(), format!("profile = \"{}\"", profile.name)];
    if takes_secrets(profile) {
        let remark = if needs_secrets(profile) {
            ""
        } else {
            " # omit it if the notifications that you set up at the PSP are not signed"
        };
        lines.push(format!("secrets = [{{ env = \"{env}_SECRET\" }}]{remark}"));
    }
    if needs_public_url(profile) {
        lines.push("public_url = \"https://relay.example.com/notifications/NAME\" # as the PSP knows it".to_owned());
    }
    if needs_credentials(profile) {
        lines.push(
            "ip_ranges = [\"192.0.2.0/24\"] # the PSP's; or other credentials: basic, tokens, oauth or headers"
                .to_owned(),
        );
    }
    if !profile.settings.is_empty() {
        lines.push("\n[sources.NAME.settings]".to_owned());
        lines.extend(profile.settings.iter().map(|(name, what)| format!("{name} = \"…\" # {what}")));
    }
    lines.extend(fetch(profile, &env));
    lines.push("```".to_owned());
    let forms: Vec<String> = secrets(profile);
    if !forms.is_empty() {
        lines.push(format!("\nThe secret is {}.", forms.join(", or ")));
    }
    if profile.psp_makes_secret {
        lines.push("The PSP makes the secret: `secret rotate` takes a new one by `--from-stdin`.".to_owned());
    }
    if signatures(profile).any(|signature| signature.key_id.is_some()) {
        lines.push("A secret that has a `key_id` counts only for notifications that name this key.".to_owned());
    }
    lines.join("\n")
}

/// The access to the PSP's API, if the profile fetches from it.
fn fetch(profile: &Profile, env: &str) -> Vec<String> {
    let mut forms = profile.forms.iter().filter_map(|form| form.fetch.as_ref());
    let Some(fetch) = forms.next().filter(|fetch| fetch.mode != FetchMode::Never) else { return Vec::new() };
    let remark =
        if fetch.mode == FetchMode::Configured { " # only if notifications come that point: see below" } else { "" };
    let mut lines = vec![format!("\n[sources.NAME.fetch]{remark}")];
    if fetch.auth == FetchAuth::Basic {
        lines.push("username = \"…\"".to_owned());
        lines.push(format!("password = {{ env = \"{env}_PASSWORD\" }}"));
    } else {
        lines.push(format!("token = {{ env = \"{env}_TOKEN\" }}"));
    }
    lines
}

fn takes_secrets(profile: &Profile) -> bool {
    signatures(profile).any(|signature| signature.algorithm != Algorithm::RsaSha256)
}

fn signatures(profile: &Profile) -> impl Iterator<Item = &Signature> {
    profile.forms.iter().flat_map(|form| &form.signature)
}

/// The forms of secrets, each form once.
fn secrets(profile: &Profile) -> Vec<String> {
    let mut ways: Vec<String> = Vec::new();
    for signature in signatures(profile).filter(|signature| signature.algorithm != Algorithm::RsaSha256) {
        let written = match signature.key {
            KeyEncoding::Text => "text, taken as it is",
            KeyEncoding::Hex => "hexadecimal",
            KeyEncoding::Base64 => "Base64",
            KeyEncoding::Sha1 => "text; its SHA-1 is the key",
        };
        let public = if signature.algorithm == Algorithm::Ed25519 { "the PSP's public key, " } else { "" };
        let prefixes: Vec<_> = signature.key_prefix.as_slice().iter().map(|prefix| code(prefix)).collect();
        let prefix = (!prefixes.is_empty()).then(|| format!(" (a {} in front is dropped)", prefixes.join(" or ")));
        let way = format!("{public}{written}{}", prefix.unwrap_or_default());
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

/// The proofs of each form, and what each protects.
pub(super) fn vouches(profile: &Profile, forms: &[Form]) -> String {
    let mut parts = Vec::new();
    for form in forms {
        let said = match form.signature.as_slice() {
            [] if form.trusts_credentials => {
                "A notification carries no proof: the source must demand credentials, and refuses it without them."
                    .to_owned()
            }
            [] => "A notification is not signed. It counts only as a hint: the object that it names is fetched. Hints at \
                  objects without a registered record share a limited number of slots. During a flood of made-up hints from \
                  many addresses a genuine hint may be answered 503 until slots are free. Strangers never keep a \
                  hint out if the record is registered with the PSP's id, or if `ip_ranges` admits the PSP alone."
                .to_owned(),
            [one] => signature(form, one),
            several => {
                let ways: Vec<_> = several.iter().map(|one| signature(form, one)).collect();
                format!("Any one of these:\n\n{}", bulleted(&ways))
            }
        };
        let which = if forms.len() > 1 { format!("**Form {}.** ", code(&form.name)) } else { String::new() };
        parts.push(which + &said);
    }
    let all_protected = |form: &Form| form.signature.iter().all(|signature| protects_content(form, signature));
    parts.push(if needs_credentials(profile) || !forms.iter().all(all_protected) {
        "A stranger who reads along, or guesses the address, can forge the parts that are not protected. Demand further \
         credentials from the PSP: `basic`, `tokens` or `headers`. Admit only its addresses, by `ip_ranges`."
            .to_owned()
    } else if forms.iter().any(hints) {
        "No other credentials are needed. Each of `basic`, `tokens`, `headers` and `ip_ranges` may be demanded as well, and \
         keeps out the hints of strangers."
            .to_owned()
    } else {
        "No other credentials are needed. Each of `basic`, `tokens`, `headers` and `ip_ranges` may be demanded as well."
            .to_owned()
    });
    parts.join("\n\n")
}

/// Whether the form is not signed, so that a notification of it can only be a hint.
pub(super) fn hints(form: &Form) -> bool {
    form.signature.is_empty() && form.pointer_only
}

/// Whether all that is read of the body is signed.
fn protects_content(form: &Form, signature: &Signature) -> bool {
    let all = |place: &Place| match place {
        Place::Body | Place::BodySha256 => true,
        Place::Message(field) => form.content.inner.as_ref().is_some_and(|inner| inner.pointer == *field),
        _ => false,
    };
    signature.signed.iter().any(all) && signature.algorithm != Algorithm::Plain
}

fn signature(form: &Form, signature: &Signature) -> String {
    let made = match signature.algorithm {
        Algorithm::HmacSha256 => "HMAC-SHA256",
        Algorithm::HmacSha1 => "HMAC-SHA1",
        Algorithm::HmacSha512 => "HMAC-SHA512",
        Algorithm::Sha256 => "SHA-256",
        Algorithm::Md5 => "MD5",
        Algorithm::Plain => {
            let found = found(&signature.found);
            return format!("The secret itself, sent in {found}. It protects no part of the notification.");
        }
        Algorithm::RsaSha256 => "RSA with SHA-256 by the PSP's certificate",
        Algorithm::Ed25519 => "Ed25519",
    };
    let encoding = match signature.encoding {
        Encoding::Hex => "hexadecimal",
        Encoding::Base64 => "Base64",
        Encoding::Text => "text",
    };
    let with = if signature.separator.is_empty() {
        String::new()
    } else {
        format!(" with {} between them", code(&signature.separator))
    };
    let mut text =
        format!("{made} of {}{with}, in {encoding}, in {}.", places(&signature.signed, ", "), found(&signature.found));
    text.push_str(&protected(form, signature));
    if let Some(rule) = &signature.certificate {
        text.push_str(&format!(
            " The certificate is fetched from the URL in the header {}, from {} only. It must be \
             issued to a name that ends in {}.",
            code(&rule.header),
            rule.hosts.join(" or "),
            code(&rule.name_suffix)
        ));
    }
    text
}

/// The parts that a signature protects.
fn protected(form: &Form, signature: &Signature) -> String {
    let has = |place: &Place| signature.signed.contains(place);
    let content = if has(&Place::Body) || has(&Place::BodySha256) {
        "It protects the whole body"
    } else if protects_content(form, signature) {
        "It protects the message, the only part of the body that is read"
    } else if has(&Place::BodyCrc32) {
        "It protects the body by a checksum, which another body can have too: the signed text belongs to the first body \
         that comes with it"
    } else if signature.signed.iter().all(|place| matches!(place, Place::Secret | Place::Text(_))) {
        "It protects no part of the notification"
    } else {
        "It protects no other fields"
    };
    let time = match &signature.time {
        Some(time) => format!(", and its time may be {} s off.", time.tolerance_s),
        None if form.recurs.is_empty() => {
            ". No time is signed: an old notification can be sent again, and is then known as a repetition.".to_owned()
        }
        None => {
            ". No time is signed: an old notification that is sent again after newer ones counts as news.".to_owned()
        }
    };
    format!(" {content}{time}")
}

fn found(locator: &Locator) -> String {
    let mut text = match &locator.at {
        Found::Header(header) => format!("the header {}", code(header)),
        Found::Message(pointer) => format!("the field {}", code(&pointer.to_string())),
    };
    if !locator.prefix.is_empty() {
        text.push_str(&format!(" after {}", code(&locator.prefix)));
    }
    if let Some(after) = &locator.after {
        text.push_str(&format!(" after the last {}", code(after)));
    }
    text
}
