//! Unknown states: a word of the PSP that a profile does not know, in the place of one that it maps, makes a dead letter. A guess
//! about money would be worse, and silence too.

use serde_json::Value;
use transform_relay::domain::message::{Meaning, Message};
use transform_relay::guide::explain::{self, Verdict};
use transform_relay::psp::document::content::Format;
use transform_relay::psp::document::place::{Place, scalar};
use transform_relay::psp::document::pointer::Root;
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::in_form::InForm;
use transform_relay::psp::meaning::normalise::normalise_fetched;
use transform_relay::psp::profile::{EventRule, Fixed, Form, Profile};

use crate::fixtures;
use crate::support::contents::{Fetched, RECEIPT, fetched, profile, sent};

const UNKNOWN: &str = "unheard-of";

/// A place in the values that a message is read from, with the values.
struct Read<'a> {
    form: &'a Form,
    message: Value,
    answer: Option<Value>,
}

pub(super) fn each_is_a_dead_letter(name: &str) {
    let profile = profile(name);
    let mut tried = Vec::new();
    for file in fixtures::bodies(name) {
        for form in &profile.forms {
            let body = sent(form, &file);
            let headers = fixtures::headers(&file);
            let received = Received { headers: &headers, body: &body, at: RECEIPT };
            let Ok(message) = form.content.message(&body) else { continue };
            let seen = explain::reading(profile, &InForm::new(form, received), false);
            let [one] = &seen.messages[..] else { continue };
            let fits = one.rules.iter().filter(|rule| rule.verdict == Verdict::Fits).map(|rule| rule.rule);
            let read = Read { form, message, answer: None };
            for rule in fits.filter(|_| form.batch.is_none()) {
                try_each(&read, rule, &file.display().to_string(), &mut tried, |changed| {
                    let body = match form.content.format {
                        _ if form.content.inner.is_some() => return None,
                        Format::Json => changed.message.to_string().into_bytes(),
                        Format::Form => form.content.write_form(&changed.message),
                        Format::Xml => return None,
                    };
                    let received = Received { headers: &headers, body: &body, at: RECEIPT };
                    let seen = explain::reading(profile, &InForm::new(form, received), false);
                    Some(seen.messages.into_iter().next()?.message)
                });
            }
        }
    }
    fetched(name).iter().for_each(|file| try_fetched(profile, &Fetched::read(file), &mut tried));
    let is_state = |form: &Form, rule: &EventRule, place: &Place| {
        let is_choice = rule.each.is_some() && rule.when.contains_key(place);
        !(*place == Place::Type || is_of_type(form, place) || is_choice)
    };
    let is_tried =
        |form: &Form| form.content.format != Format::Xml && form.content.inner.is_none() && form.batch.is_none();
    for form in profile.forms.iter().filter(|form| is_tried(form)) {
        let mapped = |rule: &&EventRule| states(rule).any(|places| places.iter().any(|at| is_state(form, rule, at)));
        for rule in form.rules.iter().filter(mapped) {
            let types = rule.event_type.as_slice();
            assert!(tried.iter().any(|one| types.contains(one)), "{name}: no state was tried of {types:?}");
        }
    }
}

fn try_fetched(profile: &Profile, one: &Fetched, tried: &mut Vec<String>) {
    one.received(profile, |form, received, index, answer| {
        let Ok(seen) = explain::fetched(profile, form, received, None, index, answer) else { return };
        let part = form.fetch.as_ref().and_then(|fetch| fetch.part.as_ref());
        let message = form.content.message(received.body).unwrap_or_default();
        let read = Read { form, message, answer: Some(serde_json::from_slice(answer).unwrap()) };
        for rule in seen.rules.iter().filter(|rule| rule.verdict == Verdict::Fits && part.is_none()) {
            try_each(&read, rule.rule, &seen.message.event_type, tried, |changed| {
                let answer = changed.answer.as_ref()?.to_string();
                Some(normalise_fetched(profile, form, received, None, index, answer.as_bytes()))
            });
        }
    });
}

