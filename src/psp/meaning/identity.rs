//! The identity of a message: the part that a holder of one captured notification cannot change.
//!
//! A signature may cover only parts of the body. A holder of one message can then make many others that verify: with another
//! time, or with more fields. Even the borders between signed fields can be moved, since the fields are signed as one text.
//! The signed text is the same in all of them.

use jiff::Timestamp;
use serde_json::Value;

use super::hash::hash;
use crate::domain::event::Event;
use crate::domain::message::{Identity, Message};
use crate::psp::document::place::{Place, Scope};
use crate::psp::profile::Form;

/// The signed parts of a message; a digest stands for the body.
fn parts(form: &Form, scope: &Scope<'_>) -> Vec<String> {
    let Some(signature) = form.signature.first() else { return Vec::new() };
    // Signatures read the body around an inner message.
    let outer = form.content.inner.as_ref().map(|_| form.content.outer(scope.received.body).unwrap_or_default());
    let message: &Value = outer.as_ref().unwrap_or(scope.message);
    let around =
        Scope { configured: scope.configured, signed_at: scope.signed_at, ..Scope::new(scope.received, message) };
    let part = |place: &Place| match place {
        Place::Body => Some(hash(scope.received.body)),
        other => around.text(other),
    };
    signature.signed.iter().map(|place| part(place).unwrap_or_default()).collect()
}

/// The signed parts of a message; none if all of it is signed.
pub(super) fn signed_parts(form: &Form, scope: &Scope<'_>) -> Option<Vec<String>> {
    form.is_partly_signed().then(|| parts(form, scope))
}

/// The signed text as one hash.
pub(super) fn text(form: &Form, parts: &[String]) -> String {
    let separator = form.signature.first().map_or("", |signature| signature.separator.as_str());
    hash(parts.join(separator).as_bytes())
}

/// The signed text of a message that can be led to another record; none if no id or reference can change.
pub(super) fn loose_text(form: &Form, scope: &Scope<'_>) -> Option<String> {
    form.is_loose().then(|| text(form, &parts(form, scope)))
}

/// The identity of a message that was received `at`, by its index in the notification; none if nothing of it has to be
/// remembered.
pub(super) fn of(
    form: &Form,
    parts: Option<&[String]>,
    dedupe_key: &str,
    (place, message): (usize, &Message),
    (body_hash, at): (&str, Timestamp),
) -> Option<Identity> {
    let first_time = first_time(form, message.events(), at);
    let Some(parts) = parts else {
        let identity = Identity {
            key: dedupe_key.to_owned(),
            fields: String::new(),
            has_borders: false,
            binds_body: false,
            partly_signed: false,
            needs_owner: false,
            is_behind: false,
            first_time,
        };
        return Some(identity).filter(Identity::is_remembered);
    };
    let binds_body = form.binds_body();
    let mut fields = parts.to_vec();
    fields.extend(binds_body.then(|| body_hash.to_owned()));
    // The messages of a body that is signed as a whole share one signed text.
    let text = text(form, parts);
    let key = if place > 0 && form.is_signed_whole() { hash(format!("{text} {place}").as_bytes()) } else { text };
    Some(Identity {
        key,
        fields: hash(Value::from(fields).to_string().as_bytes()),
        // A pointer is believed only as to where to look.
        has_borders: parts.len() > 1 && !form.pointer_only,
        binds_body,
        partly_signed: true,
        needs_owner: form.reads_unsigned(),
        is_behind: place > 0 && !form.is_signed_whole(),
        first_time,
    })
}

/// The indexes of the events without a signed time, and of the events without any time, which count as of the receipt.
/// A repetition would make them later news. Where states recur, the same bytes may be later news.
fn first_time(form: &Form, events: &[Event], at: Timestamp) -> Vec<usize> {
    if !form.recurs.is_empty() {
        return Vec::new();
    }
    let undated = |event: &Event| !form.time_signed || (form.is_protected() && event.at == at);
    events.iter().enumerate().filter(|(_, event)| undated(event)).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use crate::psp::document::received::Received;
    use crate::psp::meaning::in_form::InForm;
    use crate::psp::meaning::normalise::normalise;
    use crate::psp::profile::catalogue::Catalogue;

    /// Only the form's field with the message is signed: other fields beside it do not make another notification.
    #[test]
    fn what_stands_beside_a_signed_field_makes_no_other_notification() {
        let catalogue = Catalogue::built_in().unwrap();
        let profile = &catalogue.get("braintree").unwrap().profile;
        let form = &profile.forms[0];
        assert!(form.is_partly_signed());
        let key = |payload: &str, pad: &str| {
            let body = format!("bt_signature=k%7C00&bt_payload={payload}&pad={pad}");
            let received = Received { headers: &[], body: body.as_bytes(), at: jiff::Timestamp::UNIX_EPOCH };
            normalise(profile, &InForm::new(form, received), false).dedupe_key
        };
        let check = "PG5vdGlmaWNhdGlvbj48a2luZD5jaGVjazwva2luZD48L25vdGlmaWNhdGlvbj4%3D";
        for payload in [check, "AAAA"] {
            assert_eq!(key(payload, "1"), key(payload, "2"), "{payload}");
        }
        assert_ne!(key(check, ""), key("AAAA", ""));
    }
}
