//! The parts of a verified notification that the store keeps, and the calls that it asks for.

use uuid::Uuid;

use crate::domain::due::Moment;
use crate::domain::message::{Meaning, Normalised};
use crate::psp::document::received::Received;
use crate::psp::meaning::call::Hint;
use crate::psp::vouch::verify::Verified;
use crate::source::Source;
use crate::store::Taken;

/// The notification as the store keeps it, with its normalised messages.
pub(super) fn kept(source: &Source, verified: &Verified<'_>, normalised: Normalised, now: Moment) -> Taken {
    let (received, form) = (verified.received(), verified.form());
    Taken {
        id: Uuid::now_v7(),
        source: source.name.clone(),
        received_at: now,
        headers: kept_headers(source, received),
        body: received.body.to_vec(),
        form: form.name.clone(),
        partly_signed: form.is_partly_signed(),
        vouched: !source.demands().is_empty(),
        is_pointer: form.pointer_only && source.fetch.is_some(),
        signed_at: verified.signed_at().map(str::to_owned),
        normalised,
    }
}

/// The headers that are kept: all except the secret ones.
fn kept_headers(source: &Source, received: &Received<'_>) -> Vec<(String, String)> {
    let secret = |name: &str| {
        matches!(name, "authorization" | "proxy-authorization" | "cookie") || source.headers.contains_key(name)
    };
    received.headers.iter().filter(|(name, _)| !secret(name)).cloned().collect()
}

/// The calls that a mere pointer asks for. Any other notification has none here.
pub(super) fn pointed(taken: &Taken) -> Hint {
    let messages = taken.normalised.messages.iter().filter(|_| taken.is_pointer);
    let calls =
        messages.filter_map(|message| if let Meaning::Fetch(path) = &message.meaning { Some(path) } else { None });
    Hint { form: taken.form.clone(), calls: calls.cloned().collect() }
}
