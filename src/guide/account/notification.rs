//! Account of a notification: its messages in their order, and the requests that it would cause unverified.

use super::messages::Telling;
use crate::domain::message::Meaning;
use crate::guide::explain::{self, Reading};
use crate::psp::document::received::Received;
use crate::psp::meaning::call::hint;
use crate::psp::meaning::in_form::InForm;
use crate::psp::profile::catalogue::Entry;
use crate::psp::profile::{FetchMode, Form, Profile};
use crate::psp::vouch::needs::certificate_url;

/// Tells of the notification's messages, its own and those read from fetched objects (`answers`). Also returns whether all
/// of them are understood.
#[must_use]
pub fn messages(entry: &Entry, notification: &InForm<'_>, answers: &[Vec<u8>]) -> (String, bool) {
    let fetching = fetches(notification.form) || !answers.is_empty();
    let Reading { normalised, messages } = explain::reading(&entry.profile, notification, fetching);
    let mut telling = Telling::of(entry, &notification.form.name);
    if messages.is_empty() {
        normalised.messages.iter().for_each(|message| telling.unreadable(message));
    }
    let mut answers = answers.iter();
    for (index, seen) in messages.iter().enumerate() {
        telling.message(index, seen);
        if let Meaning::Fetch(_) = seen.message.meaning
            && let Some(answer) = answers.next()
        {
            let InForm { form, received, signed_at } = *notification;
            telling.fetched(explain::fetched(&entry.profile, form, &received, signed_at, index, answer));
        }
    }
    if answers.next().is_some() {
        telling.left_over();
    }
    telling.told()
}

/// Whether a source fetches for verified notifications by default.
fn fetches(form: &Form) -> bool {
    form.fetch.as_ref().is_some_and(|fetch| fetch.mode == FetchMode::Always)
}

/// The requests that the relay would make for an unverified notification of a signed form: for a certificate, and as a hint.
#[must_use]
pub fn hinted(profile: &Profile, received: &Received<'_>) -> String {
    let mut text = String::new();
    if let Some((url, rule)) = certificate_url(profile, received) {
        text.push_str(&format!(
            "the relay would fetch the certificate {url} and look for a name that ends in {:?}; this command fetches \
             nothing\n",
            rule.name_suffix
        ));
    }
    if let Some(hint) = hint(profile, received, false) {
        text.push_str(&format!(
            "as a mere hint where it is configured with fetch = \"unverified\" it would make a source fetch: GET {}\n",
            hint.calls.join(", GET ")
        ));
    }
    text
}
