//! Messages that no rule reads: an unknown state of a known object, or a type for which the profile has no rule.

use std::collections::BTreeSet;

use super::read::names;
use super::rules::{around, unmet};
use crate::domain::message::{Missing, MissingKind};
use crate::domain::text::{masked, shown};
use crate::psp::document::place::{Place, Scope};
use crate::psp::profile::{Condition, EventRule, Fixed, Form};

/// The most names of one message that may lead to a record.
const NAMES_MAX: usize = 24;
/// The longest name, in bytes: as long as the longest PSP id.
const NAME_MAX: usize = 255;

/// The rule that is missing for a message that no rule reads.
///
/// # Errors
/// The message tells an unknown state of an object that the profile knows.
pub(super) fn unread(form: &Form, scope: &Scope<'_>) -> Result<Missing, String> {
    if let Some(reason) = unknown_state(form, scope) {
        return Err(reason);
    }
    let event_type = masked(scope.event_type);
    let said = if form.rules.iter().any(|rule| rule.is_of(scope.event_type)) {
        format!("a rule of form {} for the type {event_type} that fits the message", form.name)
    } else {
        format!("a rule of form {} for the type {event_type}", form.name)
    };
    Ok(Missing { what: MissingKind::Rule, said, names: named(form, scope) })
}

/// The reason why a state is unknown: a rule would read the message but for its state, or the state is a part of the type.
fn unknown_state(form: &Form, scope: &Scope<'_>) -> Option<String> {
    let of_type = || form.rules.iter().filter(|rule| rule.is_of(scope.event_type));
    if let Some(places) = of_type().find_map(|rule| only_its_state_differs(rule, scope)) {
        return Some(unknown(places, scope));
    }
    if let Some(place) =
        of_type().find_map(|rule| only_differs_at(rule, scope)).filter(|place| knows_others(form, place, scope))
    {
        return Some(unknown(std::slice::from_ref(place), scope));
    }
    let state = form.event_type.last().filter(|_| form.state_in_type && of_type().next().is_none())?.as_slice();
    let text = scope.first(state).unwrap_or_default();
    let object = scope.event_type.strip_suffix(&text).unwrap_or(scope.event_type).trim_end();
    let is_of_object = |known: &String| known.strip_prefix(object).is_some_and(|rest| rest.starts_with(' '));
    let mut types = form.rules.iter().flat_map(|rule| rule.event_type.as_slice());
    (object.is_empty() || types.any(is_of_object)).then(|| unknown(state, scope))
}

/// The places of a rule's state, if the rule would read the message but for conditions on them.
fn only_its_state_differs<'r>(rule: &'r EventRule, scope: &Scope<'_>) -> Option<&'r [Place]> {
    let Some(Fixed::Mapped(mapped)) = &rule.status else { return None };
    let around = around(rule, scope);
    let mut unmet = unmet(&rule.when, &around).peekable();
    (unmet.peek().is_some() && unmet.all(|(place, ..)| mapped.from.contains(place))).then_some(&mapped.from[..])
}

/// The place at which alone a rule wants another text, if the rule would read the message otherwise.
fn only_differs_at<'r>(rule: &'r EventRule, scope: &Scope<'_>) -> Option<&'r Place> {
    let around = around(rule, scope);
    let mut unmet = unmet(&rule.when, &around);
    let (place, ..) = unmet.next()?;
    unmet.next().is_none().then_some(place)
}

/// Whether the rules of the type tell several words of a place apart, and the text there is another one. A place with a single
/// word is a filter.
fn knows_others(form: &Form, place: &Place, scope: &Scope<'_>) -> bool {
    let of_type = form.rules.iter().filter(|rule| rule.is_of(scope.event_type));
    let conditions: Vec<&Condition> = of_type.filter_map(|rule| rule.when.get(place)).collect();
    let words =
        conditions.iter().filter_map(|condition| if let Condition::Is(words) = condition { Some(words) } else { None });
    let words: BTreeSet<&String> = words.flat_map(|words| words.as_slice()).filter(|word| !word.is_empty()).collect();
    let all = conditions.iter().all(|condition| matches!(condition, Condition::Is(_)));
    all && words.len() > 1 && scope.text(place).is_some_and(|text| !words.contains(&text))
}

fn unknown(places: &[Place], scope: &Scope<'_>) -> String {
    format!("status at {}: {} is not known", names(places), shown(&scope.first(places).unwrap_or_default()))
}

/// The texts at all places that are ids or references by some rule of the form.
fn named(form: &Form, scope: &Scope<'_>) -> Vec<String> {
    let defaults = &form.defaults;
    let shared = [&defaults.ids, &defaults.shared_ids, &defaults.originals, &defaults.payment_ids, &defaults.reference];
    let mut found = Vec::new();
    shared.into_iter().for_each(|places| note(scope, places, &mut found));
    for rule in form.rules.iter().filter(|rule| !rule.ignore) {
        let own = [&rule.ids, &rule.shared_ids, &rule.originals, &rule.payment_ids, &rule.reference];
        let scopes = rule.each.as_ref().map_or_else(|| vec![*scope], |each| scope.each(each));
        for scope in scopes.iter().take(NAMES_MAX) {
            own.into_iter().flatten().for_each(|places| note(scope, places, &mut found));
        }
    }
    found
}

