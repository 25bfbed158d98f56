//! Normalisation of a verified notification: its dedupe key and its messages, in our words.

use jiff::Timestamp;
use serde_json::Value;

use super::hash::hash;
use super::in_form::InForm;
use super::rules::{TYPE_MAX, about, broken, event_type, printable, readers, type_names};
use super::translate::Translation;
use super::unread::unread;
use super::{call, identity};
use crate::domain::event::Ahead;
use crate::domain::json;
use crate::domain::message::{AHEAD_TOLD, Identity, Meaning, Message, Normalised};
use crate::domain::text::shown;
use crate::psp::document::place::{Place, Scope};
use crate::psp::document::received::Received;
use crate::psp::profile::{EventRule, Form, Profile};

/// Reads a notification by the rules of its form. `fetching` says whether the source fetches the objects that the
/// profile marks for fetching. Otherwise a message is read as it is, unless its form or its call says that it is a mere pointer.
#[must_use]
pub fn normalise(profile: &Profile, notification: &InForm<'_>, fetching: bool) -> Normalised {
    let body_hash = hash(notification.received.body);
    let form = notification.form;
    let (mut place, mut object) = (0.., None);
    let read = each_message(notification, |scope| {
        object = recurring(form, &scope);
        let place = place.next().unwrap_or_default();
        read_first(profile, form, (place, scope), &body_hash, fetching)
    });
    let (mut keys, messages): (Vec<String>, Vec<Message>) = match read {
        Ok(read) if read.is_empty() => (vec![body_hash], vec![not_understood("the batch holds no message".to_owned())]),
        Ok(read) => read.into_iter().unzip(),
        Err(reason) => {
            let message = not_understood(reason);
            let identity = unread_identity(notification, &message, &body_hash);
            (vec![body_hash], vec![Message { identity, ..message }])
        }
    };
    if let Some(object) = object {
        keys = vec![object];
    } else if form.is_partly_signed() {
        // Messages that are signed one by one can be combined in any number of ways.
        match messages.first().and_then(|message| message.identity.as_ref()) {
            // The signed text belongs to the first body. That body has a key of its own, whatever signature comes with its
            // repetition.
            Some(identity) if identity.binds_body && form.is_signed_whole() => {}
            Some(identity) => keys = vec![identity.key.clone()],
            None => keys = vec![signed_key(notification)],
        }
    }
    Normalised { dedupe_key: keys.join("\n"), beside: beside(notification), messages }
}

/// The identity of a body that cannot be read, if the signed text belongs to the first body that comes with it: a stranger
/// may have made this body for the text.
fn unread_identity(notification: &InForm<'_>, message: &Message, body_hash: &str) -> Option<Identity> {
    let InForm { received, form, signed_at } = notification;
    let scope = Scope { signed_at: *signed_at, ..Scope::new(received, &Value::Null) };
    let parts = identity::signed_parts(form, &scope).filter(|_| form.binds_body())?;
    identity::of(form, Some(&parts), body_hash, (0, message), (body_hash, received.at))
}

/// The key of a notification that cannot be read: the signed text around the message, or the hash of the whole body.
fn signed_key(notification: &InForm<'_>) -> String {
    let InForm { received, form, signed_at } = notification;
    let scope = Scope { signed_at: *signed_at, ..Scope::new(received, &Value::Null) };
    let is_around = form.content.inner.is_some() || form.is_signed_whole();
    let parts = identity::signed_parts(form, &scope).filter(|_| is_around);
    parts.map_or_else(|| hash(received.body), |parts| identity::text(form, &parts))
}

/// The id of the object that a message is about, if its states recur. It is the dedupe key, so that the notifications of one
/// object are found together; the events keep keys of their own. A message with a time of its own is told from others by that.
fn recurring(form: &Form, scope: &Scope<'_>) -> Option<String> {
    let own_times = form.defaults.at.iter().filter(|place| **place != Place::SignedAt);
    if own_times.clone().any(|place| !joined(scope, std::slice::from_ref(place), "").is_empty()) {
        return None;
    }
    let object = joined(scope, &form.recurs, "|");
    let is_there = !object.trim_matches('|').is_empty();
    is_there.then(|| if object.len() > KEY_MAX { hash(object.as_bytes()) } else { object })
}

