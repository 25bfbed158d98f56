//! What a source of the profile is configured with, and what vouches for its notifications.

use super::words::{bulleted, code, places, sentence};
use crate::psp::needs::{needs_door, needs_secrets};
use crate::psp::place::Place;
use crate::psp::profile::{Algorithm, Encoding, FetchAuth, Form, KeyEncoding, Locator, Profile, Signature};

/// The source in the configuration.
pub(super) fn source(profile: &Profile) -> String {
    let mut lines = vec!["```toml".to_owned(), "[sources.NAME]".to_owned(), format!("profile = \"{}\"", profile.name)];
    let variable = profile.name.to_uppercase().replace('-', "_");
    let secret = format!("secrets = [{{ env = \"{variable}_SECRET\" }}]");
    match (needs_secrets(profile), secrets(profile).is_empty()) {
        (true, _) => lines.push(secret),
        (false, false) => lines.push(format!("{secret} # where notifications are signed")),
        (false, true) => {}
    }
    if needs_door(profile) {
        lines.push("ip_ranges = [\"…\"] # or another door: basic, tokens, headers".to_owned());
    }
    if reads_url(profile) {
        lines.push("public_url = \"https://relay.example.com/notifications/NAME\" # as the PSP knows it".to_owned());
    }
    if !profile.settings.is_empty() {
        lines.push("\n[sources.NAME.settings]".to_owned());
        lines.extend(profile.settings.iter().map(|(name, what)| format!("{name} = \"…\" # {what}")));
    }
    lines.extend(fetching(profile, &variable));
    lines.push("```".to_owned());
    let forms: Vec<String> = secrets(profile);
    if !forms.is_empty() {
        lines.push(format!("\nThe secret is {}.", forms.join(", or ")));
    }
    lines.join("\n")
}

/// What the source shows the PSP's API.
fn fetching(profile: &Profile, variable: &str) -> Vec<String> {
    let Some(fetch) = profile.forms.iter().find_map(|form| form.get_ref().fetch.as_ref()) else { return Vec::new() };
    let mut lines = vec!["\n[sources.NAME.fetch]".to_owned()];
    if fetch.auth == FetchAuth::Basic {
        lines.push("username = \"…\"".to_owned());
        lines.push(format!("password = {{ env = \"{variable}_PASSWORD\" }}"));
    } else {
        lines.push(format!("token = {{ env = \"{variable}_TOKEN\" }}"));
    }
    lines
}

fn signatures(profile: &Profile) -> impl Iterator<Item = &Signature> {
    profile.forms.iter().flat_map(|form| &form.get_ref().signature).map(toml::Spanned::get_ref)
}

fn reads_url(profile: &Profile) -> bool {
    signatures(profile).any(|signature| signature.signed.iter().any(|place| matches!(place, Place::Url(_))))
}

/// How secrets are written, each way once.
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
        let prefix = signature.key_prefix.as_ref().map(|prefix| format!(" (a {} in front is dropped)", code(prefix)));
        let way = format!("{public}{written}{}", prefix.unwrap_or_default());
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

/// What vouches for each form, and what that is worth.
pub(super) fn vouches(profile: &Profile, forms: &[&Form]) -> String {
    let mut parts = Vec::new();
    for form in forms {
        let which = if forms.len() > 1 { format!("Form {}: ", code(&form.name)) } else { String::new() };
        parts.push(match form.signature.as_slice() {
            [] if form.trusts_door => format!(
                "{which}nothing in it vouches for it: the source must have a door of its own, and takes nothing without."
            ),
            [] => format!(
                "{which}nobody signs it. It counts as a hint where to look, and no more: what it points to is fetched."
            ),
            [one] => format!("{which}{}", signature(one.get_ref())),
            several => {
                let ways: Vec<_> = several.iter().map(|one| sentence(&signature(one.get_ref()))).collect();
                format!("{which}any one of these:\n\n{}", bulleted(&ways))
            }
        });
    }
    let trusting = forms.iter().any(|form| form.trusts_door);
    parts.push(if !trusting && signatures(profile).all(protects_content) {
        "No other door is needed; each of `basic`, `tokens`, `headers` and `ip_ranges` may be demanded on top."
            .to_owned()
    } else {
        "Whoever can read along, or guess the address, can tell what is not protected. Demand what the PSP can present \
         beside it: `basic`, `tokens` or `headers`; and let in its addresses only, by `ip_ranges`."
            .to_owned()
    });
    parts.iter().map(|part| sentence(part)).collect::<Vec<_>>().join("\n\n")
}

fn protects_content(signature: &Signature) -> bool {
    signature.signed.iter().any(|place| matches!(place, Place::Body | Place::BodySha256))
        && signature.algorithm != Algorithm::Plain
}

fn signature(signature: &Signature) -> String {
    let made = match signature.algorithm {
        Algorithm::HmacSha256 => "HMAC-SHA256",
        Algorithm::HmacSha1 => "HMAC-SHA1",
        Algorithm::HmacSha512 => "HMAC-SHA512",
        Algorithm::Sha256 => "SHA-256",
        Algorithm::Md5 => "MD5",
        Algorithm::Plain => {
            return format!(
                "{} {}. It protects nothing of what it comes with.",
                "the secret itself, sent along in",
                found(&signature.found)
            );
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
    text.push_str(&protected(signature));
    if let Some(rule) = &signature.certificate {
        text.push_str(&format!(
            " The certificate is fetched from the URL in the header {}, from {} only, and must be made out to a name that \
             ends in {}.",
            code(&rule.header),
            rule.hosts.join(" or "),
            code(&rule.name_suffix)
        ));
    }
    text
}

/// What a signature protects.
fn protected(signature: &Signature) -> String {
    let has = |place: &Place| signature.signed.contains(place);
    let content = if has(&Place::Body) || has(&Place::BodySha256) {
        "It protects the whole body"
    } else if has(&Place::BodyCrc32) {
        "It protects the body by a checksum, which is no protection against somebody who makes another of the same"
    } else {
        "It protects these fields and no others"
    };
    let time = match &signature.time {
        Some(time) => format!(", and its time may be {} s off.", time.tolerance_s),
        None => "; no time is signed with it, so that an old one can be sent again (and is known as a repetition)."
            .to_owned(),
    };
    format!(" {content}{time}")
}

fn found(locator: &Locator) -> String {
    let mut text = match (&locator.header, &locator.pointer) {
        (Some(header), _) => format!("the header {}", code(header)),
        (None, Some(pointer)) => format!("the field {}", code(&pointer.to_string())),
        (None, None) => String::new(),
    };
    if !locator.prefix.is_empty() {
        text.push_str(&format!(" behind {}", code(&locator.prefix)));
    }
    if let Some(after) = &locator.after {
        text.push_str(&format!(" behind the last {}", code(after)));
    }
    text
}
