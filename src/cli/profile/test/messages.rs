//! Answer of `profile test` on messages: their meaning, and the events that the rules make of them.

use super::signatures::line_up;
use crate::cli::profile::told::Told;
use crate::domain::event::{AHEAD_MAX, Ahead, Booking, Chargeback, Event, Facts, Item};
use crate::domain::message::{Meaning, Message};
use crate::domain::text::shown;
use crate::guide::explain::{MessageSeen, RuleSeen, Verdict};
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

    pub(super) fn told(self) -> Told {
        (self.text, self.good)
    }

    /// Tells of a notification whose body cannot be read.
    pub(super) fn unreadable(&mut self, message: &Message) {
        self.meaning(&message.meaning);
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
            Err(reason) => self.meaning(&Meaning::NotUnderstood(reason)),
        }
    }

    /// Tells that more responses (`--fetched`) were given than there are messages to fetch for.
    pub(super) fn left_over(&mut self) {
        self.good = false;
        line_up(&mut self.text, 0, "fetched", "there are more responses than messages whose truth is to be fetched");
    }

    fn read(&mut self, seen: &MessageSeen<'_>) {
        line_up(&mut self.text, 2, "dedupe", &shown(&seen.key));
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
        self.meaning(&seen.message.meaning);
        for Ahead { what, said } in &seen.message.ahead {
            let minutes = AHEAD_MAX.as_mins();
            let of = if *what == "event" { "the event" } else { what };
            let told =
                format!("{of} at {said}: more than {minutes} minutes ahead of the receipt; it counts as the receipt");
            line_up(&mut self.text, 4, "ahead", &told);
        }
    }

    fn meaning(&mut self, meaning: &Meaning) {
        match meaning {
            Meaning::Ignored => line_up(&mut self.text, 2, "ignored", "nothing in it concerns a record"),
            Meaning::Fetch(path) => line_up(&mut self.text, 2, "to fetch", &format!("GET {path}")),
            Meaning::NotUnderstood(reason) => {
                self.good = false;
                line_up(&mut self.text, 2, "dead letter", &format!("not understood: {reason}"));
            }
            Meaning::Events(events) => events.iter().for_each(|event| tell_event(&mut self.text, event)),
        }
    }
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

fn tell_event(text: &mut String, event: &Event) {
    let kinds = event.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ");
    let ids = [
        ("reference", event.references.iter().map(|id| shown(id.as_str())).collect::<Vec<_>>()),
        ("id", event.psp_ids.iter().map(|id| shown(id)).collect()),
        ("shared id", event.shared_ids.iter().map(|id| shown(id)).collect()),
    ];
    let ids = ids.into_iter().filter(|(_, ids)| !ids.is_empty());
    let ids = ids.map(|(word, ids)| format!("{word} {}", ids.join(", "))).collect::<Vec<_>>().join("; ");
    line_up(text, 2, "event", &format!("{kinds} by {ids}"));
    let order = match (event.late, event.gives_way) {
        (true, _) => ", outranks others of the same second",
        (_, true) => ", gives way to any other",
        _ => "",
    };
    line_up(text, 4, "at", &format!("{}{order}", event.at));
    tell_facts(text, &event.facts, event.currency.map_or("", |currency| currency.code()));
}

fn tell_facts(text: &mut String, facts: &Facts, currency: &str) {
    if let Some(status) = facts.status {
        line_up(text, 4, "status", status.name());
    }
    if let Some(error) = &facts.error {
        let code = error.code.map_or_else(|| "unmapped".to_owned(), |code| format!("{code:?}"));
        let own = [&error.psp_code, &error.message].into_iter().flatten().map(|words| shown(words));
        line_up(text, 4, "error", &[vec![code], own.collect()].concat().join(", "));
    }
    for (word, amount) in [("authorized", facts.authorized), ("refunded", facts.refunded)] {
        if let Some(amount) = amount {
            line_up(text, 4, word, &format!("{amount} {currency}"));
        }
    }
    if let Some(at) = facts.expires_at {
        line_up(text, 4, "expires", &at.to_string());
    }
    facts.items.iter().for_each(|item| tell_item(text, item, currency));
    facts.chargebacks.iter().for_each(|chargeback| tell_chargeback(text, chargeback, currency));
    if !facts.bearer.is_empty() {
        let names = facts.bearer.iter().map(|(name, value)| format!("{name} ({} characters)", value.chars().count()));
        line_up(text, 4, "bearer", &names.collect::<Vec<_>>().join(", "));
    }
}

fn tell_item(text: &mut String, item: &Item, currency: &str) {
    let description = item.description.as_deref().map(|words| format!(": {}", shown(words))).unwrap_or_default();
    let said = format!("{} {currency}, item {}, {}{description}", item.amount, shown(&item.id), item.date);
    line_up(text, 4, booking(item.booking), &said);
}

fn tell_chargeback(text: &mut String, chargeback: &Chargeback, currency: &str) {
    let why = chargeback.why.as_ref().map(|why| format!(", {:?}", why.reason)).unwrap_or_default();
    let fee = chargeback.fee.map(|fee| format!(", fee {fee}")).unwrap_or_default();
    let (id, date) = (shown(&chargeback.id), chargeback.date);
    let said = format!("{} {currency}, chargeback {id}, {date}{fee}{why}", chargeback.amount);
    line_up(text, 4, booking(chargeback.booking), &said);
}

const fn booking(booking: Booking) -> &'static str {
    match booking {
        Booking::Open => "open",
        Booking::Booked => "booked",
        Booking::Reversed => "reversed",
    }
}