/// The unsigned headers that a notification is read with.
fn beside(notification: &InForm<'_>) -> String {
    let InForm { received, form, .. } = notification;
    let given = |name: &String| received.header(name).map(|value| (name.clone(), Value::from(value)));
    let given: serde_json::Map<String, Value> = form.unsigned_headers.iter().filter_map(given).collect();
    if given.is_empty() { String::new() } else { hash(Value::from(given).to_string().as_bytes()) }
}

/// The results of `read` for each message of a notification.
///
/// # Errors
/// The body cannot be read.
pub(crate) fn each_message<T>(
    notification: &InForm<'_>,
    mut read: impl FnMut(Scope<'_>) -> T,
) -> Result<Vec<T>, String> {
    let InForm { received, form, signed_at } = notification;
    let body = form.content.message(received.body)?;
    let found = form.batch.as_ref().map_or_else(|| vec![&body], |batch| batch.find(&body));
    let mut results = Vec::new();
    let mut read_one =
        |message: &Value| results.push(read(Scope { signed_at: *signed_at, ..Scope::new(received, message) }));
    for message in found {
        match form.split.as_ref().and_then(|split| Some((split, split.find(message)?.as_array()?))) {
            None => read_one(message),
            Some((split, list)) if list.len() > SPLIT_MAX => {
                return Err(format!("{split}: more than {SPLIT_MAX} elements"));
            }
            Some((split, list)) => {
                let mut around = message.clone();
                for element in list {
                    split.put(&mut around, element.clone())?;
                    read_one(&around);
                }
            }
        }
    }
    Ok(results)
}

/// The most messages that one message is split into.
const SPLIT_MAX: usize = 100;

/// A message and its dedupe key, before a fetch for it.
pub(crate) fn read_first(
    profile: &Profile,
    form: &Form,
    (place, scope): (usize, Scope<'_>),
    body_hash: &str,
    fetching: bool,
) -> (String, Message) {
    let fetching = fetching || form.pointer_only;
    let (parts, at) = (identity::signed_parts(form, &scope), scope.received.at);
    let call = form.fetch.as_ref().and_then(|fetch| call::message(form, fetch, &scope, fetching));
    let (key, message) = match call {
        Some(message) => (dedupe_key(form, &scope, body_hash), message),
        None if form.pointer_only => (dedupe_key(form, &scope, body_hash), concerns_no_record(form, &scope)),
        None => read_message(profile, form, scope, body_hash),
    };
    let identity = identity::of(form, parts.as_deref(), &key, (place, &message), (body_hash, at));
    (key, Message { identity, recurs: recurring(form, &scope).is_some(), ..message })
}

/// Reads one message of a notification together with the fetched response's body.
///
/// `index` is the message's position in the batch. An event without a time happened at `received.at`: for a fetched object,
/// the time at which the call began.
#[must_use]
pub fn normalise_fetched(
    profile: &Profile,
    form: &Form,
    received: &Received<'_>,
    signed_at: Option<&str>,
    index: usize,
    answer: &[u8],
) -> Message {
    let said = with_fetched(form, received, signed_at, index, answer, |scope, hash| {
        read_message(profile, form, scope, hash).1
    });
    said.unwrap_or_else(not_understood)
}

/// The result of `read` for a message together with the fetched object and its hash.
///
/// # Errors
/// The response or the notification cannot be read.
pub(crate) fn with_fetched<T>(
    form: &Form,
    received: &Received<'_>,
    signed_at: Option<&str>,
    index: usize,
    answer: &[u8],
    read: impl FnOnce(Scope<'_>, &str) -> T,
) -> Result<T, String> {
    let answer = json::read(answer).map_err(|reason| format!("the response is not JSON: {reason}"))?;
    let part = form.fetch.as_ref().and_then(|fetch| fetch.part.as_ref());
    let fetched = match part {
        Some(part) => part.find(&answer).ok_or_else(|| format!("the response has no {part}"))?,
        None => &answer,
    };
    let body = if form.pointer_only { Value::Null } else { form.content.message(received.body)? };
    let found = form.batch.as_ref().map_or_else(|| vec![&body], |batch| batch.find(&body));
    let message = if form.pointer_only { Some(&&Value::Null) } else { found.get(index) };
    let message = message.ok_or("the notification has no such message")?;
    let scope = Scope { fetched: Some(fetched), signed_at, ..Scope::new(received, message) };
    // The hash of the fetched object makes the key: the same state fetched twice is a repetition.
    Ok(read(scope, &hash(fetched.to_string().as_bytes())))
}

fn concerns_no_record(form: &Form, scope: &Scope<'_>) -> Message {
    Message::new(printable(&event_type(form, scope)), Meaning::Ignored)
}

fn not_understood(reason: String) -> Message {
    Message::new(String::new(), Meaning::NotUnderstood(reason))
}

/// A message and its dedupe key. `hash` is the key if the message has no other.
pub(crate) fn read_message(profile: &Profile, form: &Form, bare: Scope<'_>, hash: &str) -> (String, Message) {
    let bare = about(form, bare);
    let event_type = event_type(form, &bare);
    let scope = Scope { event_type: &event_type, ..bare };
    let key = dedupe_key(form, &scope, hash);
    let mut missing = None;
    let mut meaning = match event_type.len() {
        0 => Meaning::NotUnderstood(format!("no type at {}", type_names(form))),
        1..=TYPE_MAX => match broken(&form.requires, &scope) {
            Some(place) => Meaning::NotUnderstood(format!("{place}: not what the profile requires")),
            None => match readers(form, &scope) {
                rules if rules.is_empty() => {
                    let unread = unread(form, &scope);
                    unread.map_or_else(Meaning::NotUnderstood, |lacks| {
                        missing = Some(lacks);
                        Meaning::Ignored
                    })
                }
                rules => meaning(profile, form, &rules, scope, &key),
            },
        },
        _ => Meaning::NotUnderstood(format!("{} is too long for a type of event", shown(&event_type))),
    };
    let ahead = received(&mut meaning, scope.received.at);
    (key, Message { ahead, missing, ..Message::new(printable(&event_type), meaning) })
}

/// Replaces times that lie ahead of the receipt. For a fetched object the receipt is the time at which the call began.
fn received(meaning: &mut Meaning, at: Timestamp) -> Vec<Ahead> {
    let Meaning::Events(events) = meaning else { return Vec::new() };
    let mut ahead: Vec<Ahead> = events.iter_mut().flat_map(|event| event.received(at)).collect();
    ahead.truncate(AHEAD_TOLD);
    ahead
}

/// The longest dedupe key, in bytes. A longer one is kept as its hash: one message may mean many events, and each has the
/// key.
const KEY_MAX: usize = 256;

fn dedupe_key(form: &Form, scope: &Scope<'_>, otherwise: &str) -> String {
    let key = Some(joined(scope, &form.dedupe, "|")).filter(|key| !key.trim_matches('|').is_empty());
    let key = key.unwrap_or_else(|| otherwise.to_owned());
    if key.len() > KEY_MAX { hash(key.as_bytes()) } else { key }
}

fn joined(scope: &Scope<'_>, places: &[Place], with: &str) -> String {
    places.iter().map(|place| scope.text(place).unwrap_or_default()).collect::<Vec<_>>().join(with)
}

/// The meaning of a message by the rules that read it.
fn meaning(profile: &Profile, form: &Form, rules: &[&EventRule], scope: Scope<'_>, key: &str) -> Meaning {
    let mut events = Vec::new();
    let text = identity::loose_text(form, &scope);
    for rule in rules.iter().filter(|rule| !rule.ignore) {
        let translation = Translation { profile, form, rule, key, loose_text: text.as_deref() };
        match translation.events(scope) {
            Ok(more) => events.extend(more),
            Err(reason) => return Meaning::NotUnderstood(reason),
        }
    }
    if events.is_empty() { Meaning::Ignored } else { Meaning::Events(events) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = r#"
name = "it"
title = "It"
amounts = "major"
[[notification]]
name = "event"
type = [["/type", "/resource"], "./status"]
object = ["/_embedded/entity", "fetched:/entity"]
[[notification.signature]]
algorithm = "hmac-sha256"
signed = ["body"]
encoding = "hex"
found = { header = "signature" }
[notification.fetch]
base = "https://api.example.com"
auth = "bearer"
[[notification.fetch.call]]
when = { "/type" = { not = "" }, "/_embedded/entity/id" = "" }
path = "/events/{/id}"
[[notification.event]]
type = ["made paid", "payment paid"]
when = { "./mode" = "live" }
kind = "payment"
ids = ["./id"]
status = "Succeeded"
[[notification.event]]
type = "payment gone"
kind = "payment"
ids = ["./id"]
status = "Cancelled"
error = { when = { "./by" = "bank" }, psp_code = ["./why"] }
"#;

    fn read(body: &str, answer: Option<&str>) -> Message {
        let profile = Profile::read(SIGNED).unwrap();
        let form = &profile.forms[0];
        let received = Received { headers: &[], body: body.as_bytes(), at: jiff::Timestamp::UNIX_EPOCH };
        match answer {
            Some(answer) => normalise_fetched(&profile, form, &received, None, 0, answer.as_bytes()),
            None => normalise(&profile, &InForm::new(form, received), true).messages.remove(0),
        }
    }

    fn ids(message: &Message) -> Vec<String> {
        let Meaning::Events(events) = &message.meaning else { panic!("{message:?}") };
        events.iter().flat_map(|event| event.psp_ids.clone()).collect()
    }

    #[test]
    fn the_thing_may_stand_in_the_message_or_in_what_was_fetched_or_be_the_message() {
        let thing = r#"{"id": "tr_1", "resource": "payment", "status": "paid", "mode": "live"}"#;
        let inside = read(&format!(r#"{{"id": "e_1", "type": "made", "_embedded": {{"entity": {thing}}}}}"#), None);
        assert_eq!((inside.event_type.as_str(), ids(&inside)), ("made paid", vec!["tr_1".to_owned()]));
        let bare = read(thing, None);
        assert_eq!((bare.event_type.as_str(), ids(&bare)), ("payment paid", vec!["tr_1".to_owned()]));
        let simple = r#"{"id": "e_1", "type": "made"}"#;
        let fetched = read(simple, Some(&format!(r#"{{"entity": {thing}}}"#)));
        assert_eq!((fetched.event_type.as_str(), ids(&fetched)), ("made paid", vec!["tr_1".to_owned()]));
    }

    #[test]
    fn an_end_has_an_error_only_if_it_names_a_failure() {
        let error = |more: &str| {
            let message = read(&format!(r#"{{"id": "tr_1", "resource": "payment", "status": "gone"{more}}}"#), None);
            let Meaning::Events(events) = &message.meaning else { panic!("{message:?}") };
            events[0].facts.error.clone().map(|error| error.psp_code)
        };
        assert_eq!(error(r#", "by": "bank", "why": "closed""#), Some(Some("closed".to_owned())));
        assert_eq!(error(r#", "by": "customer", "why": "closed""#), None);
        assert_eq!(error(r#", "by": "bank""#), None);
    }

    #[test]
    fn what_no_call_fits_is_read_as_it_is() {
        assert_eq!(read(r#"{"id": "e_1", "type": "made"}"#, None).meaning, Meaning::Fetch("/events/e_1".to_owned()));
        assert_eq!(read(r#"{"resource": "payment", "status": "open"}"#, None).meaning, Meaning::Ignored);
        let nameless = read(r#"{"id": "tr_1"}"#, None).meaning;
        assert_eq!(nameless, Meaning::NotUnderstood("no type at /type or /resource or ./status".to_owned()));
    }

    const BARE: &str = r#"
name = "it"
title = "It"
amounts = "major"
[[notification]]
name = "event"
type = ["/new/type"]
any_case = true
split = "/new"
trusts_credentials = true
[[notification.event]]
type = "paid"
kind = "payment"
ids = ["/id"]
status = "Succeeded"
"#;

    fn types(body: &str) -> Vec<String> {
        let profile = Profile::read(BARE).unwrap();
        let received = Received { headers: &[], body: body.as_bytes(), at: jiff::Timestamp::UNIX_EPOCH };
        let normalised = normalise(&profile, &InForm::new(&profile.forms[0], received), false);
        let said = |message: &Message| match &message.meaning {
            Meaning::NotUnderstood(reason) => reason.clone(),
            _ => format!("{} of {}", message.event_type, ids(message).concat()),
        };
        normalised.messages.iter().map(said).collect()
    }

    #[test]
    fn each_element_of_a_list_may_be_a_message_of_its_own() {
        assert_eq!(types(r#"{"id": "a", "new": {"type": "PAID"}}"#), ["paid of a"]);
        assert_eq!(types(r#"{"id": "a", "new": [{"type": "Paid"}, {"type": "paid"}]}"#), ["paid of a", "paid of a"]);
        assert_eq!(types(r#"{"id": "a", "new": []}"#), ["the batch holds no message"]);
        let many = vec![r#"{"type": "paid"}"#; SPLIT_MAX + 1].join(",");
        assert_eq!(types(&format!(r#"{{"id": "a", "new": [{many}]}}"#)), ["/new: more than 100 elements"]);
    }
}
