//! Rereading of stored notifications by another profile, for `profile replay`.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use crate::domain::message::{Meaning, Message, Normalised};
use crate::domain::text::shown;
use crate::guide::explain;
use crate::psp::document::received::Received;
use crate::psp::meaning::in_form::InForm;
use crate::psp::meaning::normalise::normalise;
use crate::psp::profile::{FetchMode, Form, Profile};
use crate::psp::vouch::signed::signed_at;
use crate::source::Source;
use crate::store::Outcome;
use crate::store::rehearsal::{Past, PastAnswer, Rehearsal, Rehearsed, Reread};

/// A reader of stored notifications, which reads them as their sources would.
pub(super) struct Reader<'a> {
    profile: &'a Profile,
    configured: &'a BTreeMap<String, Source>,
    pub(super) counts: Counts,
}

/// Counts of notifications that could not be read exactly as they were.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Notifications whose form was not stored, and was chosen by their body.
    guessed: usize,
    /// Notifications whose form the profile does not have.
    formless: usize,
    /// Notifications with a message whose object was not fetched, or is not kept.
    unfetched: HashSet<Uuid>,
}

impl Counts {
    pub(super) fn told(&self) -> String {
        let lines = [
            (self.guessed, "were taken before forms were stored; their form was chosen by the body"),
            (self.formless, "have a form that is not in the profile, and were left out"),
            (self.unfetched.len(), "point to an object that was not fetched or is not kept, and were left out"),
        ];
        let lines = lines.iter().filter(|(count, _)| *count > 0);
        lines.map(|(count, what)| format!("{count} of them {what}\n")).collect()
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(profile: &'a Profile, configured: &'a BTreeMap<String, Source>) -> Self {
        Self { profile, configured, counts: Counts::default() }
    }

    pub(super) fn read(&mut self, past: &Past) -> Reread {
        let Some(form) = self.form(past) else {
            self.counts.formless += 1;
            return nothing(past);
        };
        let received = Received { headers: &past.headers, body: &past.body, at: past.received_at };
        let signed_at = past.signed_at.clone().or_else(|| signed_at(form, received));
        let mut reread = if past.hint { nothing(past) } else { self.own(past, form, signed_at.as_deref()) };
        for answer in &past.answers {
            self.fetched(past, form, signed_at.as_deref(), answer, &mut reread);
        }
        let unfetched = reread.normalised.messages.iter_mut().filter(|one| matches!(one.meaning, Meaning::Fetch(_)));
        for message in unfetched {
            message.meaning = Meaning::Ignored;
            self.counts.unfetched.insert(past.id);
        }
        if let Some(types) = self.configured.get(&past.source).and_then(|source| source.events.as_ref()) {
            reread.normalised.keep_only(types);
        }
        reread
    }

    /// Reads the notification's own messages.
    fn own(&self, past: &Past, form: &Form, signed_at: Option<&str>) -> Reread {
        let received = Received { headers: &past.headers, body: &past.body, at: past.received_at };
        let notification = InForm { received, form, signed_at };
        // Without the configuration, a stored response shows that the source fetches.
        let configured = self.configured.get(&past.source);
        let always = configured.and_then(|source| source.fetch.as_ref()).map(|api| api.mode == FetchMode::Always);
        let fetching = if configured.is_some() { always.unwrap_or_default() } else { !past.answers.is_empty() };
        let normalised = normalise(self.profile, &notification, fetching);
        let keys = explain::reading(self.profile, &notification, fetching).messages.into_iter().map(|seen| seen.key);
        Reread { normalised, keys: keys.collect() }
    }

    /// Puts the message read from a fetched object in the place of the message that pointed to it.
    fn fetched(&self, past: &Past, form: &Form, signed_at: Option<&str>, answer: &PastAnswer, reread: &mut Reread) {
        let received = Received { headers: &past.headers, body: &past.body, at: answer.fetched_at };
        let index = if past.hint { 0 } else { answer.message };
        let said = match explain::fetched(self.profile, form, &received, signed_at, index, &answer.body) {
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

    /// The form as which the notification was read, or else the form that its types fit.
    fn form(&mut self, past: &Past) -> Option<&'a Form> {
        if let Some(name) = &past.form {
            return self.profile.form(name);
        }
        self.counts.guessed += 1;
        let received = Received { headers: &past.headers, body: &past.body, at: past.received_at };
        let is_understood = |form: &&Form| {
            let said = normalise(self.profile, &InForm::new(form, received), false);
            !said.messages.iter().all(|message| matches!(message.meaning, Meaning::NotUnderstood(_)))
        };
        let forms = || self.profile.forms.iter();
        forms().find(is_understood).or_else(|| forms().find(|form| form.content.message(&past.body).is_ok()))
    }
}

/// A reading without any message.
fn nothing(past: &Past) -> Reread {
    Reread {
        normalised: Normalised { dedupe_key: past.id.to_string(), beside: String::new(), messages: Vec::new() },
        keys: Vec::new(),
    }
}

/// A line for each notification with another meaning than before.
pub(super) fn changed(rehearsal: &Rehearsal, counts: &Counts) -> Vec<String> {
    let other = rehearsal.notifications.iter().filter(|one| means(one.was.0.as_str()) != means(one.now.0.name()));
    let other = other.filter(|one| !waited_in_vain(one) && !counts.unfetched.contains(&one.id));
    other
        .map(|one| {
            let reason = one.now.1.as_ref().or(one.was.1.as_ref());
            let reason = reason.map(|reason| format!(": {}", shown(reason))).unwrap_or_default();
            format!("notification {}: {} -> {}{reason}", one.id, one.was.0, one.now.0.name())
        })
        .collect()
}

/// The meaning of an outcome. An event's outcome depends on earlier events, but its being an event does not.
fn means(outcome: &str) -> &'static str {
    match outcome {
        "ignored" => "nothing",
        "dead_letter" => "not understood",
        _ => "events",
    }
}

/// Whether an event waited in vain in the store: its record was not registered in time. In a rehearsal nothing is too late.
fn waited_in_vain(one: &Rehearsed) -> bool {
    one.was.0 == Outcome::DeadLetter.name() && one.now.0 == Outcome::Parked
}