fn note(scope: &Scope<'_>, places: &[Place], found: &mut Vec<String>) {
    let texts = places.iter().filter(|place| !matches!(place, Place::Text(_))).filter_map(|place| scope.text(place));
    for text in texts.filter(|text| text.len() <= NAME_MAX) {
        if found.len() < NAMES_MAX && !found.contains(&text) {
            found.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::message::{Meaning, Message, Missing, MissingKind};
    use crate::psp::document::received::Received;
    use crate::psp::meaning::in_form::InForm;
    use crate::psp::meaning::normalise::normalise;
    use crate::psp::profile::Profile;

    const RULES: &str = r#"
name = "it"
title = "It"
amounts = "major"
[[notification]]
name = "event"
type = ["/resource", "/status"]
state_in_type = true
[[notification.signature]]
algorithm = "hmac-sha256"
signed = ["body"]
encoding = "hex"
found = { header = "signature" }
[notification.defaults]
ids = ["/id"]
at = ["/at"]
[[notification.event]]
type = "payment paid"
when = { "/mode" = "live" }
kind = "payment"
reference = ["/order"]
status = "Succeeded"
[[notification.event]]
type = "subscription"
when = { "/state" = ["on", "off"] }
kind = "agreement"
status = { from = ["/state"], map = { on = "Active", off = "Inactive" } }
[[notification.event]]
type = "refund done"
each = "/refunds/*"
kind = "refund"
ids = ["./id"]
payment_ids = ["text:no", "/of"]
status = "Succeeded"
[[notification.event]]
type = "card"
when = { "/kind" = "credit", "/brand" = { not = "none" } }
kind = "agreement"
status = "Active"
[[notification.event]]
type = "card"
when = { "/kind" = "debit" }
ignore = true
[[notification.event]]
type = "payout sent"
ignore = true
"#;

    fn read(body: &str) -> Message {
        let profile = Profile::read(RULES).unwrap();
        let received = Received { headers: &[], body: body.as_bytes(), at: jiff::Timestamp::UNIX_EPOCH };
        normalise(&profile, &InForm::new(&profile.forms[0], received), false).messages.remove(0)
    }

    fn missing(body: &str) -> Option<(String, Vec<String>)> {
        let message = read(body);
        assert_eq!(message.meaning, Meaning::Ignored, "{body}");
        message.missing.map(|Missing { what, said, names }| {
            assert_eq!(what, MissingKind::Rule);
            (said, names)
        })
    }

    #[test]
    fn a_message_that_no_rule_reads_names_what_it_knows() {
        let (said, names) =
            missing(r#"{"resource": "voucher", "id": "v_1", "order": "tx-1", "of": "", "x": "no"}"#).unwrap();
        assert_eq!(
            (said.as_str(), names),
            ("a rule of form event for the type voucher", vec!["v_1".to_owned(), "tx-1".to_owned()])
        );
        let (_, names) =
            missing(r#"{"resource": "voucher", "refunds": [{"id": "re_1"}, {"id": "re_2"}], "of": "tr_1"}"#).unwrap();
        assert_eq!(names, ["re_1", "tr_1", "re_2"]);
        let (said, _) = missing(r#"{"resource": "payment", "status": "paid", "mode": "test", "id": "tr_1"}"#).unwrap();
        assert_eq!(said, "a rule of form event for the type payment paid that fits the message");
        assert_eq!(
            missing(r#"{"resource": "payout", "status": "sent", "id": "tr_1"}"#),
            None,
            "it is ignored on purpose"
        );
    }

    #[test]
    fn an_unknown_state_of_a_known_object_is_not_understood() {
        for (body, reason) in [
            (r#"{"resource": "payment", "status": "strange"}"#, r#"status at /status: "strange" is not known"#),
            (r#"{"resource": "payment"}"#, r#"status at /status: "" is not known"#),
            (r#"{"resource": "card", "kind": "prepaid"}"#, r#"status at /kind: "prepaid" is not known"#),
            (r#"{"resource": "subscription", "state": "paused"}"#, r#"status at /state: "paused" is not known"#),
        ] {
            assert_eq!(read(body).meaning, Meaning::NotUnderstood(reason.to_owned()), "{body}");
        }
        for (body, why) in [
            (r#"{"resource": "pay", "status": "paid"}"#, "another object"),
            (r#"{"resource": "payment", "status": "paid", "mode": "test"}"#, "a place with one word is a filter"),
            (r#"{"resource": "card", "kind": "credit", "brand": "none"}"#, "a known word"),
            (r#"{"resource": "card"}"#, "no word"),
        ] {
            assert!(missing(body).is_some(), "{body}: {why}");
        }
    }
}
