//! Explanation of the reading: the result of each rule for a message.

use crate::domain::message::{Message, Normalised};
use crate::domain::text::shown;
use crate::psp::document::place::{Place, Scope};
use crate::psp::document::received::Received;
use crate::psp::meaning::hash::hash;
use crate::psp::meaning::in_form::InForm;
use crate::psp::meaning::normalise::{each_message, normalise, read_first, read_message, with_fetched};
use crate::psp::meaning::rules::{about, around, event_type, readers, unmet};
use crate::psp::profile::{Condition, EventRule, Form, Profile, When};

/// The meaning of a notification, with its reasons.
#[derive(Debug)]
pub struct Reading<'a> {
    /// The result of [`normalise`].
    pub normalised: Normalised,
    /// The messages; none if the body cannot be read.
    pub messages: Vec<MessageSeen<'a>>,
}

/// The reading of one message.
#[derive(Debug)]
pub struct MessageSeen<'a> {
    /// The message's dedupe key.
    pub key: String,
    /// The message itself.
    pub message: Message,
    /// The calls that could fetch the message's truth, in the order of the profile; none if nothing is fetched.
    pub calls: Vec<CallSeen>,
    /// The rules of the message's type, in the order of the profile; none if its truth is to be fetched first.
    pub rules: Vec<RuleSeen<'a>>,
}

/// The result of a call.
#[derive(Debug)]
pub struct CallSeen {
    /// Whether this call is made, and the reason if not.
    pub verdict: Verdict,
}

/// The result of a rule.
#[derive(Debug)]
pub struct RuleSeen<'a> {
    /// The rule.
    pub rule: &'a EventRule,
    /// The index of the rule among the rules of its form.
    pub index: usize,
    /// Whether the rule reads the message, and the reason if not.
    pub verdict: Verdict,
    /// The number of chosen elements and the number of all elements, if the rule makes an event of each.
    pub elements: Option<(usize, usize)>,
}

/// Whether a rule reads a message or a call is made for it, and why not.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule reads the message, or the call is made.
    Fits,
    /// These conditions are not met.
    Unmet(Vec<Stood>),
    /// All conditions are met, but an earlier rule or call has taken the message.
    TooLate,
}

/// A condition that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    /// The place that it looks at.
    pub place: Place,
    /// The condition on the text there.
    pub condition: Condition,
    /// The text there, as it may be shown.
    pub text: String,
}

/// Explains the result of [`normalise`].
#[must_use]
pub fn reading<'a>(profile: &Profile, notification: &InForm<'a>, fetching: bool) -> Reading<'a> {
    let form = notification.form;
    let body_hash = hash(notification.received.body);
    let mut place = 0..;
    let messages = each_message(notification, |scope| {
        let at = place.next().unwrap_or_default();
        let (key, message) = read_first(profile, form, (at, scope), &body_hash, fetching);
        let calls = calls(form, &scope, fetching || form.pointer_only);
        let is_called = calls.iter().any(|call| call.verdict == Verdict::Fits);
        let rules = if is_called || form.pointer_only { Vec::new() } else { rules(form, scope) };
        MessageSeen { key, message, calls, rules }
    });
    Reading { normalised: normalise(profile, notification, fetching), messages: messages.unwrap_or_default() }
}

/// Explains the result of [`crate::psp::meaning::normalise::normalise_fetched`].
///
/// # Errors
/// The response or the notification cannot be read.
pub fn fetched<'a>(
    profile: &Profile,
    form: &'a Form,
    received: &Received<'_>,
    signed_at: Option<&str>,
    index: usize,
    answer: &[u8],
) -> Result<MessageSeen<'a>, String> {
    with_fetched(form, received, signed_at, index, answer, |scope, hash| {
        let (key, message) = read_message(profile, form, scope, hash);
        MessageSeen { key, message, calls: Vec::new(), rules: rules(form, scope) }
    })
}

