//! Bodies and fetched objects: `events.txt` has what comes of each.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;
use transform_relay::domain::message::{Message, Normalised};
use transform_relay::guide::{explain, render};
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::in_form::InForm;
use transform_relay::psp::meaning::normalise::normalise;
use transform_relay::psp::profile::{Form, Profile};
use transform_relay::psp::vouch::sign::sign;
use transform_relay::psp::vouch::verify::{self, Means};
use url::Url;

use super::agreement::{the_reading_agrees, the_rules_agree};
use crate::fixtures;
use crate::support::contents::{Fetched, RECEIPT, fetched, profile, sent};
use crate::support::golden::{FIXTURES, must_be};

pub(super) fn each_gives_its_events(name: &str) {
    let profile = profile(name);
    let mut blocks = Vec::new();
    for file in fixtures::bodies(name) {
        let file_name = file.file_name().unwrap().display();
        let [fetching, not_fetching] = [true, false].map(|fetching| normalised(profile, &file, fetching));
        blocks.push(format!("{file_name}: {}", render::notification(&fetching)));
        if not_fetching != fetching {
            blocks.push(format!("{file_name}, not fetched: {}", render::notification(&not_fetching)));
        }
    }
    for file in fetched(name) {
        let file_name = file.file_name().unwrap().display();
        blocks.push(format!("fetched/{file_name}:\n{}", render::messages(&[read_fetched(profile, &file)], "")));
    }
    assert!(!blocks.is_empty(), "{name} has no body");
    must_be(&fixtures::file(name, "events.txt"), &blocks.join("\n"), FIXTURES);
}

/// A rule that no fixture reaches is an untested rule.
pub(super) fn each_mapped_type_is_seen(name: &str) {
    let profile = profile(name);
    let messages = fixtures::bodies(name).into_iter().flat_map(|file| normalised(profile, &file, true).messages);
    let messages = messages.chain(fetched(name).into_iter().map(|file| read_fetched(profile, &file)));
    let seen: Vec<String> = messages.map(|message| message.event_type).collect();
    let rules = profile.forms.iter().flat_map(|form| &form.rules);
    for event_type in rules.filter(|rule| !rule.ignore).flat_map(|rule| rule.event_type.as_slice()) {
        assert!(seen.contains(event_type), "{name}: no fixture of type {event_type:?}");
    }
}

/// A fixture is signed as its PSP would sign it, in the form that its rules need, and read. A fixture that only the PSP
/// can sign, or that is unsigned, is read as it is.
fn normalised(profile: &Profile, file: &Path, fetching: bool) -> Normalised {
    // If several forms are signed as a whole, the body's own form is the one in which it has a type.
    let readings: Vec<_> = profile.forms.iter().filter_map(|form| in_form(profile, form, file, fetching)).collect();
    let typed =
        readings.iter().position(|reading| reading.messages.iter().all(|message| !message.event_type.is_empty()));
    let chosen = readings.into_iter().nth(typed.unwrap_or_default());
    chosen.unwrap_or_else(|| panic!("{} is of no form of its profile", file.display()))
}

/// A fixture as it is read in this form; none if it is of another form.
fn in_form(profile: &Profile, form: &Form, file: &Path, fetching: bool) -> Option<Normalised> {
    let read = |notification: &InForm<'_>| {
        let normalised = normalise(profile, notification, fetching);
        the_reading_agrees(profile, notification, &normalised, fetching);
        normalised
    };
    let own = fixtures::headers(file);
    let secret: SecretString = "00112233445566778899aabbccddeeff".to_owned().into();
    let settings: BTreeMap<_, _> = profile.settings.keys().map(|name| (name.clone(), "set".to_owned())).collect();
    let url = Url::parse("https://relay.example.com/notifications/it").unwrap();
    let means = Means { settings: Some(&settings), public_url: Some(&url), ..Means::secret(&secret) };
    let body = sent(form, file);
    form.content.outer(&body).ok()?;
    let Ok(signed) = sign(profile, Some(&form.name), &means, RECEIPT.as_second(), "msg_1", &body) else {
        return Some(read(&InForm::new(form, Received { headers: &own, body: &body, at: RECEIPT })));
    };
    let headers: Vec<_> = own.iter().chain(&signed.headers).cloned().collect();
    let received = Received { headers: &headers, body: &signed.body, at: RECEIPT };
    let verified = verify::verify(profile, &means, received).ok()?;
    let normalised = read(&InForm::from(&verified));
    (verified.form().name == form.name).then_some(normalised)
}

fn read_fetched(profile: &Profile, file: &Path) -> Message {
    let fetched = Fetched::read(file);
    let message = fetched.message(profile);
    fetched.received(profile, |form, received, index, answer| {
        if let Ok(seen) = explain::fetched(profile, form, received, None, index, answer) {
            assert_eq!(seen.message, message, "{}", file.display());
            the_rules_agree(&seen);
        }
    });
    message
}
