//! The check of the calls that fetch the truth of a notification.

use url::Url;

use crate::psp::document::place::Place;
use crate::psp::profile::{Call, Fetch, Form};

pub(super) fn check_fetch(fetch: &Fetch) -> Result<(), String> {
    let base = Url::parse(&fetch.base).ok().filter(|url| url.scheme() == "https" && url.query().is_none());
    if base.is_none() || fetch.base.ends_with('/') {
        return Err("base: an https URL without a slash at its end".to_owned());
    }
    if fetch.calls.is_empty() {
        return Err("call: at least one".to_owned());
    }
    let places = fetch.calls.iter().flat_map(Call::places);
    let conditions = fetch.calls.iter().flat_map(|call| call.when.keys());
    for place in places.chain(conditions) {
        if !matches!(place.root(), Place::Message(_) | Place::Header(_)) {
            return Err(format!("call: {place} is not known when it is made"));
        }
    }
    Ok(())
}

/// Anybody can write into a pointer where nobody signs. An object is known to be ours by its id in the path: beside a known id
/// anything could stand in the place of another one.
pub(super) fn check_hints(form: &Form, fetch: &Fetch) -> Result<(), String> {
    let may_be_made_up = form.pointer_only && (form.signature.is_empty() || form.is_partly_signed());
    match fetch.calls.iter().find(|call| may_be_made_up && !call.names_one_thing()) {
        Some(Call { path, .. }) => Err(format!(
            "call.path: {path} has several places in a pointer that nobody signs as a whole. Who knows one of their texts could make \
             up the others without end. Fetch by one place"
        )),
        None => Ok(()),
    }
}
