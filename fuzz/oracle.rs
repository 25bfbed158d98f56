//! Endpoint checks as signing oracles: a stranger has something signed and sends it back.

use std::sync::LazyLock;

use serde_json::{Map, Value};
use transform_relay::psp::document::content::Format;
use transform_relay::psp::document::place::Place;
use transform_relay::psp::profile::{Challenge, ChallengeSignature, Characters, Form, Profile, Signature};
use transform_relay::psp::vouch::challenge::answer;
use transform_relay::psp::vouch::sign::Signed;

use super::{CATALOGUE, NOW, SECRET, chosen, means, signed, verified};

pub(super) fn challenge(data: &[u8]) -> usize {
    let (profile, text) = chosen(data);
    let Ok(text) = std::str::from_utf8(text) else { return 0 };
    ORACLES.iter().filter(|oracle| oracle.name == profile.name).map(|oracle| tried(oracle, text)).sum()
}

/// Every built-in profile with its own challenge, and with others that sign as its notifications are signed.
static ORACLES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for entry in CATALOGUE.iter() {
        all.extend(entry.profile.challenge.is_some().then(|| Profile::clone(&entry.profile)));
        let signatures = entry.profile.forms.iter().flat_map(|form| &form.signature);
        for signature in signatures.filter(|signature| signature.algorithm.is_hmac()) {
            let with =
                |characters| Profile { challenge: Some(made(signature, characters)), ..Profile::clone(&entry.profile) };
            all.extend([Characters::Hex, Characters::Token].map(with));
        }
    }
    all
});

fn made(signature: &Signature, characters: Characters) -> Challenge {
    Challenge {
        header: None,
        query: Some("challenge".to_owned()),
        characters,
        length: (1, 64),
        answer: vec![Place::Signature],
        sign: Some(ChallengeSignature {
            algorithm: signature.algorithm,
            key: signature.key,
            encoding: signature.encoding,
        }),
    }
}

fn tried(oracle: &Profile, text: &str) -> usize {
    let given = [text.to_owned(), format!("{NOW}.{text}"), format!("msg_1.{NOW}.{text}")];
    let answers: Vec<String> = given.iter().filter_map(|given| asked(oracle, given)).collect();
    let mut tried = 0;
    for form in &oracle.forms {
        for signature in &form.signature {
            // What the PSP itself would send. If its signature is one that the challenge gives, a stranger can send it too.
            let Ok(sent) = signed(oracle, &form.name, &body(form, signature, text)) else { continue };
            if answers.iter().any(|answer| has(&sent, answer)) {
                let verdict = verified(oracle, SECRET, &sent.headers, &sent.body);
                assert!(verdict.is_err(), "{} believes what its endpoint check signed", oracle.name);
                tried += 1;
            }
        }
    }
    tried
}

/// The signature that a stranger is given.
fn asked(oracle: &Profile, given: &str) -> Option<String> {
    let secret = SECRET.to_owned().into();
    let configured = means(&secret).configured();
    let answer = answer(oracle.challenge.as_ref()?, configured, Some(&secret), |_| None, |_| Some(given.to_owned()))?;
    answer.rsplit('|').next().map(str::to_owned)
}

fn has(sent: &Signed, signature: &str) -> bool {
    let in_body = || sent.body.windows(signature.len()).any(|part| part == signature.as_bytes());
    sent.headers.iter().any(|(_, value)| value.contains(signature)) || in_body()
}

/// A body that has this text where the form is signed.
fn body(form: &Form, signature: &Signature, text: &str) -> Vec<u8> {
    if signature.found.pointer().is_none() {
        return text.as_bytes().to_vec();
    }
    let mut fields = Value::Object(Map::new());
    for place in &signature.signed {
        if let Place::Message(pointer) = place {
            drop(pointer.put(&mut fields, text.into()));
        }
    }
    match form.content.format {
        Format::Form => form.content.write_form(&fields),
        Format::Json | Format::Xml => fields.to_string().into_bytes(),
    }
}
