//! Account of messages: their meaning, and the events that the rules make of them.

use super::signatures::line_up;
use crate::domain::message::{Meaning, Message};
use crate::domain::text::shown_id;
use crate::guide::explain::{MessageSeen, RuleSeen, Verdict};
use crate::guide::render::{IDENTITY, KEY, LOOSE, Line, MessageLines, Texts, lines};
use crate::psp::profile::catalogue::Entry;

/// The text so far, and whether everything in it was understood.
pub(super) struct Telling<'a> {
    entry: &'a Entry,
    /// The name of the form that reads the messages.
    form: &'a str,
    text: String,
    good: bool,
}

impl<'a> Telling<'a> {
    pub(super) const fn of(entry: &'a Entry, form: &'a str) -> Self {
        Self { entry, form, text: String::new(), good: true }
    }

    pub(super) fn told(self) -> (String, bool) {
        (self.text, self.good)
    }

    /// Tells of a notification whose body cannot be read.
    pub(super) fn unreadable(&mut self, message: &Message) {
        self.meaning(message, "");
    }

    /// Tells of one message, without its fetched object.
    pub(super) fn message(&mut self, index: usize, seen: &MessageSeen<'_>) {
        let event_type = if seen.message.event_type.is_empty() { "no type" } else { &seen.message.event_type };
        line_up(&mut self.text, 0, &format!("message {}", index + 1), event_type);
        self.read(seen);
    }

    /// Tells of the object that was fetched for the preceding message.
    pub(super) fn fetched(&mut self, seen: Result<MessageSeen<'_>, String>) {
        match seen {
            Ok(seen) => {
                line_up(&mut self.text, 2, "fetched", &seen.message.event_type);
                self.read(&seen);
            }
            Err(reason) => self.meaning(&Message::new(String::new(), Meaning::NotUnderstood(reason)), ""),
        }
    }

    /// Tells that more responses (`--fetched`) were given than there are messages to fetch for.
    pub(super) fn left_over(&mut self) {
        self.good = false;
        line_up(&mut self.text, 0, "fetched", "there are more responses than messages whose truth is to be fetched");
    }

    fn read(&mut self, seen: &MessageSeen<'_>) {
        line_up(&mut self.text, 2, "dedupe", &shown_id(&seen.key));
        for (index, call) in seen.calls.iter().enumerate() {
            line_up(&mut self.text, 2, "call", &format!("{} {}", index + 1, verdict(&call.verdict, "is made")));
        }
        for rule in &seen.rules {
            let line = self.entry.rule_line(self.form, rule.index);
            line_up(&mut self.text, 2, "rule", &format!("line {line} {}", rule_verdict(rule)));
        }
        if seen.rules.is_empty() && seen.calls.is_empty() {
            line_up(&mut self.text, 2, "rule", "none is about this type");
        }
        self.meaning(&seen.message, &seen.key);
    }

    /// Tells what a message means, by the lines of golden files.
    fn meaning(&mut self, message: &Message, key: &str) {
        self.good &= !matches!(message.meaning, Meaning::NotUnderstood(_));
        let MessageLines { message: about, events } = lines(message, key, Texts::Guarded);
        for event in events {
            let mut event = event.into_iter().filter(is_told);
            event.next().iter().for_each(|line| self.line(2, line));
            event.for_each(|line| self.line(4, &line));
        }
        about.iter().filter(|line| is_told(line)).for_each(|line| self.line(2, line));
    }

    fn line(&mut self, indent: usize, line: &Line) {
        line_up(&mut self.text, indent, line.word, &line.said);
    }
}

/// What the relay makes for its own bookkeeping tells an author of profiles nothing.
fn is_told(line: &Line) -> bool {
    ![KEY, LOOSE, IDENTITY].contains(&line.word)
}

fn rule_verdict(rule: &RuleSeen<'_>) -> String {
    let reads = if rule.rule.ignore { "fits, and ignores the message" } else { "reads it" };
    let mut text = verdict(&rule.verdict, reads);
    if let (Verdict::Fits, Some((chosen, all))) = (&rule.verdict, rule.elements) {
        text.push_str(&format!("; {chosen} of {all} elements are chosen"));
    }
    text
}

fn verdict(verdict: &Verdict, fits: &str) -> String {
    match verdict {
        Verdict::Fits => fits.to_owned(),
        Verdict::TooLate => "would fit, but an earlier one has the message".to_owned(),
        Verdict::Unmet(stood) => {
            let reasons = stood.iter().map(|one| {
                let found = if one.text == "\"\"" { "nothing" } else { one.text.as_str() };
                format!("{}: {} is wanted, {found} stands there", one.place, one.condition)
            });
            format!("does not fit: {}", reasons.collect::<Vec<_>>().join("; "))
        }
    }
}