/// Puts an unknown word in the place of each state that a rule maps, and reads the message again.
fn try_each(
    read: &Read<'_>,
    rule: &EventRule,
    what: &str,
    tried: &mut Vec<String>,
    again: impl Fn(&Read<'_>) -> Option<Message>,
) {
    for places in states(rule) {
        let mut changed = Read { form: read.form, message: read.message.clone(), answer: read.answer.clone() };
        if !places.iter().any(|place| change(&mut changed, rule, place)) {
            continue;
        }
        let Some(message) = again(&changed) else { continue };
        let is_dead = matches!(&message.meaning, Meaning::NotUnderstood(_));
        assert!(is_dead, "{what}: with an unknown word at {places:?} it means {message:?}");
        tried.extend(rule.event_type.as_slice().iter().cloned());
    }
}

/// The places of the states that a rule maps, without those of the elements of its parts.
fn states(rule: &EventRule) -> impl Iterator<Item = &[Place]> {
    let status = rule.status.iter().filter_map(|from| mapped(from));
    let items = rule.items.iter().filter(|item| item.each.is_none() && item.when.is_empty());
    let items = items.filter_map(|item| mapped(item.booking.as_ref()?));
    status.chain(items).chain(rule.chargeback.iter().filter_map(|chargeback| mapped(&chargeback.booking)))
}

fn mapped<T>(from: &Fixed<T>) -> Option<&[Place]> {
    if let Fixed::Mapped(mapped) = from { Some(&mapped.from) } else { None }
}

/// Whether the type of a message stands at a place, and no state does.
fn is_of_type(form: &Form, place: &Place) -> bool {
    !form.state_in_type && form.event_type.iter().any(|part| part.as_slice().contains(place))
}

/// Puts the unknown word at a place, if a word stands there. The type of a message is left as it is.
fn change(read: &mut Read<'_>, rule: &EventRule, place: &Place) -> bool {
    // Only the elements that the rule chooses; a place by which it chooses them is no state.
    let chosen = |value: &Value| {
        rule.when.iter().all(|(place, condition)| match place {
            Place::Element(pointer) => condition.holds(&pointer.find(value).and_then(scalar).unwrap_or_default()),
            _ => true,
        })
    };
    let of_elements = |pointer: String, values: Vec<&mut Value>| {
        let values = values.into_iter().filter(|value| chosen(value) && !rule.when.contains_key(place));
        values.filter_map(|value| put(value.pointer_mut(&pointer)?)).count() > 0
    };
    match place {
        _ if is_of_type(read.form, place) => false,
        Place::Message(pointer) => read.message.pointer_mut(&pointer.to_string()).and_then(put).is_some(),
        Place::Fetched(pointer) => {
            read.answer.as_mut().and_then(|answer| put(answer.pointer_mut(&pointer.to_string())?)).is_some()
        }
        Place::Element(pointer) => match &rule.each {
            Some(each) if each.root == Root::Fetched => {
                read.answer.as_mut().is_some_and(|answer| of_elements(pointer.to_string(), each.find_mut(answer)))
            }
            Some(each) => of_elements(pointer.to_string(), each.find_mut(&mut read.message)),
            None => object(read).is_some_and(|object| object.pointer_mut(&pointer.to_string()).and_then(put).is_some()),
        },
        _ => false,
    }
}

/// The object that a message is about.
fn object<'v>(read: &'v mut Read<'_>) -> Option<&'v mut Value> {
    let there = |place: &&Place| match place {
        Place::Message(pointer) => pointer.find(&read.message).is_some_and(Value::is_object),
        Place::Fetched(pointer) => {
            read.answer.as_ref().and_then(|answer| pointer.find(answer)).is_some_and(Value::is_object)
        }
        _ => false,
    };
    match read.form.object.iter().find(there) {
        Some(Place::Message(pointer)) => read.message.pointer_mut(&pointer.to_string()),
        Some(Place::Fetched(pointer)) => read.answer.as_mut()?.pointer_mut(&pointer.to_string()),
        _ => Some(&mut read.message),
    }
}

fn put(value: &mut Value) -> Option<()> {
    scalar(value).filter(|text| !text.is_empty())?;
    *value = UNKNOWN.into();
    Some(())
}
