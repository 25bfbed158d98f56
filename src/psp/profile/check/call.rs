//! Check of the calls that fetch the truth behind a notification.

use url::Url;

use crate::psp::document::place::Place;
use crate::psp::profile::{Call, Fetch, Form};

pub(super) fn check_fetch(fetch: &Fetch) -> Result<(), String> {
    let base = Url::parse(&fetch.base).ok().filter(|url| url.scheme() == "https" && url.query().is_none());
    if base.is_none() || fetch.base.ends_with('/') {
        return Err("base: must be an https URL without a query and without a slash at its end".to_owned());
    }
    if fetch.calls.is_empty() {
        return Err("call: needs at least one".to_owned());
    }
    let places = fetch.calls.iter().flat_map(Call::places);
    let conditions = fetch.calls.iter().flat_map(|call| call.when.keys());
    for place in places.chain(conditions) {
        if !matches!(place.root(), Place::Message(_) | Place::Header(_)) {
            return Err(format!(
                "call: {place} is not known before the fetch; only places in the message and headers are"
            ));
        }
    }
    Ok(())
}

/// Checks the calls of a pointer that is not signed as a whole, so that anybody can write into it. The id in a path shows
/// whether an object is ours. Beside a known id, a stranger could write any other text at a second place.
pub(super) fn check_hints(form: &Form, fetch: &Fetch) -> Result<(), String> {
    let may_be_made_up = form.pointer_only && (form.signature.is_empty() || form.is_partly_signed());
    match fetch.calls.iter().find(|call| may_be_made_up && !call.names_one_thing()) {
        Some(Call { path, .. }) => Err(format!(
            "call.path: {path} has several places in a pointer that nobody signs as a whole. A stranger who knows the text of one \
             could make up the others without end. Use one place only"
        )),
        None => Ok(()),
    }
}