fn rules<'a>(form: &'a Form, bare: Scope<'_>) -> Vec<RuleSeen<'a>> {
    let bare = about(form, bare);
    let event_type = event_type(form, &bare);
    let scope = Scope { event_type: &event_type, ..bare };
    let readers = readers(form, &scope);
    let of_its_type = form.rules.iter().enumerate().filter(|(_, rule)| rule.is_of(&event_type));
    let seen = of_its_type.map(|(index, rule)| {
        let reads = readers.iter().any(|reader| std::ptr::eq(*reader, rule));
        RuleSeen {
            rule,
            index,
            verdict: verdict(&rule.when, &around(rule, &scope), reads),
            elements: elements(rule, &scope),
        }
    });
    seen.collect()
}

fn verdict(when: &When, scope: &Scope<'_>, fits: bool) -> Verdict {
    if fits {
        return Verdict::Fits;
    }
    let stood: Vec<Stood> = unmet(when, scope)
        .map(|(place, condition, text)| Stood {
            place: place.clone(),
            condition: condition.clone(),
            text: shown(&text),
        })
        .collect();
    if stood.is_empty() { Verdict::TooLate } else { Verdict::Unmet(stood) }
}

fn elements(rule: &EventRule, scope: &Scope<'_>) -> Option<(usize, usize)> {
    let all = scope.each(rule.each.as_ref()?);
    let chosen = all.iter().filter(|element| unmet(&rule.when, element).next().is_none());
    Some((chosen.count(), all.len()))
}

/// The calls for a message. If nothing but what is needed is fetched, other calls do not count, and calls that do not fit are
/// no news.
fn calls(form: &Form, scope: &Scope<'_>, fetching: bool) -> Vec<CallSeen> {
    let mut made = false;
    let calls = form.fetch.iter().flat_map(|fetch| &fetch.calls).filter(|call| fetching || call.needed);
    let seen = calls.map(|call| {
        let fits = !made && unmet(&call.when, scope).next().is_none();
        made |= fits;
        CallSeen { verdict: verdict(&call.when, scope, fits) }
    });
    let seen: Vec<_> = seen.collect();
    if fetching || made { seen } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Meaning;
    use jiff::Timestamp;

    const PROFILE: &str = r#"
name = "p"
title = "P"
amounts = "minor"
[[notification]]
name = "n"
type = ["/type"]
signature = [{ algorithm = "hmac-sha256", signed = ["body"], encoding = "hex", found = { header = "s" } }]
defaults = { ids = ["/id"] }
[[notification.event]]
type = "paid"
kind = "payment"
when = { "/state" = "open", "/who" = { not = "" } }
status = "Pending"
[[notification.event]]
type = "paid"
kind = "payment"
status = "Succeeded"
when = { "/state" = ["done", "late"] }
[[notification.event]]
type = "paid"
kind = "payment"
status = "Failed"
"#;

    fn read(body: &str) -> String {
        let profile = Profile::read(PROFILE).unwrap();
        let form = &profile.forms[0];
        let received = Received { headers: &[], body: body.as_bytes(), at: Timestamp::UNIX_EPOCH };
        let reading = reading(&profile, &InForm::new(form, received), false);
        let message = &reading.messages[0];
        assert_eq!(message.message, reading.normalised.messages[0]);
        assert!(matches!(message.message.meaning, Meaning::Events(_)));
        let verdicts = message.rules.iter().map(|rule| match &rule.verdict {
            Verdict::Unmet(stood) => stood.iter().map(|one| format!("{}={}", one.place, one.text)).collect(),
            other => vec![format!("{other:?}")],
        });
        verdicts.map(|verdict| verdict.join("&")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_rule_of_the_type_says_why() {
        assert_eq!(read(r#"{"type":"paid","id":"1","state":"open","who":"x"}"#), r#"Fits /state="open" TooLate"#);
        assert_eq!(read(r#"{"type":"paid","id":"1","state":"open"}"#), r#"/who="" /state="open" Fits"#);
        assert_eq!(
            read(r#"{"type":"paid","id":"1","state":"done","who":"DE89370400440532013000"}"#),
            r#"/state="done" Fits TooLate"#
        );
        assert!(read(r#"{"type":"paid","id":"1","state":"jo@example.org"}"#).contains("[e-mail]"));
    }
}
