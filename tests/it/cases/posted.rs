//! A notification of a case as it is posted: by the profile of its source, in a body, and in the form that reads it.

use serde_json::{Value, json};
use transform_relay::domain::message::Meaning;
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::in_form::InForm;
use transform_relay::psp::meaning::normalise::normalise;
use transform_relay::psp::profile::{Form, Profile};

use super::case::Notification;
use crate::support::contents::wrapped;

/// The profile of a source that is set up in a way of its own.
pub(super) fn set_up(source: &str) -> &str {
    match source {
        "stripe-thin" => "stripe",
        "mollie-classic" => "mollie",
        plain => plain,
    }
}

/// The body as it is posted, but for a field around it. An item of Adyen stands in a batch.
pub(super) fn posted(notification: &Notification) -> Vec<u8> {
    match &notification.body {
        Value::String(text) => text.clone().into_bytes(),
        item if item.get("eventCode").is_some() && notification.profile == "adyen" => {
            json!({ "live": "false", "notificationItems": [{ "NotificationRequestItem": item }] }).to_string().into()
        }
        body => body.to_string().into_bytes(),
    }
}

/// The form that a notification is read by: the first whose rules understand it, else the first that can read it.
pub(super) fn form<'p>(profile: &'p Profile, received: Received<'_>) -> &'p Form {
    let is_understood = |form: &&Form| {
        let body = wrapped(form, received.body.to_vec());
        let said = normalise(profile, &InForm::new(form, Received { body: &body, ..received }), false);
        !said.messages.iter().all(|message| matches!(message.meaning, Meaning::NotUnderstood(_)))
    };
    let is_readable = |form: &&Form| form.content.message(&wrapped(form, received.body.to_vec())).is_ok();
    let mut forms = profile.forms.iter();
    let found = forms.clone().find(is_understood).or_else(|| forms.clone().find(is_readable));
    found.or_else(|| forms.next()).expect("a profile has a form")
}
