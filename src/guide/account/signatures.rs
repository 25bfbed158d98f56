//! Account of signatures: where each was looked for, the signed parts, and the verdict.

use std::collections::BTreeSet;

use crate::guide::explain::{Expected, SignatureSeen, SignedSeen, TimeSeen};
use crate::psp::profile::catalogue::Entry;

/// Tells of each signature of the profile: where it was looked for, the signed parts, the expected and the given value.
#[must_use]
pub fn signatures(entry: &Entry, signatures: &[SignatureSeen<'_>]) -> String {
    let mut text = String::new();
    for seen in signatures {
        let line = entry.signature_line(seen.form, seen.index);
        line_up(&mut text, 0, "signature", &format!("line {line} of form {:?}, {}", seen.form, seen.algorithm.name()));
        line_up(&mut text, 2, "looked at", &seen.looked);
        if let Some(time) = &seen.time {
            line_up(&mut text, 2, "time", &tell_time(time));
        }
        for (index, signed) in seen.signed.iter().enumerate() {
            if seen.signed.len() > 1 {
                line_up(&mut text, 2, "message", &(index + 1).to_string());
            }
            tell_signed(&mut text, signed);
        }
        let verdict = match &seen.verdict {
            Ok(Some(secret)) => format!("right, by secret {secret}"),
            Ok(None) => "right, by the certificate".to_owned(),
            Err(reason) => reason.to_string(),
        };
        line_up(&mut text, 2, "verdict", &verdict);
    }
    text
}

fn tell_time(time: &TimeSeen) -> String {
    let Some(found) = &time.found else { return format!("no unix seconds at {}", time.looked) };
    let off = match time.off_s {
        None => "is no time".to_owned(),
        Some(0) => "at receipt".to_owned(),
        Some(off) if off < 0 => format!("{} s before receipt", off.unsigned_abs()),
        Some(off) => format!("{off} s after receipt"),
    };
    let verdict = if time.near { "near enough" } else { "too far" };
    format!("{found} at {}: {off}, {verdict} ({} s are allowed)", time.looked, time.tolerance_s)
}

fn tell_signed(text: &mut String, signed: &SignedSeen) {
    if !signed.missing.is_empty() {
        let given = signed.missing.iter().map(|place| match place.split(':').next() {
            Some("url") => "--url",
            Some("setting") => "--setting",
            _ => "--header",
        });
        let given: Vec<_> = given.collect::<BTreeSet<_>>().into_iter().collect();
        let (missing, given) = (signed.missing.join(", "), given.join(", "));
        line_up(text, 2, "missing", &format!("{missing}: must be there to be signed; {given} gives it"));
    }
    if !signed.empty.is_empty() {
        line_up(text, 2, "empty", &signed.empty.join(", "));
    }
    line_up(text, 2, "signed", &signed.signed);
    if signed.given.is_empty() {
        line_up(text, 2, "given", "nothing stands there");
    }
    signed.given.iter().for_each(|given| line_up(text, 2, "given", given));
    for (secret, expected) in &signed.expected {
        let said = match expected {
            Expected::Signature(signature) => signature.clone(),
            Expected::Secret => "the secret itself".to_owned(),
            Expected::Unfit(reason) => format!("no such key: {reason}"),
            Expected::PublicKey => "only the PSP can make it; it is checked with the public key".to_owned(),
        };
        line_up(text, 2, "expected", &format!("{said}, by secret {secret}"));
    }
}

/// The width of the words at the beginning of a line.
const WIDTH: usize = 10;

/// Writes one line: a word and its text.
pub(super) fn line_up(text: &mut String, indent: usize, word: &str, said: &str) {
    text.push_str(&format!("{:indent$}{word:<WIDTH$} {said}\n", ""));
}
