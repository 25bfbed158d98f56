//! The reader of stored notifications.

use std::collections::BTreeMap;

use crate::domain::message::{Meaning, Message, Normalised};
use crate::domain::text::shown;
use crate::guide::explain;
use crate::psp::document::received::Received;
use crate::psp::meaning::in_form::InForm;
use crate::psp::meaning::normalise::normalise;
use crate::psp::profile::{FetchMode, Form, Profile};
use crate::psp::vouch::signed::signed_at;
use crate::source::Source;
use crate::store::rehearsal::{Past, PastAnswer, Rehearsed, Reread};

/// A reader of stored notifications, which reads them as their sources would.
pub(in crate::cli) struct Reader<'a> {
    profiles: BTreeMap<&'a str, &'a Profile>,
    configured: &'a BTreeMap<String, Source>,
    counts: Counts,
}

/// Counts of notifications that could not be read exactly as they were.
#[derive(Debug, Default)]
struct Counts {
    /// Notifications whose form was not stored, and was chosen by their body.
    guessed: usize,
    /// Notifications whose form the profile does not have.
    formless: usize,
    /// Notifications with a message whose object was not fetched, or is not kept.
    unfetched: usize,
}

impl<'a> Reader<'a> {
    /// A reader by these profiles, by the names of the sources.
    pub(in crate::cli) fn new(
        profiles: BTreeMap<&'a str, &'a Profile>,
        configured: &'a BTreeMap<String, Source>,
    ) -> Self {
        Self { profiles, configured, counts: Counts::default() }
    }

    /// Lines about the notifications that could not be read exactly as they were.
    pub(in crate::cli) fn told(&self) -> String {
        let Counts { guessed, formless, unfetched } = self.counts;
        let lines = [
            (guessed, "were taken before forms were stored; their form was chosen by the body"),
            (formless, "have a form that is not in the profile, and were left out"),
            (unfetched, "point to an object that was not fetched or is not kept, and were left out"),
        ];
        let lines = lines.iter().filter(|(count, _)| *count > 0);
        lines.map(|(count, what)| format!("{count} of them {what}\n")).collect()
    }

    pub(in crate::cli) fn read(&mut self, past: &Past) -> Reread {
        let found = self.profiles.get(past.source.as_str()).copied();
        let Some((profile, form)) = found.and_then(|profile| Some((profile, self.form(profile, past)?))) else {
            self.counts.formless += 1;
            return Reread { left_out: true, ..nothing(past) };
        };
        let received = Received { headers: &past.headers, body: &past.body, at: past.received_at };
        let signed_at = past.signed_at.clone().or_else(|| signed_at(form, received));
        let mut reread = if past.hint { nothing(past) } else { self.own(past, profile, form, signed_at.as_deref()) };
        for answer in &past.answers {
            fetched(profile, past, form, signed_at.as_deref(), answer, &mut reread);
        }
        reread.left_out = past.hint && past.answers.is_empty();
        let unfetched = reread.normalised.messages.iter_mut().filter(|one| matches!(one.meaning, Meaning::Fetch(_)));
        let fetchless = self.configured.get(&past.source).filter(|source| source.fetch.is_none());
        for message in unfetched {
            message.missing = fetchless.map(Source::no_fetch);
            message.meaning = Meaning::Ignored;
            reread.left_out = true;
        }
        self.counts.unfetched += usize::from(reread.left_out);
        if let Some(types) = self.configured.get(&past.source).and_then(|source| source.events.as_ref()) {
            reread.normalised.keep_only(types);
        }
        reread
    }

    /// Reads the notification's own messages.
    fn own(&self, past: &Past, profile: &Profile, form: &Form, signed_at: Option<&str>) -> Reread {
        let received = Received { headers: &past.headers, body: &past.body, at: past.received_at };
        let notification = InForm { received, form, signed_at };
        // Without the configuration, a stored response shows that the source fetches.
        let configured = self.configured.get(&past.source);
        let always = configured.and_then(|source| source.fetch.as_ref()).map(|api| api.mode == FetchMode::Always);
        let fetching = if configured.is_some() { always.unwrap_or_default() } else { !past.answers.is_empty() };
        let normalised = normalise(profile, &notification, fetching);
        let keys = explain::reading(profile, &notification, fetching).messages.into_iter().map(|seen| seen.key);
        Reread { normalised, keys: keys.collect(), left_out: false }
    }

    /// The form as which the notification was read, or else the form that its types fit.
    fn form(&mut self, profile: &'a Profile, past: &Past) -> Option<&'a Form> {
        if let Some(name) = &past.form {
            return profile.form(name);
        }
        self.counts.guessed += 1;
        let received = Received { headers: &past.headers, body: &past.body, at: past.received_at };
        let is_understood = |form: &&Form| {
            let said = normalise(profile, &InForm::new(form, received), false);
            !said.messages.iter().all(|message| matches!(message.meaning, Meaning::NotUnderstood(_)))
        };
        let forms = || profile.forms.iter();
        forms().find(is_understood).or_else(|| forms().find(|form| form.content.message(&past.body).is_ok()))
    }
}

/// Puts the message read from a fetched object in the place of the message that pointed to it.
fn fetched(
    profile: &Profile,
    past: &Past,
    form: &Form,
    signed_at: Option<&str>,
    answer: &PastAnswer,
    reread: &mut Reread,
) {
    let received = Received { headers: &past.headers, body: &past.body, at: answer.fetched_at };
    let index = if past.hint { 0 } else { answer.message };
    let said = match explain::fetched(profile, form, &received, signed_at, index, &answer.body) {
        Ok(seen) => {
            reread.keys.push(seen.key);
            seen.message
        }
        Err(reason) => Message::new(String::new(), Meaning::NotUnderstood(reason)),
    };
    match reread.normalised.messages.get_mut(index).filter(|_| !past.hint) {
        Some(message) => *message = said,
        None => reread.normalised.messages.push(said),
    }
}

/// A reading without any message.
fn nothing(past: &Past) -> Reread {
    Reread {
        normalised: Normalised { dedupe_key: past.id.to_string(), beside: String::new(), messages: Vec::new() },
        keys: Vec::new(),
        left_out: false,
    }
}

/// A line for a notification with another outcome than before.
pub(in crate::cli) fn changed(one: &Rehearsed) -> String {
    let reason = one.now.1.as_ref().or(one.was.1.as_ref());
    let reason = reason.map(|reason| format!(": {}", shown(reason))).unwrap_or_default();
    format!("notification {}: {} -> {}{reason}", one.id, one.was.0, one.now.0.name())
}
